"""MATH, competition problems (arXiv:2103.03874): four worked problems, then the final expression, under two forms.

`math`: the answer in a box, both sides through the MATH paper's normaliser, as SmolLM2 reports it (its own normaliser
is a later relative of that one). `math_minerva`: "The final answer is …" through Minerva's, as lm-evaluation-harness
has it; that also asks a computer algebra system whether two expressions are equal, so ours can only be lower.
Examples are the demonstration file, or where there is none the first four problems, which are then not scored.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.math_answers import last_boxed
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import MissingBenchmark, Row, Source, read, text_field, written_item

COLUMNS = ("problem", "solution")
TEST = Source(place="math/test", columns=COLUMNS, repo="HuggingFaceTB/math_tasks", subsets=("math",))
DEMO = Source(
    place="math/demo", columns=COLUMNS, repo="HuggingFaceTB/math_tasks", subsets=("math",), split="demo"
)
SHOTS = 4
MAX_NEW_TOKENS = 1024
ASK = "\nPlease reason step by step, and put your final answer within \\boxed{}.\n\n"
FINAL = "Final Answer: The final answer is"


def boxed(folder: Path) -> list[Item]:
    """The test problems, to be answered in a box."""
    shots, rows = shots_and_rows(folder)
    examples = "".join(f"{row['problem']}{ASK}{row['solution']}\n\n" for row in shots)
    return [
        _item(
            row, number, "math", f"{examples}{text_field(row, 'problem', 'math')}{ASK}", "math_boxed", "\n\n"
        )
        for number, row in rows
    ]


def minerva(folder: Path) -> list[Item]:
    """The test problems, to be answered after "The final answer is"."""
    shots, rows = shots_and_rows(folder)
    examples = "".join(f"{_problem(row)} {_with_final(row)}\n\n" for row in shots)
    return [
        _item(row, number, "math_minerva", f"{examples}{_problem(row)}", "math_final", "Problem:")
        for number, row in rows
    ]


def shots_and_rows(folder: Path) -> tuple[list[Row], list[tuple[int, Row]]]:
    """Four examples, and the numbered problems that are scored."""
    numbered = list(enumerate(read(folder, TEST)))
    try:
        return read(folder, DEMO)[:SHOTS], numbered
    except MissingBenchmark:
        return [row for _, row in numbered[:SHOTS]], numbered[SHOTS:]


def _problem(row: Row) -> str:
    return f"Problem:\n{text_field(row, 'problem', 'math')}\n\nSolution:"


def _with_final(row: Row) -> str:
    solution = text_field(row, "solution", "math")
    return (
        solution
        if FINAL in solution
        else f"{solution}\n{FINAL} ${_answer(row, 'math')}$. I hope it is correct."
    )


def _answer(row: Row, where: str) -> str:
    answer = last_boxed(text_field(row, "solution", where))
    if answer is None:
        raise InputError("a solution has no boxed answer", where=where)
    return answer


def _item(row: Row, number: int, skill: str, prompt: str, rule: str, stop: str) -> Item:
    return written_item(
        id=f"math-{number}",
        skill=skill,
        prompt=prompt,
        answer=_answer(row, f"math, row {number + 1}"),
        rule=rule,
        stops=[stop],
        chat_stops=["Problem:"],
        max_new_tokens=MAX_NEW_TOKENS,
    )
