"""Which model, vocabulary, batch and tokens for this data, this machine and this time.

A measured training rate and a law of loss are put together: of all shapes and vocabularies in the table
the one with the lowest predicted bits per byte is taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from smolforge.errors import ConfigError
from smolforge.model.config import ModelConfig
from smolforge.train.config import Compute
from smolforge.units import format_count, format_seconds

BYTES_PER_TOKEN = {2048: 2.6, 3072: 2.85, 4096: 3.05, 6144: 3.3, 8192: 3.5, 16384: 3.9, 32768: 4.2}
"""Vocabulary → bytes a token covers. Source: chosen after byte-level BPE on English technical text; untested
on other languages."""

SHAPES: tuple[tuple[int, int, int, int, int, int], ...] = (
    # width, feed-forward, layers, query heads, key/value heads, head width
    (96, 256, 4, 3, 1, 32),
    (128, 352, 5, 4, 2, 32),
    (160, 448, 5, 5, 1, 32),
    (192, 512, 6, 6, 2, 32),
    (256, 704, 6, 8, 2, 32),
    (320, 864, 8, 10, 2, 32),
    (384, 1024, 10, 6, 2, 64),
    (512, 1408, 12, 8, 2, 64),
    (576, 1536, 14, 9, 3, 64),
)
"""From 0.4M to 50M parameters; deep and thin as SmolLM2's small models."""

ENTROPY_BITS = 0.55
SIZE_BITS = 0.49
DATA_BITS = 0.795
SIZE_POWER = 0.34
DATA_POWER = 0.28
EMBEDDING_WORTH = 0.3
REPEAT_WORTH = 15.4
LEAST_BATCH = 2048
INITIAL_DEVIATION = 0.08
"""As the quick start's, whose start needs it (docs/LOG.md 2026-11-23); untested on wider models."""
MOST_BATCH = 262_144
STEPS_WANTED = 800
MEASURED_SHAPES = (SHAPES[1], SHAPES[5])
MEASURED_TOKENS = 1024
TYPICAL_BATCH = 8192


@dataclass(frozen=True)
class Choice:
    """One candidate, and what it promises."""

    model: ModelConfig
    tokens: int
    batch_tokens: int
    seconds: float
    bits_per_byte: float
    passes: float


@dataclass(frozen=True)
class Rate:
    """Measured FLOP/s of training steps, by model width; in between, straight lines in log width."""

    flops_by_width: Mapping[int, float]

    def flops(self, width: int) -> float:
        known = sorted(self.flops_by_width.items())
        if width <= known[0][0]:
            return known[0][1]
        for (low, slow), (high, fast) in pairwise(known):
            if width <= high:
                part = math.log(width / low) / math.log(high / low)
                return slow + part * (fast - slow)
        return known[-1][1]


def predicted_bits(parameters: float, trained_bytes: float, unique_bytes: float) -> float:
    """Bits per byte of a model after so many bytes, of which `unique_bytes` differ.

    The law of arXiv:2203.15556 with its exponents, in bits per byte; its factors are set by one measured
    point (1M parameters, 9 MB: 1.86) and an optimum of ten tokens a parameter under Muon. Repeated text
    counts less and less: arXiv:2305.16264. Chosen; compare with what comes out.
    """
    passes = trained_bytes / unique_bytes
    worth = trained_bytes
    if passes > 1:
        worth = unique_bytes * (1 + REPEAT_WORTH * (1 - math.exp(-(passes - 1) / REPEAT_WORTH)))
    size = SIZE_BITS * (parameters / 1e6) ** -SIZE_POWER
    return ENTROPY_BITS + size + DATA_BITS * (worth / 1e7) ** -DATA_POWER


def choose(unique_bytes: int, seconds: float, rate: Rate, *, length: int) -> Choice:
    """The candidate with the lowest predicted bits per byte within `seconds` of training."""
    if unique_bytes <= 0:
        raise ConfigError("the corpora hold no text", fix="look at what curation dropped")
    candidates = [
        _candidate(shape, vocabulary, unique_bytes, seconds, rate, length)
        for shape in SHAPES
        for vocabulary in BYTES_PER_TOKEN
    ]
    return min(candidates, key=lambda c: (c.bits_per_byte, c.model.parameters))


