"""All facts as relations, and the same facts by kind, by relation and by subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from smolforge.written.files import Row, lines, table, texts
from smolforge.written.synthetic.relations import Relation

NO_ANSWER = "-"
LEAST_CHOICES = 4


def relation_of(
    name: str,
    *,
    kind: str,
    answer: str,
    ask: str,
    say: str,
    then: str = "",
    subject: str = "",
    unique: bool = False,
    several: bool = False,
    askable: bool = True,
) -> Relation:
    """A relation as `texts/relations.toml` describes it, which says what the fields mean."""
    place, _, column = answer.partition(".")
    every = table(place)
    subject = subject or next(iter(every[0]))
    rows = [row for row in every if NO_ANSWER not in (row[column], row[subject])]
    if unique:
        shared = Counter(row[subject] for row in rows)
        rows = [row for row in rows if shared[row[subject]] == 1]
    taught = {row[subject]: row[column].split(",") if several else [row[column]] for row in rows}
    more = _defensible(name, subject, rows)
    pool = tuple(sorted({first for first, *_ in taught.values()}))
    return Relation(
        name=name,
        kind=kind,
        questions=lines(ask),
        statements=lines(say),
        follow_ups=lines(then),
        pairs=tuple((one, first) for one, (first, *_) in taught.items()),
        also={
            one: tuple(other for other in (*others, *more.get(one, ())) if other != first)
            for one, (first, *others) in taught.items()
        },
        pool=pool,
        askable=askable and len(pool) >= LEAST_CHOICES,
    )


def _defensible(name: str, subject: str, rows: Sequence[Row]) -> dict[str, list[str]]:
    """Answers that somebody could defend (`tables/also.tsv`): not taught, and never offered as wrong ones.

    A rule names the cells of a column; a later one replaces an earlier one.
    """
    rules = [rule for rule in table("also") if rule["relation"] == name]
    return {
        row[subject]: rule["answers"].split(",")
        for rule in rules
        for row in rows
        if row[rule["column"]] in rule["cells"].split(",")
    }


FACTS = tuple(relation_of(name, **spec) for name, spec in texts("relations").items())


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
