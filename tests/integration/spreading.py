"""A recipe whose second stage several processes share; it can be told to get into trouble."""

from __future__ import annotations

import os
import signal
import time

from smolforge.artifacts import Corpus, RawDocs
from smolforge.config import config
from smolforge.errors import StageError
from smolforge.stage import stage


@config
class Numbers:
    """How many numbers; which trouble; how long the sum takes."""

    count: int = 1000
    trouble: str = ""
    seconds: float = 0.0


@stage(makes=RawDocs, version=1)
def write_numbers(cfg: Numbers, job):
    """Write numbers."""
    (job.out / "numbers.txt").write_text(" ".join(str(n) for n in range(cfg.count)))
    return {"count": cfg.count}


@stage(makes=Corpus, version=1, spreads=True)
def add_up(cfg: Numbers, job, *, raw: RawDocs, parts: dict[str, RawDocs]):
    """Add numbers, every process its share."""
    import torch
    from torch import distributed

    if job.ranks > 1:
        distributed.init_process_group("gloo")
    job.log.event("adding", pid=os.getpid(), ranks=job.ranks, resumed=(job.work / "begun").exists())
    if job.ranks > 1:
        distributed.barrier()  # nobody gets into trouble before all have said how they began
    numbers = [int(n) for n in (raw.path / "numbers.txt").read_text().split()]
    total = torch.tensor(sum(numbers[job.rank :: job.ranks]))
    _get_into_trouble(cfg, job)
    began = time.monotonic()
    while time.monotonic() - began < cfg.seconds:
        job.log.progress(time.monotonic() - began, cfg.seconds, "s")
        time.sleep(0.05)
    if job.ranks > 1:
        distributed.all_reduce(total)
        distributed.destroy_process_group()
    (job.out / f"sum-{job.rank}.txt").write_text(f"{int(total)} of {', '.join(parts)}")
    return {"sum": int(total)}


def _get_into_trouble(cfg, job) -> None:
    last = job.rank == job.ranks - 1
    if cfg.trouble == "told":
        raise StageError("the numbers ran out", where="numbers.txt", fix="write more of them")
    if cfg.trouble == "killed" and last and not (job.work / "begun").exists():
        (job.work / "begun").touch()
        os.kill(os.getpid(), signal.SIGKILL)


SCALES = {"small": Numbers()}


def recipe(store, cfg: Numbers) -> None:
    """Write numbers, then add them."""
    raw = store.run(write_numbers, Numbers(count=cfg.count), label="numbers")
    store.run(add_up, cfg, label="sum", raw=raw, parts={"b": raw, "a": raw})
