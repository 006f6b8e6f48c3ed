"""MMLU and MMLU-Pro, exam questions (arXiv:2009.03300, 2406.01574).

MMLU as cloze, the form in which small models show more than chance; MMLU-Pro as multiple choice, its
letters scored. Both begin with their subject, as the evaluation of SmolLM2 has it (its tasks file for lighteval). The
score is the mean over questions, not over subjects.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import choice_item, field, question_prompt, read_rows

LETTERS = "ABCDEFGHIJ"


def cloze(folder: Path) -> list[Item]:
    """MMLU's test questions, the text of each choice scored."""
    made = []
    for number, row in enumerate(read_rows(folder / "mmlu", "test")):
        where = f"mmlu, row {number + 1}"
        prompt = f"{_about(row.get('subject'), 'questions')}{question_prompt(field(row, 'question', where))}"
        choices, answer = [str(c) for c in field(row, "choices", where)], int(field(row, "answer", where))
        id = f"mmlu-{row.get('subject', '')}-{number}"
        made.append(choice_item(id=id, skill="mmlu", prompt=prompt, choices=choices, answer=answer))
    return made


def pro(folder: Path) -> list[Item]:
    """MMLU-Pro's test questions, the letter of each choice scored."""
    made = []
    for number, row in enumerate(read_rows(folder / "mmlu_pro", "test")):
        where = f"mmlu_pro, row {number + 1}"
        options = list(field(row, "options", where))[: len(LETTERS)]
        lines = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
        head = _about(row.get("category"), "multiple choice questions (with answers)", "\n\n")
        prompt = f"{head}{field(row, 'question', where)}\n{lines}\nAnswer:"
        answer = int(field(row, "answer_index", where))
        id = f"mmlu_pro-{row.get('question_id', number)}"
        made.append(
            choice_item(
                id=id, skill="mmlu_pro", prompt=prompt, choices=list(LETTERS[: len(options)]), answer=answer
            )
        )
    return made


def _about(subject: object, kind: str, end: str = "\n") -> str:
    """The line that names the subject; none where a row has none."""
    named = str(subject or "").replace("_", " ")
    return f"The following are {kind} about {named}.{end}" if named else ""
