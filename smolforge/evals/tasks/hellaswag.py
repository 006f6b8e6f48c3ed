"""HellaSwag, what happens next (arXiv:1905.07830): cloze after activity and context, bracket artefacts removed."""

from __future__ import annotations

import re
from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import choice_item, field, read_rows


def items(folder: Path) -> list[Item]:
    """The validation contexts."""
    made = []
    for number, row in enumerate(read_rows(folder / "hellaswag", "validation")):
        where = f"hellaswag, row {number + 1}"
        context = clean(f"{field(row, 'activity_label', where)}: {field(row, 'ctx', where)}")
        endings = [clean(ending) for ending in field(row, "endings", where)]
        answer = int(field(row, "label", where))
        made.append(
            choice_item(
                id=f"hellaswag-{row.get('ind', number)}",
                skill="hellaswag",
                prompt=context,
                choices=endings,
                answer=answer,
            )
        )
    return made


def clean(text: str) -> str:
    """Without the `[header]`, `[title]` marks left by the WikiHow half."""
    text = re.sub(r"\[[^\[\]]*\]", "", text.replace(" [title]", ". "))
    return re.sub(r" {2,}", " ", text).strip()
