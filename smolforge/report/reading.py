"""Reads what a run left on disk, for the report. Missing or half-made pieces are simply absent.

Everything read here may hold text from the web or from a model; it is bounded here and escaped in the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from smolforge.outlook import state_of
from smolforge.store import read_labels

KIND_WORDS = ("raw", "corpus", "shards", "model", "scores", "mixture", "checkpoint")
MOST_LINES = 200_000
MOST_FILE_BYTES = 256 << 20


@dataclass(frozen=True)
class Made:
    """One labelled artifact of the run."""

    label: str
    folder: Path
    record: Mapping[str, Any]
    reused: bool

    @property
    def kind(self) -> str:
        return str(self.record.get("kind", ""))

    @property
    def stage(self) -> str:
        return str(self.record.get("stage", ""))

    @property
    def key(self) -> str:
        return str(self.record.get("key", ""))

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.record.get("facts", {})

    @property
    def config(self) -> Any:
        return self.record.get("config", {})

    @property
    def provenance(self) -> Mapping[str, Any]:
        return self.record.get("provenance", {})

    @property
    def seconds(self) -> float:
        return float(self.provenance.get("seconds", 0.0))

    @property
    def name(self) -> str:
        """The label without the part that only says what kind of thing it is: `raw/web` → `web`."""
        parts = [part for part in self.label.split("/") if part not in KIND_WORDS]
        return "/".join(parts) or self.label

    @property
    def input_keys(self) -> tuple[str, ...]:
        """Keys of all inputs, groups flattened, in their order."""
        return tuple(key for _, key in self.named_inputs)

    @property
    def named_inputs(self) -> tuple[tuple[str, str], ...]:
        """`(name, key)` of all inputs; a group's parts as `group.part`."""
        found = []
        for name, value in self.record.get("inputs", {}).items():
            if not isinstance(value, Mapping):
                continue
            if isinstance(value.get("key"), str):
                found.append((name, value["key"]))
            else:
                found += [(f"{name}.{part}", str(one.get("key", ""))) for part, one in value.items()]
        return tuple(found)

    @property
    def is_as_it_was(self) -> bool:
        """Whether a tuning had nothing to learn from: its result is what it began with, with the logs of how that came to be."""
        begun = self.record.get("inputs", {}).get("init", {})
        return bool(begun) and begun.get("digest") == self.record.get("digest")

    def json(self, name: str) -> Any:
        """The file's content, or None."""
        return read_json(self.folder / name)

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Objects of a JSON-lines file; broken lines are passed over."""
        return read_lines(self.folder / name)


@dataclass(frozen=True)
class Run:
    """A run as far as it has come: its artifacts in the order they were made.

    working_on  the label that a process is making now
    stopped_at  the label that was being made when the run was stopped, or its process killed
    slow        what held its training back
    """

    name: str
    recipe: Mapping[str, Any]
    made: tuple[Made, ...]
    is_finished: bool
    working_on: str = ""
    stopped_at: str = ""
    by_key: Mapping[str, Made] = field(default_factory=dict)
    slow: str = ""

    def of(self, *kinds: str) -> list[Made]:
        """The artifacts of these kinds."""
        return [one for one in self.made if one.kind in kinds]

    @cached_property
    def phases(self) -> list[Made]:
        """Checkpoints of pre-training."""
        return [one for one in self.of("Checkpoint") if is_phase(one)]

    @cached_property
    def tuned(self) -> list[Made]:
        """Checkpoints after pre-training, of tunings that had something to learn from."""
        return [one for one in self.of("Checkpoint") if not is_phase(one) and not one.is_as_it_was]

    def own_tokens(self, model: Made) -> float | None:
        """Tokens of this checkpoint's own training; the fact counts all since the start."""
        tokens = model.facts.get("tokens")
        if not isinstance(tokens, int | float):
            return None
        before = [m.facts.get("tokens", 0) for m in self.inputs(model, "Checkpoint")]
        return float(tokens) - max(
            [n for n in before if isinstance(n, int | float) and n <= tokens], default=0
        )

    def inputs(self, one: Made, *kinds: str) -> list[Made]:
        """The inputs of an artifact that belong to this run, of these kinds (all when none is named)."""
        found = [self.by_key[key] for key in one.input_keys if key in self.by_key]
        return [made for made in found if not kinds or made.kind in kinds]


def is_phase(one: Made) -> bool:
    """Whether a checkpoint comes from pre-training rather than tuning."""
    return "pretrain" in one.stage or one.name.startswith("phase")


def read_run(run_folder: Path, artifacts_folder: Path) -> Run:
    """The run in `run_folder`; labels whose artifact is gone are left out. Raises StoreError for a damaged list of them."""
    recipe = read_json(run_folder / "recipe.json")
    made = []
    for label, one in read_labels(run_folder).items():
        folder = artifacts_folder / Path(str(one.get("folder", ""))).name
        record = read_json(folder / "record.json")
        if isinstance(record, dict):
            made.append(Made(str(label), folder, record, bool(one.get("reused"))))
    events = list(read_lines(run_folder / "events.jsonl"))
    state = state_of(events, artifacts_folder.parent)
    return Run(
        name=run_folder.name,
        recipe=recipe if isinstance(recipe, dict) else {},
        made=tuple(made),
        is_finished=state.is_finished,
        working_on=state.working_on,
        stopped_at=state.stopped_at,
        by_key={one.key: one for one in made},
        slow=next(
            (str(e["slow"]) for e in reversed(events) if e.get("event") == "kernels" and e.get("slow")), ""
        ),
    )


def read_json(path: Path) -> Any:
    """A JSON file's value, or None where it is missing, too large or broken."""
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            return None
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON-lines file, up to a bound; a line that a kill cut short is passed over."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for _, line in zip(range(MOST_LINES), file, strict=False):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(value, dict):
                    yield value
    except OSError:
        return
