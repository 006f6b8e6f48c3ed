"""The subjects that everybody meets often: texts come back to them more than to the rest, as real texts do."""

from __future__ import annotations

import random

from smolforge.written.synthetic.facts import BY_KIND, RELATIONS, SUBJECTS
from smolforge.written.synthetic.relations import Relation

FAMILIAR_SHARE = 0.65
"""Share of texts that take their subjects from the familiar ones only. Chosen, untested."""

_COUNTRIES = frozenset(
    [
        "Argentina",
        "Australia",
        "Austria",
        "Belgium",
        "Brazil",
        "Canada",
        "Chile",
        "China",
        "Colombia",
        "Cuba",
        "Denmark",
        "Egypt",
        "Ethiopia",
        "Finland",
        "France",
        "Germany",
        "Ghana",
        "Greece",
        "Hungary",
        "Iceland",
        "India",
        "Indonesia",
        "Iran",
        "Iraq",
        "Ireland",
        "Italy",
        "Japan",
        "Kenya",
        "Mexico",
        "Morocco",
        "Nepal",
        "the Netherlands",
        "New Zealand",
        "Nigeria",
        "Norway",
        "Pakistan",
        "Peru",
        "the Philippines",
        "Poland",
        "Portugal",
        "Russia",
        "Saudi Arabia",
        "South Korea",
        "Spain",
        "Sweden",
        "Switzerland",
        "Thailand",
        "Turkey",
        "Ukraine",
        "the United Kingdom",
        "the United States",
        "Vietnam",
    ]
)
_ELEMENTS = frozenset(
    [
        "hydrogen",
        "helium",
        "lithium",
        "carbon",
        "nitrogen",
        "oxygen",
        "fluorine",
        "neon",
        "sodium",
        "magnesium",
        "aluminium",
        "silicon",
        "phosphorus",
        "sulfur",
        "chlorine",
        "potassium",
        "calcium",
        "titanium",
        "iron",
        "nickel",
        "copper",
        "zinc",
        "silver",
        "tin",
        "iodine",
        "gold",
        "mercury",
        "lead",
        "uranium",
    ]
)
_ANIMALS = frozenset(
    ["lion", "tiger", "elephant", "giraffe", "zebra", "horse", "cow", "sheep", "goat", "pig", "dog", "cat", "mouse", "rabbit", "fox", "wolf", "bear", "deer", "camel", "kangaroo", "monkey", "squirrel", "bat", "whale", "dolphin", "seal", "chicken", "duck", "goose", "owl", "eagle", "penguin", "parrot", "sparrow", "snake", "crocodile", "tortoise", "frog", "shark", "salmon", "bee", "ant", "butterfly", "fly", "spider", "crab", "snail"]
)  # fmt: skip


def _familiar() -> dict[str, tuple[str, ...]]:
    country_of, element_of = RELATIONS["country of capital"].answers, RELATIONS["element of symbol"].answers
    tests = {
        "country": lambda s: s in _COUNTRIES,
        "capital": lambda s: country_of[s] in _COUNTRIES,
        "element": lambda s: s in _ELEMENTS,
        "symbol": lambda s: element_of[s] in _ELEMENTS,
        "animal": lambda s: s in _ANIMALS,
    }
    return {
        kind: tuple(subject for subject in subjects if kind not in tests or tests[kind](subject))
        for kind, subjects in SUBJECTS.items()
    }


FAMILIAR = _familiar()
_FAMILIAR_SETS = {kind: frozenset(subjects) for kind, subjects in FAMILIAR.items()}
_FAMILIAR_PAIRS = {
    relation.name: tuple(pair for pair in relation.pairs if pair[0] in _FAMILIAR_SETS[kind])
    for kind, relations in BY_KIND.items()
    for relation in relations
}


def is_familiar(relation: Relation, subject: str) -> bool:
    """Whether texts come back to this subject often."""
    return subject in _FAMILIAR_SETS[relation.kind]


def subjects(rng: random.Random, kind: str, count: int) -> list[str]:
    """`count` different subjects (or all there are), mostly familiar ones."""
    pool = FAMILIAR[kind] if rng.random() < FAMILIAR_SHARE else SUBJECTS[kind]
    return rng.sample(pool, min(count, len(pool)))


def pairs(rng: random.Random, relation: Relation, count: int) -> list[tuple[str, str]]:
    """`count` different (subject, answer) pairs (or all there are), mostly of familiar subjects."""
    pool = _FAMILIAR_PAIRS[relation.name] if rng.random() < FAMILIAR_SHARE else relation.pairs
    return rng.sample(pool, min(count, len(pool)))
