"""TriviaQA without context (arXiv:1705.03551): up to 20 tokens or to the next question, the first line equal to any alias.

No alias is dropped; SmolLM2's harness drops those that extend another one, so ours can only be higher.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import field, question_prompt, read_rows


def items(folder: Path) -> list[Item]:
    """The validation sample."""
    made = []
    for number, row in enumerate(read_rows(folder / "triviaqa", "sample")):
        where = f"triviaqa, row {number + 1}"
        known = field(row, "answer", where)
        prompt = question_prompt(field(row, "question", where))
        made.append(
            Item(
                id=f"triviaqa-{number}",
                skill="triviaqa",
                kind="exact",
                messages=[{"role": "user", "content": prompt}],
                prompt=prompt,
                answer=[f"{text}" for text in dict.fromkeys([known["value"], *known["aliases"]])],
                stops=["Question"],
                chat_stops=["Question"],
                max_new_tokens=20,
            )
        )
    return made
