"""TriviaQA without context (arXiv:1705.03551): the whole answer equal to any alias, capitals and punctuation aside.

`triviaqa`: up to 20 tokens or to the next question, as SmolLM2 reports it; no alias is dropped, where its harness drops
those that extend another one, so ours can only be higher. `triviaqa_lm_eval`: the form of lm-evaluation-harness, which
puts a second question mark and ends an answer at the first comma or full stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, field, question_prompt, read, text_field, written_item

VALIDATION = Source(
    place="triviaqa/validation",
    columns=("question", "answer"),
    repo="mandarjoshi/trivia_qa",
    subsets=("rc.nocontext",),
    split="validation",
)
SAMPLE = Source(place="triviaqa/sample", columns=("question", "answer"))


def items(folder: Path) -> list[Item]:
    """The validation questions."""
    return [
        written_item(
            id=f"triviaqa-{number}",
            skill="triviaqa",
            prompt=question_prompt(question),
            answer=aliases,
            rule="plain",
            stops=["Question"],
            chat_stops=["Question"],
            max_new_tokens=20,
        )
        for number, (question, aliases) in enumerate(_questions(folder))
    ]


def as_lm_eval(folder: Path) -> list[Item]:
    """The same in the form of lm-evaluation-harness."""
    return [
        written_item(
            id=f"triviaqa-{number}",
            skill="triviaqa_lm_eval",
            prompt=question_prompt(f"{question}?"),
            answer=aliases,
            rule="plain",
            stops=["\n", ".", ","],
            max_new_tokens=64,
        )
        for number, (question, aliases) in enumerate(_questions(folder))
    ]


def _questions(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for number, row in enumerate(read(folder, VALIDATION, SAMPLE)):
        where = f"triviaqa, row {number + 1}"
        known = field(row, "answer", where)
        if not isinstance(known, dict) or not {"value", "aliases"} <= known.keys():
            raise InputError("a row's `answer` has no `value` and `aliases`", where=where)
        aliases = [str(text) for text in dict.fromkeys([known["value"], *known["aliases"]])]
        yield text_field(row, "question", where), aliases
