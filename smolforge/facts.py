"""Facts of artifacts for people: scores first, with their intervals and changes, in lines that fit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from smolforge.artifacts import Facts
from smolforge.intervals import Interval, independent_difference
from smolforge.units import format_bytes, format_count

PLAIN_WIDTH = 100
"""Columns of a line that goes to a file rather than to a terminal; chosen."""
FIRST = ("loss", "reward", "accuracy", "tokens", "parameters", "documents", "conversations", "pairs", "bytes")
"""What is read first where nothing was scored."""
COLOURS = {"better": "\x1b[32m", "worse": "\x1b[31m", "dim": "\x1b[2m", "bold": "\x1b[1m"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MARKS = {"better": " ▲", "worse": " ▼", "": ""}


def facts_told(facts: Facts, before: Facts | None = None, *, colour: bool = False) -> list[str]:
    """Every fact in words, what matters first: shares, then bits per byte, then counts.

    before  facts of the same kind to compare with: a score's change follows it, with ▲ or ▼ where it is more than noise
    """
    ends = {f"{name}{end}" for name in facts for end in ("_low", "_high") if _has_interval(name, facts)}
    names = sorted((name for name in facts if name not in ends), key=lambda name: _rank(name, facts))
    return [_told(name, facts, before or {}, colour) for name in names]


def facts_line(facts: Facts, before: Facts | None = None, *, colour: bool = False) -> str:
    """All of them in one line."""
    return ", ".join(facts_told(facts, before, colour=colour))


def in_lines(parts: Sequence[str], width: int, indent: str, *, comma: str = ",") -> str:
    """The parts in lines of at most `width` columns; a part is never cut. Colours take no room."""
    lines: list[str] = []
    for number, part in enumerate(parts):
        word = part + (comma if number < len(parts) - 1 else "")
        if lines and len(COLOUR.sub("", lines[-1])) + 1 + len(COLOUR.sub("", word)) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(indent + word)
    return "\n".join(lines)


def change_of(name: str, facts: Facts, before: Facts) -> tuple[float, str] | None:
    """`(after minus before, "better" or "worse" where that is more than noise)` of a score; None where there is none."""
    if not (_has_interval(name, facts) and _has_interval(name, before)):
        return None
    change = independent_difference(_interval(name, before), _interval(name, facts))
    if not change.excludes(0.0):
        return change.value, ""
    return change.value, "better" if (change.value < 0) == _is_bits(name) else "worse"


def painted(text: str, how: str, colour: bool) -> str:
    """The text in a colour of `COLOURS`, where there is colour."""
    return f"{COLOURS[how]}{text}\x1b[0m" if colour and how in COLOURS else text


def has_colour(stream: TextIO) -> bool:
    """Whether a person sits there who wants colour. Source: no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def score_rows(facts: Facts, before: Facts | None = None) -> Iterator[tuple[str, str, str, str, str]]:
    """`(name, value, interval, change, verdict)` of every score, for a table."""
    for name in sorted(facts, key=lambda name: _rank(name, facts)):
        if _has_interval(name, facts):
            value, interval = _with_interval(name, facts)
            change, verdict = _changed(name, facts, before or {})
            yield name.replace("_", " "), value, interval, change, verdict


def _told(name: str, facts: Facts, before: Mapping[str, Any], colour: bool) -> str:
    value: Any = facts[name]
    if _has_interval(name, facts):
        shown, interval = _with_interval(name, facts)
        change, verdict = _changed(name, facts, before)
        changed = " " + painted(change, verdict or "dim", colour) if change else ""
        return f"{name} {shown} {painted(interval, 'dim', colour)}{changed}"
    if isinstance(value, bool | str):
        return f"{name} {value}"
    if name.endswith("bytes") or name.startswith("bytes"):
        return f"{name} {format_bytes(value)}" if value >= 1024 else f"{name} {value:g}"
    return f"{name} {format_count(value)}" if isinstance(value, int) else f"{name} {value:.3g}"


def _changed(name: str, facts: Facts, before: Facts) -> tuple[str, str]:
    """`("+10 ▲", "better")`; empty where nothing changed that can be seen."""
    found = change_of(name, facts, before)
    told = _signed(name, found[0], facts) if found else ""
    return (told + MARKS[found[1]], found[1]) if found and told else ("", "")


def _with_interval(name: str, facts: Facts) -> tuple[str, str]:
    value, low, high = (facts[f"{name}{end}"] for end in ("", "_low", "_high"))
    if _is_share(name, facts):
        return f"{100 * value:.0f}%", f"[{100 * low:.0f}, {100 * high:.0f}]"
    return f"{value:.2f}", f"[{low:.2f}, {high:.2f}]"


def _signed(name: str, change: float, facts: Facts) -> str:
    told = f"{100 * change:+.0f}" if _is_share(name, facts) else f"{change:+.2f}"
    return "" if not float(told) else told.replace("-", "−")


def _rank(name: str, facts: Facts) -> tuple[int, int]:
    """Shares, bits per byte, what is read first, the rest; each in the order in which it was recorded."""
    if _has_interval(name, facts):
        return (1 if _is_bits(name) else 0), 0
    return (2, FIRST.index(name)) if name in FIRST else (3, 0)


def _has_interval(name: str, facts: Mapping[str, Any]) -> bool:
    return all(isinstance(facts.get(f"{name}{end}"), int | float) for end in ("", "_low", "_high"))


def _interval(name: str, facts: Mapping[str, Any]) -> Interval:
    return Interval(*(float(facts[f"{name}{end}"]) for end in ("", "_low", "_high")))


def _is_bits(name: str) -> bool:
    return name.startswith("bits_")


def _is_share(name: str, facts: Mapping[str, Any]) -> bool:
    return not _is_bits(name) and all(0 <= facts[f"{name}{end}"] <= 1 for end in ("", "_low", "_high"))
