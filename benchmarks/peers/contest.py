"""What every contestant shares: its task, its batches with a clock in them, and the test at the end.

A contestant is a small file beside this one with one function, `train(task, feed)`: train its own model by its
own step on the feed's batches until the feed is over, and give back a `Trained`. It runs in a process of its
own, under its own Python, as `python ours.py TASK.json ANSWER.json`; both files are written here. This file needs
nothing but torch and NumPy, for the peers' environments hold no more.

Shapes: B rows, T positions, V vocabulary.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
END_OF_TEXT = 0
TEST_ROWS = 8
LEAST_TIMED = 2


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a contestant is to do. With `steps` its steps are timed; with `seconds` it learns, and is tested.

    shape      the model, in the field names of `LlamaConfig`
    rows       rows of a step, each of `length` positions
    enough     seconds of timed steps after which no more are needed, once `LEAST_TIMED` are done
    batch_tokens  timed: tokens of the batch to reckon with, where a step has fewer; 0: those of a step
    precision  fp32 or bf16: the number type of the matrix products; pure: weights and optimiser are bf16 too
    optimizer  adamw or muon, where the contestant has both
    folder     what to learn from: `tokens.npy`, `starts.npy`, `held_out.npz`; timed steps without it read noise
    checkout   where the peer's own code lies, for one that is no package
    device     cpu or cuda; on cuda all products are bf16, and what can be compiled is
    micro_rows rows that go through the model at once; 0: all of them
    document   positions a document, for rows of several (ours alone); 0: a row is one
    model      folder of a model to adapt; empty: a new one of `shape`
    adapters   train adapters of rank 16 beside all products instead of all weights
    """

    shape: dict[str, Any]
    rows: int
    length: int
    threads: int
    precision: str = "fp32"
    optimizer: str = "adamw"
    batch_tokens: int = 0
    steps: int = 0
    enough: float = math.inf
    seconds: float = 0.0
    folder: str = ""
    checkout: str = ""
    device: str = "cpu"
    micro_rows: int = 0
    document: int = 0
    model: str = ""
    adapters: bool = False
    clock: str = "wall"
    lr: float = 0.001
    seed: int = 1


@dataclass
class Trained:
    """A model after training.

    logits           (B, T) token ids → (B, T, V) logits
    free_steps       steps at the beginning that the clock left out
    flops_per_token  by the same rule as ours: 6 a matrix weight, and causal attention
    """

    logits: Callable[[Tensor], Tensor]
    parameters: int
    flops_per_token: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)


