"""Of several tuned models the best goes on, by the questions that decisions may read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smolforge.align.keep_stages import KeepBestConfig, keep_best_scored
from smolforge.artifacts import Checkpoint, Scores
from smolforge.errors import ConfigError, InputError
from smolforge.log import Log
from smolforge.stage import Job


def model(root: Path, name: str) -> Checkpoint:
    folder = root / name
    folder.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        (folder / file).write_text(name)
    return Checkpoint(folder, name, name, {"parameters": 7, "flops": 5.0, "from": name})


def scores(root: Path, name: str, right: str) -> Scores:
    """One item a letter, `+` for right."""
    folder = root / f"scores-{name}"
    folder.mkdir()
    rows = [{"skill": "s", "id": str(n), "right": mark == "+"} for n, mark in enumerate(right)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Scores(folder, name, name, {})


def kept(root: Path, **answers: str) -> tuple[dict, dict]:
    models = {name: model(root, name) for name in answers}
    given = {name: scores(root, name, right) for name, right in answers.items()}
    (root / "out").mkdir()
    job = Job(out=root / "out", work=root / "out", log=Log(), threads=1)
    facts = keep_best_scored(KeepBestConfig(), job, models=models, scores=given)
    assert (job.out / "model.safetensors").read_text() == facts["kept"]
    return dict(facts), json.loads((job.out / "choice.json").read_text())


def test_the_model_that_is_right_most_often_is_kept(tmp_path: Path) -> None:
    facts, choice = kept(tmp_path, **{"1-sft": "+-+-", "2-dpo": "+++-", "3-grpo": "+---"})
    assert facts["kept"] == choice["kept"] == "2-dpo" and facts["right"] == 0.75
    assert facts["parameters"] == 7 and facts["flops"] == 0.0, "nothing is trained here"
    worse = next(case for case in choice["cases"] if case["model"] == "3-grpo")["change"]
    assert worse[0] == -0.25 and worse[1] < worse[0] < worse[2]


def test_of_equals_the_least_tuned_is_kept(tmp_path: Path) -> None:
    """Whatever the order in which they are given."""
    facts, _ = kept(tmp_path, **{"3-grpo": "+-", "2-dpo": "-+", "1-sft": "+-"})
    assert facts["kept"] == "1-sft"


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="same items"):
        kept(tmp_path / "a", **{"1-sft": "+-", "2-dpo": "+"})
    job = Job(out=tmp_path, work=tmp_path, log=Log(), threads=1)
    with pytest.raises(ConfigError, match="same names"):
        keep_best_scored(KeepBestConfig(), job, models={"1-sft": model(tmp_path, "b")}, scores={})
