"""Function calling in the manner of the Berkeley leaderboard: calls compared as syntax, none of them run.

`bfcl_simple` one function, one call; `bfcl_multiple` several functions, one call; `bfcl_parallel` one function, several
calls; `bfcl_parallel_multiple` both; `bfcl_irrelevance` no function fits and none may be called. Tools and calls go
through the chat template, so only the chat form means anything. Of the leaderboard's other parts (live users, turns,
programs run) none is here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.call_match import as_tool
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, field, read

PARTS = ("simple", "multiple", "parallel", "parallel_multiple", "irrelevance")
UNANSWERED = "irrelevance"
REPO = "gorilla-llm/Berkeley-Function-Calling-Leaderboard"
MAX_NEW_TOKENS = 384


def _source(part: str, columns: tuple[str, ...], under: str = "") -> Source:
    file = f"{under}BFCL_v3_{part}.json"
    return Source(place=f"bfcl/{file.removesuffix('.json')}", columns=columns, repo=REPO, file=file)


QUESTIONS = {part: _source(part, ("id", "question", "function")) for part in PARTS}
ANSWERS = {
    part: _source(part, ("id", "ground_truth"), "possible_answer/") for part in PARTS if part != UNANSWERED
}


def items(part: str, folder: Path) -> list[Item]:
    """The questions of one part."""
    accepted = (
        {} if part == UNANSWERED else {row["id"]: row["ground_truth"] for row in read(folder, ANSWERS[part])}
    )
    made = []
    for number, row in enumerate(read(folder, QUESTIONS[part])):
        where = f"bfcl {part}, row {number + 1}"
        if part != UNANSWERED and row["id"] not in accepted:
            raise InputError(f"there is no answer to `{row['id']}`", where=where)
        functions = list(field(row, "function", where))
        made.append(
            Item(
                id=str(row["id"]),
                skill=f"bfcl_{part}",
                kind="tool_call",
                rule="bfcl",
                messages=_messages(row, where),
                prompt=str(_messages(row, where)[-1]["content"]),
                tools=[as_tool(function) for function in functions],
                answer={"calls": accepted.get(row["id"], []), "functions": functions},
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made


def _messages(row: Row, where: str) -> list[dict[str, str]]:
    """The messages of the only turn."""
    turns = field(row, "question", where)
    if not isinstance(turns, list) or len(turns) != 1 or not turns[0]:
        raise InputError("a row's `question` is not one turn of messages", where=where)
    return [dict(message) for message in turns[0]]


LOADERS = [
    (
        f"bfcl_{part}",
        partial(items, part),
        (QUESTIONS[part], *([ANSWERS[part]] if part in ANSWERS else [])),
    )
    for part in PARTS
]
"""(name, how its items are made, its files)."""
