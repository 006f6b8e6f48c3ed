"""Running a recipe: resolve its config, write it down, run it, keep the report fresh."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import smolforge
from smolforge.artifacts import Artifact, Scores
from smolforge.config import to_plain
from smolforge.devices import Machine, check_groups, prepare
from smolforge.errors import ConfigError, SmolError
from smolforge.launch.hosts import HostZero, follow
from smolforge.launch.settings import LaunchSettings, make_launcher
from smolforge.log import Log
from smolforge.models import talking_label
from smolforge.plan import Plan
from smolforge.recipe import load_recipe
from smolforge.stage import Launcher
from smolforge.store import Store, disk_errors, write_json
from smolforge.tries import questions_answered
from smolforge.units import format_seconds


def run_recipe(
    recipe: str,
    scale: str | None,
    settings: Sequence[str],
    saved: Path | None,
    name: str | None,
    lab: Path,
    machine: Machine,
    launch: LaunchSettings,
) -> None:
    """Build everything the recipe asks for; prints where the report is and how to talk to the model."""
    loaded = load_recipe(recipe)
    cfg = loaded.configured(scale, settings, saved)
    run_name = name or loaded.name
    if "/" in run_name or run_name.startswith("."):
        raise ConfigError(f"`{run_name}` cannot name a run", fix="leave out slashes and leading dots")
    if launch.ranks is not None:
        check_groups(launch.ranks, machine.shard)
    if launch.threads:  # thread pools read this once, before torch is first imported by a stage
        os.environ["OMP_NUM_THREADS"] = str(launch.threads)
    if launch.on in ("local", "torchrun"):  # elsewhere the workers find out for themselves
        prepare(machine)
    if launch.node_rank:
        follow(lab, run_name, launch.processes, launch.hosts, Log())
        return
    run_folder = lab / "runs" / run_name
    record = {
        "recipe": loaded.name,
        "scale": scale,
        "smolforge": smolforge.__version__,
        "config": to_plain(cfg),
    }
    with disk_errors(lab):
        write_json(run_folder / "recipe.json", record)
    planned = Plan(lab, run_name)
    loaded.function(planned, cfg)
    with _launcher(lab, run_name, launch) as launcher:
        store = Store(
            lab,
            run_name,
            machine=machine,
            launcher=launcher,
            built=lambda _, made: _refresh(run_folder, made),
            planned=len(planned.steps),
        )
        store.log.event("run", recipe=loaded.name)
        try:
            loaded.function(store, cfg)
        except BaseException as error:  # Ctrl-C too: the report says where it stopped
            _note_stop(store, run_folder, error)
            raise
    _conclude(store, run_folder)


@contextmanager
def _launcher(lab: Path, run_name: str, launch: LaunchSettings) -> Iterator[Launcher | None]:
    """Where stages that spread are to run; other hosts are told while the recipe runs."""
    if launch.on == "torchrun" and launch.nodes > 1:
        host = HostZero(lab, run_name)
        with host.leading():
            yield make_launcher(launch, host.announce)
    else:
        yield make_launcher(launch)


def _note_stop(store: Store, run_folder: Path, error: BaseException) -> None:
    """Where a run ended before its end. What stopped it may be the disk, so that nothing here may hide it."""
    store.log.close_line()
    with suppress(OSError, SmolError):
        store.log.event("stopped", why=getattr(error, "what", type(error).__name__))
        if store.labels:
            _build_report(run_folder)


def _conclude(store: Store, run_folder: Path) -> None:
    """The last report, and how to go on from here."""
    store.finish()
    store.log.event("finished")
    report = _build_report(run_folder)
    total = sum(label["seconds"] for label in store.labels.values())
    store.log.say(
        f"\n{run_folder.name} is complete: {len(store.labels)} artifacts, {format_seconds(total)} of work"
    )
    store.log.say(f"  report  {report}")
    if talking_label(store, run_folder.name):
        option = "" if str(store.lab) == "lab" else f" --lab {store.lab}"
        store.log.say(
            f"  talk    smol chat {run_folder.name}{option}     or  smol serve {run_folder.name}{option}"
        )
        _say_what_to_try(store, run_folder.name)


def _say_what_to_try(store: Store, run: str) -> None:
    """Questions this model can answer; and the way to a model that can answer more, where this one was made here."""
    if questions := questions_answered(store, run):
        store.log.say("  try     these, which it was seen to answer at `--temperature 0`:")
        for question in questions:
            store.log.say(f"            {question}")
    if not any(label["stage"] == "take-in-model" for label in store.labels.values()):
        store.log.say("  next    smol chat smollm2-135m-instruct       a real SmolLM2, and")
        store.log.say("          smol run adapt --set data=FOLDER      makes it yours with your documents")


def _refresh(run_folder: Path, made: Artifact) -> None:
    if isinstance(made, Scores):
        _build_report(run_folder)


def _build_report(run_folder: Path) -> Path:
    from smolforge.report.build import build_report

    return build_report(run_folder, run_folder.parent.parent / "artifacts")
