"""The log of a worker, carried to the launcher's: one file, written by rank 0, read as it grows."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from smolforge.log import SHOW_SECONDS, Log

STREAM_FILE = "stream.jsonl"


class RelayLog(Log):
    """A log whose events, lines and progress are shown by the launcher."""

    def __init__(self, folder: Path, *, stage: str, label: str) -> None:
        super().__init__(None, stage=stage, label=label)
        self.stream = (folder / STREAM_FILE).open("a", encoding="utf-8")
        self._sent = float("-inf")

    def event(self, event: str, **facts: Any) -> None:
        """Send an event."""
        self._send("event", {"event": event, **facts})

    def say(self, text: str) -> None:
        """Send a line for the person watching."""
        self._send("say", {"text": text})

    def progress(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        """Send how far the work is, not more often than it could be shown."""
        now = time.monotonic()
        if now - self._sent < SHOW_SECONDS and (total is None or done < total):
            return
        self._sent = now
        self._send("progress", {"done": done, "total": total, "unit": unit, "note": note})

    def _send(self, call: str, values: dict[str, Any]) -> None:
        self.stream.write(json.dumps([call, values], ensure_ascii=False) + "\n")
        self.stream.flush()


def silent_log(*, stage: str, label: str) -> Log:
    """The log of the workers above rank 0: nobody reads it."""
    return Log(None, stage=stage, label=label, show=Path(os.devnull).open("w"))


class Relay:
    """The launcher's end: `pump` repeats in `log` what has arrived since the last time."""

    def __init__(self, folder: Path, log: Log) -> None:
        self.file = folder / STREAM_FILE
        self.log = log
        self.read_bytes = 0

    def pump(self) -> None:
        """Repeat every whole line that is new."""
        if not self.file.exists():
            return
        with self.file.open("rb") as stream:
            stream.seek(self.read_bytes)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self.read_bytes += len(line)
                self._repeat(*json.loads(line))

    def _repeat(self, call: str, values: dict[str, Any]) -> None:
        match call:
            case "event":
                self.log.event(**values)
            case "say":
                self.log.say(**values)
            case "progress":
                self.log.progress(**values)
