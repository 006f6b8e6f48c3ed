"""A stage turns sealed artifacts and a frozen config into one new sealed artifact.

    @stage(makes=Corpus, version=1)
    def curate(cfg: CurateConfig, job: Job, *, raw: RawDocs) -> Facts: ...

The function writes its files into `job.out` and returns the facts. It imports its engines in its body,
so that planning stays light. Identity is `hash(name, version, config, {input: digest})`; the code's
text, the machine and the time are not part of it, so `version` is raised by hand when output changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from smolforge.artifacts import Artifact, Facts
from smolforge.config import to_plain
from smolforge.devices import Machine
from smolforge.log import Log

A = TypeVar("A", bound=Artifact)

KEY_LETTERS = 12
"""Of a key, in the name of its folder."""
Input = Artifact | Mapping[str, Artifact] | None
"""One artifact, a named group of them (`{"web": …, "code": …}`), or nothing."""


@dataclass(frozen=True, kw_only=True)
class Job(Machine):
    """Where and on what machine a stage runs; never part of an artifact's identity.

    out           empty folder for the artifact's files; sealed when the stage returns
    work          private folder that survives a kill; the place for the state a resume needs
    log           events and progress, for people and for `events.jsonl`
    rank, ranks   which of how many processes this is; those above 0 have an `out` that nobody keeps
    """

    out: Path
    work: Path
    log: Log
    rank: int = 0
    ranks: int = 1

    @property
    def sealed(self) -> Path:
        """Where the files of `out` stand once the stage is done: `lab/scratch/NAME/out` becomes `lab/artifacts/NAME`."""
        return self.out.parents[2] / "artifacts" / self.out.parent.name


@dataclass(frozen=True)
class Cost:
    """What a stage is expected to need, as far as its config tells; zero where it does not."""

    parameters: int = 0
    tokens: int = 0
    flops: float = 0.0
    disk_bytes: int = 0


@dataclass(frozen=True)
class Stage(Generic[A]):
    """A stage function with its name, version and the kind of artifact it makes.

    spreads  whether several processes can share the work (`Job.ranks`)
    """

    name: str
    version: int
    makes: type[A]
    function: Callable[..., Facts]
    cost: Callable[[Any], Cost] | None = None
    spreads: bool = False

    @property
    def summary(self) -> str:
        """First line of the stage's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    def __call__(self, cfg: Any, job: Job, **inputs: Input) -> Facts:
        return self.function(cfg, job, **inputs)


class Launcher(Protocol):
    """Runs a stage in processes of its own, here or on a cluster (`smolforge.launch`)."""

    def run(
        self, stage: Stage[Any], cfg: Any, job: Job, inputs: Mapping[str, Input]
    ) -> tuple[Facts, dict[str, Any]]:
        """The stage's facts, and the provenance of the machines it ran on; the files lie in `job.out`."""
        ...


def stage(
    *, makes: type[A], version: int, cost: Callable[[Any], Cost] | None = None, spreads: bool = False
) -> Callable[[Callable[..., Facts]], Stage[A]]:
    """Declare a stage; `version` is raised whenever its output for the same inputs changes."""

    def declare(function: Callable[..., Facts]) -> Stage[A]:
        return Stage(function.__name__.replace("_", "-"), version, makes, function, cost, spreads)

    return declare


def stage_key(stage: Stage[Any], cfg: Any, digests: Mapping[str, Any]) -> str:
    """The identity of a result: 64 hex digits."""
    identity = {
        "stage": stage.name,
        "version": stage.version,
        "config": to_plain(cfg),
        "inputs": dict(digests),
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def input_digests(inputs: Mapping[str, Input]) -> dict[str, Any]:
    """`{input name: digest}`, with groups as nested tables; absent inputs are left out."""
    digests: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Artifact):
            digests[name] = value.digest
        elif value is not None:
            digests[name] = {part: artifact.digest for part, artifact in value.items()}
    return digests
