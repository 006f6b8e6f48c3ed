"""OpenBookQA, elementary science facts (arXiv:1809.02789): cloze after the stem alone."""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import choice_item, field, labelled, read_rows


def items(folder: Path) -> list[Item]:
    """The test stems."""
    made = []
    for number, row in enumerate(read_rows(folder / "openbookqa", "test")):
        where = f"openbookqa, row {number + 1}"
        choices, answer = labelled(row, where)
        prompt = field(row, "question_stem", where)
        made.append(
            choice_item(
                id=str(row.get("id", number)),
                skill="openbookqa",
                prompt=prompt,
                choices=choices,
                answer=answer,
            )
        )
    return made
