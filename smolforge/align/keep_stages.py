"""Which of several tuned models goes on: a later step of tuning may make a model worse."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping

from smolforge.artifacts import Checkpoint, Facts, Scores
from smolforge.config import config
from smolforge.errors import ConfigError
from smolforge.stage import Job, stage


@config
class KeepBestConfig:
    """Every question counts alike, so a skill weighs as many as it was asked."""


@stage(makes=Checkpoint, version=1)
def keep_best_scored(
    cfg: KeepBestConfig, job: Job, *, models: Mapping[str, Checkpoint], scores: Mapping[str, Scores]
) -> Facts:
    """The model that answered most of the questions right; of equals the first, which is the least tuned.

    `models` and `scores` have the same names, which sort in the order of tuning; all answered the same questions, which no
    report reads again.

    Writes  config.json, model.safetensors, choice.json ({"kept", "cases": [{"model", "right", "change"}]})
    Facts   parameters, kept, right (share of the questions), and what `models[kept]` says of itself
    Raises  ConfigError when names do not match, InputError when the questions do not
    """
    from smolforge.evals.measured import pooled_change, read_measured

    if not models or set(models) != set(scores):
        raise ConfigError("`models` and `scores` must have the same names")
    measured = {name: read_measured(scores[name].path) for name in models}
    shares = {name: one.share_right for name, one in measured.items()}
    first, kept = min(models), max(sorted(models), key=shares.__getitem__)
    cases = []
    for name, one in sorted(measured.items()):
        change = pooled_change(measured[first], one)
        told = [round(bound, 5) for bound in (change.value, change.low, change.high)]
        cases.append({"model": name, "right": round(shares[name], 5), "change": told})
        against = (
            ""
            if name == first
            else f", {100 * change.value:+.1f} points of {first} [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"
        )
        job.log.say(f"  {name}: {shares[name]:.1%} right{against}{' · kept' if name == kept else ''}")
    take_over(models[kept], job)
    plain = {"kept": kept, "cases": cases}
    (job.out / "choice.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return {**models[kept].facts, "kept": kept, "right": round(shares[kept], 6), "flops": 0.0}


def take_over(chosen: Checkpoint, job: Job) -> None:
    """The weights of `chosen` as those of this stage's model."""
    for file in ("config.json", "model.safetensors"):
        try:
            os.link(chosen.path / file, job.out / file)  # the same sealed bytes twice need no second place
        except OSError:
            shutil.copyfile(chosen.path / file, job.out / file)
    if (chosen.path / "adapter").is_dir():
        shutil.copytree(chosen.path / "adapter", job.out / "adapter")
