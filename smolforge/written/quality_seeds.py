"""Anchors for `quality.train`: short passages scored by hand, and worthless pages put together from phrases.

We wrote them all. The passages stand for what `annotate` is unsure of; the pages stand for the web, of which
a source may hold too little for a classifier to know it.
"""

from __future__ import annotations

import random

from smolforge.written.files import cells, texts

_TEXTS = texts("quality")
SEEDS: tuple[tuple[float, str], ...] = tuple((one["score"], one["text"]) for one in _TEXTS["passages"])
MENU, OFFERS, NOTICES = (
    cells(_TEXTS[name].strip().replace("\n", " "), "|") for name in ("menu", "offers", "notices")
)


def worthless_pages(count: int, seed: int = 1) -> list[tuple[float, str]]:
    """(score, text) of pages that are menus, offers and notices; scores 0 to 1."""
    pages = []
    for number in range(count):
        draw = random.Random(f"worthless/{seed}/{number}")
        phrases = draw.choice((MENU, OFFERS, NOTICES, MENU + NOTICES, OFFERS + MENU, MENU + OFFERS + NOTICES))
        lines = [
            draw.choice(phrases).replace("{n}", str(draw.randint(2, 60)))
            for _ in range(draw.randint(15, 120))
        ]
        pages.append((draw.choice((0.0, 0.0, 0.5, 1.0)), draw.choice(("\n", " | ", " ")).join(lines)))
    return pages
