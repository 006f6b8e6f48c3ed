"""What a capitalised name most likely names: a person, a place, a body, an event, or something else.

Good enough to keep a town out of a choice among people. What no rule knows is told apart by the word before
it: what stands after "by" is not set beside what stands after "in".
"""

from __future__ import annotations

import re

from smolforge.questions.wordlists import (
    BODY_HEADS,
    CITIES,
    CONTINENTS,
    COUNTRIES,
    DIRECTIONS,
    DISTRICT_HEADS,
    EVENT_HEADS,
    GIVEN_NAMES,
    LAND_HEADS,
    LAW_HEADS,
    LEARNED_HEADS,
    NO_NAMES,
    REALM_HEADS,
    STATES,
    STRUGGLE_HEADS,
    TITLES,
    WATERS,
)

SHORT = re.compile(r"[A-Z]{2,6}s?$")
ROMAN = re.compile(r"[IVXLC]+$")
MAX_WORDS = 6
BEGINNINGS = ("new", "first", "second", "one", "two", "three")
"""Words that names begin with, too: "New Orleans"."""
HEADS = {
    "struggle": STRUGGLE_HEADS,
    "law": LAW_HEADS,
    "event": EVENT_HEADS,
    "learned body": LEARNED_HEADS,
    "body": BODY_HEADS,
}
"""Kinds that the last word of a name tells, or the first before "of"."""


def is_name(text: str) -> bool:
    """Whether capitalised words may be a name: not a month, not a word that begins sentences."""
    words = [word.strip(".") for word in text.lower().split()]
    if not 0 < len(words) <= MAX_WORDS or len(text) < 3 or ROMAN.match(text):
        return False
    return words[0] not in NO_NAMES or (len(words) > 1 and words[0] in BEGINNINGS)


def classify(text: str, before: str) -> tuple[str, str]:
    """The kind of a name, and its form: as many words (three and more are one), capitals or not."""
    words = [word.strip(".").lower() for word in text.split()]
    form = "capitals" if SHORT.fullmatch(text) else f"{min(3, len(words))} words"
    return _kind(words, before), form


def _kind(words: list[str], before: str) -> str:
    first, head = words[0], _head(words)
    for kind, heads in HEADS.items():
        if head in heads or head.removesuffix("s") in heads:
            return kind
    if first in GIVEN_NAMES or first in TITLES or before in TITLES:
        return "person"
    return _place_kind(words) or f"after {before}"


def _head(words: list[str]) -> str:
    """The word that says what is named: the one before "of", else the last."""
    place = words.index("of") if "of" in words[1:] else len(words)
    return words[place - 1]


def _place_kind(words: list[str]) -> str:
    """What kind of place a name names, as far as the lists know; nothing where they do not."""
    first, head = words[0], _head(words)
    if head in WATERS or first in ("lake", "gulf"):
        return "water"
    if len(words) > 1 and first in ("mount", "cape", "san", "santa", "port", "fort", "new"):
        return "land"
    heads = (("realm", REALM_HEADS), ("land", LAND_HEADS), ("district", DISTRICT_HEADS))
    known = (("continent", CONTINENTS), ("country", COUNTRIES), ("state", STATES), ("city", CITIES))
    found = next((kind for kind, words_of in (heads if len(words) > 1 else known) if head in words_of), "")
    return found or ("region" if len(words) > 1 and first in DIRECTIONS else "")
