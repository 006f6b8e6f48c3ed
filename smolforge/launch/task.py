"""A stage call as a file, so that any process that sees the lab can take it up.

    lab/scratch/pretrain-3f9c2a1b77d0/
      out/ work/         the job's, as ever
      launch-5d1e/       one attempt: task.json, pulse, stream.jsonl, rank-*.log, result.json

Artifacts are written down by their place in the lab, so that hosts may mount it where they like.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from smolforge import artifacts as kinds
from smolforge.artifacts import Artifact
from smolforge.config import from_plain, to_plain
from smolforge.devices import Machine
from smolforge.errors import ConfigError, InputError, StoreError
from smolforge.recipe import settings_beside
from smolforge.stage import Input, Job, Stage
from smolforge.store import as_artifact, read_record, write_json

TASK_FILE = "task.json"


@dataclass(frozen=True)
class Task:
    """A stage call, rebuilt in a worker. `threads` is None where every host is to use all it has."""

    stage: Stage[Any]
    cfg: Any
    inputs: Mapping[str, Input]
    label: str
    machine: Machine
    threads: int | None


def write_task(
    folder: Path,
    stage: Stage[Any],
    cfg: Any,
    job: Job,
    inputs: Mapping[str, Input],
    threads: int | None,
) -> Path:
    """Write the call into `folder`; ConfigError for a stage or config that no other process can find."""
    lab = lab_of(folder)
    machine = {name: getattr(job, name) for name in Machine.__dataclass_fields__}
    plain = {
        "stage": {**_reference(stage.function), "version": stage.version},
        "config": {**_reference(type(cfg)), "values": to_plain(cfg)},
        "inputs": {name: _plain_input(value, lab) for name, value in inputs.items()},
        "label": job.log.label,
        "machine": machine,
        "threads": threads,
    }
    write_json(folder / TASK_FILE, plain)
    return folder / TASK_FILE


def read_task(file: Path) -> Task:
    """The call that `write_task` wrote; errors where this host's program or lab is another."""
    try:
        plain = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise StoreError("the task is gone: its launcher has left", where=str(file)) from None
    stage = _find(plain["stage"])
    if not isinstance(stage, Stage) or stage.version != plain["stage"]["version"]:
        raise ConfigError(
            f"a worker has another `{plain['stage']['name']}` than its launcher",
            where=plain["stage"]["file"],
            fix="install the same version of smolforge, and the same recipe, on every host",
        )
    config = plain["config"]
    return Task(
        stage=stage,
        cfg=from_plain(_find(config), config["values"], config["name"]),
        inputs={name: _input(value, lab_of(file.parent)) for name, value in plain["inputs"].items()},
        label=plain["label"],
        machine=Machine(**plain["machine"]),
        threads=plain["threads"],
    )


def lab_of(folder: Path) -> Path:
    """The lab in which a launch folder stands."""
    return folder.resolve().parents[2]


def _reference(thing: Any) -> dict[str, str]:
    module, name = thing.__module__, thing.__qualname__
    if "." in name:
        raise ConfigError(
            f"`{name}` cannot be found by other processes",
            where=module,
            fix="declare stages and their configs at the top of a file",
        )
    return {"module": module, "name": name, "file": str(getattr(sys.modules[module], "__file__", ""))}


def _find(reference: Mapping[str, Any]) -> Any:
    return getattr(_module(reference["module"], reference["file"]), reference["name"])


def _module(name: str, file: str) -> ModuleType:
    """The module of this name; a recipe's own stages are in no package, so they are loaded by file."""
    if name in sys.modules and name != "__main__":
        return sys.modules[name]
    if name != "__main__" and importlib.util.find_spec(name):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not Path(file).is_file():
        raise ConfigError(
            f"a worker cannot find the module `{name}`", where=file, fix="install it on every host"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with settings_beside(Path(file)):
        spec.loader.exec_module(module)
    return module


def _plain_input(value: Input, lab: Path) -> Any:
    if value is None:
        return None
    if isinstance(value, Artifact):
        place = value.path.resolve()
        folder = place.relative_to(lab) if place.is_relative_to(lab) else place
        return {**asdict(value), "path": str(folder), "kind": type(value).__name__}
    return {"parts": {part: _plain_input(one, lab) for part, one in value.items()}}


def _input(plain: Any, lab: Path) -> Any:
    if plain is None:
        return None
    if "parts" in plain:
        return {part: _input(one, lab) for part, one in plain["parts"].items()}
    kind: type[Artifact] = getattr(kinds, plain["kind"])
    folder = lab / plain["path"]
    record = read_record(folder)
    if record is None and not folder.is_dir():
        raise InputError("a worker does not see an artifact", where=str(folder), fix="share the lab folder")
    if record is None:
        return kind(path=folder, key=plain["key"], digest=plain["digest"], facts=plain["facts"])
    if record["digest"] != plain["digest"]:
        raise StoreError("a worker sees another artifact", where=str(folder), fix="share the lab folder")
    return as_artifact(kind, folder, record)
