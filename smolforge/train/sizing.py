"""Which model, vocabulary, batch and tokens for this data, this machine and this time.

A measured training rate and a law of loss (`law`) are put together: of all shapes and vocabularies in the table
the one with the lowest predicted bits per byte is taken.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from smolforge.errors import ConfigError
from smolforge.model.config import ModelConfig
from smolforge.train import law
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

GPU_SHAPES = (
    *SHAPES,
    (576, 1536, 30, 9, 3, 64),
    (768, 2048, 30, 12, 4, 64),
    (960, 2560, 32, 15, 5, 64),
)
"""Up to SmolLM2's 135M and 360M, and one between; larger ones need more than an hour of one card."""

INITIAL_DEVIATION = 0.08
"""As the quick start's, whose start needs it (docs/LOG.md 2026-11-23); untested on wider models."""
WIDEST_DEVIATION = 576
"""Beyond this width the deviation falls with its root, so that the first logits grow no larger."""
MOST_BATCH = 262_144
STEPS_WANTED = 800
RATE_SECONDS = 5.0


@dataclass(frozen=True)
class Bench:
    """What is tried on a kind of device.

    shapes           rows to choose from
    measured         those whose training rate is timed
    measured_tokens  positions in the timed gradient
    typical_batch    positions a step, by which the optimiser's share is counted
    least_batch      fewer positions a step would not pay
    """

    shapes: tuple[tuple[int, int, int, int, int, int], ...]
    measured: tuple[tuple[int, int, int, int, int, int], ...]
    measured_tokens: int
    typical_batch: int
    least_batch: int


CPU_BENCH = Bench(SHAPES, (SHAPES[1], SHAPES[5]), 1024, 8192, 2048)
GPU_BENCH = Bench(GPU_SHAPES, (SHAPES[4], SHAPES[8], GPU_SHAPES[-1]), 32_768, 262_144, 32_768)
"""A card is fast only on large products, so larger shapes are timed on more tokens. Chosen, untested."""


def bench_of(device: str) -> Bench:
    """What to try on a torch device."""
    return GPU_BENCH if device.startswith("cuda") else CPU_BENCH


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


def choose(
    unique_bytes: int,
    seconds: float,
    rate: Rate,
    *,
    length: int,
    bench: Bench = CPU_BENCH,
    difficulty: float = 1.0,
) -> Choice:
    """The candidate with the lowest predicted bits per byte within `seconds` of training.

    `difficulty` of the text, see `law`; it moves the prediction, not the choice.
    """
    if unique_bytes <= 0:
        raise ConfigError("the corpora hold no text", fix="look at what curation dropped")
    candidates = [
        _candidate(
            model_of(shape, vocabulary, length), unique_bytes, seconds, rate, bench.least_batch, difficulty
        )
        for shape in bench.shapes
        for vocabulary in BYTES_PER_TOKEN
    ]
    return min(candidates, key=lambda c: (c.bits_per_byte, c.model.parameters))


