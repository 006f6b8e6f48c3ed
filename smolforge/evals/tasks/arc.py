"""ARC, grade-school science (arXiv:1803.05457): cloze after "Question: … Answer:", as SmolLM2 reports it."""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, choice_item, labelled, question_prompt, read, text_field

COLUMNS = ("question", "choices", "answerKey")
EASY = Source(place="arc/ARC-Easy-test", columns=COLUMNS, repo="allenai/ai2_arc", subsets=("ARC-Easy",))
CHALLENGE = Source(
    place="arc/ARC-Challenge-test", columns=COLUMNS, repo="allenai/ai2_arc", subsets=("ARC-Challenge",)
)


def easy(folder: Path) -> list[Item]:
    """The easy test questions."""
    return _items(folder, EASY, "arc_easy")


def challenge(folder: Path) -> list[Item]:
    """The test questions that word statistics alone do not answer."""
    return _items(folder, CHALLENGE, "arc_challenge")


def _items(folder: Path, source: Source, skill: str) -> list[Item]:
    items = []
    for number, row in enumerate(read(folder, source)):
        where = f"{source.place}, row {number + 1}"
        choices, answer = labelled(row, where)
        prompt = question_prompt(text_field(row, "question", where))
        items.append(
            choice_item(
                id=str(row.get("id", number)), skill=skill, prompt=prompt, choices=choices, answer=answer
            )
        )
    return items
