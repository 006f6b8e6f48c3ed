"""One tuning run: the training loop with resume, a loss log, and a few words for the person watching."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from smolforge.align.doctor import Doctor
from smolforge.model.transformer import Llama
from smolforge.train.checkpoint import Checkpoints
from smolforge.train.config import OptimConfig
from smolforge.train.finishing import brought_together
from smolforge.train.loop import BatchSource, Step, TrainState, fit
from smolforge.train.loss import Loss
from smolforge.train.optim import make_optimizer
from smolforge.train.parallel import place
from smolforge.train.schedule import Schedule
from smolforge.train.team import Team
from smolforge.train.watch import Watch

LAST_SHARE = 0.1
LEAST_LAST = 5
EVENT_SECONDS = 1.0


class Show(Protocol):
    """`Log.progress`."""

    def __call__(self, done: float, total: float | None, unit: str, note: str = "") -> None: ...


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is trained, on what, by which loss, for how long.

    compiled    where all rows are of one length
    worst_loss  a mean loss above it ends the training
    watch       held-out texts by which the best state is kept and the training may end early
    """

    model: Llama
    optim: OptimConfig
    batches: BatchSource
    loss: Loss
    schedule: Schedule
    steps: int
    save_every_steps: int
    compiled: bool = False
    extra_figures: Callable[[], Mapping[str, float]] | None = None
    worst_loss: float | None = None
    watch: Watch | None = None


@dataclass(frozen=True)
class Done:
    """The model (rank 0 alone has it), the loss log, the positions trained on, every figure's mean over the last steps, and what
    went wrong.
    """

    model: Llama | None
    losses: str
    tokens: int
    last_means: dict[str, float]
    troubles: list[str]


def tune(
    course: Course,
    work: Path,
    *,
    device: str,
    micro_tokens: int,
    recompute: bool,
    progress: Show,
    event: Callable[..., None],
    say: Callable[[str], None],
    team: Team | None = None,
) -> Done:
    """Train the model to the end of the course, going on from what an earlier, killed run left in `work`.

    All processes of the `team` call it; the model is given back by rank 0 alone.
    """
    spread = place(course.model, device, team, recompute=recompute, compiled=course.compiled)
    optimizer = make_optimizer(course.model, course.optim, team)
    state = TrainState(model=course.model, optimizer=optimizer, spread=spread)
    checkpoints = Checkpoints(work / "checkpoints", notice=say, team=team)
    resumed = checkpoints.restore(state)
    lines: list[dict[str, Any]] = []
    if resumed is not None:
        course.batches.restore(resumed["batches"])
        lines = list(resumed["lines"])
        if course.watch is not None:
            course.watch.restore(resumed["watch"])

    def save() -> None:
        looks = {} if course.watch is None else {"watch": course.watch.state()}
        checkpoints.save(state, {"batches": course.batches.state(), "lines": lines, **looks})

    pace, doctor = _Pace(event), Doctor(say)
    for line in lines:
        doctor.look(line)
    steps = fit(
        state,
        course.batches,
        course.loss,
        course.schedule,
        until_step=course.steps,
        micro_tokens=micro_tokens,
        clip=course.optim.clip,
        skip_deviations=course.optim.skip_deviations,
        worst_loss=course.worst_loss,
        save=save,
        save_every_steps=course.save_every_steps,
    )
    if course.watch is not None:
        course.watch.begin(course.model, 0)
    with checkpoints.kept():
        for step in steps:
            figures = {**step.figures, **(course.extra_figures() if course.extra_figures else {})}
            lines.append(_line(step, figures))
            doctor.look(lines[-1])
            progress(step.step, course.steps, "steps", _note(step, figures))
            pace.tell(step, figures, last=step.step == course.steps)
            if course.watch is not None and course.watch.after(course.model, step.step, 0):
                break
    whole = brought_together(state)
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    return Done(whole.model if whole else None, text, state.tokens, _last_means(lines), doctor.said)


def _line(step: Step, figures: Mapping[str, float]) -> dict[str, Any]:
    return {
        "step": step.step,
        "tokens": step.tokens,
        "loss": round(step.loss, 6),
        "lr": step.lr,
        "grad_norm": round(step.grad_norm, 6),
        "skipped": step.skipped,
        **{name: round(value, 6) for name, value in figures.items()},
    }


def _note(step: Step, figures: Mapping[str, float]) -> str:
    shown = [f"loss {step.loss:.3f}"]
    shown += [f"{name} {figures[name]:.2f}" for name in ("reward", "accuracy") if name in figures]
    return ", ".join(shown)


def _last_means(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the last tenth of the steps (at least five) of the loss and of what else was measured."""
    last = lines[-max(LEAST_LAST, round(len(lines) * LAST_SHARE)) :]
    names = ["loss", *(name for name in ("accuracy", "margin", "reward", "kl") if last and name in last[-1])]
    means = {}
    for name in names:
        values = [line[name] for line in last if name in line]
        means[name] = round(math.fsum(values) / max(1, len(values)), 6)
    return means


class _Pace:
    """Sends a `step` event about once a second, with the rate since the last one."""

    def __init__(self, event: Callable[..., None]) -> None:
        self._event = event
        self._tokens_before = 0
        self._seconds = 0.0

    def tell(self, step: Step, figures: Mapping[str, float], *, last: bool) -> None:
        self._seconds += step.seconds
        if self._seconds < EVENT_SECONDS and not last:
            return
        rate = (step.tokens - self._tokens_before) / max(self._seconds, 1e-9)
        self._event(
            "step",
            step=step.step,
            tokens=step.tokens,
            loss=round(step.loss, 5),
            lr=step.lr,
            grad_norm=round(step.grad_norm, 5),
            skipped=step.skipped,
            tokens_per_second=round(rate),
            **{name: round(value, 5) for name, value in figures.items()},
        )
        self._tokens_before, self._seconds = step.tokens, 0.0
