"""MBPP, basic Python problems (arXiv:2108.07732): three worked examples, code up to `[DONE]`, its assertions run."""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, field, read

COLUMNS = ("text", "code", "test_list")
REPO = "google-research-datasets/mbpp"
PROMPT = Source(place="mbpp/prompt", columns=COLUMNS, repo=REPO, subsets=("full",), split="prompt")
TEST = Source(place="mbpp/test", columns=COLUMNS, repo=REPO, subsets=("full",))
SHOT_IDS = (2, 3, 4)
MAX_NEW_TOKENS = 256


def items(folder: Path) -> list[Item]:
    """The test problems; examples are the three that the paper's few-shot prompt uses."""
    shots = [row for row in read(folder, PROMPT) if row.get("task_id") in SHOT_IDS]
    examples = "".join(f"{_ask(row, 'mbpp prompt')}{_lines(row['code'])}\n[DONE]\n\n" for row in shots)
    made = []
    for number, row in enumerate(read(folder, TEST)):
        where = f"mbpp, row {number + 1}"
        asked = _ask(row, where)
        tests = "\n".join([row.get("test_setup_code", ""), *field(row, "test_list", where)]).strip()
        made.append(
            Item(
                id=f"mbpp-{row.get('task_id', number)}",
                skill="mbpp",
                kind="code",
                messages=[{"role": "user", "content": asked.removesuffix("\n[BEGIN]\n")}],
                prompt=examples + asked,
                answer=_lines(tests),
                stops=["[DONE]"],
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made


def _ask(row: Row, where: str) -> str:
    tests = "\n".join(field(row, "test_list", where))
    task = field(row, "text", where)
    return (
        f"You are an expert Python programmer, and here is your task: {task} "
        f"Your code should pass these tests:\n\n{_lines(tests)}\n[BEGIN]\n"
    )


def _lines(code: str) -> str:
    return code.replace("\r\n", "\n").strip()