class Feed:
    """Batches of (B, T + 1) token ids, and the times between steps.

    The contestant calls `tick()` before its first step and after every step; training time begins after
    `free_steps` of them, so that a peer's compilation is not counted. When `over`, it stops.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.free_steps = 0
        self.moments: list[float] = []
        self.updates: list[float] = []
        self._clock = CLOCKS[task.clock]
        self._rows = _documents(task) if task.folder else _noise(task)

    def next(self, rows: int = 0) -> Tensor:
        """The next batch, or of it that many rows."""
        return torch.from_numpy(np.stack(list(itertools.islice(self._rows, rows or self.task.rows))))

    def batches(self) -> Iterator[Tensor]:
        """Endless micro-batches on the device, a tick before the first of each step: for a peer that takes them so."""
        for place in itertools.count():
            if place % self.micro_batches_a_step == 0:
                self.tick()
            yield self.micro_batch()

    @property
    def micro_batches_a_step(self) -> int:
        """How many of `micro_rows` make a batch."""
        return self.task.rows // (self.task.micro_rows or self.task.rows)

    def micro_batch(self) -> Tensor:
        """Rows for once through the model, on the device."""
        batch = self.next(self.task.micro_rows)
        return batch.pin_memory().to("cuda", non_blocking=True) if self.task.device == "cuda" else batch

    def tick(self) -> None:
        """A step is done, or the first one begins."""
        self.moments.append(self._clock())

    @property
    def share(self) -> float:
        """Part of the training that is done, 0 to 1: of the seconds, or of the steps."""
        if not self.task.seconds:
            return min(1.0, max(0, len(self.moments) - 1) / self.task.steps)
        if len(self.moments) <= self.free_steps:
            return 0.0
        return min(1.0, (self._clock() - self.moments[self.free_steps]) / self.task.seconds)

    @property
    def over(self) -> bool:
        """Whether to stop now."""
        return self.share >= 1.0 or (bool(self.task.steps) and self._timed_enough())

    def _timed_enough(self) -> bool:
        timed = self.moments[self._warm_up :]
        return len(timed) > LEAST_TIMED and timed[-1] - timed[0] >= self.task.enough

    @property
    def _warm_up(self) -> int:
        """Steps that are not timed: they set things up."""
        return max(1, self.free_steps)

    def watch(self, optimizer: Any) -> None:
        """Time every step of an optimiser from now on, where the batch is reckoned from smaller steps."""
        if not self.task.batch_tokens:
            return
        update = optimizer.step

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = self._clock()
            result = update(*args, **kwargs)
            self.updates.append(self._clock() - began)
            return result

        optimizer.step = timed

    def batch_seconds(self) -> float:
        """Seconds of a batch: medians after the warm-up.

        With `task.batch_tokens`, a step's gradients are counted as often as the batch needs, the optimiser once.
        """
        steps = [later - earlier for earlier, later in itertools.pairwise(self.moments)]
        step = statistics.median(steps[self._warm_up :])
        if not self.task.batch_tokens:
            return step
        update = statistics.median(self.updates[self._warm_up :])
        return (step - update) * self.task.batch_tokens / (self.task.rows * self.task.length) + update


def _noise(task: Task) -> Iterator[np.ndarray]:
    """The same random rows in every batch."""
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, task.shape["vocab_size"], (task.rows, task.length + 1))
    return itertools.cycle(drawn)


def _documents(task: Task) -> Iterator[np.ndarray]:
    """Documents in random order, end to end, each after an end-of-text; every token is a target once a pass."""
    tokens, starts = (
        np.load(Path(task.folder) / f"{name}.npy", mmap_mode="r") for name in ("tokens", "starts")
    )
    rng = np.random.default_rng(task.seed)
    left = np.array([END_OF_TEXT], dtype=np.int64)
    while True:
        for item in rng.permutation(len(starts) - 1):
            left = np.concatenate([left, tokens[starts[item] : starts[item + 1]].astype(np.int64)])
            whole = (len(left) - 1) // task.length
            for row in range(whole):
                yield left[row * task.length : (row + 1) * task.length + 1]
            left = left[whole * task.length :]


@torch.no_grad()
def bits_per_byte(logits: Callable[[Tensor], Tensor], folder: Path, length: int) -> float:
    """Bits per byte of the held-out texts, each in windows of `length` that see nothing of the ones before."""
    with np.load(folder / "held_out.npz") as kept:
        tokens, starts, text_bytes = kept["tokens"].astype(np.int64), kept["starts"], int(kept["bytes"])
    windows = []
    for first, last in itertools.pairwise(starts.tolist()):
        text = np.concatenate([[END_OF_TEXT], tokens[first:last]])
        windows += [text[at : at + length + 1] for at in range(0, len(text) - 1, length)]
    windows.sort(key=len)
    nats = 0.0
    for begin in range(0, len(windows), TEST_ROWS):
        group = windows[begin : begin + TEST_ROWS]
        inputs = torch.zeros(len(group), length, dtype=torch.int64)
        targets = torch.full((len(group), length), -100)
        for row, window in enumerate(group):
            inputs[row, : len(window) - 1] = torch.from_numpy(window[:-1])
            targets[row, : len(window) - 1] = torch.from_numpy(window[1:])
        found = logits(inputs).float().flatten(0, 1)
        nats += float(torch.nn.functional.cross_entropy(found, targets.flatten(), reduction="sum"))
    return nats / math.log(2) / text_bytes


def flops_per_token(matrix_weights: float, shape: dict[str, Any], length: int) -> float:
    """Forward and backward FLOPs of one token, by the rule of `ModelConfig.flops_per_token`."""
    width = shape["num_attention_heads"] * shape["head_dim"]
    return 6.0 * matrix_weights + 12 * shape["num_hidden_layers"] * width * (length / 2)


def most_memory_mebibytes() -> int | None:
    """The most memory that this process has held; None where Linux does not tell.

    `getrusage` would count the memory of the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), None)


def most_device_mebibytes() -> int:
    """The most memory that tensors of this process have held on the card."""
    return torch.cuda.max_memory_allocated() >> 20


def serve(train: Callable[[Task, Feed], Trained]) -> None:
    """Carry out the task file named on the command line and write the answer file."""
    task_file, answer_file = Path(sys.argv[1]), Path(sys.argv[2])
    task = Task(**json.loads(task_file.read_text(encoding="utf-8")))
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    feed = Feed(task)
    trained = train(task, feed)
    answer: dict[str, Any] = {
        "parameters": trained.parameters,
        "flops_per_token": trained.flops_per_token,
        "mebibytes": most_memory_mebibytes() if task.device == "cpu" else most_device_mebibytes(),
        "torch": torch.__version__,
        **trained.notes,
    }
    if task.seconds:
        steps = len(feed.moments) - 1 - feed.free_steps
        answer["steps"], answer["tokens"] = steps, steps * task.rows * task.length
        answer["seconds"] = feed.moments[-1] - feed.moments[feed.free_steps]
        answer["bits_per_byte"] = bits_per_byte(trained.logits, Path(task.folder), task.length)
    else:
        answer["seconds"] = feed.batch_seconds()
        tokens = task.batch_tokens or task.rows * task.length
        answer["tokens_per_second"] = tokens / answer["seconds"]
    answer_file.write_text(json.dumps(answer), encoding="utf-8")
