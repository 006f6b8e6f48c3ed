"""All facts as relations, and the same facts by kind, by relation and by subject."""

from __future__ import annotations

from smolforge.written.synthetic.facts_daily import DAILY, LANGUAGE
from smolforge.written.synthetic.facts_life import LIVING
from smolforge.written.synthetic.facts_world import MATTER_AND_SKY, WORLD
from smolforge.written.synthetic.relations import Relation

FACTS: tuple[Relation, ...] = (*WORLD, *MATTER_AND_SKY, *LIVING, *DAILY, *LANGUAGE)


def _by_kind() -> dict[str, tuple[Relation, ...]]:
    kinds: dict[str, list[Relation]] = {}
    for relation in FACTS:
        kinds.setdefault(relation.kind, []).append(relation)
    return {kind: tuple(relations) for kind, relations in kinds.items()}


BY_KIND = _by_kind()
RELATIONS = {relation.name: relation for relation in FACTS}
ANSWERS = {relation.name: relation.answers for relation in FACTS}
SUBJECTS = {
    kind: tuple(dict.fromkeys(subject for relation in relations for subject, _ in relation.pairs))
    for kind, relations in BY_KIND.items()
}
