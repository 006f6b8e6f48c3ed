"""Kills tiny trainings over and over, without paying for `import torch` each time.

    LD_PRELOAD=fatal_calls.so TOKENIZERS_PARALLELISM=false python kill_server.py folder kills seed

Every training is a forked child with one thread; it is killed once, at random, and run again to its end. Each
kind of training takes its turn in each number type that this machine has. Prints a JSON line a kill: what was
killed, how and where, and whether the resumed training's files equal those of one that was never killed.

    call    SIGKILL before a random call that changes a file, or in the middle of a write
    power   the same, and then everything that was not synced is lost (see `power_cut.py`)
    time    SIGKILL from outside after a random time
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import power_cut
from worlds import COMPUTES, VOCABULARY, can_train_in, saying, write_domain

from smolforge import kernels
from smolforge.align.stages import DpoConfig, GrpoConfig, SftConfig, dpo, grpo, sft
from smolforge.artifacts import Tokenizer, TokenShards
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.stage import Job
from smolforge.train.config import Compute, OptimConfig
from smolforge.train.stages import PretrainConfig, pretrain

COURSES = ("pretrain", "sft", "dpo", "grpo")
WAYS = ("call", "power", "time")
CALLS = ctypes.CDLL(None)
CALLS.fatal_count.restype = ctypes.c_long

Training = Callable[[Job, Compute], Any]


def trainings(data: Path) -> dict[str, Training]:
    """A tiny training of each kind: about ten steps and three checkpoints."""
    for name, step in (("a", 3), ("b", 5)):
        write_domain(data / name, step)
    shards = {name: TokenShards(data / name, "k", "d") for name in ("a", "b")}
    shape = ModelConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
    )  # fmt: skip
    first = {
        "phase": "one", "model": shape, "tokens": 12 * 256, "batch_tokens": 256, "length": 64,
        "mixture": {"a": 0.7, "b": 0.3}, "save_every_steps": 3,
    }  # fmt: skip
    world = saying(data / "saying")
    given = {name: world[name] for name in ("init", "tokenizer")}
    optim = OptimConfig(kind="adamw", lr=1e-3)
    tune = {"length": 64, "optim": optim}
    return {
        "pretrain": lambda job, compute: pretrain(
            PretrainConfig(compute=compute, **first), job, shards=shards, tokenizer=Tokenizer(data, "k", "d")
        ),
        "sft": lambda job, compute: sft(
            SftConfig(epochs=2, batch_tokens=128, save_every_steps=3, compute=compute, **tune),
            job, data=world["data"], **given,
        ),
        "dpo": lambda job, compute: dpo(
            DpoConfig(epochs=2, pairs_per_step=2, save_every_steps=2, compute=compute, **tune),
            job, pairs=world["pairs"], **given,
        ),
        "grpo": lambda job, compute: grpo(
            GrpoConfig(rounds=4, questions=2, group=4, updates=2, max_new_tokens=3, temperature=2.0,
                       kl_weight=0.05, save_every_steps=3, compute=compute, **tune),
            job, data=world["data"], **given,
        ),
    }  # fmt: skip


def job_in(place: Path) -> Job:
    """A job whose folders are as the store leaves them to a stage that starts or starts again."""
    (place / "work").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(place / "out", ignore_errors=True)
    (place / "out").mkdir()
    return Job(out=place / "out", work=place / "work", log=Log(None, show=io.StringIO()), threads=1)


def start(
    training: Callable[[Job], Any], place: Path, *, call: int = 0, halves: bool = False, journal: bool = False
) -> int:
    """Fork a child that runs the training in `place`, gives its process id."""
    job = job_in(place)
    child = os.fork()
    if child:
        return child
    try:
        written = -1
        if journal:
            written = os.open(f"{place}.journal", os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
        CALLS.fatal_begin(str(place).encode(), ctypes.c_long(call), int(halves), written)
        training(job)
        Path(f"{place}.calls").write_text(str(CALLS.fatal_count()))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def wait(child: int) -> str:
    """How a child ended: `done`, `killed` or `failed`."""
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else "failed"


def digest(place: Path) -> str:
    files = sorted((place / "out").iterdir())
    return hashlib.sha256(b"".join(f.name.encode() + f.read_bytes() for f in files)).hexdigest()


class Victim:
    """One kind of training in one number type, what it gives when left alone, and how long it takes."""

    def __init__(self, name: str, training: Training, compute: Compute, root: Path) -> None:
        self.name, self.compute, self.root = name, compute, root
        self.training = partial(training, compute=compute)
        began = time.monotonic()
        whole = root / f"{name}-{compute}-whole"
        if wait(start(self.training, whole)) != "done":
            raise SystemExit(f"{name} in {compute} fails without any kill")
        self.seconds = time.monotonic() - began
        self.calls = int(Path(f"{whole}.calls").read_text())
        self.digest = digest(whole)

    def kill(self, way: str, draw: random.Random) -> dict[str, Any]:
        """One kill and one resume."""
        place = self.root / "killed"
        shutil.rmtree(place, ignore_errors=True)
        found: dict[str, Any] = {"course": self.name, "compute": self.compute, "way": way}
        if way == "time":
            while self._kill_in_time(place, draw) == "done":
                shutil.rmtree(place)
        else:
            call, halves = draw.randrange(1, self.calls + 1), draw.random() < 0.5
            ended = wait(start(self.training, place, call=call, halves=halves, journal=True))
            found |= {"call": call, "of": self.calls, "died": ended == "killed"}
            if way == "power":
                found["promise_kept"] = power_cut.strike(place, Path(f"{place}.journal"), draw)
        checkpoints = place / "work" / "checkpoints"
        names = sorted(p.name for p in checkpoints.iterdir()) if checkpoints.is_dir() else []
        found["whole"] = sum(not name.endswith(".tmp") for name in names)
        found["half_written"] = any(name.endswith(".tmp") for name in names)
        found["resumed"] = wait(start(self.training, place))
        found["equal"] = found["resumed"] == "done" and digest(place) == self.digest
        return found

    def _kill_in_time(self, place: Path, draw: random.Random) -> str:
        child = start(self.training, place)
        time.sleep(self.seconds * draw.uniform(0.05, 0.95))
        os.kill(child, signal.SIGKILL)
        return wait(child)


def main(root: Path, kills: int, seed: int) -> None:
    torch.set_num_threads(1)
    kernels.describe()  # compiled and loaded once, before any fork
    draw = random.Random(seed)
    made = trainings(root / "data")
    wanted = [(name, compute) for compute in COMPUTES if can_train_in(compute) for name in COURSES]
    for name, compute in wanted:  # what is imported late is imported here, once
        made[name](job_in(root / f"{name}-{compute}-warm"), compute)
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise SystemExit("a process of several threads cannot be forked safely")
    gc.freeze()
    victims = [Victim(name, made[name], compute, root) for name, compute in wanted]
    for number in range(kills):
        victim = victims[number % len(victims)]
        print(json.dumps(victim.kill(WAYS[number // len(victims) % len(WAYS)], draw)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
