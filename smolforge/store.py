"""The lab folder: sealed artifacts, found by the handle you hold or by a run's label.

    lab/
      artifacts/curate-3f9c2a1b77d0/   sealed; record.json beside the files
      scratch/curate-3f9c2a1b77d0/     unfinished work, resumed by the same key
      runs/quickstart/                 recipe.json, labels.json, events.jsonl, report.html

A stage writes into scratch and is sealed by one rename, so an artifact is whole or absent. Killed
work goes on from its own scratch. `flock` keeps two processes from building the same thing.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from smolforge import artifacts as kinds
from smolforge.artifacts import Artifact, Facts
from smolforge.config import to_plain
from smolforge.devices import Machine
from smolforge.errors import StageError, StoreError
from smolforge.facts import PLAIN_WIDTH, facts_told, has_colour, in_lines, painted
from smolforge.log import Log, terminal_width
from smolforge.outlook import Outlook
from smolforge.provenance import give_memory_back, provenance_of, reset_peak_memory
from smolforge.stage import KEY_LETTERS, Input, Job, Launcher, Stage, input_digests, stage_key
from smolforge.units import format_seconds

A = TypeVar("A", bound=Artifact)
RECORD = "record.json"
COMMAND_RUNS = ("eval", "export")
"""Runs that keep what these commands made; they hold no model of their own."""


@dataclass(frozen=True)
class Tree:
    """An artifact's lineage: itself, and the trees of its inputs by name."""

    name: str
    record: Mapping[str, Any]
    inputs: Mapping[str, Tree] = field(default_factory=dict)


