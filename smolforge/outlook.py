"""How far a run is, and how long the rest will take: by the last time, and by what this run has measured so far.

Afterwards its events say whether it came to its end.
"""

from __future__ import annotations

import fcntl
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from smolforge.stage import KEY_LETTERS, Cost
from smolforge.units import format_seconds


class Foreseen(Protocol):
    """A stage that a plan foresees (`plan.Step`)."""

    @property
    def label(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def cost(self) -> Cost: ...


@dataclass
class Outlook:
    """The stages a run foresees, and what became of those that are done."""

    steps: Sequence[Foreseen]

    def __post_init__(self) -> None:
        self._done: set[str] = set()
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._trained_flops = self._trained_seconds = 0.0
        self._place, self._label, self._began = 0, "", time.monotonic()

    def begin(self, label: str) -> None:
        """A stage begins, or is found."""
        self._place, self._label, self._began = self._place + 1, label, time.monotonic()

    def end(self, label: str, seconds: float) -> None:
        """A stage was built in so many seconds."""
        step = next((step for step in self.steps if step.label == label), None)
        self._done.add(label)
        if step is None:
            return
        self._seconds[step.stage].append(seconds)
        if step.cost.flops:
            self._trained_flops, self._trained_seconds = (
                self._trained_flops + step.cost.flops,
                self._trained_seconds + seconds,
            )

    @property
    def place(self) -> str:
        """`31 of 44`; empty where nobody knows how many there will be."""
        return f"{self._place} of {max(len(self.steps), self._place)}" if self.steps else ""

    @property
    def share(self) -> float:
        """How many of the stages are behind us, between 0 and 1."""
        return (self._place - 1) / max(1, len(self.steps))

    def words(self, left_in_stage: float | None = None) -> str:
        """`stage 31 of 44, about 2m 05s left`; "over" where nothing is known of some stages."""
        if not self.steps:
            return ""
        left, unknown = self.left_seconds(left_in_stage)
        told = f"stage {self.place}"
        if left <= 0 or unknown > len(self._todo()) // 2:
            return told
        return f"{told}, {'over' if unknown else 'about'} {format_seconds(max(1, left))} left"

    def left_seconds(self, left_in_stage: float | None = None) -> tuple[float, int]:
        """`(seconds, stages of which nothing is known)`; `left_in_stage`: of the stage that runs, where it was measured."""
        left, unknown = left_in_stage or 0.0, 0
        for step in self._todo():
            seconds = self._foreseen(step)
            if step.label == self._label:
                spent = time.monotonic() - self._began
                left += 0.0 if left_in_stage is not None or seconds is None else max(0.0, seconds - spent)
            elif seconds is None:
                unknown += 1
            else:
                left += seconds
        return left, unknown

    def _todo(self) -> list[Foreseen]:
        return [step for step in self.steps if step.label not in self._done and step.action != "reuse"]

    def _foreseen(self, step: Foreseen) -> float | None:
        """Training by its arithmetic, other stages by the last time, else by the same stage earlier in this run."""
        if step.cost.flops and self._trained_seconds:
            return step.cost.flops * self._trained_seconds / self._trained_flops
        if step.seconds is not None:
            return step.seconds
        seen = self._seconds[step.stage]
        return sum(seen) / len(seen) if seen else None


@dataclass(frozen=True)
class State:
    """How far a run has come."""

    is_finished: bool
    working_on: str = ""
    stopped_at: str = ""


def state_of(events: Sequence[Mapping[str, Any]], lab: Path) -> State:
    """Whether a run of these events is finished, and else what is being made, or was when it stopped."""
    begun = next((i for i in range(len(events) - 1, -1, -1) if events[i].get("event") == "run"), 0)
    now = [e for e in events[begun:] if e.get("event") in ("start", "seal", "finished")]
    if not now or now[-1]["event"] != "start":
        return State(bool(now) and now[-1]["event"] == "finished")
    label = str(now[-1].get("label", ""))
    if _is_being_made(now[-1], lab / "scratch"):
        return State(False, working_on=label)
    return State(False, stopped_at=label)


def _is_being_made(start: Mapping[str, Any], scratch: Path) -> bool:
    """Whether a process holds the lock of what was begun: one that was killed holds none."""
    folder = f"{start.get('stage', '')}-{str(start.get('key', ''))[:KEY_LETTERS]}"
    try:
        with (scratch / folder).with_suffix(".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