def _candidate(
    shape: Sequence[int], vocabulary: int, unique_bytes: int, seconds: float, rate: Rate, length: int
) -> Choice:
    model = model_of(shape, vocabulary, length)
    flops = model.flops_per_token(length)
    batch = _batch_tokens(seconds * rate.flops(model.hidden_size) / flops, length)
    tokens = max(1, int(seconds * rate.flops(model.hidden_size) / flops) // batch) * batch
    embedding = vocabulary * model.hidden_size
    worth = model.parameters - embedding + EMBEDDING_WORTH * embedding
    trained_bytes = tokens * BYTES_PER_TOKEN[vocabulary]
    return Choice(
        model=model,
        tokens=tokens,
        batch_tokens=batch,
        seconds=tokens * flops / rate.flops(model.hidden_size),
        bits_per_byte=predicted_bits(worth, trained_bytes, unique_bytes),
        passes=trained_bytes / unique_bytes,
    )


def model_of(shape: Sequence[int], vocabulary: int, length: int) -> ModelConfig:
    """A row of the table as a model."""
    width, forward, layers, heads, kv_heads, head = shape
    return ModelConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head,
        max_position_embeddings=length,
        initializer_range=INITIAL_DEVIATION,
    )


def _batch_tokens(tokens: float, length: int) -> int:
    """Small enough for some 800 steps, whole rows."""
    wanted = min(MOST_BATCH, max(LEAST_BATCH, tokens / STEPS_WANTED))
    return max(1, round(wanted / length)) * length


def split_tokens(choice: Choice, shares: Mapping[str, float]) -> dict[str, int]:
    """Tokens of each phase, in whole steps; the last phase takes the rest."""
    steps = max(len(shares), choice.tokens // choice.batch_tokens)
    names = list(shares)
    counts = {name: max(1, round(steps * shares[name])) for name in names}
    counts[names[-1]] = max(1, steps - sum(counts[name] for name in names[:-1]))
    return {name: count * choice.batch_tokens for name, count in counts.items()}


def reasons(choice: Choice, unique_bytes: int, seconds: float, rate: Rate) -> list[str]:
    """Why this size, in sentences."""
    model = choice.model
    per_second = choice.tokens / max(choice.seconds, 1e-9)
    text = [
        f"{unique_bytes / 1e6:.1f} MB of text and {format_seconds(seconds)} for pre-training",
        f"this machine trains this shape at {rate.flops(model.hidden_size) / 1e9:.0f} GFLOP/s, "
        f"{format_count(per_second)} tokens a second (measured)",
        f"{format_count(model.parameters)} parameters, {model.vocab_size} of vocabulary: the lowest predicted "
        f"bits per byte ({choice.bits_per_byte:.2f}) of {len(SHAPES) * len(BYTES_PER_TOKEN)} candidates",
        f"{format_count(choice.tokens)} tokens, {choice.passes:.1f} times through the text",
    ]
    if choice.passes > 4:
        text.append("text repeated more than four times teaches little: more text would help more than time")
    return text


def measure_rate(
    threads: int, device: str, length: int, compute: Compute, tick: Callable[[str], None] = lambda _text: None
) -> Rate:
    """Training FLOP/s of a small and a larger shape, from a few real steps of each; some seconds in all."""
    import torch

    torch.set_num_threads(threads)
    found = {}
    for shape in MEASURED_SHAPES:
        tick(f"  measuring the training rate at width {shape[0]}")
        found[shape[0]] = _measure(model_of(shape, 4096, length), device, length, compute)
    return Rate(found)


def _measure(model_config: ModelConfig, device: str, length: int, compute: Compute) -> float:
    """FLOP/s of a step of `TYPICAL_BATCH` tokens: gradients timed on fewer, the optimiser by itself."""
    import numpy as np

    from smolforge.data.batches import Batch
    from smolforge.model.transformer import Llama
    from smolforge.train.config import OptimConfig
    from smolforge.train.loop import accumulate, next_token_loss
    from smolforge.train.optim import make_optimizer
    from smolforge.train.precision import compute_dtype

    model = Llama(model_config, compute_dtype(compute, device))
    model.initialise(0)
    model.to(device)
    optimizer = make_optimizer(model, OptimConfig())
    rows = max(1, MEASURED_TOKENS // length)
    tokens = np.random.default_rng(0).integers(0, model_config.vocab_size, (rows, length))
    starts = np.tile((np.arange(length) // 128 * 128).astype(np.int32), (rows, 1))
    batch = Batch(tokens, tokens, np.ones((rows, length), np.float32), starts)
    gradient_seconds, update_seconds = [], []
    for _ in range(3):  # the first is slow, the others differ by what else the machine does
        began = time.perf_counter()
        accumulate(model, batch, next_token_loss(), rows * length)
        between = time.perf_counter()
        optimizer.step(0.01, 1.0 / batch.positions)
        gradient_seconds.append(between - began)
        update_seconds.append(time.perf_counter() - between)
    per_token = min(gradient_seconds) / batch.positions
    seconds = per_token * TYPICAL_BATCH + min(update_seconds)
    return TYPICAL_BATCH * model_config.flops_per_token(length) / seconds
