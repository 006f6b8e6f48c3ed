"""Running a recipe: resolve its config, write it down, run it, keep the report fresh."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import smolforge
from smolforge.artifacts import Artifact, Scores
from smolforge.closing import closing_lines
from smolforge.config import to_plain
from smolforge.devices import Machine, check_groups, prepare
from smolforge.errors import ConfigError, SmolError
from smolforge.launch.hosts import HostZero, follow
from smolforge.launch.settings import LaunchSettings, make_launcher
from smolforge.log import Log
from smolforge.outlook import Outlook
from smolforge.plan import Plan
from smolforge.recipe import load_recipe
from smolforge.stage import Launcher
from smolforge.store import Store, disk_errors, write_json


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
            outlook=Outlook(planned.steps),
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
    """The last report; what came out, and how to go on from here."""
    store.finish()
    store.log.event("finished")
    report = _build_report(run_folder)
    for line in closing_lines(store, run_folder.name, report):
        store.log.say(line)


def _refresh(run_folder: Path, made: Artifact) -> None:
    if isinstance(made, Scores):
        _build_report(run_folder)


def _build_report(run_folder: Path) -> Path:
    from smolforge.report.build import build_report

    return build_report(run_folder, run_folder.parent.parent / "artifacts")
