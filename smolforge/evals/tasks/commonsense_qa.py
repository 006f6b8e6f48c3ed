"""CommonsenseQA (arXiv:1811.00937): cloze after the question alone.

Four choices a question where the file with four choices is read: chance is 25%, not the 20% of the
published form, so these scores are not comparable with published ones.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import choice_item, field, labelled, read_rows


def items(folder: Path) -> list[Item]:
    """The development questions."""
    made = []
    for number, row in enumerate(read_rows(folder / "commonsense_qa", "dev_4choice")):
        where = f"commonsense_qa, row {number + 1}"
        choices, answer = labelled(row, where)
        prompt = field(row, "question", where)
        made.append(
            choice_item(
                id=str(row.get("id", number)),
                skill="commonsense_qa",
                prompt=prompt,
                choices=choices,
                answer=answer,
            )
        )
    return made
