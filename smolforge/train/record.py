"""What a training leaves behind of its steps: a loss log that lasts, and notes that do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolforge.log import Log
from smolforge.train.loop import Step

EVENT_SECONDS = 1.0
LAST_SHARE = 0.05


class StepNotes:
    """Progress for the person watching and events for the log; nothing that lasts."""

    def __init__(self, log: Log, *, begun: int, now: int, total: int, flops_per_token: float) -> None:
        """`begun` and `now`: tokens at the phase's first step and at this process's; `total`: the phase's."""
        self.log = log
        self.begun = begun
        self.total = total
        self.flops_per_token = flops_per_token
        self._told_tokens = now
        self._seconds = 0.0

    def tell(self, step: Step, trained: Mapping[str, int]) -> None:
        """Progress at every step, an event about every second."""
        self._seconds += step.seconds
        done = step.tokens - self.begun
        note = f"loss {step.loss:.3f}" + (" (step skipped: spike)" if step.skipped else "")
        self.log.progress(done, self.total, "tokens", note)
        if self._seconds < EVENT_SECONDS and done < self.total and not step.skipped:
            return
        rate = (step.tokens - self._told_tokens) / max(self._seconds, 1e-9)
        self.log.event(
            "step",
            step=step.step,
            tokens=step.tokens,
            loss=round(step.loss, 5),
            lr=step.lr,
            grad_norm=round(step.grad_norm, 5),
            skipped=step.skipped,
            tokens_per_second=round(rate),
            flops_per_second=round(rate * self.flops_per_token),
            domains=dict(trained),
        )
        self._told_tokens, self._seconds = step.tokens, 0.0


class LossLog:
    """The lines of `losses.jsonl` in the making: part of every checkpoint, a file at the end."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, step: Step, trained: Mapping[str, int]) -> None:
        """One line."""
        line = {
            "step": step.step,
            "tokens": step.tokens,
            "loss": round(step.loss, 6),
            "lr": step.lr,
            "grad_norm": round(step.grad_norm, 6),
            "skipped": step.skipped,
            "domains": dict(trained),
        }
        self.lines.append(line)

    def save(self, file: Path) -> None:
        """All lines as JSON lines."""
        text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in self.lines)
        file.write_text(text, encoding="utf-8")

    def last_mean(self) -> float:
        """Mean loss over the last twentieth of the lines, at least one."""
        last = self.lines[-max(1, int(len(self.lines) * LAST_SHARE)) :]
        return round(sum(line["loss"] for line in last) / max(1, len(last)), 6)
