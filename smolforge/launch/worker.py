"""One of the processes that run a stage together: `python -m smolforge.launch.worker TASK.json`.

Its place among them is told by the variables that torchrun, Slurm's starter and Ray Train set: RANK,
WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from smolforge.config import to_plain
from smolforge.devices import prepare
from smolforge.launch.failure import Failures, log_file, worker_name
from smolforge.launch.lifeline import watch_parent, watch_pulse
from smolforge.launch.relay import RelayLog, silent_log
from smolforge.launch.task import Task, read_task
from smolforge.provenance import provenance_of
from smolforge.stage import Job
from smolforge.store import write_json

RESULT_FILE = "result.json"


@dataclass(frozen=True)
class Place:
    """Which of how many processes this is: of all, and of those on this host."""

    rank: int
    ranks: int
    local_rank: int
    local_ranks: int

    @classmethod
    def here(cls) -> Place:
        """As the environment says; alone where it says nothing."""
        names = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1}
        return cls(*(int(os.environ.get(name, default)) for name, default in names.items()))


def work(task_file: Path, *, threads: int | None = None) -> None:
    """Run the task's stage as one of its processes; rank 0 leaves the facts in `result.json`.

    threads  what a scheduler gave this process alone; without it, this host's are shared by those on it
    """
    place = Place.here()
    folder, who = task_file.parent, worker_name(place.rank)
    _speak_into(log_file(folder, who))
    watch_pulse(folder)
    with Failures(folder, who), _alone(folder, place.rank):
        task = read_task(task_file)
        threads = task.threads or threads or max(1, _processors() // place.local_ranks)
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read once, before torch is first imported
        with _job(folder, task, place, threads) as job:
            prepare(job)
            facts = task.stage(task.cfg, job, **task.inputs)
            if place.rank == 0:
                made_on = {**provenance_of(job), "host": platform.node()}
                write_json(folder / RESULT_FILE, {"facts": to_plain(dict(facts)), "made_on": made_on})


@contextmanager
def _job(folder: Path, task: Task, place: Place, threads: int) -> Iterator[Job]:
    """This process's job: above rank 0, what it writes is thrown away and what it says is not heard."""
    stage, label = task.stage.name, task.label
    machine = replace(task.machine, threads=threads, device=_device(task.machine.device, place))
    own = folder.parent / "out" if place.rank == 0 else Path(tempfile.mkdtemp(prefix="smol-rank-"))
    log = (
        RelayLog(folder, stage=stage, label=label)
        if place.rank == 0
        else silent_log(stage=stage, label=label)
    )
    try:
        yield Job(
            **asdict(machine),
            out=own,
            work=folder.parent / "work",
            log=log,
            rank=place.rank,
            ranks=place.ranks,
        )
    finally:
        if place.rank:
            shutil.rmtree(own, ignore_errors=True)


@contextmanager
def _alone(folder: Path, rank: int) -> Iterator[None]:
    """Wait until workers of an earlier attempt, who may not know yet that they are lost, have left `work`."""
    if rank:
        yield
        return
    with (folder.parent / "workers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _device(asked: str, place: Place) -> str:
    """A GPU for each process; a scheduler may have shown it none but its own."""
    if asked != "cuda":
        return asked
    import torch

    return f"cuda:{place.local_rank % max(1, torch.cuda.device_count())}"


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _speak_into(file: Path) -> None:
    """From here on, all output of this process and its libraries goes into its log file."""
    with file.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    faulthandler.enable(open(2, "w", closefd=False))  # noqa: SIM115 lives as long as the process


def main() -> None:
    """Take up the task named on the command line."""
    watch_parent()
    done = False
    try:
        work(Path(sys.argv[1]))
        done = True
    finally:
        if not done:  # it is written down; libraries that wait for the others must not keep us
            os._exit(1)


if __name__ == "__main__":
    main()
