"""One event log: JSON lines for machines, one live line for people.

Every event is `{"t": seconds since 1970, "event": …, "stage": …, "label": …, …}` in `events.jsonl`.
Progress is shown in place on a terminal, with bars, and as a line every ten seconds otherwise.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeVar

from smolforge.units import format_count, format_seconds

T = TypeVar("T")
SHOW_SECONDS = 0.2
QUIET_SHOW_SECONDS = 10.0
BAR_COLUMNS = 24
USUAL_COLUMNS = 80
"""Of a terminal that does not say how wide it is."""


def terminal_width(stream: TextIO | None = None) -> int:
    """Columns of the terminal that a stream (standard output where none is named) writes to; 0 where it is none."""
    stream = stream or sys.stdout
    if not stream.isatty():
        return 0
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    except (OSError, ValueError):
        return USUAL_COLUMNS


class Ahead(Protocol):
    """What is known of the whole run (`outlook.Outlook`)."""

    @property
    def share(self) -> float: ...
    def words(self, left_in_stage: float | None = None) -> str: ...


class Log:
    """Writes events and shows progress. `scoped` gives the log of one stage."""

    def __init__(
        self,
        file: Path | None = None,
        *,
        stage: str = "",
        label: str = "",
        show: TextIO | None = None,
        outlook: Ahead | None = None,
    ):
        self.file = file
        self.stage = stage
        self.label = label
        self.outlook = outlook
        self.show = sys.stderr if show is None else show
        self._shown = 0.0
        self._started = time.monotonic()
        self._first: tuple[float, float] | None = None
        self._lines_open = 0

    def scoped(self, stage: str, label: str) -> Log:
        """The same log, for one stage."""
        return Log(self.file, stage=stage, label=label, show=self.show, outlook=self.outlook)

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
        if now - self._shown < gap and not (finished and self._lines_open):
            return
        self._shown = now
        left = self._left_seconds(now, done, total)
        text = self._progress_text(now, done, total, unit, left, note)
        whole = self.outlook.words(left) if self.outlook else ""
        if not self.show.isatty():
            print(" · ".join(filter(None, (f"  {text}", whole))), file=self.show, flush=True)
            return
        share = done / total if total else None
        bars = [(text, share)] + ([(whole, self.outlook.share)] if self.outlook and whole else [])
        self._draw([bar_line(text, share, terminal_width(self.show)) for text, share in bars])

    def watch(self, items: Iterable[T], total: int | None, unit: str, note: str = "") -> Iterator[T]:
        """Pass items through, showing progress."""
        for done, item in enumerate(items):
            self.progress(done, total, unit, note)
            yield item

    def _left_seconds(self, now: float, done: float, total: float | None) -> float | None:
        began, first_done = self._first or (now, done)
        if not total or now <= began or done <= first_done:
            return None
        return max(0.0, total - done) * (now - began) / (done - first_done)

    def _progress_text(
        self, now: float, done: float, total: float | None, unit: str, left: float | None, note: str
    ) -> str:
        began, first_done = self._first or (now, done)
        parts = [self.label or self.stage]
        parts.append(f"{format_count(done)}{f'/{format_count(total)}' if total else ''} {unit}")
        if done > first_done:
            parts.append(f"{format_count((done - first_done) / (now - began))} {unit}/s")
        if left:
            parts.append(f"{format_seconds(left)} left")
        return " · ".join([*parts, note] if note else parts)

    def _draw(self, lines: list[str]) -> None:
        """Put the lines where those before stood."""
        up = f"\x1b[{self._lines_open - 1}A" if self._lines_open > 1 else ""
        cleared = "\n".join(f"\r\x1b[2K{line}" for line in lines)
        print(f"{up}{cleared}", end="", file=self.show, flush=True)
        self._lines_open = len(lines)

    def close_line(self) -> None:
        """End the live lines, if some stand open."""
        if self._lines_open:
            up = f"\x1b[{self._lines_open - 1}A" if self._lines_open > 1 else ""
            print(f"\r{up}\x1b[J", end="", file=self.show, flush=True)
            self._lines_open = 0


def bar_line(text: str, share: float | None, width: int) -> str:
    """A bar, where a share is known, and what is said of it, in one line of a terminal."""
    columns = min(BAR_COLUMNS, max(8, width // 5))
    full = 0 if share is None else round(columns * min(1.0, share))
    bar = (
        " " * columns
        if share is None
        else "\x1b[32m" + "━" * full + "\x1b[2;39m" + "━" * (columns - full) + "\x1b[0m"
    )
    room = width - columns - 2
    return f"{bar} {text if len(text) <= room else text[: room - 1] + '…'}"


def read_events(run_folder: Path) -> Iterator[dict[str, Any]]:
    """The events of a run, oldest first; a line that a kill cut short is passed over."""
    try:
        with (run_folder / "events.jsonl").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                with suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict):
                        yield event
    except FileNotFoundError:
        return
