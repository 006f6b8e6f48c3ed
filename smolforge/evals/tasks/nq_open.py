"""Natural Questions without context (arXiv:1906.00300): five worked questions, then any accepted answer.

The published scores name neither prompt nor shots; this is the form of lm-evaluation-harness, which puts a question
mark after each question and ends an answer at the first comma or full stop. The examples are the first of the train
file, or of the development file of EfficientQA, whose questions are others.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, field, read, text_field, written_item

COLUMNS = ("question", "answer")
REPO = "google-research-datasets/nq_open"
VALIDATION = Source(
    place="nq_open/validation", columns=COLUMNS, repo=REPO, subsets=("nq_open",), split="validation"
)
DEV = Source(place="nq_open/NQ-open.dev", columns=COLUMNS)
TRAIN = Source(place="nq_open/train", columns=COLUMNS, repo=REPO, subsets=("nq_open",), split="train")
EFFICIENT = Source(place="nq_open/efficientqa_dev", columns=COLUMNS)
SHOTS = 5
HEAD = "Answer these questions:\n\n"


def items(folder: Path) -> list[Item]:
    """The validation questions."""
    rows = read(folder, VALIDATION, DEV)
    shots = read(folder, TRAIN, EFFICIENT)[:SHOTS]
    examples = "".join(f"Q: {row['question']}?\nA: {row['answer'][0]}\n" for row in shots)
    made = []
    for number, row in enumerate(rows):
        where = f"nq_open, row {number + 1}"
        made.append(
            written_item(
                id=f"nq_open-{number}",
                skill="nq_open",
                prompt=f"{HEAD}{examples}Q: {text_field(row, 'question', where)}?\nA:",
                answer=[str(text) for text in field(row, "answer", where)],
                rule="plain_without_articles",
                stops=["\n", ".", ","],
                chat_stops=["\n"],
                max_new_tokens=64,
            )
        )
    return made