class Store:
    """Runs stages, or finds what they made before.

    lab      folder that holds everything; made when absent
    run_name name under which labels and events are kept; empty for a store that only reads
    machine  how the machine is used; part of no identity
    launcher where stages run that several processes can share; none runs them in this process
    built    called with (label, artifact) after every stage, built or found; the report hangs here
    outlook  what stages are foreseen, so that the person watching knows how far it is; None: nobody knows
    """

    def __init__(
        self,
        lab: Path,
        run_name: str = "",
        *,
        machine: Machine | None = None,
        launcher: Launcher | None = None,
        log: Log | None = None,
        built: Callable[[str, Artifact], None] | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self.lab = lab
        self.run_name = run_name
        self.machine = machine or Machine()
        self.launcher = launcher
        self.run_folder = lab / "runs" / run_name if run_name else None
        self.log = log or Log(self.run_folder / "events.jsonl" if self.run_folder else None)
        self.built = built
        self.outlook = outlook
        self.log.outlook = outlook
        self.labels: dict[str, Any] = {}

    # -- building -------------------------------------------------------------------------------

    def run(self, stage: Stage[A], cfg: Any, *, label: str, **inputs: Input) -> A:
        """The artifact of `stage` for this config and these inputs, built only if it is not there."""
        inputs = {name: _in_order(value) for name, value in inputs.items()}
        if label in self.labels:
            raise StoreError(
                f"two stages of this recipe have the label `{label}`", fix="give each its own label"
            )
        if self.outlook:
            self.outlook.begin(label)
        key = stage_key(stage, cfg, input_digests(inputs))
        folder = self._artifact_folder(stage.name, key)
        record = read_record(folder)
        reused = record is not None
        if record is None:
            record = self._build(stage, cfg, key, label, inputs)
        else:
            self.log.scoped(stage.name, label).event("reuse", folder=folder.name)
        artifact = as_artifact(stage.makes, folder, record)
        self._remember(label, stage, record, folder, reused)
        if self.built:
            self.built(label, artifact)
        return artifact

    def place_of(self, stage: Stage[Any], cfg: Any, inputs: Mapping[str, Input]) -> Path:
        """Where the artifact of `stage` for this config and these inputs stands, or will."""
        return self._artifact_folder(stage.name, stage_key(stage, cfg, input_digests(inputs)))

    def _build(
        self, stage: Stage[A], cfg: Any, key: str, label: str, inputs: Mapping[str, Input]
    ) -> dict[str, Any]:
        folder = self._artifact_folder(stage.name, key)
        scratch = self.lab / "scratch" / folder.name
        with disk_errors(self.lab), self._lock(scratch):
            record = read_record(folder)  # somebody else may have built it while we waited
            if record is not None:
                return record
            log = self.log.scoped(stage.name, label)
            job = self._start(scratch, log)
            self._say_begin(log, label, stage.summary)
            log.event("start", key=key)
            began, wall = time.time(), time.monotonic()
            facts, made_on = self._make(stage, cfg, job, inputs)
            provenance = {
                **made_on,
                "started": round(began, 3),
                "seconds": round(time.monotonic() - wall, 3),
            }
            record = _record(stage, cfg, key, inputs, facts, job.out, provenance)
            _seal(job.out, folder, record)
            shutil.rmtree(scratch, ignore_errors=True)
            log.event("seal", folder=folder.name, seconds=provenance["seconds"], facts=record["facts"])
            if self.outlook:
                self.outlook.end(label, provenance["seconds"])
            self._say_end(log, label, record)
            return record

    def _say_begin(self, log: Log, label: str, summary: str) -> None:
        colour, place = has_colour(log.show), self.outlook.place if self.outlook else ""
        head = "▸ " + (f"{place} · " if place else "") + painted(label, "bold", colour)
        words, width = [f"{head} ·", *summary.split()], terminal_width(log.show) or PLAIN_WIDTH
        log.say(in_lines(words, width, "  ", comma="").lstrip())

    def _say_end(self, log: Log, label: str, record: Mapping[str, Any]) -> None:
        """What came out, in lines that fit: scores with what changed since the scores before."""
        before, colour = facts_before(self.lab, self.labels, record), has_colour(log.show)
        log.say(f"  {label} · done in {format_seconds(record['provenance']['seconds'])}")
        told = facts_told(record["facts"], before, colour=colour)
        log.say(in_lines(told, terminal_width(log.show) or PLAIN_WIDTH, "    "))

    def _start(self, scratch: Path, log: Log) -> Job:
        out, work = scratch / "out", scratch / "work"
        if out.exists():
            shutil.rmtree(out)
        out.mkdir(parents=True)
        work.mkdir(exist_ok=True)
        for folder in (scratch, scratch.parent, self.lab):  # what is left in `work` must be found again
            _sync(folder)
        return Job(out=out, work=work, log=log, **asdict(self.machine))

    def _make(
        self, stage: Stage[A], cfg: Any, job: Job, inputs: Mapping[str, Input]
    ) -> tuple[Facts, dict[str, Any]]:
        """The stage's facts and its provenance: made in this process, or where the launcher says."""
        if self.launcher and stage.spreads:
            return self.launcher.run(stage, cfg, job, inputs)
        give_memory_back()
        reset_peak_memory()
        facts = stage(cfg, job, **inputs)
        return facts, provenance_of(job)

    @contextmanager
    def _lock(self, scratch: Path) -> Iterator[None]:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        lock = scratch.with_suffix(".lock").open("w")
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.log.say(f"  waiting: another process is building {scratch.name}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            lock.close()

    def _artifact_folder(self, stage_name: str, key: str) -> Path:
        return self.lab / "artifacts" / f"{stage_name}-{key[:KEY_LETTERS]}"

    def _remember(
        self, label: str, stage: Stage[Any], record: Mapping[str, Any], folder: Path, reused: bool
    ) -> None:
        self.labels[label] = {
            "stage": stage.name,
            "folder": folder.name,
            "digest": record["digest"],
            "facts": record["facts"],
            "seconds": record["provenance"]["seconds"],
            "reused": reused,
        }
        if self.run_folder:
            stale = {k: v for k, v in read_labels(self.run_folder).items() if k not in self.labels}
            write_json(self.run_folder / "labels.json", {**self.labels, **stale})

    def finish(self) -> None:
        """The recipe ran to its end: forget labels that an earlier recipe under this name had."""
        if self.run_folder:
            write_json(self.run_folder / "labels.json", self.labels)

    # -- finding --------------------------------------------------------------------------------

    def find(self, name: str) -> Artifact:
        """The artifact called `run/label`, or whose folder or key starts with `name`."""
        run, _, label = name.partition("/")
        labels = read_labels(self.lab / "runs" / run)
        if label in labels:
            return self._open(self.lab / "artifacts" / labels[label]["folder"])
        folders = sorted((self.lab / "artifacts").glob("*")) if (self.lab / "artifacts").is_dir() else []
        matches = [
            f for f in folders if f.name.startswith(name) or f.name.rpartition("-")[2].startswith(name[:12])
        ]
        if len(matches) == 1:
            return self._open(matches[0])
        at_hand = [f"{run}/{k}" for k in labels] or [n for n in self.runs() if n not in COMMAND_RUNS]
        known = ", ".join(at_hand) or "nothing yet"
        raise StoreError(
            f"there is no artifact called `{name}`"
            if not matches
            else f"`{name}` fits {len(matches)} artifacts",
            where=str(self.lab),
            fix=f"known here: {known}",
        )

    def _open(self, folder: Path) -> Artifact:
        record = read_record(folder)
        if record is None:
            raise StoreError(
                f"the artifact {folder.name} is gone or damaged",
                where=str(folder),
                fix="run its recipe again",
            )
        return as_artifact(getattr(kinds, record["kind"], Artifact), folder, record)

    def runs(self) -> list[str]:
        """Names of the runs in this lab."""
        folder = self.lab / "runs"
        return sorted(f.name for f in folder.iterdir() if f.is_dir()) if folder.is_dir() else []

    def lineage(self, artifact: Artifact) -> Tree:
        """What the artifact was made from, back to its sources."""
        return self._tree(artifact.path.name)

    def _tree(self, folder_name: str) -> Tree:
        record = read_record(self.lab / "artifacts" / folder_name)
        if record is None:
            return Tree(folder_name, {})
        inputs = {
            name: self._tree(one["folder"]) if "folder" in one else Tree(name, {})
            for name, one in flat_inputs(record)
        }
        return Tree(folder_name, record, inputs)


def flat_inputs(record: Mapping[str, Any]) -> list[tuple[str, Mapping[str, str]]]:
    """`[(name, {"key", "digest", "folder"})]`, groups written as `group.part`."""
    found: list[tuple[str, Mapping[str, str]]] = []
    for name, value in record.get("inputs", {}).items():
        if "digest" in value and isinstance(value["digest"], str):
            found.append((name, value))
        else:
            found.extend((f"{name}.{part}", one) for part, one in value.items())
    return found


# -- records ------------------------------------------------------------------------------------


def read_record(folder: Path) -> dict[str, Any] | None:
    """An artifact's record, or None where no sealed artifact stands."""
    try:
        return json.loads((folder / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, NotADirectoryError) as error:
        raise StoreError(
            f"the record of {folder.name} cannot be read: {error}",
            where=str(folder),
            fix="delete this folder and run again",
        ) from None


def read_labels(run_folder: Path) -> dict[str, Any]:
    """A run's labels in the order they were made; empty where there are none. Raises StoreError for a damaged list."""
    file = run_folder / "labels.json"
    try:
        labels = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError:
        labels = None
    if not isinstance(labels, dict):
        raise StoreError(
            "the list of the run's labels is damaged",
            where=str(file),
            fix="remove this file and run the recipe again: what is sealed is found again",
        )
    return labels


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as out:
        json.dump(value, out, indent=1, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def verify(folder: Path) -> list[str]:
    """Files of a sealed artifact that are missing, changed or strange; empty when all is well."""
    record = read_record(folder)
    if record is None:
        return [RECORD]
    files = _hash_files(folder)
    expected = record["files"]
    return sorted(name for name in {*files, *expected} if files.get(name) != expected.get(name))


def facts_before(lab: Path, earlier: Mapping[str, Any], record: Mapping[str, Any]) -> Facts | None:
    """Facts of the last artifact of the same stage among `earlier` labels that differs in its model alone: scores of
    other questions, or of the same asked otherwise, are nothing to compare with.
    """
    for entry in reversed(list(earlier.values())):
        if entry["stage"] == record["stage"]:
            other = read_record(lab / "artifacts" / entry["folder"])
            if other is not None and _without_model(other) == _without_model(record):
                return other["facts"]
    return None


def _without_model(record: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    return record["config"], {name: one for name, one in record["inputs"].items() if name != "model"}


def as_artifact(kind: type[A], folder: Path, record: Mapping[str, Any]) -> A:
    """The handle of a sealed folder."""
    return kind(path=folder, key=record["key"], digest=record["digest"], facts=record["facts"])


def _in_order(value: Input) -> Input:
    """Groups by name: their order is no part of the identity, so it must not reach the stage."""
    return value if value is None or isinstance(value, Artifact) else dict(sorted(value.items()))


def _record(
    stage: Stage[Any],
    cfg: Any,
    key: str,
    inputs: Mapping[str, Input],
    facts: Facts,
    out: Path,
    provenance: Facts,
) -> dict[str, Any]:
    files = _hash_files(out)
    return {
        "stage": stage.name,
        "version": stage.version,
        "kind": stage.makes.__name__,
        "key": key,
        "digest": _digest(files),
        "config": to_plain(cfg),
        "inputs": {name: _input_record(value) for name, value in inputs.items() if value is not None},
        "facts": to_plain(dict(facts), "facts"),
        "files": files,
        "provenance": provenance,
    }


def _input_record(value: Artifact | Mapping[str, Artifact]) -> dict[str, Any]:
    if isinstance(value, Artifact):
        return {"key": value.key, "digest": value.digest, "folder": value.path.name}
    return {
        part: {"key": one.key, "digest": one.digest, "folder": one.path.name} for part, one in value.items()
    }


def _seal(out: Path, folder: Path, record: Mapping[str, Any]) -> None:
    """Make `out` durable, then an artifact, by one rename."""
    write_json(out / RECORD, record)
    for path in out.rglob("*"):
        _sync(path)
    _sync(out)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():  # a folder without a record: left by something that was not us
        shutil.rmtree(folder)
    out.rename(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash_files(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).as_posix() != RECORD)
    return {p.relative_to(folder).as_posix(): _hash_file(p) for p in files}


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()


@contextmanager
def disk_errors(lab: Path) -> Iterator[None]:
    """Make the lab where it is absent; turn a place that cannot hold it, a full or a read-only disk into a clear error."""
    try:
        lab.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the lab folder cannot be made: {error.strerror}", where=str(lab), fix="choose another `--lab`"
        ) from None
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StageError(
                "the disk is full",
                where=str(lab),
                fix="free some space and run the same command again; what was finished is kept",
            ) from None
        if error.errno in (errno.EROFS, errno.EACCES) and str(lab) in str(error.filename or ""):
            raise StoreError(
                f"cannot write: {error.strerror}", where=str(error.filename), fix="choose another `--lab`"
            ) from None
        raise
