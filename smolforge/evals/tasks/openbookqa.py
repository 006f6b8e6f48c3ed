"""OpenBookQA, elementary science facts (arXiv:1809.02789): cloze after the stem alone."""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, choice_item, labelled, read, text_field

TEST = Source(
    place="openbookqa/test",
    columns=("question_stem", "choices", "answerKey"),
    repo="allenai/openbookqa",
    subsets=("main",),
)


def items(folder: Path) -> list[Item]:
    """The test stems."""
    made = []
    for number, row in enumerate(read(folder, TEST)):
        where = f"openbookqa, row {number + 1}"
        choices, answer = labelled(row, where)
        prompt = text_field(row, "question_stem", where)
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
