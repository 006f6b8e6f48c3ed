"""The Hugging Face Trainer: the Llama of transformers, SDPA attention, AdamW, clipping at 1.

Timed with its own defaults. Learning it gets what its users set for pre-training: a tuned rate, beta2 0.95,
weight decay 0.1, and a cosine after a warm-up of 2%, driven by the share of the time that has passed.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from typing import Any

import torch
from contest import Feed, Task, Trained, serve
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments

WARMUP_SHARE = 0.02
MOST_STEPS = 10_000_000


def llama(task: Task) -> LlamaForCausalLM:
    """The shape as a Llama with tied embeddings."""
    return LlamaForCausalLM(LlamaConfig(**task.shape, tie_word_embeddings=True, use_cache=False))


class Rows(torch.utils.data.IterableDataset):
    """The feed as a data set."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            for row in self.feed.next():
                yield {"input_ids": row[:-1], "labels": row[:-1]}


class Clock(TrainerCallback):
    """Ticks, and ends the training when the feed is over."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        self.feed.watch(kwargs["optimizer"])
        self.feed.tick()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.feed.tick()
        control.should_training_stop = self.feed.over


def cosine(feed: Feed) -> float:
    """Factor of the rate at the share of the training that is done."""
    if feed.share < WARMUP_SHARE:
        return max(0.01, feed.share / WARMUP_SHARE)
    return 0.5 * (1 + math.cos(math.pi * (feed.share - WARMUP_SHARE) / (1 - WARMUP_SHARE)))


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    model = llama(task)
    feed.free_steps = 1
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            bf16=task.precision == "bf16",
            per_device_train_batch_size=task.rows,
            max_steps=MOST_STEPS if task.seconds else task.steps,
            save_strategy="no",
            report_to=[],
            logging_strategy="no",
            disable_tqdm=True,
            seed=task.seed,
        )
        optimizers: tuple[Any, Any] = (None, None)
        if task.seconds:
            adamw = torch.optim.AdamW(
                model.parameters(), lr=task.lr, betas=(0.9, 0.95), weight_decay=0.1, fused=True
            )
            optimizers = adamw, torch.optim.lr_scheduler.LambdaLR(adamw, lambda _step: cosine(feed))
        Trainer(
            model, arguments, train_dataset=Rows(feed), callbacks=[Clock(feed)], optimizers=optimizers
        ).train()
    model.eval()
    return Trained(lambda tokens: model(input_ids=tokens).logits, model.num_parameters())


if __name__ == "__main__":
    serve(train)
