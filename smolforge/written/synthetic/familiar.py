"""The subjects that everybody meets often: texts come back to them more than to the rest, as real texts do.

Of these a few are the core: a small model takes in a fact that it is told about a hundred times, so a short training
tells few facts often.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from smolforge.written.files import table
from smolforge.written.synthetic.facts import BY_KIND, RELATIONS, SUBJECTS
from smolforge.written.synthetic.relations import Relation

FAMILIAR_SHARE = 0.65
"""Share of texts that take their subjects from the familiar ones only. Chosen, untested."""

CORE_SUBJECTS = 10
"""The core of a kind for which `tables/familiar.tsv` names none: so many, the best known come first in their tables."""

_CHOSEN = {row["kind"]: frozenset(row["subjects"].split(",")) for row in table("familiar")}
_CORE = {row["kind"]: frozenset(row["core"].split(",")) for row in table("familiar")}


class CoreChance(random.Random):
    """Chance that falls on subjects of the core alone."""


def _chosen(chosen: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    """The subjects of every kind that are among the chosen; all where none are chosen of a kind."""
    country_of, element_of = RELATIONS["country of capital"].answers, RELATIONS["element of symbol"].answers
    tests = {
        "country": lambda s: s in chosen["country"],
        "capital": lambda s: country_of[s] in chosen["country"],
        "element": lambda s: s in chosen["element"],
        "symbol": lambda s: element_of[s] in chosen["element"],
        "animal": lambda s: s in chosen["animal"],
    }
    return {
        kind: tuple(subject for subject in subjects if kind not in tests or tests[kind](subject))
        for kind, subjects in SUBJECTS.items()
    }


def _pairs(subjects: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {
        relation.name: tuple(pair for pair in relation.pairs if pair[0] in subjects[kind])
        for kind, relations in BY_KIND.items()
        for relation in relations
    }


FAMILIAR = _chosen(_CHOSEN)
CORE = {
    kind: subjects if len(subjects) < len(SUBJECTS[kind]) else subjects[:CORE_SUBJECTS]
    for kind, subjects in _chosen(_CORE).items()
}
_FAMILIAR_PAIRS, CORE_PAIRS = _pairs(FAMILIAR), _pairs(CORE)
_SETS = {
    name: {kind: frozenset(subjects) for kind, subjects in chosen.items()}
    for name, chosen in (("familiar", FAMILIAR), ("core", CORE))
}


def is_familiar(relation: Relation, subject: str) -> bool:
    """Whether texts come back to this subject often."""
    return subject in _SETS["familiar"][relation.kind]


def is_core(relation: Relation, subject: str) -> bool:
    """Whether a short training tells of this subject."""
    return subject in _SETS["core"][relation.kind]


def subjects(rng: random.Random, kind: str, count: int) -> list[str]:
    """`count` different subjects (or all there are), mostly familiar ones."""
    if isinstance(rng, CoreChance):
        pool = CORE[kind]
    else:
        pool = FAMILIAR[kind] if rng.random() < FAMILIAR_SHARE else SUBJECTS[kind]
    return rng.sample(pool, min(count, len(pool)))


def pairs(rng: random.Random, relation: Relation, count: int) -> list[tuple[str, str]]:
    """`count` different (subject, answer) pairs (or all there are), mostly of familiar subjects."""
    if isinstance(rng, CoreChance):
        pool = CORE_PAIRS[relation.name]
    else:
        pool = _FAMILIAR_PAIRS[relation.name] if rng.random() < FAMILIAR_SHARE else relation.pairs
    return rng.sample(pool, min(count, len(pool)))
