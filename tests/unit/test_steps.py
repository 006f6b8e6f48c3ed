"""A step's rules: rates that never jump, clipped gradients, spikes that touch nothing; documents that stay apart."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import VOCABULARY, write_domain

from smolforge.data.tokens.batches import Documents, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train.checkpoint import Checkpoints
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig
from smolforge.train.loop import TrainState, fit
from smolforge.train.loss import LossSum, MicroBatch, next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype
from smolforge.train.schedule import factor

SHAPE = ModelConfig(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
)  # fmt: skip


def fresh(kind: str = "adamw", compute: Compute = "float32") -> TrainState:
    model = Llama(SHAPE, compute_dtype(compute, "cpu"))
    model.initialise(0)
    return TrainState(model=model, optimizer=make_optimizer(model, OptimConfig(kind=kind)))  # type: ignore[arg-type]


def source(folder, length=64, rows=4):
    documents = Documents(folder / "a") if (folder / "a").exists() else write_domain(folder / "a", 3)
    return MixtureBatches({"a": documents}, Mixture(weights={"a": 1.0}), length=length, rows=rows, seed=0)


def flat(step: int, tokens: int) -> float:
    return 1.0


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["wsd", "cosine", "linear"]), st.floats(0.01, 0.5), st.floats(0.01, 0.5), st.floats(0, 1)
)
def test_a_rate_never_jumps_and_ends_at_its_floor(kind, warmup, decay, floor):
    config = ScheduleConfig(kind=kind, warmup_share=warmup, decay_share=decay, floor=floor)
    places, total = range(2001), 2000
    rates = [factor(config, place, total) for place in places]
    assert rates[0] == 0.0 and rates[-1] == pytest.approx(floor, abs=1e-9)
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    fall = decay if kind == "wsd" else 1 - warmup
    steepest = max(1 / warmup, math.pi / 2 / fall) / total
    assert max(abs(a - b) for a, b in pairwise(rates)) <= steepest + 1e-9


@pytest.mark.parametrize("clip", [0.0, 0.05, 1e6])
def test_gradients_are_clipped_by_their_whole_norm(tmp_path, clip):
    state = fresh()
    step = next(fit(state, source(tmp_path), next_token_loss(), flat, until_step=1, clip=clip))
    taken = math.sqrt(sum(float(first.double().square().sum()) for first in state.optimizer.first.values()))
    kept = 1 - state.optimizer.config.beta1
    assert step.grad_norm > 0.05
    assert taken == pytest.approx(kept * (min(clip, step.grad_norm) if clip else step.grad_norm), rel=1e-4)


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_a_skipped_step_touches_nothing_and_is_resumed_as_one(tmp_path, kind, compute):
    """A spike lasts for three steps; the run is stopped between them."""

    def everything(state: TrainState) -> list[torch.Tensor]:
        tensors = [*state.model.parameters(), *state.optimizer.tensors().values()]
        return [tensor.detach().clone() for tensor in tensors]

    def run(folder: str, until: int) -> tuple[TrainState, list[bool]]:
        state, batches = fresh(kind, compute), source(tmp_path)
        checkpoints = Checkpoints(tmp_path / folder)
        if resumed := checkpoints.restore(state):
            batches.restore(resumed["batches"])

        def loss(model: Llama, batch: MicroBatch) -> LossSum:
            found = next_token_loss()(model, batch)
            return found._replace(total=found.total * (50.0 if 40 <= state.step < 43 else 1.0))

        def save() -> None:
            checkpoints.save(state, {"batches": batches.state()})

        skipped = []
        before, updates = everything(state), state.optimizer.updates
        for step in fit(
            state, batches, loss, flat, until_step=until, save=save, save_every_steps=1 if until == 42 else 0
        ):
            now = everything(state)
            same = all(torch.equal(a, b) for a, b in zip(before, now, strict=True))
            assert same == step.skipped
            assert state.optimizer.updates == updates + (not step.skipped)
            before, updates = now, state.optimizer.updates
            skipped.append(step.skipped)
        return state, skipped

    whole, skipped = run("whole", 48)
    assert [number for number, is_skipped in enumerate(skipped) if is_skipped] == [40, 41, 42]
    assert whole.skipped == 3
    run("parts", 42)
    resumed, rest = run("parts", 48)
    assert rest == [True, False, False, False, False, False]
    assert resumed.skipped == 3 and resumed.optimizer.updates == whole.optimizer.updates
    assert all(torch.equal(a, b) for a, b in zip(everything(resumed), everything(whole), strict=True))


LENGTHS = {
    "short": lambda draw: draw.integers(2, 12, 400),
    "skewed": lambda draw: np.clip(draw.lognormal(3, 1.2, 400), 2, 900).astype(int),
    "longer than a row": lambda draw: draw.integers(50, 300, 100),
    "all alike": lambda draw: np.full(300, 33),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_packed_documents_do_not_reach_each_other(tmp_path, name):
    """Other tokens in one document change its own logits and nobody else's; little of a row is padding."""
    draw = np.random.default_rng(0)
    lengths = LENGTHS[name](draw)
    tokens = [np.append(draw.integers(1, VOCABULARY, length - 1), 0) for length in lengths]
    (tmp_path / "a").mkdir()
    np.concatenate(tokens).astype("<u2").tofile(tmp_path / "a" / "tokens-00000.bin")
    np.savez(tmp_path / "a" / "index.npz", shard_00000=np.concatenate([[0], np.cumsum(lengths)]))
    batches = source(tmp_path, length=128, rows=8)
    batch = batches.next()
    used = np.mean([batch.weights_BT.mean(), *(batches.next().weights_BT.mean() for _ in range(9))])
    assert used > 0.99
    model = fresh().model
    with torch.no_grad():
        for weight in model.parameters():  # attention far from uniform
            weight.mul_(8.0 if weight.ndim == 2 else 1.0)
        starts_BT = torch.from_numpy(batch.starts_BT)
        before = model(torch.from_numpy(batch.tokens_BT), starts_BT)
        for row in range(len(batch.tokens_BT)):
            start = draw.choice(np.unique(batch.starts_BT[row]))
            inside = torch.from_numpy(batch.starts_BT[row] == start)
            changed = batch.tokens_BT.copy()
            changed[row, inside.numpy()] = (changed[row, inside.numpy()] + 17) % VOCABULARY
            after = model(torch.from_numpy(changed), starts_BT)
            differs_T = (after - before).abs().amax(-1)[row] > 0
            assert differs_T[inside].all()
            assert not differs_T[~inside].any()
