"""What documents state, told without the rest."""

from __future__ import annotations

from smolforge.questions import Fact, condensed


def fact(
    id: str, source: str, sentence: str, *, heading: str = "", kind: str = "name", subject: str = ""
) -> Fact:
    return Fact(
        id=id, source=source, title=f"Title of {source}", heading=heading, kind=kind,  # type: ignore[arg-type]
        sentence=sentence, answer="x", subject=subject,
    )  # fmt: skip


def test_every_sentence_stands_once_under_its_heading():
    facts = [
        fact("3", "b", "Rivers: 4", kind="field", subject="Utopia"),
        fact("2", "a", "Ann built it.", heading="Past"),
        fact("1", "a", "Ann built it.", heading="Past"),
        fact("4", "a", "It has a door."),
    ]
    assert list(condensed(facts)) == [
        ("a", "# Title of a\n\nIt has a door.\n\n## Past\n\nAnn built it."),
        ("b", "# Title of b\n\nUtopia: Rivers: 4"),
    ]
    assert list(condensed(facts[::-1])) == list(condensed(facts))


def test_no_facts_state_nothing():
    assert list(condensed([])) == []
