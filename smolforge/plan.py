"""What a recipe would do, and why, without doing any of it.

`Plan` is a store whose `run` builds nothing: it says for every stage whether it would be found
(`reuse`), built (`build`), or hangs on something to be built first (`follows`), and what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from smolforge.artifacts import Artifact
from smolforge.config import to_plain
from smolforge.errors import StoreError
from smolforge.stage import Cost, Input, Stage, input_digests, stage_key
from smolforge.store import Store, as_artifact, read_labels, read_record

A = TypeVar("A", bound=Artifact)
Action = Literal["reuse", "build", "follows"]


@dataclass(frozen=True)
class Step:
    """One stage of a plan. `seconds` is what it took last time, in proportion where it trains; None where nobody knows."""

    label: str
    stage: str
    action: Action
    reason: str
    seconds: float | None = None
    cost: Cost = field(default_factory=Cost)


class Plan(Store):
    """The same `run` as a store's; `steps` tells what would happen."""

    def __init__(self, lab: Path, run_name: str = "") -> None:
        super().__init__(lab)
        self.steps: list[Step] = []
        self._before = read_labels(lab / "runs" / run_name) if run_name else {}
        self._pending: dict[
            int, tuple[str, Artifact]
        ] = {}  # by id(); the artifact is kept so that ids stay unique

    def run(self, stage: Stage[A], cfg: Any, *, label: str, **inputs: Input) -> A:
        """Say what would happen; a stand-in is returned for what is not built yet."""
        if any(step.label == label for step in self.steps):
            raise StoreError(
                f"two stages of this recipe have the label `{label}`", fix="give each its own label"
            )
        waits_for = sorted({self._pending[id(a)][0] for a in _each(inputs) if id(a) in self._pending})
        cost = stage.cost(cfg) if stage.cost else Cost()
        old = self._old_record(label)
        if not waits_for:
            key = stage_key(stage, cfg, input_digests(inputs))
            folder = self._artifact_folder(stage.name, key)
            record = read_record(folder)
            if record is not None:
                self.steps.append(Step(label, stage.name, "reuse", "", record["provenance"]["seconds"], cost))
                return as_artifact(stage.makes, folder, record)
        action: Action = "follows" if waits_for and not _own_changes(stage, cfg, old) else "build"
        reason = _own_changes(stage, cfg, old) or (
            f"follows {_listed(waits_for)}" if waits_for else _input_changes(inputs, old)
        )
        seconds = _seconds(cfg, cost, old, follows=bool(waits_for))
        self.steps.append(Step(label, stage.name, action, reason, seconds, cost))
        stand_in = stage.makes(path=self.lab / "artifacts" / "not-built", key="", digest="")
        self._pending[id(stand_in)] = (label, stand_in)
        return stand_in

    def _old_record(self, label: str) -> dict[str, Any] | None:
        if label not in self._before:
            return None
        return read_record(self.lab / "artifacts" / self._before[label]["folder"])


def _seconds(cfg: Any, cost: Cost, old: Mapping[str, Any] | None, *, follows: bool) -> float | None:
    """What the stage will take, going by the last time: with other settings only training can be foretold, and of
    training whose length an earlier stage decides, nothing where that stage `follows`.
    """
    if old is None:
        return None
    seconds, flops = float(old["provenance"]["seconds"]), float(old["facts"].get("flops") or 0.0)
    if cost.flops and flops:
        return seconds * cost.flops / flops
    if flops and follows:
        return None
    return seconds if old["config"] == to_plain(cfg) else None


def _each(inputs: Mapping[str, Input]) -> list[Artifact]:
    found: list[Artifact] = []
    for value in inputs.values():
        if isinstance(value, Artifact):
            found.append(value)
        elif value is not None:
            found.extend(value.values())
    return found


def _own_changes(stage: Stage[Any], cfg: Any, old: Mapping[str, Any] | None) -> str:
    """What changed in the stage itself since the label was last made; empty when nothing did."""
    if old is None:
        return ""
    if old["stage"] != stage.name:
        return f"was made by `{old['stage']}`"
    if old["version"] != stage.version:
        return f"stage version {old['version']} → {stage.version}"
    changes = config_changes(old["config"], to_plain(cfg))
    return "; ".join(f"{path} {_short(a)} → {_short(b)}" for path, a, b in changes[:3])


def _input_changes(inputs: Mapping[str, Input], old: Mapping[str, Any] | None) -> str:
    if old is None:
        return "new"
    digests = input_digests(inputs)
    before = old["inputs"]
    changed = [name for name in digests if _digests_of(before.get(name)) != digests[name]]
    return f"other {', '.join(changed)}" if changed else "its artifact is gone"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _digests_of(recorded: Any) -> Any:
    if recorded is None:
        return None
    if isinstance(recorded.get("digest"), str):
        return recorded["digest"]
    return {part: one["digest"] for part, one in recorded.items()}


def config_changes(old: Any, new: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    """`[(dotted path, old value, new value)]` for every field that differs; None stands for absent."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(n for n in new if n not in old)]
        return [
            c for n in names for c in config_changes(old.get(n), new.get(n), f"{where}.{n}" if where else n)
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            c
            for i, (a, b) in enumerate(zip(old, new, strict=True))
            for c in config_changes(a, b, f"{where}.{i}")
        ]
    return [] if old == new else [(where, old, new)]


def _short(value: Any) -> str:
    text = f"{value}"
    return text if len(text) <= 40 else text[:37] + "..."
