"""What a training leaves behind of its steps: a loss log that lasts, and notes that do not."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from smolforge.errors import InputError
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
    """`losses.jsonl` in the making: goes back to where a checkpoint left it when training resumes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.size = 0

    def go_back_to(self, size: int) -> None:
        """Forget what was written after the checkpoint."""
        if not self.file.exists() or self.file.stat().st_size < size:
            if size:
                raise InputError("the loss log is shorter than its checkpoint says", where=str(self.file))
            self.file.touch()
        with self.file.open("r+b") as opened:
            opened.truncate(size)
        self.size = size

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
        text = (json.dumps(line, sort_keys=True) + "\n").encode()
        with self.file.open("ab") as opened:
            opened.write(text)
        self.size += len(text)

    def sync(self) -> None:
        """What a checkpoint counts on must be on the disk before it."""
        with self.file.open("rb") as opened:
            os.fsync(opened.fileno())

    def last_mean(self) -> float:
        """Mean loss over the last twentieth of the lines, at least one."""
        lines = self.file.read_text(encoding="utf-8").splitlines()
        last = lines[-max(1, int(len(lines) * LAST_SHARE)) :]
        values = [json.loads(line)["loss"] for line in last]
        return round(sum(values) / max(1, len(values)), 6)