def _candidate(
    model: ModelConfig, unique_bytes: int, seconds: float, rate: Rate, least_batch: int, difficulty: float
) -> Choice:
    vocabulary, length = model.vocab_size, model.max_position_embeddings
    flops = model.flops_per_token(length)
    batch = _batch_tokens(seconds * rate.flops(model.hidden_size) / flops, length, least_batch)
    tokens = max(1, int(seconds * rate.flops(model.hidden_size) / flops) // batch) * batch
    worth = law.worth_parameters(model.parameters, vocabulary, model.hidden_size)
    trained_bytes = tokens * BYTES_PER_TOKEN[vocabulary]
    return Choice(
        model=model,
        tokens=tokens,
        batch_tokens=batch,
        seconds=tokens * flops / rate.flops(model.hidden_size),
        bits_per_byte=law.predicted_bits(worth, trained_bytes, unique_bytes, difficulty),
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
        initializer_range=INITIAL_DEVIATION * min(1.0, math.sqrt(WIDEST_DEVIATION / width)),
    )


def _batch_tokens(tokens: float, length: int, least: int) -> int:
    """Small enough for some 800 steps, whole rows."""
    wanted = min(MOST_BATCH, max(least, tokens / STEPS_WANTED))
    return max(1, round(wanted / length)) * length


def split_tokens(choice: Choice, shares: Mapping[str, float]) -> dict[str, int]:
    """Tokens of each phase, in whole steps; the last phase takes the rest."""
    return phase_tokens(choice.tokens, choice.batch_tokens, shares)


def phase_tokens(tokens: int, batch_tokens: int, shares: Mapping[str, float]) -> dict[str, int]:
    """The same of `tokens` in steps of `batch_tokens`."""
    steps = max(len(shares), tokens // batch_tokens)
    names = list(shares)
    counts = {name: max(1, round(steps * shares[name])) for name in names}
    counts[names[-1]] = max(1, steps - sum(counts[name] for name in names[:-1]))
    return {name: count * batch_tokens for name, count in counts.items()}


def reasons(
    choice: Choice, unique_bytes: int, seconds: float, rate: Rate, bench: Bench = CPU_BENCH
) -> list[str]:
    """Why this size, in sentences."""
    model = choice.model
    per_second = choice.tokens / max(choice.seconds, 1e-9)
    text = [
        f"{unique_bytes / 1e6:.1f} MB of text and {format_seconds(seconds)} for pre-training",
        f"this machine trains this shape at {rate.flops(model.hidden_size) / 1e9:.0f} GFLOP/s, "
        f"{format_count(per_second)} tokens a second (measured)",
        f"{format_count(model.parameters)} parameters, {model.vocab_size} of vocabulary: the lowest predicted "
        f"bits per byte ({choice.bits_per_byte:.2f}) of {len(bench.shapes) * len(BYTES_PER_TOKEN)} candidates",
        f"{format_count(choice.tokens)} tokens, {choice.passes:.1f} times through the text",
    ]
    if choice.passes > 4:
        text.append("text repeated more than four times teaches little: more text would help more than time")
    return text


def measure_rate(
    threads: int,
    device: str,
    length: int,
    compute: Compute,
    tick: Callable[[str], None] = lambda _text: None,
    *,
    compiled: bool = False,
) -> Rate:
    """Training FLOP/s of a few shapes, from a few real steps of each; some seconds in all, a minute compiled."""
    import torch

    torch.set_num_threads(threads)
    bench, found = bench_of(device), {}
    for shape in bench.measured:
        tick(f"  measuring the training rate at width {shape[0]}")
        found[shape[0]] = _measure(model_of(shape, 4096, length), bench, device, compute, compiled)
    return Rate(found)


def training_rate(
    model: ModelConfig,
    batch_tokens: int,
    length: int,
    threads: int,
    device: str,
    compute: Compute,
    compiled: bool,
) -> float:
    """Tokens a second at which this model is trained in steps of `batch_tokens`: of the quickest quarter in `RATE_SECONDS`,
    for what else the machine does comes and goes.
    """
    import torch

    torch.set_num_threads(threads)
    steps = _step_seconds(model, batch_tokens, length, device, compute, compiled, RATE_SECONDS)
    quarter = statistics.quantiles([gradient + update for gradient, update in steps], n=4)[0]
    return max(1, batch_tokens // length) * length / quarter


def _measure(config: ModelConfig, bench: Bench, device: str, compute: Compute, compiled: bool) -> float:
    """FLOP/s of a step of `typical_batch` tokens: gradients timed on fewer, the optimiser by itself."""
    length = config.max_position_embeddings
    steps = _step_seconds(config, bench.measured_tokens, length, device, compute, compiled)
    per_token = min(gradient for gradient, _ in steps) / (max(1, bench.measured_tokens // length) * length)
    seconds = per_token * bench.typical_batch + min(update for _, update in steps)
    return bench.typical_batch * config.flops_per_token(length) / seconds


def _step_seconds(
    config: ModelConfig,
    tokens: int,
    length: int,
    device: str,
    compute: Compute,
    compiled: bool,
    least_seconds: float = 0.0,
) -> list[tuple[float, float]]:
    """(gradient, update) of real steps over made-up tokens: at least three, and for at least so long."""
    import numpy as np
    import torch

    from smolforge.data.tokens.batches import Batch
    from smolforge.model.transformer import Llama
    from smolforge.train.config import OptimConfig
    from smolforge.train.loop import accumulate
    from smolforge.train.loss import next_token_loss
    from smolforge.train.optim import make_optimizer
    from smolforge.train.parallel import place
    from smolforge.train.precision import compute_dtype

    model = Llama(config, compute_dtype(compute, device))
    model.initialise(0)
    place(model, device, None, compiled=compiled)
    optimizer = make_optimizer(model, OptimConfig())
    rows = max(1, tokens // length)
    tokens_BT = np.random.default_rng(0).integers(0, config.vocab_size, (rows, length))
    starts = np.tile((np.arange(length) // 128 * 128).astype(np.int32), (rows, 1))
    batch = Batch(tokens_BT, tokens_BT, np.ones((rows, length), np.float32), starts)
    found: list[tuple[float, float]] = []
    while (
        len(found) < 3 or sum(map(sum, found)) < least_seconds
    ):  # the first is slow, others differ by other work
        began = time.perf_counter()
        accumulate(model, batch, next_token_loss(), rows * length)  # its sums were read: it is done
        between = time.perf_counter()
        optimizer.step(0.01, 1.0 / batch.positions)
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        found.append((between - began, time.perf_counter() - between))
    return found
