"""DROP, counting and comparing over a passage (arXiv:1903.00161): words in common with an accepted answer (F1).

The published scores of SmolLM2 name no prompt; this is the form of lm-evaluation-harness: the passage, the question,
and an answer that ends at the first full stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, field, read, text_field, written_item

VALIDATION = Source(
    place="drop/validation",
    columns=("passage", "question", "answer", "validated_answers"),
    repo="EleutherAI/drop",
    split="validation",
)


def items(folder: Path) -> list[Item]:
    """The validation questions, each with all answers that annotators gave."""
    made = []
    for number, row in enumerate(read(folder, VALIDATION)):
        where = f"drop, row {number + 1}"
        made.append(
            written_item(
                id=f"drop-{row.get('query_id', number)}",
                skill="drop",
                prompt=f"{text_field(row, 'passage', where)} {text_field(row, 'question', where)}",
                answer=accepted(row, where),
                rule="drop",
                stops=["."],
                metric="credit",
                max_new_tokens=64,
            )
        )
    return made


def accepted(row: Row, where: str) -> list[list[str]]:
    """The answer and the validated ones, each as its spans, without repeats."""
    known, others = field(row, "answer", where), field(row, "validated_answers", where)
    columns = ("number", "date", "spans")
    if not all(isinstance(part, Mapping) and set(columns) <= part.keys() for part in (known, others)):
        raise InputError(f"a row's answers have no {', '.join(columns)}", where=where)
    rest = zip(*(others[name] for name in columns), strict=True)
    found = [_spans(known[columns[0]], known[columns[1]], known[columns[2]]), *(_spans(*one) for one in rest)]
    return [list(spans) for spans in dict.fromkeys(found)]


def _spans(number: Any, date: Mapping[str, str], spans: list[str]) -> tuple[str, ...]:
    """A number, else spans, else a date."""
    if number != "":
        return (str(number),)
    if spans:
        return tuple(spans)
    return (" ".join([date["day"], date["month"], date["year"]]).strip(),)
