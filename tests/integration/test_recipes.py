"""The shipped recipes at the smallest scale, to their end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smolforge.errors import StageError
from smolforge.exporting import export_model
from smolforge.models import open_talker
from smolforge.store import read_labels

ROOT = Path(__file__).resolve().parents[2]
SMOLLM2 = ("sft", "preferences", "dpo")
"""The parts of that recipe's config, beside evaluation, that have a number type."""
pytestmark = pytest.mark.slow


def run(lab: Path, *arguments: str) -> dict:
    """Labels of a finished run."""
    environment = {**os.environ, "SMOL_LAB": str(lab)}
    command = [sys.executable, "-m", "smolforge.cli", "run", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return read_labels(lab / "runs" / arguments[0])


def in_type(compute: str, *parts: str) -> list[str]:
    """Settings that name the number type, which differs from processor to processor where nobody does."""
    names = ("compute", *(f"{part}.compute" for part in ("evaluation", *parts)))
    return [word for name in names for word in ("--set", f"{name}={compute}")]


def test_the_published_flow_runs_to_its_export(lab: Path) -> None:
    """In bf16, as it was published; the other recipes run in fp32."""
    labels = run(lab, "smollm2", "--scale", "tiny", *in_type("bfloat16", *SMOLLM2))
    assert {"phase-1/scores", "phase-2/mixture", "sft/model", "dpo/model", "export"} <= set(labels)


def test_a_research_model_goes_the_whole_way_but_out(lab: Path, tmp_path: Path) -> None:
    fp32 = in_type("float32", *SMOLLM2)
    labels = run(lab, "smollm2", "--scale", "tiny", "--set", "model.research={}", *fp32)
    assert "export" not in labels
    assert labels["phase-2/model"]["facts"]["research"] and labels["dpo/model"]["facts"]["research"]
    assert open_talker("smollm2", lab).name == "smollm2"
    with pytest.raises(StageError, match="no Llama"):
        export_model("smollm2", tmp_path / "out", lab)


SMALL = (
    "minutes=0.3", "conversations.count=300", "held_out.items=10", "pairs.prompts=20", "pairs.answers=3",
    "grpo.rounds=2", "evaluation.items_per_skill=10", "recitation.bytes=100K",
)  # fmt: skip


def test_a_folder_with_little_in_it_becomes_a_model(lab: Path) -> None:
    """Domains of which the folder has nothing stay empty; nothing fails for it."""
    settings = [word for setting in (f"data={ROOT / 'docs'}", *SMALL) for word in ("--set", setting)]
    labels = run(lab, "own_data", *settings, *in_type("float32", "sft", "pairs", "dpo", "grpo"))
    assert labels["corpus/prose"]["facts"]["documents"] + labels["corpus/web"]["facts"]["documents"] > 0
    assert labels["corpus/mathematics"]["facts"]["documents"] == 0
    assert "export" in labels
