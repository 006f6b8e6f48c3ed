"""The subjects that everybody meets often: texts come back to them more than to the rest, as real texts do."""

from __future__ import annotations

import random

from smolforge.written.files import table
from smolforge.written.synthetic.facts import BY_KIND, RELATIONS, SUBJECTS
from smolforge.written.synthetic.relations import Relation

FAMILIAR_SHARE = 0.65
"""Share of texts that take their subjects from the familiar ones only. Chosen, untested."""

_CHOSEN = {row["kind"]: frozenset(row["subjects"].split(",")) for row in table("familiar")}


def _familiar() -> dict[str, tuple[str, ...]]:
    country_of, element_of = RELATIONS["country of capital"].answers, RELATIONS["element of symbol"].answers
    tests = {
        "country": lambda s: s in _CHOSEN["country"],
        "capital": lambda s: country_of[s] in _CHOSEN["country"],
        "element": lambda s: s in _CHOSEN["element"],
        "symbol": lambda s: element_of[s] in _CHOSEN["element"],
        "animal": lambda s: s in _CHOSEN["animal"],
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
