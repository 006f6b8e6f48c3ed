"""GSM8K, grade-school mathematics (arXiv:2110.14168): five worked examples, then the first number after `####`.

The examples are the first of the train file, as lm-evaluation-harness takes them when it is asked for the first; the
evaluation of SmolLM2 draws them.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, read, text_field, written_item

COLUMNS = ("question", "answer")
TEST = Source(place="gsm8k/test", columns=COLUMNS, repo="openai/gsm8k", subsets=("main",))
TRAIN = Source(place="gsm8k/train", columns=COLUMNS, repo="openai/gsm8k", subsets=("main",), split="train")
SHOTS = 5
MAX_NEW_TOKENS = 256


def items(folder: Path) -> list[Item]:
    """The test problems; the five examples are the first of the train file, the same for every problem."""
    shots = read(folder, TRAIN)[:SHOTS]
    examples = "".join(f"Question: {row['question']}\nAnswer: {row['answer']}\n\n" for row in shots)
    made = []
    for number, row in enumerate(read(folder, TEST)):
        where = f"gsm8k, row {number + 1}"
        prompt = f"{examples}Question: {text_field(row, 'question', where)}\nAnswer:"
        made.append(
            written_item(
                id=f"gsm8k-{number}",
                skill="gsm8k",
                prompt=prompt,
                answer=text_field(row, "answer", where).rpartition("####")[2].strip(),
                rule="after_hashes",
                stops=["\nQuestion:"],
                chat_stops=["\nQuestion:"],
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made
