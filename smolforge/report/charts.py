"""Charts as SVG text: pure functions of plain numbers. Colours are classes that the page's style defines."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from smolforge.report.svg import drawing, element, path, shortened, text, ticks, title
from smolforge.units import format_count

MOST_POINTS = 400
"""Points of one curve; more cannot be seen at this width and would only swell the page."""
SMOOTHING_SHARE = 0.02
"""How far the smoothed curve looks to each side, as a share of the whole; chosen by eye."""


@dataclass(frozen=True)
class LossPart:
    """One stretch of training: tokens seen since the curve began, loss at each, learning rate at each."""

    name: str
    tokens: Sequence[float]
    losses: Sequence[float]
    rates: Sequence[float] = ()


def loss_chart(
    parts: Sequence[LossPart],
    *,
    unit: str,
    x_name: str = "tokens",
    width: float = 1080.0,
    tall: float = 270.0,
) -> str:
    """Raw and smoothed curve over tokens, phases marked, learning rate beneath; "" without points.

    The values under the pointer come from `data-points`, read by the page's script.
    """
    points = [
        (x, y, r)
        for part in parts
        for x, y, r in zip(part.tokens, part.losses, _padded(part.rates, len(part.tokens)), strict=True)
        if math.isfinite(y)
    ]
    if len(points) < 2:
        return ""
    smooth = smoothed([y for _, y, _ in points], max(1, round(len(points) * SMOOTHING_SHARE)))
    rows = _thinned([(x, y, s, r) for (x, y, r), s in zip(points, smooth, strict=True)], MOST_POINTS)
    has_rates = any(r == r for *_, r in rows)
    left, right, top = 40.0, 4.0, 26.0 if len(parts) > 1 else 8.0
    strip = 40.0 if has_rates else 0.0
    height = top + tall + (strip + 14 if strip else 0) + 34
    x_low, x_high = 0.0, rows[-1][0]
    y_low, y_high = _loss_range([y for _, y, _, _ in rows], [s for _, _, s, _ in rows])

    def at_x(x: float) -> float:
        return left + (x - x_low) / (x_high - x_low or 1) * (width - left - right)

    def at_y(y: float) -> float:
        return top + (1 - (min(y, y_high) - y_low) / (y_high - y_low or 1)) * tall

    inside = [
        *_horizontal_grid(ticks(y_low, y_high, 5), at_y, left, width - right),
        *_x_axis(ticks(x_low, x_high, max(3, int(width / 150))), at_x, height - 18, x_name, width - right),
        *_boundaries(parts, at_x, top, top + tall + strip),
        element("path", d=path([(at_x(x), at_y(y)) for x, y, _, _ in rows]), class_="raw"),
        element("path", d=path([(at_x(x), at_y(s)) for x, _, s, _ in rows]), class_="curve"),
    ]
    if has_rates:
        inside += _rate_strip(rows, at_x, top + tall + 14, strip)
    inside.append(
        element("line", class_="cross", x1=0, x2=0, y1=top, y2=top + tall + strip, visibility="hidden")
    )
    data = json.dumps([[round(v, 5) if v == v else None for v in row] for row in rows], separators=(",", ":"))
    first, last = rows[0][2], rows[-1][2]
    label = f"Loss from {first:.2f} to {last:.2f} over {format_count(x_high)} {x_name}"
    scale = json.dumps(
        {"left": left, "right": width - right, "low": x_low, "high": x_high, "unit": x_name, "what": unit}
    )
    chart = drawing(width, height, *inside, label=label, class_="loss")
    return chart.replace("<svg", f'<svg data-points="{escape(data)}" data-scale="{escape(scale)}"', 1)


def readings(parts: Sequence[LossPart], most: int = 12) -> list[tuple[str, str, str, str]]:
    """`(part, tokens, smoothed loss, rate)` at places evenly apart: what the curve says, for those without a pointer."""
    points = [
        (part.name, x, y, r)
        for part in parts
        for x, y, r in zip(part.tokens, part.losses, _padded(part.rates, len(part.tokens)), strict=True)
        if math.isfinite(y)
    ]
    if len(points) < 2:
        return []
    smooth = smoothed([y for _, _, y, _ in points], max(1, round(len(points) * SMOOTHING_SHARE)))
    places = sorted({round(i * (len(points) - 1) / (most - 1)) for i in range(most)})
    rows = [(*points[place], smooth[place]) for place in places]
    return [(name, format_count(x), f"{s:.3f}", f"{r:.3g}" if r == r else "") for name, x, _, r, s in rows]


def score_chart(
    values: Sequence[tuple[str, float, float, float]], chance: float | None, *, is_share: bool
) -> str:
    """One skill over the steps: `(step, value, low, high)` with error bars and a line at chance."""
    if not values:
        return ""
    width, height, left, right, top, bottom = 250.0, 132.0, 34.0, 8.0, 8.0, 30.0
    highest = max(high for *_, high in values)
    lowest = min(low for _, _, low, _ in values)
    if is_share:
        y_low, y_high = 0.0, min(1.0, max(0.2, highest * 1.08))
    else:
        span = highest - lowest or 1.0
        y_low, y_high = max(0.0, lowest - 0.1 * span), highest + 0.08 * span

    def at_x(place: int) -> float:
        return left + (place + 0.5) * (width - left - right) / len(values)

    def at_y(value: float) -> float:
        share = (min(max(value, y_low), y_high) - y_low) / (y_high - y_low)
        return top + (1 - share) * (height - top - bottom)

    marks = ticks(y_low, y_high, 4)
    inside = _horizontal_grid(marks, at_y, left, width - right, percent=is_share)
    if chance is not None and y_low <= chance <= y_high:
        y = at_y(chance)
        inside.append(
            element(
                "line",
                title(f"chance {_value(chance, is_share)}"),
                x1=left,
                x2=width - right,
                y1=y,
                y2=y,
                class_="chance",
            )
        )
    inside.append(
        element(
            "path", d=path([(at_x(i), at_y(v)) for i, (_, v, _, _) in enumerate(values)]), class_="joined"
        )
    )
    room = (width - left - right) / len(values)
    for place, (step, value, low, high) in enumerate(values):
        x = at_x(place)
        told = f"{step}: {_value(value, is_share)} ({_value(low, is_share)} to {_value(high, is_share)})"
        inside.append(
            element(
                "g",
                title(told),
                element("line", x1=x, x2=x, y1=at_y(low), y2=at_y(high), class_="bar"),
                element("circle", cx=x, cy=at_y(value), r=3.5, class_="dot"),
                element(
                    "rect", x=x - room / 2, y=top, width=room, height=height - top - bottom, class_="catch"
                ),
            )
        )
        inside.append(
            text(x, height - 14, shortened(_short_step(step), room, 10), text_anchor="middle", class_="tick")
        )
    label = ", ".join(f"{step} {_value(value, is_share)}" for step, value, _, _ in values)
    return drawing(width, height, *inside, label=label, class_="score")


def smoothed(values: Sequence[float], reach: int) -> list[float]:
    """The line of least squares through `reach` neighbours on each side, at each place; at both ends through as many, on
    one side. So neither a slope is delayed, nor do the ends follow single values. Source: Cleveland 1979 (local lines).
    """
    count, wide = len(values), min(len(values), 2 * reach + 1)
    if wide < 3:
        return list(values)
    sums = [0.0, *itertools.accumulate(values)]
    moments = [0.0, *itertools.accumulate(i * v for i, v in enumerate(values))]
    spread = wide * (wide * wide - 1) / 12  # the sum of squared distances from the middle of a window
    out = []
    for i in range(count):
        first = min(max(0, i - reach), count - wide)
        middle, total = first + (wide - 1) / 2, sums[first + wide] - sums[first]
        slope = (moments[first + wide] - moments[first] - middle * total) / spread
        out.append(total / wide + slope * (i - middle))
    return out


def _thinned(rows: list[tuple[float, ...]], most: int) -> list[tuple[float, ...]]:
    """Every n-th row, the first and the last always."""
    if len(rows) <= most:
        return rows
    step = (len(rows) - 1) / (most - 1)
    return [rows[round(i * step)] for i in range(most)]


def _loss_range(raw: Sequence[float], smooth: Sequence[float]) -> tuple[float, float]:
    """The range that shows the curve; spikes of the raw values may leave it at the top."""
    ordered = sorted(raw)
    low, high = ordered[0], max(max(smooth), ordered[int(0.98 * (len(ordered) - 1))])
    margin = 0.04 * (high - low or 1.0)
    return low - margin, high + margin


def _padded(rates: Sequence[float], count: int) -> list[float]:
    return [*rates, *([float("nan")] * (count - len(rates)))]


def _horizontal_grid(marks, at_y, left: float, right: float, *, percent: bool = False) -> list[str]:
    lines = []
    for mark in marks:
        y = at_y(mark)
        told = f"{mark:.0%}" if percent else f"{mark:g}"
        lines.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
        lines.append(text(left - 6, y + 3.5, told, text_anchor="end", class_="tick"))
    return lines


def _x_axis(marks, at_x, y: float, name: str, right: float) -> list[str]:
    last = marks[-1]
    told = [
        (mark, format_count(mark).replace(".0", "") + (f" {name}" if mark == last else "")) for mark in marks
    ]
    return [
        text(min(at_x(mark), right), y, word, text_anchor="end" if mark == last else "middle", class_="tick")
        for mark, word in told
    ]


def _boundaries(parts: Sequence[LossPart], at_x, top: float, bottom: float) -> list[str]:
    if len(parts) == 1:
        return []
    marks, begin = [], 0.0
    for index, part in enumerate(parts):
        if not part.tokens:
            continue
        end = part.tokens[-1]
        room = at_x(end) - at_x(begin)
        marks.append(text(at_x(begin) + 5, top - 8, shortened(part.name, room - 8, 11), class_="soft"))
        if index:
            x = at_x(begin)
            marks.append(element("line", x1=x, x2=x, y1=top - 16, y2=bottom, class_="boundary"))
        begin = end
    return marks


def _rate_strip(rows, at_x, top: float, tall: float) -> list[str]:
    rates = [(x, r) for x, *_, r in rows if r == r]
    highest = max(r for _, r in rates) or 1.0
    line = [(at_x(x), top + tall - r / highest * (tall - 8)) for x, r in rates]
    floor = top + tall
    area = path([(line[0][0], floor), *line, (line[-1][0], floor)]) + "Z"
    return [
        element("path", d=area, class_="rate"),
        text(0, top + 10, "rate", class_="soft"),
        text(40, floor - 1, f"{highest:.2g}", text_anchor="end", class_="tick"),
    ]


def _value(value: float, is_share: bool) -> str:
    return f"{100 * value:.0f}%" if is_share else f"{value:.2f}"


def _short_step(step: str) -> str:
    return step.replace("phase-", "ph ") if step.startswith("phase-") else step
