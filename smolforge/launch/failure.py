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
from smolforge.errors import SmolError, StageError, out_of_memory
from smolforge.store import write_json

SHOWN_LINES = 6
RESUME = "run the same command again: it goes on from the last checkpoint"


def worker_name(rank: int) -> str:
    """What a worker and its files are called."""
    return f"rank-{rank}"


def log_file(folder: Path, who: str) -> Path:
    """Where the output of a worker, or of what starts them, goes."""
    return folder / f"{who}.log"


class Failures(AbstractContextManager["Failures"]):
    """Writes down the error that leaves the `with` block in the name of `who`, and lets it pass."""

    def __init__(self, folder: Path, who: str) -> None:
        self.file = folder / f"failed-{who}.json"
        self.who = who
        self.file.unlink(missing_ok=True)  # of an attempt before a requeue

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, SystemExit | KeyboardInterrupt):
            return
        told: dict[str, Any] = {"who": self.who, "host": platform.node(), "time": time.time()}
        known = error if isinstance(error, SmolError) else out_of_memory(error)
        if known is not None:
            own = {"kind": type(known).__name__, "what": known.what, "where": known.where, "fix": known.fix}
        else:
            own = {"kind": "", "what": traceback.format_exception_only(error)[-1].strip()}
        traceback.print_exception(error)  # into the log of who failed
        write_json(self.file, {**told, **own})


def note_death(folder: Path, who: str, host: str, signal_number: int) -> None:
    """Write down that a worker was killed, for it could not."""
    told = {"who": who, "host": host, "time": time.time(), "signal": signal_number}
    write_json(folder / f"killed-{who}.json", told)


def failure_of(folder: Path, ending: str) -> SmolError:
    """The failure that the others follow from, as an error to raise; `ending` is what the launcher saw of it."""
    failed, killed = _told(folder, "failed"), _told(folder, "killed")
    for one in failed:
        if one["kind"]:  # an error that knows its own words
            kind: type[SmolError] = getattr(errors, one["kind"], StageError)
            return kind(one["what"], where=one["where"], fix=one["fix"])
    for one in killed:  # what others then complain of is that it is gone
        how = f"was killed ({signal.Signals(one['signal']).name})"
        return _failure(folder, one, how, f"if memory was short, lower --micro-tokens; {RESUME}")
    for one in failed:
        return _failure(folder, one, f"failed: {one['what']}", f"mend the cause, then {RESUME}")
    return StageError(f"the workers ended without a result: {ending}", where=str(folder), fix=RESUME)


def last_lines(file: Path) -> str:
    """The end of a log file, indented, to follow a message; empty where there is none."""
    try:
        lines = file.read_text("utf-8", errors="replace").rstrip().splitlines()[-SHOWN_LINES:]
    except OSError:
        return ""
    return "".join(f"\n    | {line}" for line in lines)


def _failure(folder: Path, told: dict[str, Any], how: str, fix: str) -> StageError:
    log = log_file(folder, told["who"])
    name = told["who"].replace("-", " ")
    return StageError(f"{name} on {told['host']} {how}{last_lines(log)}", where=str(log), fix=fix)


def _told(folder: Path, what: str) -> list[dict[str, Any]]:
    found = [json.loads(file.read_text("utf-8")) for file in folder.glob(f"{what}-*.json")]
    return sorted(found, key=lambda told: told["time"])
