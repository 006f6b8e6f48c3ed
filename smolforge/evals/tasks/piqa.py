"""PIQA, physical common sense (arXiv:1911.11641): cloze after "Question: … Answer:"."""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, choice_item, field, question_prompt, read, text_field

VALIDATION = Source(
    place="piqa/validation", columns=("goal", "sol1", "sol2", "label"), repo="baber/piqa", split="validation"
)


def items(folder: Path) -> list[Item]:
    """The validation goals."""
    made = []
    for number, row in enumerate(read(folder, VALIDATION)):
        where = f"piqa, row {number + 1}"
        prompt = question_prompt(text_field(row, "goal", where))
        choices = [text_field(row, "sol1", where), text_field(row, "sol2", where)]
        answer = int(field(row, "label", where))
        made.append(
            choice_item(
                id=f"piqa-{row.get('id', number)}",
                skill="piqa",
                prompt=prompt,
                choices=choices,
                answer=answer,
            )
        )
    return made
