"""What can be learned in the time there is: full training or adapters, and how many tokens of each step.

The model's own training rate is measured in each way that fits into memory; a plan follows by arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from smolforge.data.tokens.batches import Batch
from smolforge.errors import ConfigError
from smolforge.model.config import LoraConfig, ModelConfig
from smolforge.model.lora import add_adapters
from smolforge.model.transformer import Llama
from smolforge.train.config import OptimConfig
from smolforge.train.loop import accumulate
from smolforge.train.loss import next_token_loss
from smolforge.train.memory import micro_tokens, training_bytes
from smolforge.train.optim import make_optimizer
from smolforge.units import format_bytes, format_count, format_seconds

Method = Literal["full", "lora"]
STEPS_WANTED = 150
LEAST_BATCH, MOST_BATCH = 1024, 32_768
"""Of two textbooks at the same rate and tokens, batches of 1,024 took off 7.3% of the bits, of 3,072 6.3% (one seed)."""
OPTIMISER_SHARE = 0.1
"""At most so much of the time goes to steps of the optimiser; chosen."""
MOST_PASSES = 4.0
"""Over the documents: text repeated more often teaches little. Source: arXiv:2305.16264."""


@dataclass(frozen=True)
class Rate:
    """Measured seconds a token for gradients, and a step for the optimiser."""

    token_seconds: float
    step_seconds: float

    def tokens_in(self, seconds: float, batch_tokens: int) -> int:
        """Whole steps that fit."""
        steps = int(seconds / (self.token_seconds * batch_tokens + self.step_seconds))
        return max(1, steps) * batch_tokens


@dataclass(frozen=True)
class Budget:
    """The plan. Tokens are positions, padding included."""

    method: Method
    batch_tokens: int
    document_tokens: int
    tune_tokens: int
    document_seconds: float
    tune_seconds: float
    memory_bytes: int
    reasons: list[str]

    @property
    def seconds(self) -> float:
        """Of both steps."""
        return self.document_seconds + self.tune_seconds


def measure(model: Llama, length: int, asked_micro_tokens: int | None) -> Rate:
    """Seconds of one micro-batch, forwards and backwards, and of one step of AdamW; the second try counts."""
    rows = max(1, micro_tokens(asked_micro_tokens, model.config) // length)
    tokens = np.random.default_rng(0).integers(0, model.config.vocab_size, (rows, length))
    starts = np.zeros((rows, length), np.int32)
    batch = Batch(tokens, tokens, np.ones((rows, length), np.float32), starts)
    optimizer = make_optimizer(model, OptimConfig(kind="adamw"))
    gradient, update = [], []
    for _ in range(2):
        began = time.perf_counter()
        accumulate(model, batch, next_token_loss(), rows * length)
        between = time.perf_counter()
        optimizer.step(0.0, 1.0)  # at no rate: the weights stay as they are
        gradient.append(between - began)
        update.append(time.perf_counter() - between)
    for weight in model.parameters():
        weight.grad = None
    return Rate(min(gradient) / batch.positions, min(update))


def rate_of(
    load: Callable[[], Llama], lora: LoraConfig | None, length: int, asked_micro_tokens: int | None
) -> Rate:
    """The rate of one way of training, of a model that is thrown away afterwards."""
    model = load()
    if lora is not None:
        add_adapters(model, lora, 0)
    return measure(model, length, asked_micro_tokens)


def choose_method(
    wanted: Method | Literal["auto"],
    config: ModelConfig,
    lora: LoraConfig,
    memory_bytes: int,
    number_bytes: int,
) -> tuple[Method, int, list[str]]:
    """Full training where it fits into memory, adapters otherwise; with the memory it takes, and why."""
    full = training_bytes(config, None, number_bytes)
    small = training_bytes(config, lora, number_bytes)
    there = format_bytes(memory_bytes)
    if wanted == "auto":
        method: Method = "full" if full <= memory_bytes else "lora"
        reason = f"full training takes about {format_bytes(full)}; there is room for {there}"
        reasons = [
            f"{reason}: {'all weights are trained' if method == 'full' else 'adapters are trained instead'}"
        ]
    else:
        method = wanted
        reasons = [f"{'full training' if method == 'full' else 'adapters'}, as the recipe says"]
    needed = full if method == "full" else small
    if needed > memory_bytes:
        fix = "take a smaller model, or allow more memory (`memory_gib`)"
        if method == "full":
            fix = "let it train adapters (`method=lora`), " + fix
        raise ConfigError(f"training takes about {format_bytes(needed)}; there is room for {there}", fix=fix)
    return method, needed, reasons


def make_budget(
    method: Method,
    needed_bytes: int,
    reasons: list[str],
    rate: Rate,
    *,
    seconds: float,
    tune_share: float,
    document_tokens: int,
    replay_share: float,
    chat_tokens: int,
    length: int,
) -> Budget:
    """Tokens for both steps. `document_tokens` and `chat_tokens`: how many there are; `seconds`: for both together."""
    tune_share = tune_share if chat_tokens else 0.0
    most = round(document_tokens * MOST_PASSES / max(1e-9, 1 - replay_share))
    batch = _batch_tokens(min(seconds / rate.token_seconds, most + 2 * chat_tokens), length, rate)
    documents = min(rate.tokens_in(seconds * (1 - tune_share), batch), _whole(most, batch))
    tune = 0
    if chat_tokens:
        tune = min(rate.tokens_in(seconds * tune_share, batch), _whole(2 * chat_tokens, batch))
    each = rate.token_seconds + rate.step_seconds / batch
    passes = documents * (1 - replay_share) / max(1, document_tokens)
    tuned = (
        f"{format_count(tune)} tokens for conversations" if tune else "none for conversations: there are none"
    )
    told = [
        *reasons,
        f"this machine trains it at {format_count(1 / rate.token_seconds)} tokens a second, and takes "
        f"{rate.step_seconds:.2f}s for each step of {format_count(batch)} tokens (measured)",
        f"{format_count(documents)} tokens for the documents and what is replayed beside them: {passes:.1f} passes",
        f"{tuned}; about {format_seconds((documents + tune) * each)} in all",
    ]
    if documents == _whole(most, batch):
        told.append(f"more than {MOST_PASSES:g} passes over the documents teach little, so time is left over")
    return Budget(method, batch, documents, tune, documents * each, tune * each, needed_bytes, told)


def _batch_tokens(tokens: float, length: int, rate: Rate) -> int:
    """Whole rows, so that each of both steps has as many updates as are wanted, where the optimiser's time allows."""
    dear = rate.step_seconds / (OPTIMISER_SHARE * rate.token_seconds)
    wanted = min(MOST_BATCH, max(LEAST_BATCH, dear, tokens / STEPS_WANTED / 2))
    return max(1, round(wanted / length)) * length


def _whole(tokens: int, batch: int) -> int:
    return max(1, -(-tokens // batch)) * batch


def free_memory_bytes() -> int:
    """What is free now, nine tenths of it; a quarter of all memory where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024 * 9 // 10
    except (OSError, KeyError, ValueError):
        import os

        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


def number_bytes(dtype: torch.dtype) -> int:
    """Size of one number in products and activations."""
    return dtype.itemsize
