"""What is written as rows and texts: read strictly, and every part of it fits every other."""

from __future__ import annotations

import string
from importlib import resources

import pytest

from smolforge.errors import InputError
from smolforge.written import files
from smolforge.written.synthetic.facts import RELATIONS
from smolforge.written.synthetic.kinds import KINDS
from smolforge.written.synthetic.relations import fields
from smolforge.written.synthetic.story_plots import PLOTS

TABLES = sorted(
    p.name.removesuffix(".tsv") for p in (resources.files("smolforge.written") / "tables").iterdir()
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tb\n1\t2\n3\n", 3),
        ("a\tb\n1\t\n", 2),
        ("a\tb\n1\t2 \n", 2),
        ("a\tb\n\n1\t2\n", 2),
        ("a\ta\n1\t2\n", 1),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InputError) as refused:
        files.parse_table(text, "things")
    assert refused.value.where == f"things, line {line}"


def test_rows_are_cells_by_column() -> None:
    assert files.parse_table("a\tb\n1\t2\n", "things") == ({"a": "1", "b": "2"},)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_whole_and_its_rows_differ(name: str) -> None:
    rows = [tuple(row.values()) for row in files.table(name)]
    assert rows and len(set(rows)) == len(rows)


def test_every_relation_has_a_kind_that_is_introduced() -> None:
    assert {relation.kind for relation in RELATIONS.values()} <= set(KINDS)


@pytest.mark.parametrize("name", RELATIONS)
def test_wordings_use_only_fields_that_there_are(name: str) -> None:
    relation = RELATIONS[name]
    known = set(fields(*relation.pairs[0]))
    for template in (*relation.questions, *relation.statements, *relation.follow_ups):
        assert template and {field for _, field, _, _ in string.Formatter().parse(template) if field} <= known


def test_every_rule_of_defensible_answers_meets_a_subject() -> None:
    for rule in files.table("also"):
        answers = rule["answers"].split(",")
        also = RELATIONS[rule["relation"]].also.values()
        assert any(set(answers) & set(found) for found in also), rule


@pytest.mark.parametrize("name", PLOTS)
def test_every_cast_fills_its_plot(name: str) -> None:
    plot = PLOTS[name]
    assert {len(cast) for cast in plot.casts} == {len(plot.slots)}


def test_familiar_subjects_are_subjects() -> None:
    for row in files.table("familiar"):
        known = {one for r in RELATIONS.values() if r.kind == row["kind"] for one, _ in r.pairs}
        assert set(row["subjects"].split(",")) <= known
