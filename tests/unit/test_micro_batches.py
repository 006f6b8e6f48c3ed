"""Where a batch is cut, and on how many threads, changes rounding only: float64 gradients, and whole trainings."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import VOCABULARY, saying, write_domain

from smolforge.align.dpo import PairBatches, TokenPair, dpo_loss, with_reference
from smolforge.align.grpo import ADVANTAGE, OLD, grpo_loss
from smolforge.align.rows import logprobs_of, rows_of
from smolforge.align.stages import DpoConfig, GrpoConfig, SftConfig, dpo, grpo, sft
from smolforge.artifacts import Tokenizer, TokenShards
from smolforge.data.tokens.batches import Batch, Example, ExampleBatches, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_model
from smolforge.stage import Job
from smolforge.train.config import OptimConfig
from smolforge.train.loop import accumulate
from smolforge.train.loss import Loss, next_token_loss
from smolforge.train.stages import PretrainConfig, pretrain

SHAPE = ModelConfig(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
)  # fmt: skip


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def wide_model() -> Llama:
    """Everything in float64, so that rounding is far below what a wrong average would change."""
    model = Llama(SHAPE, torch.float64)
    model.initialise(3)
    return model.double()


def example(number: int) -> Example:
    length = 6 + (number * 7) % 23
    weights = (np.arange(length) >= 3).astype(np.float32)
    return Example(1 + (number * 5 + np.arange(length) * 3) % 95, weights)


def pretraining(folder: Path) -> tuple[Batch, Loss]:
    source = MixtureBatches(
        {"a": write_domain(folder / "a", 3)}, Mixture(weights={"a": 1.0}), length=64, rows=6, seed=0
    )
    return source.next(), next_token_loss(1e-3)


def instruction(folder: Path) -> tuple[Batch, Loss]:
    batch = ExampleBatches([example(i) for i in range(30)], length=64, rows=6, seed=0).next()
    assert batch is not None
    return batch, next_token_loss()


def preference(folder: Path) -> tuple[Batch, Loss]:
    pairs = [TokenPair(example(i), example(i + 9)) for i in range(5)]
    model = wide_model()
    with torch.no_grad():
        model.model.norm.weight.mul_(0.9)  # the reference is another model
    ready = with_reference(model, pairs, length=64, rows=5, micro_tokens=10**6)
    batch = PairBatches(ready, length=64, pairs_per_step=5, seed=0).next()
    assert batch is not None
    return batch, dpo_loss(0.3, nll_weight=0.2)


def reinforcement(folder: Path) -> tuple[Batch, Loss]:
    batch = rows_of([example(i) for i in range(8)], 64)
    advantages = np.linspace(-1, 1, 8, dtype=np.float32)
    model = wide_model()
    with torch.no_grad():
        model.model.norm.weight.mul_(1.05)
    extra = {ADVANTAGE: advantages, OLD: logprobs_of(model, batch, 10**6)}
    return Batch(**{**vars(batch), "extra": extra}), grpo_loss()


@pytest.mark.parametrize("make", [pretraining, instruction, preference, reinforcement])
def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path, make):
    batch, loss = make(tmp_path)
    found = []
    for micro_tokens in (10**6, 128, 1):
        model = wide_model()
        total, count, figures = accumulate(model, batch, loss, micro_tokens)
        found.append((total, count, figures, [weight.grad for weight in model.parameters()]))
    total, count, figures, gradients = found[0]
    assert count > 0 and all(gradient.abs().max() > 0 for gradient in gradients)
    for other_total, other_count, other_figures, other_gradients in found[1:]:
        assert other_total == pytest.approx(total, rel=1e-11)
        assert other_count == count
        assert other_figures == pytest.approx(figures, rel=1e-9)
        for ours, whole in zip(other_gradients, gradients, strict=True):
            torch.testing.assert_close(ours, whole, rtol=0, atol=1e-10 * float(whole.abs().max()))


def run(course: str, root: Path, place: str, **machine: int) -> tuple[list[dict], list[torch.Tensor]]:
    out, work = root / place / "out", root / place / "work"
    for folder in (out, work):
        folder.mkdir(parents=True)
    job = Job(out=out, work=work, log=Log(show=io.StringIO()), **{"threads": 1, **machine})
    world = saying(root / place / "world")
    given = {name: world[name] for name in ("init", "tokenizer")}
    tune = {"length": 64, "compute": "float32", "optim": OptimConfig(kind="adamw", lr=1e-3)}
    if course == "pretrain":
        write_domain(root / place / "a", 3)
        cfg = PretrainConfig(
            phase="one", model=SHAPE, tokens=8 * 512, batch_tokens=512, length=64, mixture={"a": 1.0},
            compute="float32",
        )  # fmt: skip
        shards = {"a": TokenShards(root / place / "a", "k", "d")}
        pretrain(cfg, job, shards=shards, tokenizer=Tokenizer(root, "k", "d"))
    elif course == "sft":
        sft(SftConfig(epochs=2, batch_tokens=256, **tune), job, data=world["data"], **given)
    elif course == "dpo":
        dpo(DpoConfig(epochs=2, pairs_per_step=4, **tune), job, pairs=world["pairs"], **given)
    else:
        how = {"rounds": 2, "questions": 4, "group": 4, "updates": 2, "max_new_tokens": 4, "temperature": 2.0}
        grpo(GrpoConfig(**how, kl_weight=0.05, **tune), job, data=world["data"], **given)
    lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return lines, list(load_model(out).parameters())


@pytest.mark.parametrize("machine", [{"micro_tokens": 64}, {"threads": 2}], ids=["micro-batch", "threads"])
@pytest.mark.parametrize("course", ["pretrain", "sft", "dpo", "grpo"])
def test_the_machine_changes_rounding_only(tmp_path, course, machine):
    lines, weights = run(course, tmp_path, "whole")
    other_lines, other_weights = run(course, tmp_path, "other", **machine)
    for ours, other in zip(lines, other_lines, strict=True):
        for exact in ("step", "tokens", "lr", "skipped", "domains", "reward"):
            assert ours.get(exact) == other.get(exact)
        assert other["loss"] == pytest.approx(ours["loss"], abs=2e-4)
    for ours, other in zip(weights, other_weights, strict=True):
        torch.testing.assert_close(other, ours, rtol=0, atol=2e-3)
