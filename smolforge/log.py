"""One event log: JSON lines for machines, one live line for people.

Every event is `{"t": seconds since 1970, "event": …, "stage": …, "label": …, …}` in `events.jsonl`.
Progress is shown in place on a terminal and every ten seconds otherwise.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

from smolforge.units import format_count, format_seconds

T = TypeVar("T")
SHOW_SECONDS = 0.2
QUIET_SHOW_SECONDS = 10.0


def terminal_width(stream: TextIO | None = None) -> int:
    """Columns of the terminal that a stream (standard output where none is named) writes to; 0 where it is none."""
    stream = stream or sys.stdout
    return shutil.get_terminal_size().columns if stream.isatty() else 0


class Log:
    """Writes events and shows progress. `scoped` gives the log of one stage."""

    def __init__(
        self, file: Path | None = None, *, stage: str = "", label: str = "", show: TextIO | None = None
    ):
        self.file = file
        self.stage = stage
        self.label = label
        self.show = sys.stderr if show is None else show
        self._shown = 0.0
        self._started = time.monotonic()
        self._first: tuple[float, float] | None = None
        self._line_open = False

    def scoped(self, stage: str, label: str) -> Log:
        """The same log, for one stage."""
        return Log(self.file, stage=stage, label=label, show=self.show)

    def event(self, event: str, **facts: Any) -> None:
        """Append one event to the file; silent on the terminal."""
        if self.file is None:
            return
        line = {"t": round(time.time(), 3), "event": event, "stage": self.stage, "label": self.label, **facts}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")

    def say(self, text: str) -> None:
        """A line for the person watching."""
        self.close_line()
        print(text, file=self.show, flush=True)

    def progress(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Show rate and time left; call as often as you like.

        The rate counts from the first call, so that a resumed stage is not credited with old work.
        """
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
        finished = total is not None and done >= total
        gap = SHOW_SECONDS if self.show.isatty() else QUIET_SHOW_SECONDS
        if now - self._shown < gap and not (finished and self._line_open):
            return
        self._shown = now
        self._print(self._progress_text(now, done, total, unit, note))

    def watch(self, items: Iterable[T], total: int | None, unit: str, note: str = "") -> Iterator[T]:
        """Pass items through, showing progress."""
        for done, item in enumerate(items):
            self.progress(done, total, unit, note)
            yield item

    def _progress_text(self, now: float, done: float, total: float | None, unit: str, note: str) -> str:
        began, first_done = self._first or (now, done)
        rate = (done - first_done) / (now - began) if now > began else 0.0
        parts = [f"  {self.label or self.stage}", f"{format_count(done)}"]
        if total:
            parts[-1] += f"/{format_count(total)} {unit}"
        else:
            parts[-1] += f" {unit}"
        if rate:
            parts.append(f"{format_count(rate)} {unit}/s")
            if total and total > done:
                parts.append(f"{format_seconds((total - done) / rate)} left")
        if note:
            parts.append(note)
        return " · ".join(parts)

    def _print(self, text: str) -> None:
        if self.show.isatty():
            print(f"\r\x1b[2K{text[:160]}", end="", file=self.show, flush=True)
            self._line_open = True
        else:
            print(text, file=self.show, flush=True)

    def close_line(self) -> None:
        """End the live line, if one stands open."""
        if self._line_open:
            print("\r\x1b[2K", end="", file=self.show, flush=True)
            self._line_open = False
