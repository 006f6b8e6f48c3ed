"""What went wrong in which worker, written down there and told here as one message."""

from __future__ import annotations

import json
import platform
import signal
import time
import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from smolforge import errors
from smolforge.errors import SmolError, StageError
from smolforge.store import write_json

SHOWN_LINES = 6
RESUME = "run the same command again: it goes on from the last checkpoint"


def log_file(folder: Path, rank: int) -> Path:
    """Where a worker's own output goes."""
    return folder / f"rank-{rank}.log"


class Failures(AbstractContextManager["Failures"]):
    """Writes down the error that leaves the `with` block of a worker, and lets it pass."""

    def __init__(self, folder: Path, rank: int) -> None:
        self.folder = folder
        self.rank = rank
        _file(folder, rank).unlink(missing_ok=True)  # of an attempt before a requeue

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, SystemExit | KeyboardInterrupt):
            return
        told: dict[str, Any] = {"rank": self.rank, "host": platform.node(), "time": time.time()}
        if isinstance(error, SmolError):
            told |= {
                "kind": type(error).__name__,
                "what": error.what,
                "where": error.where,
                "fix": error.fix,
            }
        else:
            last = traceback.format_exception_only(error)[-1].strip()
            told |= {"kind": "", "what": last}
        traceback.print_exception(error)  # into the worker's own log
        write_json(_file(self.folder, self.rank), told)


def note_death(folder: Path, rank: int, host: str, signal_number: int) -> None:
    """Write down that a worker was killed, for it could not."""
    told = {"rank": rank, "host": host, "time": time.time(), "kind": "killed", "signal": signal_number}
    write_json(folder / f"killed-{rank}.json", told)


def failure_of(folder: Path, ending: str) -> SmolError:
    """The failure that came first, as an error to raise; `ending` is what the launcher saw of it."""
    told = [json.loads(f.read_text("utf-8")) for f in folder.glob("failed-*.json")]
    killed = [json.loads(f.read_text("utf-8")) for f in folder.glob("killed-*.json")]
    for one in sorted(told, key=lambda t: t["time"]):
        if one["kind"]:  # an error that knows its own words
            kind: type[SmolError] = getattr(errors, one["kind"], StageError)
            return kind(one["what"], where=one["where"], fix=one["fix"])
    for one in killed:  # the others then failed for want of it
        name = signal.Signals(one["signal"]).name
        return StageError(
            f"rank {one['rank']} on {one['host']} was killed ({name}){_last_lines(folder, one['rank'])}",
            where=str(log_file(folder, one["rank"])),
            fix=f"if memory was short, lower --micro-tokens; {RESUME}",
        )
    for one in sorted(told, key=lambda t: t["time"]):
        return StageError(
            f"rank {one['rank']} on {one['host']} failed: {one['what']}{_last_lines(folder, one['rank'])}",
            where=str(log_file(folder, one["rank"])),
            fix=f"mend the cause, then {RESUME}",
        )
    return StageError(f"the workers ended without a result: {ending}", where=str(folder), fix=RESUME)


def last_lines(file: Path, count: int = SHOWN_LINES) -> list[str]:
    """The end of a log file; empty where there is none."""
    try:
        return file.read_text("utf-8", errors="replace").rstrip().splitlines()[-count:]
    except OSError:
        return []


def _last_lines(folder: Path, rank: int) -> str:
    return "".join(f"\n    | {line}" for line in last_lines(log_file(folder, rank)))


def _file(folder: Path, rank: int) -> Path:
    return folder / f"failed-{rank}.json"
