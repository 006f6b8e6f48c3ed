"""HumanEval (arXiv:2107.03374): complete a function from its signature and docstring; one greedy attempt.

Published figures for small models sample 20 attempts at temperature 0.2; greedy pass@1 is close, not equal.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, field, read

TEST = Source(
    place="humaneval/HumanEval",
    columns=("task_id", "prompt", "test", "entry_point"),
    repo="openai/openai_humaneval",
    subsets=("openai_humaneval",),
)
MAX_NEW_TOKENS = 384


def items(folder: Path) -> list[Item]:
    """The problems, each with its assertions and the call that runs them."""
    made = []
    for number, row in enumerate(read(folder, TEST)):
        where = f"humaneval, row {number + 1}"
        prompt = field(row, "prompt", where)
        made.append(
            Item(
                id=str(field(row, "task_id", where)),
                skill="humaneval",
                kind="code",
                messages=[
                    {"role": "user", "content": f"Complete this Python function:\n```python\n{prompt}```"}
                ],
                prompt=prompt,
                code_prefix=prompt,
                answer=f"{field(row, 'test', where)}\n\ncheck({field(row, 'entry_point', where)})",
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made
