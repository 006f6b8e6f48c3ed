"""smolforge adapting a model: `fit` with AdamW, all weights or adapters, in the number type it chooses itself."""

from __future__ import annotations

from pathlib import Path

from contest import Feed, Task, Trained, serve
from ours import Repeated

from smolforge.model.config import LoraConfig
from smolforge.model.lora import add_adapters
from smolforge.model.weights import load_model
from smolforge.train.config import OptimConfig
from smolforge.train.loop import TrainState, fit
from smolforge.train.loss import next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    model = load_model(Path(task.model), compute=compute_dtype("auto", task.device))
    if task.adapters:
        add_adapters(model, LoraConfig(), task.seed)
    optim = OptimConfig(kind="adamw", lr=task.lr, embedding_lr=task.lr, norm_lr=task.lr, weight_decay=0.0)
    state = TrainState(model=model, optimizer=make_optimizer(model, optim))
    feed.watch(state.optimizer)
    feed.tick()
    steps = fit(
        state,
        Repeated(feed),
        next_token_loss(),
        lambda step, tokens: 1.0,
        until_step=task.steps,
        micro_tokens=task.micro_rows * task.length,
    )
    losses = []
    for step in steps:
        losses.append(round(step.loss, 4))
        feed.tick()
        if feed.over:
            break
    notes = {"compute": str(model.compute), "losses": losses[:3]}
    return Trained(model, model.config.parameters, model.config.flops_per_token(task.length), notes)


if __name__ == "__main__":
    serve(train)
