"""GSM8K, grade-school mathematics (arXiv:2110.14168): five worked examples, then the number after `####`."""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import field, read_rows

SHOTS = 5
MAX_NEW_TOKENS = 256


def items(folder: Path) -> list[Item]:
    """The test problems; the five examples are the first of the train file, the same for every problem."""
    shots = read_rows(folder / "gsm8k", "train")[:SHOTS]
    examples = "".join(f"Question: {row['question']}\nAnswer: {row['answer']}\n\n" for row in shots)
    made = []
    for number, row in enumerate(read_rows(folder / "gsm8k", "test")):
        where = f"gsm8k, row {number + 1}"
        prompt = f"{examples}Question: {field(row, 'question', where)}\nAnswer:"
        made.append(
            Item(
                id=f"gsm8k-{number}",
                skill="gsm8k",
                kind="exact",
                messages=[{"role": "user", "content": prompt}],
                prompt=prompt,
                answer="#### " + field(row, "answer", where).rpartition("####")[2].strip(),
                stops=["\nQuestion:"],
                chat_stops=["\nQuestion:"],
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made
