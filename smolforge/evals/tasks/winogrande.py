"""WinoGrande, pronouns (arXiv:1907.10641), in the two forms that harnesses use.

`winogrande`: the context before the blank, each candidate is option plus the rest, scored a character, as SmolLM2
reports it. `winogrande_partial`: the context ends with the option, and only the rest, the same for both, is scored;
lm-evaluation-harness has it so.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, choice_item, contexts_item, field, read, text_field

VALIDATION = Source(
    place="winogrande/validation",
    columns=("sentence", "option1", "option2", "answer"),
    repo="allenai/winogrande",
    subsets=("winogrande_xl",),
    split="validation",
)


def whole(folder: Path) -> list[Item]:
    """The validation sentences; option and rest are scored."""
    return [
        choice_item(
            id=id,
            skill="winogrande",
            prompt=before.rstrip(),
            choices=[option + after for option in options],
            answer=answer,
        )
        for id, before, options, after, answer in _sentences(folder)
    ]


def partial(folder: Path) -> list[Item]:
    """The validation sentences; the rest alone is scored after each option."""
    return [
        contexts_item(
            id=id,
            skill="winogrande_partial",
            contexts=[before + option for option in options],
            choice=after.strip(),
            answer=answer,
        )
        for id, before, options, after, answer in _sentences(folder)
    ]


def _sentences(folder: Path) -> list[tuple[str, str, list[str], str, int]]:
    found = []
    for number, row in enumerate(read(folder, VALIDATION)):
        where = f"winogrande, row {number + 1}"
        before, blank, after = text_field(row, "sentence", where).partition("_")
        if not blank:
            raise InputError("a sentence has no blank", where=where)
        options = [text_field(row, name, where) for name in ("option1", "option2")]
        answer = int(field(row, "answer", where)) - 1
        found.append((f"winogrande-{row.get('qID', number)}", before, options, after, answer))
    return found
