"""WinoGrande, pronouns (arXiv:1907.10641): context before the blank; each candidate is option plus the rest.

Scored a character like the other cloze tasks, as SmolLM2 reports it; other harnesses score the rest only.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import choice_item, field, read_rows


def items(folder: Path) -> list[Item]:
    """The validation sentences."""
    made = []
    for number, row in enumerate(read_rows(folder / "winogrande", "validation")):
        where = f"winogrande, row {number + 1}"
        before, blank, after = field(row, "sentence", where).partition("_")
        if not blank:
            raise InputError("a sentence has no blank", where=where)
        choices = [field(row, name, where) + after for name in ("option1", "option2")]
        answer = int(field(row, "answer", where)) - 1
        id = f"winogrande-{row.get('qID', number)}"
        made.append(
            choice_item(id=id, skill="winogrande", prompt=before.rstrip(), choices=choices, answer=answer)
        )
    return made
