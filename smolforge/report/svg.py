"""Small words for writing SVG: escaped elements, short numbers, round axis steps, text that fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape


def element(name: str, *inside: str, **attributes: object) -> str:
    """One element. Attribute `stroke_width` becomes `stroke-width`; `class_` becomes `class`.

    `inside` is markup already made here; text goes through `text` or `title`.
    """
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"' for key, value in attributes.items()
    ]
    return f"<{name}{''.join(parts)}>{''.join(inside)}</{name}>" if inside else f"<{name}{''.join(parts)}/>"


def text(x: float, y: float, content: str, **attributes: object) -> str:
    """Text at a place, escaped."""
    return element("text", escape(content) or " ", x=x, y=y, **attributes)


def title(content: str) -> str:
    """What a pointer resting there shows."""
    return element("title", escape(content))


def drawing(width: float, height: float, *inside: str, label: str, class_: str = "") -> str:
    """A whole SVG; `label` says in words what it shows."""
    return element(
        "svg",
        *inside,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=number(width),
        height=number(height),
        role="img",
        aria_label=label,
        class_=class_,
    )


def path(points: Sequence[tuple[float, float]]) -> str:
    """Path data through the points; no points make no path."""
    return "".join(f"{'M' if i == 0 else 'L'}{number(x)} {number(y)}" for i, (x, y) in enumerate(points))


def number(value: float) -> str:
    """At most one decimal, which is a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round values within the range."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(step * i, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def shortened(content: str, width: float, size: float = 12.0) -> str:
    """The text cut to about `width` pixels at a font size; 0.56 em is the mean width of a letter."""
    most = max(1, int(width / (size * 0.56)))
    return content if len(content) <= most else content[: most - 1].rstrip() + "…"


def _attribute(value: object) -> str:
    return number(value) if isinstance(value, float) else escape(str(value), quote=True)
