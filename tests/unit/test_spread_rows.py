"""Rows of a batch among processes: none lost, none doubled, as many for each; blank ones count for nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from smolforge.align.dpo import REFERENCE, dpo_loss
from smolforge.data.tokens.batches import Batch, rows_of_rank
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train.loop import accumulate
from smolforge.train.loss import next_token_loss
from smolforge.train.precision import compute_dtype

TINY = ModelConfig(
    vocab_size=61, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
)  # fmt: skip


def batch_of(rows, length=16, group=1):
    draw = np.random.default_rng(rows)
    return Batch(
        tokens_BT=draw.integers(1, 61, (rows, length)),
        targets_BT=draw.integers(1, 61, (rows, length)),
        weights_BT=(draw.random((rows, length)) < 0.7).astype(np.float32),
        starts_BT=np.zeros((rows, length), np.int32),
        extra={REFERENCE: draw.normal(size=rows)},
        group=group,
    )


def model_of(recompute=False, compute="float32"):
    model = Llama(TINY, compute_dtype(compute, "cpu"))
    model.initialise(3)
    model.recompute = recompute
    return model


@pytest.mark.parametrize(
    "rows,group,ranks", [(8, 1, 2), (5, 1, 4), (1, 1, 3), (6, 2, 2), (6, 2, 4), (2, 2, 3)]
)
def test_every_row_is_someones_once(rows, group, ranks):
    batch = batch_of(rows, group=group)
    parts = [rows_of_rank(batch, rank, ranks) for rank in range(ranks)]
    assert len({part.tokens_BT.shape for part in parts}) == 1
    real = [part.weights_BT.any(1) for part in parts]
    for name in ("tokens_BT", "targets_BT", "weights_BT", "starts_BT"):
        together = np.concatenate([getattr(p, name)[kept] for p, kept in zip(parts, real, strict=True)])
        np.testing.assert_array_equal(together, getattr(batch, name))
    extra = np.concatenate([p.extra[REFERENCE][kept] for p, kept in zip(parts, real, strict=True)])
    np.testing.assert_array_equal(extra, batch.extra[REFERENCE])
    for part, kept in zip(parts, real, strict=True):
        assert kept.sum() % group == 0 and not part.extra[REFERENCE][~kept].any()


@pytest.mark.parametrize("loss,group", [(next_token_loss(), 1), (dpo_loss(0.5, nll_weight=0.1), 2)])
def test_the_parts_sums_and_gradients_are_the_batchs(loss, group):
    """Three processes for two rows or pairs: the third has blank rows alone."""
    batch = batch_of(2 * group, group=group)
    model = model_of()
    total, count, figures = accumulate(model, batch, loss, 10**6)
    expected = [w.grad.clone() for w in model.parameters()]
    sums = [torch.zeros_like(w) for w in model.parameters()]
    found = []
    for rank in range(3):
        found.append(accumulate(model, rows_of_rank(batch, rank, 3), loss, 10**6))
        for part, weight in zip(sums, model.parameters(), strict=True):
            part += weight.grad
    assert found[2][:2] == (0.0, 0.0)
    assert sum(f[0] for f in found) == pytest.approx(total, rel=1e-5)
    assert sum(f[1] for f in found) == count
    for name, value in figures.items():
        assert sum(f[2][name] for f in found) == pytest.approx(value, rel=1e-5, abs=1e-6)
    for ours, theirs in zip(sums, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_recomputed_layers_give_the_same_gradients(compute):
    batch = replace(batch_of(4), extra={})
    gradients = []
    for recompute in (False, True):
        model = model_of(recompute, compute)
        accumulate(model, batch, next_token_loss(), 32)
        gradients.append([w.grad for w in model.parameters()])
    for kept, again in zip(*gradients, strict=True):
        assert torch.equal(kept, again)
