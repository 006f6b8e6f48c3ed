"""No worker outlives its launcher: it watches its parent, and a pulse in the launch folder.

A parent is enough for processes on the launcher's own host; the pulse reaches other hosts and jobs in
a queue, through the lab folder they share.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

PULSE_FILE = "pulse"
BEAT_SECONDS = 2.0
LOST_SECONDS = 120.0
"""Longer than the minute for which network file systems keep what they know of a file."""

PARENT_SECONDS = 0.5
GRACE_SECONDS = 10.0
"""For what a process started by us has to end in its turn."""


class Pulse:
    """Shows that the launcher lives; `beat` may be called as often as you like."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / PULSE_FILE
        self.beats = 0
        self._last = float("-inf")
        self.beat()

    def beat(self) -> None:
        """Show a sign of life, unless one was shown just now."""
        if time.monotonic() - self._last < BEAT_SECONDS:
            return
        self._last = time.monotonic()
        self.beats += 1
        self.file.write_text(str(self.beats))


def watch_parent() -> None:
    """End this process (SIGTERM, and after a while without asking) once the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def watch_pulse(folder: Path) -> None:
    """End this process once the pulse in `folder` has stopped, or the folder is gone."""
    file = folder / PULSE_FILE

    def watch() -> None:
        seen, when = _beats(file), time.monotonic()
        while seen and time.monotonic() - when < LOST_SECONDS:
            time.sleep(BEAT_SECONDS)
            beats = _beats(file)
            if beats != seen:
                seen, when = beats, time.monotonic()
        print("the launcher is gone; leaving", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, name="pulse", daemon=True).start()


def _beats(file: Path) -> str:
    """What the pulse says; empty when there is none. A file caught between two writes counts as alive."""
    try:
        return file.read_text() or "?"
    except OSError:
        return ""
