"""Starts the workers of a stage, follows them, and gives back what the stage gave.

Ways to start them differ (`torchrun.py`, `slurm.py`, `ray.py`); all else is the same: the task is a
file, the workers' log comes back through a file, and so do the result and the failures.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from smolforge.artifacts import Facts
from smolforge.launch.failure import failure_of, last_lines
from smolforge.launch.lifeline import Pulse
from smolforge.launch.relay import Relay
from smolforge.launch.task import write_task
from smolforge.launch.worker import RESULT_FILE
from smolforge.log import Log
from smolforge.stage import Input, Job, Stage

LOOK_SECONDS = 0.1
LATE_SECONDS = 5.0
"""How long a file that a worker wrote may take to be seen here, over a network file system."""

STOP_SECONDS = 20.0


class Running(Protocol):
    """Workers that were started."""

    def ended(self) -> str:
        """Empty while they run; then, in words, how they ended."""
        ...

    def stop(self) -> None:
        """End them now, and wait until they are gone."""
        ...


Start = Callable[[Path, Log], Running]
"""Starts the workers of a task file; the log is for what the person waiting should know."""


class WorkerLauncher:
    """Runs stages in workers that `start` starts.

    on       its name, for the record
    threads  of each worker; None for all of a host's, shared by the workers on it
    """

    def __init__(self, on: str, start: Start, threads: int | None) -> None:
        self.on = on
        self.start = start
        self.threads = threads

    def run(
        self, stage: Stage[Any], cfg: Any, job: Job, inputs: Mapping[str, Input]
    ) -> tuple[Facts, dict[str, Any]]:
        """The stage's facts and the provenance of its rank 0; raises what a worker raised."""
        folder = _new_folder(job)
        task_file = write_task(folder, stage, cfg, job, inputs, self.threads)
        pulse, relay = Pulse(folder), Relay(folder, job.log)
        running = self.start(task_file, job.log)
        try:
            while not (ending := running.ended()):
                pulse.beat()
                relay.pump()
                time.sleep(LOOK_SECONDS)
        finally:
            running.stop()
            relay.pump()
            job.log.close_line()
        result = _result(folder)
        if result is None:
            raise failure_of(folder, ending)
        return result["facts"], {**result["made_on"], "on": self.on}


def _new_folder(job: Job) -> Path:
    """A folder for this attempt; those of earlier ones go, and with them what is left of their workers."""
    scratch = job.out.parent
    for old in scratch.glob("launch-*"):
        shutil.rmtree(old, ignore_errors=True)
    folder = scratch / f"launch-{secrets.token_hex(4)}"
    folder.mkdir()
    return folder


def _result(folder: Path) -> dict[str, Any] | None:
    """What rank 0 left, once it can be seen; None where a failure is seen instead, or nothing at all."""
    began = time.monotonic()
    while True:
        if (folder / RESULT_FILE).exists():
            return json.loads((folder / RESULT_FILE).read_text("utf-8"))
        if any(folder.glob("failed-*.json")) or time.monotonic() - began > LATE_SECONDS:
            return None
        time.sleep(LOOK_SECONDS)


class Child:
    """Workers started by a program of ours, which ends when they do and ends them when it is asked to."""

    def __init__(self, module: str, arguments: list[str], output: Path) -> None:
        self.output = output
        with output.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the launcher alone, which then ends the child
            )

    def ended(self) -> str:
        """Empty while the program runs."""
        status = self.process.poll()
        if status is None:
            return ""
        return f"{self.output.stem} ended with status {status}{last_lines(self.output)}"

    def stop(self) -> None:
        """Ask it to end; after `STOP_SECONDS` end it, and whatever it started."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
