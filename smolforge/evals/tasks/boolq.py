"""BoolQ, yes or no after a passage (arXiv:1905.10044): "no" against "yes" in sum, as lm-evaluation-harness has it."""

from __future__ import annotations

import re
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, choice_item, field, read_first, text_field

VALIDATION = Source(
    place="boolq/validation",
    columns=("passage", "question", "label"),
    repo="aps/super_glue",
    subsets=("boolq",),
    split="validation",
)
IN_CONTEXT = Source(place="core/boolq", columns=("query", "gold"))
"""The same questions with the prompt written out: "Passage: …", "Question: …?"."""
QUERY = re.compile(r"Passage: (.*)\nQuestion: (.*?)\??\s*", re.DOTALL)


def items(folder: Path) -> list[Item]:
    """The validation questions."""
    source, rows = read_first(folder, VALIDATION, IN_CONTEXT)
    read_row = _published if source is VALIDATION else _in_context
    made = []
    for number, row in enumerate(rows):
        passage, question, answer = read_row(row, f"boolq, row {number + 1}")
        made.append(
            choice_item(
                id=f"boolq-{row.get('idx', number)}",
                skill="boolq",
                prompt=f"{passage}\nQuestion: {question}?\nAnswer:",
                choices=["no", "yes"],
                answer=answer,
                norm="sum",
            )
        )
    return made


def _published(row: Row, where: str) -> tuple[str, str, int]:
    return (
        text_field(row, "passage", where),
        text_field(row, "question", where),
        int(field(row, "label", where)),
    )


def _in_context(row: Row, where: str) -> tuple[str, str, int]:
    found = QUERY.fullmatch(text_field(row, "query", where))
    if found is None:
        raise InputError("a row's `query` has no passage and question", where=where)
    return found.group(1), found.group(2), int(field(row, "gold", where))
