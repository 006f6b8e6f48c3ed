"""Several hosts given the same command: host 0 runs the recipe, the others lend it their processors.

Host 0 keeps `lab/runs/<run>/host-0.json` fresh: a beat, its state, and the task to join. The others read
nothing else. Whatever changes in the file after they came is news; a file that stands still is the past.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smolforge.errors import SmolError, StageError
from smolforge.launch.launcher import Child
from smolforge.launch.lifeline import BEAT_SECONDS, LOST_SECONDS
from smolforge.launch.torchrun import JOIN_SECONDS, Hosts, agent
from smolforge.log import Log
from smolforge.store import write_json

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Word:
    """What host 0 says: `state` is working, failed or finished; `task` a path in the lab, or empty."""

    beat: int = 0
    state: str = "working"
    task: str = ""
    message: str = ""


class HostZero:
    """Host 0's word, kept fresh by a thread while the recipe runs."""

    def __init__(self, lab: Path, run_name: str) -> None:
        self.lab = lab
        self.file = _word_file(lab, run_name)
        self.word = Word(beat=int(time.time()))
        self._lock = threading.Lock()
        self._done = threading.Event()

    def announce(self, task_file: Path) -> None:
        """Call the other hosts to a task."""
        self._say(task=str(task_file.resolve().relative_to(self.lab.resolve())))

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Beat while the block runs, then tell the others how it ended."""
        self._say()
        beats = threading.Thread(target=self._beat, name="host-0", daemon=True)
        beats.start()
        state, message = "failed", "it was stopped"
        try:
            yield
            state, message = "finished", ""
        except SmolError as error:
            message = error.what
            raise
        finally:
            self._done.set()
            beats.join()
            self._say(state=state, message=message, task="")

    def _beat(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            self._say()

    def _say(self, **changes: Any) -> None:
        with self._lock:
            self.word = replace(self.word, beat=self.word.beat + 1, **changes)
            write_json(self.file, vars(self.word))


def follow(lab: Path, run_name: str, processes: int | None, hosts: Hosts, log: Log) -> None:
    """Join every task that host 0 announces, until it has finished; StageError when it fails or is lost."""
    log.say(f"host {hosts.number} of {hosts.count}: waiting for host 0 to hand out work")
    file = _word_file(lab, run_name)
    past = _read(file)
    heard, heard_at, limit = past, time.monotonic(), float(JOIN_SECONDS)
    joined: tuple[str, Child] | None = None
    try:
        while True:
            word = _read(file)
            if word != heard:
                heard, heard_at, limit = word, time.monotonic(), LOST_SECONDS
            if heard != past and heard is not None:
                if heard.state == "finished":
                    log.say("host 0 has finished")
                    return
                if heard.state == "failed":
                    raise StageError(f"host 0 stopped: {heard.message}", fix="see its output")
                joined = _join(lab, heard.task, joined, processes, hosts, log)
            if time.monotonic() - heard_at > limit:
                raise StageError(
                    f"nothing was heard from host 0 for {limit:.0f} seconds",
                    where=str(file),
                    fix="start the same command on it with --node-rank 0, in the same lab folder",
                )
            time.sleep(LOOK_SECONDS)
    finally:
        if joined:
            joined[1].stop()


def _join(
    lab: Path, task: str, joined: tuple[str, Child] | None, processes: int | None, hosts: Hosts, log: Log
) -> tuple[str, Child] | None:
    """The task that host 0 is at, and this host's part in it."""
    if not task or (joined and joined[0] == task):
        return joined
    if joined:
        joined[1].stop()
    log.say(f"  joining {Path(task).parts[1]}")
    return task, agent(lab / task, processes, hosts)


def _read(file: Path) -> Word | None:
    try:
        return Word(**json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return None


def _word_file(lab: Path, run_name: str) -> Path:
    return lab / "runs" / run_name / "host-0.json"
