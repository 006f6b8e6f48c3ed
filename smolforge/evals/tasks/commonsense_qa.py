"""CommonsenseQA (arXiv:1811.00937): cloze after the question alone, or the letters of the choices.

Where only the file with four choices a question is there, chance is 25%, not the 20% of the published form, and scores
are not comparable with published ones.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, choice_item, labelled, letter_item, read, text_field

COLUMNS = ("question", "choices", "answerKey")
VALIDATION = Source(
    place="commonsense_qa/validation", columns=COLUMNS, repo="tau/commonsense_qa", split="validation"
)
FOUR_CHOICES = Source(place="commonsense_qa/dev_4choice", columns=COLUMNS)


def cloze(folder: Path) -> list[Item]:
    """The validation questions, the text of each choice scored; the form that SmolLM2 reports."""
    return [
        choice_item(id=id, skill="commonsense_qa", prompt=question, choices=choices, answer=answer)
        for id, question, choices, answer in _questions(folder)
    ]


def letters(folder: Path) -> list[Item]:
    """The same, choices shown and their letters scored, as lm-evaluation-harness has it."""
    return [
        letter_item(
            id=id,
            skill="commonsense_qa_mcf",
            prompt=f"Question: {question.strip()}",
            choices=choices,
            answer=answer,
        )
        for id, question, choices, answer in _questions(folder)
    ]


def _questions(folder: Path) -> list[tuple[str, str, list[str], int]]:
    found = []
    for number, row in enumerate(read(folder, VALIDATION, FOUR_CHOICES)):
        where = f"commonsense_qa, row {number + 1}"
        choices, answer = labelled(row, where)
        found.append((str(row.get("id", number)), text_field(row, "question", where), choices, answer))
    return found
