"""HellaSwag, what happens next (arXiv:1905.07830): cloze after activity and context, bracket artefacts removed.

The second half of the context begins with a capital, as both harnesses have it, where the file keeps the halves apart.
"""

from __future__ import annotations

import re
from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, choice_item, field, read, text_field

VALIDATION = Source(
    place="hellaswag/validation",
    columns=("activity_label", "ctx", "endings", "label"),
    repo="Rowan/hellaswag",
    split="validation",
)


def items(folder: Path) -> list[Item]:
    """The validation contexts."""
    made = []
    for number, row in enumerate(read(folder, VALIDATION)):
        where = f"hellaswag, row {number + 1}"
        context = clean(f"{field(row, 'activity_label', where)}: {_context(row, where)}")
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


def _context(row: Row, where: str) -> str:
    if "ctx_a" in row and "ctx_b" in row:
        return f"{row['ctx_a']} {str(row['ctx_b']).capitalize()}"
    return text_field(row, "ctx", where)


def clean(text: str) -> str:
    """Without the `[header]`, `[title]` marks left by the WikiHow half; two spaces become one, once."""
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return text.replace("  ", " ")
