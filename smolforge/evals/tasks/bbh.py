"""BIG-Bench Hard, 27 tasks (arXiv:2210.09261): three worked examples, then the answer word for word.

`bbh`: without reasoning, the examples from the same file, the tested item itself excluded, as SmolLM2 reports it.
`bbh_cot`: the authors' prompts with reasoning, and what follows "the answer is".
"""

from __future__ import annotations

from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, read, text_field, written_item

SUBSETS = (
    "boolean_expressions", "causal_judgement", "date_understanding", "disambiguation_qa", "dyck_languages",
    "formal_fallacies", "geometric_shapes", "hyperbaton", "logical_deduction_five_objects",
    "logical_deduction_seven_objects", "logical_deduction_three_objects", "movie_recommendation",
    "multistep_arithmetic_two", "navigate", "object_counting", "penguins_in_a_table",
    "reasoning_about_colored_objects", "ruin_names", "salient_translation_error_detection", "snarks",
    "sports_understanding", "temporal_sequences", "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects", "tracking_shuffled_objects_three_objects", "web_of_lies",
    "word_sorting",
)  # fmt: skip
TEST = Source(
    place="bbh/test",
    columns=("task", "input", "target"),
    repo="SaylorTwift/bbh",
    subsets=SUBSETS,
    mark="task",
)
PROMPTS = Source(place="bbh/cot_prompts", columns=("task", "prompt"))
SHOTS = 3
CANARY_END = "-----\n"
"""Ends the line that asks to keep these prompts out of training data."""


def direct(folder: Path) -> list[Item]:
    """The questions after three others of their task with their answers."""
    by_task: dict[str, list[Row]] = {}
    for row in read(folder, TEST):
        by_task.setdefault(str(row.get("task")), []).append(row)
    made = []
    for task, rows in by_task.items():
        for number, row in enumerate(rows):
            shots = [other for place, other in enumerate(rows[: SHOTS + 1]) if place != number][:SHOTS]
            where = f"bbh, {task}, row {number + 1}"
            examples = "".join(f"{_ask(shot, where)} {shot['target']}\n\n" for shot in shots)
            made.append(
                written_item(
                    id=f"bbh-{task}-{number}",
                    skill="bbh",
                    prompt=f"{examples}{_ask(row, where)}",
                    answer=text_field(row, "target", where),
                    rule="verbatim",
                    stops=["Question"],
                    chat_stops=["Question"],
                    max_new_tokens=96,
                )
            )
    return made


def reasoned(folder: Path) -> list[Item]:
    """The questions after the authors' three examples, which reason aloud."""
    prompts = {row["task"]: str(row["prompt"]).partition(CANARY_END)[2] for row in read(folder, PROMPTS)}
    made = []
    for number, row in enumerate(read(folder, TEST)):
        where, task = f"bbh, row {number + 1}", row.get("task")
        if task not in prompts:
            raise InputError(f"there is no worked prompt for the task `{task}`", where=where)
        question = f"Q: {text_field(row, 'input', where)}\nA: Let's think step by step.\n"
        made.append(
            written_item(
                id=f"bbh-{task}-{number}",
                skill="bbh_cot",
                prompt=f"{prompts[task].strip()}\n\n{question}",
                answer=text_field(row, "target", where),
                rule="after_the_answer_is",
                stops=["\n\n", "\nQ:"],
                chat_stops=["\n\nQ:"],
                max_new_tokens=512,
            )
        )
    return made


def _ask(row: Row, where: str) -> str:
    return f"Question: {text_field(row, 'input', where)}\nAnswer:"
