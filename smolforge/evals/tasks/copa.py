"""COPA, causes and effects (Roemmele et al. 2011; SuperGLUE, arXiv:1905.00537): "… because" or "… therefore", in sum.

`copa_lm_eval` puts two spaces before a choice, as lm-evaluation-harness does; it flips one prediction in twenty.
"""

from __future__ import annotations

import re
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, choice_item, field, read_first, text_field

VALIDATION = Source(
    place="copa/validation",
    columns=("premise", "choice1", "choice2", "question", "label"),
    repo="aps/super_glue",
    subsets=("copa",),
    split="validation",
)
IN_CONTEXT = Source(place="core/copa", columns=("query", "choices", "gold"))
"""The same with the connecting word written out."""
CONNECTORS = {"cause": "because", "effect": "therefore"}
QUERY = re.compile(r"(.*),\s(because|therefore)", re.DOTALL)


def items(folder: Path) -> list[Item]:
    """The validation premises."""
    return _items(folder, "copa", "")


def as_lm_eval(folder: Path) -> list[Item]:
    """The same in the form of lm-evaluation-harness."""
    return _items(folder, "copa_lm_eval", "  ")


def _items(folder: Path, skill: str, before: str) -> list[Item]:
    source, rows = read_first(folder, VALIDATION, IN_CONTEXT)
    read_row = _published if source is VALIDATION else _in_context
    made = []
    for number, row in enumerate(rows):
        prompt, choices, answer = read_row(row, f"copa, row {number + 1}")
        made.append(
            choice_item(
                id=f"copa-{row.get('idx', number)}",
                skill=skill,
                prompt=prompt,
                choices=[before + choice[:1].lower() + choice[1:] for choice in choices],
                answer=answer,
                norm="sum",
            )
        )
    return made


def _published(row: Row, where: str) -> tuple[str, list[str], int]:
    asked = text_field(row, "question", where)
    if asked not in CONNECTORS:
        raise InputError(f"a row asks for `{asked}`, not for {' or '.join(CONNECTORS)}", where=where)
    prompt = f"{text_field(row, 'premise', where).strip()[:-1]} {CONNECTORS[asked]}"  # without the full stop
    choices = [text_field(row, name, where) for name in ("choice1", "choice2")]
    return prompt, choices, int(field(row, "label", where))


def _in_context(row: Row, where: str) -> tuple[str, list[str], int]:
    found = QUERY.fullmatch(text_field(row, "query", where).strip())
    if found is None:
        raise InputError("a row's `query` does not end in a connecting word", where=where)
    return f"{found.group(1)} {found.group(2)}", list(row["choices"]), int(field(row, "gold", where))
