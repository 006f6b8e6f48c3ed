"""What a finished run proposes to ask its model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_fixture import FakeLab

from smolforge.store import Store
from smolforge.tries import MOST_CHARACTERS, questions_answered

RIGHT = {"right": True, "kind": "exact"}
SAMPLES = [
    {**RIGHT, "skill": "mathematics", "question": "What is 2 + 3?"},
    {**RIGHT, "skill": "mathematics", "question": "What is 12 + 13?"},
    {**RIGHT, "skill": "rewriting", "question": "Write in capitals:\n  sea"},
    {**RIGHT, "skill": "code", "question": "Reverse a list."},
    {**RIGHT, "skill": "code", "question": "x" * (MOST_CHARACTERS + 1)},
    {"right": False, "kind": "exact", "skill": "instructions", "question": "Name three birds."},
    {"right": True, "kind": "choice", "skill": "knowledge", "question": "What is the sun?"},
]


@pytest.fixture
def fake(tmp_path: Path) -> FakeLab:
    lab = FakeLab(tmp_path)
    lab.make("sft/model", "sft", "Checkpoint", {})
    lab.make("dpo/model", "dpo", "Checkpoint", {})
    lab.make("export", "export", "DeviceModel", {}, {"model": "sft/model"})
    return lab


def ask(fake: FakeLab, label: str, model: str, samples: list[dict], form: str = "chat") -> None:
    folder = fake.make(label, "evaluate", "Scores", {}, {"model": model}, {"form": form})
    (folder / "samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))


def test_questions_are_those_the_exported_model_wrote_right_answers_to(fake):
    ask(fake, "sft/scores", "sft/model", SAMPLES)
    ask(fake, "dpo/scores", "dpo/model", [{**SAMPLES[0], "question": "Asked of another model?"}])
    ask(fake, "text/scores", "sft/model", [{**SAMPLES[0], "question": "Continued, not answered?"}], "text")
    assert questions_answered(Store(fake.run.parents[1]), "demo") == [
        "Reverse a list.",
        "What is 2 + 3?",
        "Write in capitals: sea",
        "What is 12 + 13?",
    ]


def test_a_model_that_was_never_asked_proposes_nothing(fake):
    assert questions_answered(Store(fake.run.parents[1]), "demo") == []


def test_a_run_without_a_model_proposes_nothing(tmp_path):
    lab = FakeLab(tmp_path)
    lab.make("corpus", "curate", "Corpus", {})
    assert questions_answered(Store(tmp_path), "demo") == []
