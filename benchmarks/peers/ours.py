"""smolforge's own loop: `fit`, with packing that keeps documents apart, clipping and spike checks.

Timed with AdamW or Muon. Learning it does what its users get: Muon, warm-up, level, decay over the tokens that the
measured rate promises for the time, and it is stopped by the clock. Its first steps are not counted out.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from contest import Feed, Task, Trained, serve

from smolforge.data.tokens.batches import Batch, Documents, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train.config import OptimConfig, ScheduleConfig
from smolforge.train.loop import BatchSource, TrainState, fit
from smolforge.train.loss import next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.parallel import place
from smolforge.train.precision import compute_dtype
from smolforge.train.schedule import factor

RATE_STEPS = 4


class Repeated:
    """The feed's rows, one document each, or cut into documents of `task.document` positions."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def next(self) -> Batch:
        tokens = self.feed.next().numpy()
        shape = tokens[:, :-1].shape
        place, each = np.arange(shape[1]), self.feed.task.document or shape[1]
        starts = np.tile(place // each * each, (shape[0], 1))
        return Batch(tokens[:, :-1], tokens[:, 1:], np.ones(shape, np.float32), starts)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None: ...


def packed(task: Task) -> MixtureBatches:
    """The training text as pre-training reads it."""
    domains = {"text": Documents(Path(task.folder) / "shards")}
    return MixtureBatches(
        domains, Mixture(weights={"text": 1.0}), length=task.length, rows=task.rows, seed=task.seed
    )


def begin(task: Task) -> TrainState:
    """A new model and its optimiser, as `pretrain` begins them."""
    model = Llama(ModelConfig(**task.shape), compute_dtype("auto", task.device))
    model.initialise(task.seed, zero_outputs=bool(task.seconds))
    place(model, task.device, None, compiled=task.device == "cuda")
    optim = OptimConfig() if task.optimizer == "muon" else OptimConfig(kind="adamw", lr=task.lr)
    return TrainState(model=model, optimizer=make_optimizer(model, optim))


def promised_tokens(task: Task) -> int:
    """Tokens that fit into the task's seconds, from some steps of a model that is then thrown away."""
    state, source, seconds = begin(task), packed(task), []
    for _ in range(RATE_STEPS):
        began = time.perf_counter()
        for _step in fit(
            state, source, next_token_loss(), lambda step, tokens: 0.01, until_step=state.step + 1
        ):
            seconds.append(time.perf_counter() - began)
    return int(task.seconds / min(seconds)) * task.rows * task.length


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    total = promised_tokens(task) if task.seconds else 0
    state, schedule = begin(task), ScheduleConfig()
    source: BatchSource = packed(task) if task.seconds else Repeated(feed)
    feed.watch(state.optimizer)
    feed.tick()
    for _step in fit(
        state,
        source,
        next_token_loss(),
        (lambda step, tokens: factor(schedule, tokens, total)) if total else (lambda step, tokens: 1.0),
        until_step=task.steps or 10**9,
        micro_tokens=task.micro_rows * task.length or 16_384,
        worst_loss=1.2 * math.log(task.shape["vocab_size"]) if total else None,
    ):
        feed.tick()
        if feed.over:
            break
    config = state.model.config
    return Trained(
        state.model,
        config.parameters,
        config.flops_per_token(task.length),
        {"promised_tokens": total, "compute": str(state.model.compute), "skipped": state.skipped},
    )


if __name__ == "__main__":
    serve(train)
