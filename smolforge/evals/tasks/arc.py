"""ARC, grade-school science (arXiv:1803.05457): cloze after "Question: … Answer:", as SmolLM2 reports it."""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import choice_item, field, labelled, question_prompt, read_rows


def easy(folder: Path) -> list[Item]:
    """The easy test questions."""
    return _items(folder, "ARC-Easy-test", "arc_easy")


def challenge(folder: Path) -> list[Item]:
    """The test questions that word statistics alone do not answer."""
    return _items(folder, "ARC-Challenge-test", "arc_challenge")


def _items(folder: Path, file: str, skill: str) -> list[Item]:
    items = []
    for number, row in enumerate(read_rows(folder / "arc", file)):
        where = f"{file}, row {number + 1}"
        choices, answer = labelled(row, where)
        prompt = question_prompt(field(row, "question", where))
        items.append(
            choice_item(
                id=str(row.get("id", number)), skill=skill, prompt=prompt, choices=choices, answer=answer
            )
        )
    return items
