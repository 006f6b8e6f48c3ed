"""Social IQA, what people feel and do (arXiv:1904.09728): cloze after "Q: context question", as lm-evaluation-harness has it.

Some copies keep two of the three answers; chance is then 50%, and scores are not comparable with published ones.
"""

from __future__ import annotations

import re
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, choice_item, field, read_first, text_field

ANSWERS = ("answerA", "answerB", "answerC")
VALIDATION = Source(
    place="siqa/validation",
    columns=("context", "question", *ANSWERS, "label"),
    repo="lighteval/siqa",
    split="validation",
)
IN_CONTEXT = Source(place="core/siqa", columns=("query", "gold"))
"""The same with context, question and lettered choices written out."""
QUERY = re.compile(r"Context: (.*?)\nQuestion: (.*?)\nChoices:\n(.*)\nAnswer:", re.DOTALL)
LETTER = re.compile(r"^[A-C]\. ", re.MULTILINE)


def items(folder: Path) -> list[Item]:
    """The validation situations."""
    source, rows = read_first(folder, VALIDATION, IN_CONTEXT)
    read_row = _published if source is VALIDATION else _in_context
    made = []
    for number, row in enumerate(rows):
        context, question, choices, answer = read_row(row, f"siqa, row {number + 1}")
        made.append(
            choice_item(
                id=f"siqa-{number}",
                skill="siqa",
                prompt=f"Q: {context} {question}\nA:",
                choices=choices,
                answer=answer,
                norm="sum",
            )
        )
    return made


def _published(row: Row, where: str) -> tuple[str, str, list[str], int]:
    choices = [text_field(row, name, where) for name in ANSWERS]
    answer = int(field(row, "label", where)) - 1
    return text_field(row, "context", where), text_field(row, "question", where), choices, answer


def _in_context(row: Row, where: str) -> tuple[str, str, list[str], int]:
    found = QUERY.fullmatch(text_field(row, "query", where))
    if found is None:
        raise InputError("a row's `query` has no context, question and choices", where=where)
    choices = [choice.strip() for choice in LETTER.split(found.group(3))[1:]]
    return found.group(1), found.group(2), choices, int(field(row, "gold", where))
