"""Running a recipe: resolve its config, write it down, run it, keep the report fresh."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import smolforge
from smolforge.artifacts import Artifact, Scores
from smolforge.config import to_plain
from smolforge.errors import ConfigError
from smolforge.recipe import load_recipe
from smolforge.store import Store, disk_errors, write_json
from smolforge.units import format_seconds


def run_recipe(
    recipe: str,
    scale: str | None,
    settings: Sequence[str],
    saved: Path | None,
    name: str | None,
    lab: Path,
    threads: int | None,
    device: str,
) -> None:
    """Build everything the recipe asks for; prints where the report is and how to talk to the model."""
    loaded = load_recipe(recipe)
    cfg = loaded.configured(scale, settings, saved)
    run_name = name or loaded.name
    if "/" in run_name or run_name.startswith("."):
        raise ConfigError(f"`{run_name}` cannot name a run", fix="leave out slashes and leading dots")
    run_folder = lab / "runs" / run_name
    record = {
        "recipe": loaded.name,
        "scale": scale,
        "smolforge": smolforge.__version__,
        "config": to_plain(cfg),
    }
    with disk_errors(lab):
        write_json(run_folder / "recipe.json", record)
    _prepare_torch(threads)
    store = Store(
        lab, run_name, threads=threads, device=device, built=lambda _, made: _refresh(run_folder, made)
    )
    store.log.event("run", recipe=loaded.name)
    loaded.function(store, cfg)
    store.finish()
    store.log.event("finished")
    report = _build_report(run_folder)
    total = sum(label["seconds"] for label in store.labels.values())
    store.log.say(f"\n{run_name} is complete: {len(store.labels)} artifacts, {format_seconds(total)} of work")
    store.log.say(f"  report  {report}")
    if "export" in store.labels:
        option = "" if str(lab) == "lab" else f" --lab {lab}"
        store.log.say(f"  talk    smol chat {run_name}{option}     or  smol serve {run_name}{option}")


def _prepare_torch(threads: int | None) -> None:
    """Thread pools read this once, before torch is first imported by a stage."""
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)


def _refresh(run_folder: Path, made: Artifact) -> None:
    if isinstance(made, Scores):
        _build_report(run_folder)


def _build_report(run_folder: Path) -> Path:
    from smolforge.report.build import build_report

    return build_report(run_folder, run_folder.parent.parent / "artifacts")
