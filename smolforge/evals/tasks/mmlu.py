"""MMLU and MMLU-Pro, exam questions (arXiv:2009.03300, 2406.01574).

MMLU as cloze, the form in which small models show more than chance, and as multiple choice (MCF), without examples or
after the first five of the development file; MMLU-Pro as multiple choice. All begin with their subject, as the
evaluation of SmolLM2 has it. The score is the mean over questions, not over subjects.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import (
    LETTERS,
    Row,
    Source,
    choice_item,
    field,
    letter_item,
    question_prompt,
    read,
    text_field,
    with_letters,
)

COLUMNS = ("question", "choices", "answer")
TEST = Source(place="mmlu/test", columns=COLUMNS, repo="cais/mmlu", subsets=("all",))
DEV = Source(place="mmlu/dev", columns=("subject", *COLUMNS), repo="cais/mmlu", subsets=("all",), split="dev")
PRO = Source(
    place="mmlu_pro/test", columns=("question", "options", "answer_index"), repo="TIGER-Lab/MMLU-Pro"
)
SHOTS = 5
STEM = frozenset({
    "abstract_algebra", "anatomy", "astronomy", "college_biology", "college_chemistry",
    "college_computer_science", "college_mathematics", "college_physics", "computer_security",
    "conceptual_physics", "electrical_engineering", "elementary_mathematics", "high_school_biology",
    "high_school_chemistry", "high_school_computer_science", "high_school_mathematics", "high_school_physics",
    "high_school_statistics", "machine_learning",
})  # fmt: skip
MULTIPLE_CHOICE = "multiple choice questions (with answers)"


def cloze(folder: Path) -> list[Item]:
    """The test questions, the text of each choice scored."""
    return [_cloze(row, number, "mmlu") for number, row in enumerate(read(folder, TEST))]


def stem(folder: Path) -> list[Item]:
    """The same over the nineteen subjects of science and technology."""
    rows = enumerate(read(folder, TEST))
    return [_cloze(row, number, "mmlu_stem") for number, row in rows if row.get("subject") in STEM]


def letters(folder: Path) -> list[Item]:
    """The test questions with their choices, the letter of each scored."""
    return [_letters(row, number, "mmlu_mcf", "") for number, row in enumerate(read(folder, TEST))]


def letters_after_five(folder: Path) -> list[Item]:
    """The same after five worked examples of the subject."""
    shots: dict[str, list[str]] = {}
    for number, row in enumerate(read(folder, DEV)):
        shots.setdefault(str(row["subject"]), []).append(_worked(row, f"mmlu dev, row {number + 1}"))
    return [
        _letters(row, number, "mmlu_mcf_5shot", "".join(shots.get(str(row.get("subject")), [])[:SHOTS]))
        for number, row in enumerate(read(folder, TEST))
    ]


def pro(folder: Path) -> list[Item]:
    """MMLU-Pro's test questions, the letter of each choice scored."""
    made = []
    for number, row in enumerate(read(folder, PRO)):
        where = f"mmlu_pro, row {number + 1}"
        options = list(field(row, "options", where))[: len(LETTERS)]
        head = _about(row.get("category"), MULTIPLE_CHOICE, "\n\n")
        made.append(
            letter_item(
                id=f"mmlu_pro-{row.get('question_id', number)}",
                skill="mmlu_pro",
                prompt=f"{head}{text_field(row, 'question', where)}",
                choices=options,
                answer=int(field(row, "answer_index", where)),
            )
        )
    return made


def _cloze(row: Row, number: int, skill: str) -> Item:
    question, choices, answer = _question(row, f"{skill}, row {number + 1}")
    prompt = f"{_about(row.get('subject'), 'questions')}{question_prompt(question)}"
    return choice_item(id=_id(row, number), skill=skill, prompt=prompt, choices=choices, answer=answer)


def _letters(row: Row, number: int, skill: str, shots: str) -> Item:
    question, choices, answer = _question(row, f"{skill}, row {number + 1}")
    prompt = f"{_about(row.get('subject'), MULTIPLE_CHOICE, chr(10) * 2)}{shots}{question.strip()}"
    return letter_item(id=_id(row, number), skill=skill, prompt=prompt, choices=choices, answer=answer)


def _worked(row: Row, where: str) -> str:
    question, choices, answer = _question(row, where)
    return f"{with_letters(question.strip(), choices)} {LETTERS[answer]}\n\n"


def _question(row: Row, where: str) -> tuple[str, list[str], int]:
    choices = [str(choice) for choice in field(row, "choices", where)]
    return text_field(row, "question", where), choices, int(field(row, "answer", where))


def _id(row: Row, number: int) -> str:
    return f"mmlu-{row.get('subject', '')}-{number}"


def _about(subject: object, kind: str, end: str = "\n") -> str:
    """The line that names the subject; none where a row has none."""
    named = str(subject or "").replace("_", " ")
    return f"The following are {kind} about {named}.{end}" if named else ""
