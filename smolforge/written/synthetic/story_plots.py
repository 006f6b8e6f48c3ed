"""Plots of short stories and what surrounds them; `texts/stories.toml` says how they are written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from smolforge.written.files import cells, lines, texts


@dataclass(frozen=True)
class Plot:
    """`casts` rows fill the names in `slots`; each of `beats` is told in several ways."""

    slots: tuple[str, ...]
    casts: tuple[tuple[str, ...], ...]
    beats: tuple[tuple[str, ...], ...]


def _plot(text: Mapping[str, str]) -> Plot:
    return Plot(
        slots=tuple(text["slots"].split()),
        casts=tuple(cells(line, "|") for line in lines(text["casts"])),
        beats=tuple(cells(line, " / ") for line in lines(text["beats"])),
    )


_TEXTS = texts("stories")
OPENINGS, WEATHERS, HOMES, TRAITS, ENDINGS = (
    lines(_TEXTS[name]) for name in ("openings", "weathers", "homes", "traits", "endings")
)
PLOTS = {name: _plot(text) for name, text in _TEXTS["plots"].items()}
