"""What to ask a model that was just made: questions it was seen to answer, so that the first talk is a good one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from smolforge.models import talking_label
from smolforge.store import Store, flat_inputs, read_labels, read_record

MOST_CHARACTERS = 160
"""A longer question is nothing to type in."""
MOST_QUESTIONS = 4
MOST_ANSWERS = 3
GENERAL_QUESTIONS = (
    "Why is the sky blue?",
    "Make this more polite: Send me the report by noon.",
    "Write a Python function that reverses a string, and show how it is used.",
    "List three ideas for a rainy Sunday, each in one sentence.",
)


def questions_answered(store: Store, run: str) -> list[str]:
    """Held-out questions that the run's model answered rightly in chat, one a skill first; none where it was never asked.

    Choices are left out: the model was compared on them, and did not write its answer.
    """
    return [question for question, _, right in _tried(store, run) if right][:MOST_QUESTIONS]


def examples_of(model: str, lab: Path) -> tuple[list[str], bool]:
    """What a page proposes to ask a model, and whether it was seen to answer it rightly: of a run, those questions;
    of another model, some of the kinds that chat models are made for.
    """
    store = Store(lab)
    if model in store.runs() and (seen := questions_answered(store, model)):
        return seen, True
    return list(GENERAL_QUESTIONS), False


def answers_given(store: Store, run: str) -> list[tuple[str, str, bool]]:
    """`(question, answer, whether it was right)`: three, of as many skills as there are; right ones first."""
    tried = sorted(_tried(store, run), key=lambda one: not one[2])
    return tried[:MOST_ANSWERS]


def _tried(store: Store, run: str) -> list[tuple[str, str, bool]]:
    """Answers that the model wrote to questions short enough to be typed in, one a skill in turn, the shortest first."""
    by_skill: dict[tuple[bool, str], list[tuple[str, str, bool]]] = {}
    for sample in _samples(store, run):
        question = " ".join(str(sample["question"]).split())
        if sample["kind"] not in ("choice", "tool_call") and len(question) <= MOST_CHARACTERS:
            right = bool(sample["right"])
            seen = (question, str(sample.get("answer") or ""), right)
            by_skill.setdefault((not right, str(sample["skill"])), []).append(seen)
    shortest_first = [sorted(by_skill[skill], key=lambda one: len(one[0])) for skill in sorted(by_skill)]
    return [one for turn in zip_longest(*shortest_first) for one in turn if one]


def _samples(store: Store, run: str) -> Iterator[dict[str, Any]]:
    """Every judged answer of the model that the run gives, in chat form, from the last evaluation of it."""
    label = talking_label(store, run)
    if label is None:
        return
    talking = store.find(f"{run}/{label}")
    made_from = {name: one["folder"] for name, one in flat_inputs(read_record(talking.path) or {})}
    model = made_from["model"] if label == "export" else talking.path.name
    for name, entry in reversed(read_labels(store.lab / "runs" / run).items()):
        if entry["stage"] != "evaluate":
            continue
        record = read_record(store.lab / "artifacts" / entry["folder"]) or {}
        asked = {name: one["folder"] for name, one in flat_inputs(record)}
        if asked.get("model") == model and record["config"].get("form") != "text":
            with (store.find(f"{run}/{name}").path / "samples.jsonl").open(encoding="utf-8") as file:
                yield from map(json.loads, file)
            return
