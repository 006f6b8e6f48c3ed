"""Runs generated Python where it can do no harm, many small programs a second.

One worker process (`sandbox_worker.py`) serves a batch: it starts without site packages, environment or
open files, shuts itself in, and forks once for each program. What holds a program, in layers; the
operating system decides which are to be had, and `SandboxRun.isolation` names those that were:

    limits       always: processor seconds, memory, no file growth, no processes, bounded output,
                 the whole process group killed on time-out
    seccomp      Linux on x86_64 and aarch64: only system calls on a short list
    landlock     Linux from 5.13: files are read-only, and only Python's own can be read
    namespaces   where ordinary users may have them: a network without devices

What it does not promise: a program written to deceive its own assertions can (they run in one
process); a program can see whether a file is there, how large it is, and which processes run (`stat`), though it can read none
of it; and without seccomp, namespaces and Landlock a program can read the user's files.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smolforge.errors import StageError

Status = Literal["passed", "failed", "exited", "time", "memory", "output", "crashed"]
WORKER = Path(__file__).with_name("sandbox_worker.py")
START_SECONDS = 20.0
ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,16}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one program may use."""

    cpu_seconds: float = 1.0
    wall_seconds: float = 6.0
    memory_bytes: int = 256 << 20
    output_bytes: int = 8192


@dataclass(frozen=True)
class Outcome:
    """How one program ended: `passed` when its last line was reached; `error` says why it did not."""

    status: Status
    error: str
    output: str

    @property
    def ok(self) -> bool:
        """Whether the program ran to its end."""
        return self.status == "passed"


@dataclass(frozen=True)
class SandboxRun:
    """The outcome of each program in order, and the isolation that was in force."""

    outcomes: list[Outcome]
    isolation: tuple[str, ...]


def run_programs(programs: Sequence[str], limits: Limits | None = None, workers: int = 2) -> SandboxRun:
    """Run each program by itself; outcomes do not depend on `workers` or on each other.

    Raises  StageError when the worker cannot run at all on this system
    """
    limits = limits or Limits()
    request = {
        "programs": [_printable(p) for p in programs],
        "token": secrets.token_hex(16),
        "workers": workers,
    }
    request |= {
        name: getattr(limits, name)
        for name in ("cpu_seconds", "wall_seconds", "memory_bytes", "output_bytes")
    }
    rounds = -(-len(programs) // max(1, workers))
    answer = _run_worker(json.dumps(request), START_SECONDS + rounds * (limits.wall_seconds + 0.5))
    return _read_answer(answer, len(programs))


def _printable(program: str) -> str:
    """Lone surrogates cannot be sent; such a program could not be compiled either."""
    return program.encode("utf-8", "replace").decode()


def _run_worker(request: str, timeout_seconds: float) -> str:
    # The seed fixes the order of sets of strings, so that a program's outcome is the same every time.
    # -E is not given for that one variable; the environment holds nothing else.
    command = [sys.executable, "-P", "-s", "-S", "-B", str(WORKER)]
    with tempfile.TemporaryDirectory(prefix="smol-sandbox-") as folder:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PYTHONHASHSEED": "0"},
            cwd=folder,
            start_new_session=True,
        )
        try:
            answer, complaint = process.communicate(request.encode(), timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            raise StageError("the sandbox did not finish", where=f"{timeout_seconds:.0f} seconds") from None
        finally:
            _kill_group(process)
    if process.returncode:
        last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise StageError(
            "the sandbox could not run programs", where=last[0], fix="set `sandbox` off or use Linux or macOS"
        )
    return answer.decode("utf-8", "replace")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the worker if it still runs, and reap it. Its children die with it (or lead their own groups)."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read_answer(answer: str, programs: int) -> SandboxRun:
    lines = [json.loads(line) for line in answer.splitlines()]
    isolation = tuple(lines[0]["isolation"])
    found = {line["index"]: line for line in lines[1:]}
    outcomes = [
        Outcome(found[i]["status"], _scrub(found[i]["error"]), _scrub(found[i]["output"]))
        for i in range(programs)
    ]
    return SandboxRun(outcomes, isolation)


def _scrub(text: str) -> str:
    """Memory addresses differ from run to run; what is written into artifacts must not."""
    return ADDRESS.sub("0x", text)
