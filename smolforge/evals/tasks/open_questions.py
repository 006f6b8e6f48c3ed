"""Questions without one right answer, for a judge: MT-Bench (arXiv:2306.05685) and AlpacaEval (its 805 instructions).

MT-Bench: the published files of questions, reference answers and judge prompts; temperatures by category are the
published ones. AlpacaEval: the published file, whose `output` is the answer to beat; the length-controlled win rate of
its makers is not computed, and the judge's prompt is MT-Bench's for pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.tasks.rows import Source, field, read, text_field
from smolforge.evals.verdicts import OpenQuestion

QUESTIONS = Source(place="mt_bench/question", columns=("question_id", "category", "turns"))
REFERENCES = Source(place="mt_bench/reference_answer_gpt-4", columns=("question_id", "choices"))
PROMPTS = Source(place="mt_bench/judge_prompts", columns=("name", "system_prompt", "prompt_template"))
INSTRUCTIONS = Source(
    place="alpaca_eval/alpaca_eval",
    columns=("instruction", "output"),
    repo="tatsu-lab/alpaca_eval",
    file="alpaca_eval.json",
)
TEMPERATURES = {"writing": 0.7, "roleplay": 0.7, "stem": 0.1, "humanities": 0.1}
"""Of MT-Bench's categories; the others are answered greedily."""


def mt_bench(folder: Path) -> list[OpenQuestion]:
    """Eighty questions of two turns in eight categories."""
    try:
        known = {row["question_id"]: row["choices"][0]["turns"] for row in read(folder, REFERENCES)}
    except (KeyError, IndexError, TypeError):
        raise InputError("a reference answer has no `choices` with `turns`", where=REFERENCES.place) from None
    made = []
    for number, row in enumerate(read(folder, QUESTIONS)):
        where = f"mt_bench, row {number + 1}"
        category, turns = text_field(row, "category", where), field(row, "turns", where)
        if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
            raise InputError("a row's `turns` are not a list of texts", where=where)
        id = field(row, "question_id", where)
        made.append(
            OpenQuestion(str(id), category, turns, known.get(id, ()), TEMPERATURES.get(category, 0.0))
        )
    return made


def alpaca_eval(folder: Path) -> list[OpenQuestion]:
    """The instructions; the reference is the answer to beat."""
    return [
        OpenQuestion(
            str(number),
            str(row.get("dataset") or "alpaca_eval"),
            [text_field(row, "instruction", f"alpaca_eval, row {number + 1}")],
            [text_field(row, "output", f"alpaca_eval, row {number + 1}")],
        )
        for number, row in enumerate(read(folder, INSTRUCTIONS))
    ]


def judge_prompts(folder: Path) -> dict[str, Mapping[str, str]]:
    """The published prompts by name."""
    return {row["name"]: dict(row) for row in read(folder, PROMPTS)}


OPEN = {"mt_bench": mt_bench, "alpaca_eval": alpaca_eval}
