"""CoQA, the last question of a conversation about a story (arXiv:1808.07042): words in common with an answer (F1).

The prompt is that of lm-evaluation-harness: the story, all turns with their answers, and the last question.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, field, read, text_field, written_item

VALIDATION = Source(
    place="coqa/validation",
    columns=("story", "questions", "answers", "additional_answers"),
    repo="EleutherAI/coqa",
    split="validation",
)


def items(folder: Path) -> list[Item]:
    """The validation stories, one question each."""
    made = []
    for number, row in enumerate(read(folder, VALIDATION)):
        where = f"coqa, row {number + 1}"
        questions, answers = _turns(row, "questions", where), _turns(row, "answers", where)
        if not questions or len(questions) != len(answers):
            raise InputError("a story's questions and answers are not equally many", where=where)
        turns = zip_longest(questions, answers[:-1])
        asked = "".join(f"Q: {q}\n\n" + ("A:" if a is None else f"A: {a}\n\n") for q, a in turns)
        made.append(
            written_item(
                id=str(row.get("id", number)),
                skill="coqa",
                prompt=f"{text_field(row, 'story', where)}\n\n{asked}",
                answer=_accepted(row, answers[-1], where),
                rule="coqa",
                stops=["\nQ:"],
                chat_stops=["\nQ:"],
                metric="credit",
                max_new_tokens=64,
            )
        )
    return made


def _turns(row: Row, name: str, where: str) -> list[str]:
    return [str(text) for text in field(field(row, name, where), "input_text", f"{where}, {name}")]


def _accepted(row: Row, first: str, where: str) -> list[str]:
    """The answer and those of the other annotators that differ in more than capitals."""
    found = [first]
    for name, other in (field(row, "additional_answers", where) or {}).items():
        last = str(field(other, "input_text", f"{where}, annotator {name}")[-1])
        if last.lower() not in [text.lower() for text in found]:
            found.append(last)
    return found
