"""What to ask a model that was just made: questions it was seen to answer, so that the first talk is a good one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from smolforge.models import talking_label
from smolforge.store import Store, flat_inputs, read_labels, read_record

MOST_CHARACTERS = 160
"""A longer question is nothing to type in."""
MOST_QUESTIONS = 4


def questions_answered(store: Store, run: str) -> list[str]:
    """Held-out questions that the run's model answered rightly in chat, one a skill first; none where it was never asked.

    Choices are left out: the model was compared on them, and did not write its answer.
    """
    by_skill: dict[str, list[str]] = {}
    for sample in _samples(store, run):
        question = " ".join(str(sample["question"]).split())
        if (
            sample["right"]
            and sample["kind"] not in ("choice", "tool_call")
            and len(question) <= MOST_CHARACTERS
        ):
            by_skill.setdefault(str(sample["skill"]), []).append(question)
    shortest_first = [sorted(by_skill[skill], key=len) for skill in sorted(by_skill)]  # they are typed in
    in_turn = [question for turn in zip_longest(*shortest_first) for question in turn if question]
    return in_turn[:MOST_QUESTIONS]


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
