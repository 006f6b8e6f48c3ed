"""What runs on CUDA, run on the CPU: packed attention, the output layer, optimiser steps, compiled layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import varlen_on_cpu  # noqa: F401  # registers the operators
from torch._dynamo.testing import CompileCounterWithBackend
from torch._dynamo.utils import counters
from worlds import packed_rows

from smolforge.kernels import gpu, reference
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train.feed import document_bounds


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(7)


def mixed_rows(rows: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of documents of all lengths, one-token ones too, with padding at the end."""
    return packed_rows(np.random.default_rng(seed), rows, length, [1, 1, 2, 5, 11], padding=6)


@pytest.mark.parametrize("heads,kv_heads,width", [(4, 4, 8), (6, 2, 8), (3, 1, 16)])
def test_packed_attention_equals_the_mask(heads, kv_heads, width):
    starts_BT, weights_BT = mixed_rows(3, 24, heads)
    bounds_C = torch.from_numpy(document_bounds(starts_BT, weights_BT))
    cos, sin = (table.double() for table in reference.rotary_tables(32, width, 10_000.0))
    qkv = torch.randn(3, 24, (heads + 2 * kv_heads) * width, dtype=torch.float64, requires_grad=True)
    same = qkv.detach().clone().requires_grad_()
    counted = torch.from_numpy(weights_BT)[:, :, None].double()
    ours = gpu.rotary_attention(qkv, heads, kv_heads, cos, sin, bounds_C) * counted
    theirs = (
        reference.rotary_attention(same, heads, kv_heads, cos, sin, None, torch.from_numpy(starts_BT))
        * counted
    )
    torch.testing.assert_close(ours, theirs)
    slopes = torch.randn_like(ours)
    ours.backward(slopes)
    theirs.backward(slopes)
    torch.testing.assert_close(qkv.grad, same.grad)


def test_only_what_flash_attention_takes_is_given_to_it():
    half = torch.empty(1, 2, 3 * 64, dtype=torch.bfloat16)
    assert gpu.serves_documents(half, 1, 1)
    assert not gpu.serves_documents(half.float(), 1, 1)
    assert not gpu.serves_documents(half, 14, 1)  # heads of 12


@pytest.mark.parametrize("seed", range(5))
def test_bounds_hold_every_document_once(seed):
    starts_BT, weights_BT = mixed_rows(4, 40, seed)
    bounds = document_bounds(starts_BT, weights_BT)
    assert bounds[0] == 0 and bounds[-1] == starts_BT.size and (np.diff(bounds) > 0).all()
    flat_starts = (starts_BT + np.arange(4)[:, None] * 40).ravel()
    counted = weights_BT.ravel() != 0
    found = bounds[np.searchsorted(bounds, np.arange(starts_BT.size), side="right") - 1]
    assert (found[counted] == flat_starts[counted]).all()
    assert not counted[found[~counted]].any()  # padding lies in documents of padding
    runs = np.diff(np.concatenate([[0], (weights_BT == 0).astype(int).ravel()])) == 1
    assert len(bounds) - 1 <= len(np.unique(flat_starts[counted])) + 4 and runs.sum() <= 4


@pytest.mark.parametrize("rows,vocab,z_loss", [(1, 7, 0.0), (300, 33, 0.01), (517, 129, 0.0)])
def test_cross_entropy_and_gradients(monkeypatch, rows, vocab, z_loss):
    monkeypatch.setattr(gpu, "LOGIT_BYTES", 1)
    monkeypatch.setattr(reference, "LEAST_ROWS", 128)
    hidden = torch.randn(rows, 12, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(vocab, 12, dtype=torch.float64, requires_grad=True)
    targets, weights = torch.randint(0, vocab, (rows,)), torch.randint(0, 3, (rows,)).double()
    targets[weights == 0] = -100
    logits = hidden @ weight.T
    each = torch.nn.functional.cross_entropy(logits, targets.clamp(min=0), reduction="none")
    wanted = (weights * (each + z_loss * logits.logsumexp(-1).square())).sum() * 0.5
    wanted_grads = torch.autograd.grad(wanted, (hidden, weight))
    ours = gpu.linear_cross_entropy(hidden, weight, targets, weights, z_loss) * 0.5
    torch.testing.assert_close(ours, wanted)
    for got, grad in zip(torch.autograd.grad(ours, (hidden, weight)), wanted_grads, strict=True):
        torch.testing.assert_close(got, grad)


def test_cross_entropy_in_bf16_with_fp32_masters():
    hidden = torch.randn(70, 16).bfloat16().requires_grad_()
    weight = torch.randn(50, 16, requires_grad=True)
    targets, weights = torch.randint(0, 50, (70,)), torch.ones(70)
    wanted = torch.nn.functional.cross_entropy(hidden.double() @ weight.double().T, targets, reduction="sum")
    ours = gpu.linear_cross_entropy(hidden, weight, targets, weights, 0.0)
    assert ours.item() == pytest.approx(wanted.item(), rel=5e-3)
    got, exact = torch.autograd.grad(ours, (hidden, weight)), torch.autograd.grad(wanted, (hidden, weight))
    assert got[0].dtype == torch.bfloat16 and got[1].dtype == torch.float32
    for mine, true in zip(got, exact, strict=True):
        assert (mine.double() - true.double()).norm() < 0.02 * true.double().norm()


@pytest.mark.slow
@pytest.mark.skipif(
    " " in torch.__file__, reason="inductor does not quote its paths: PyTorch lies under a space"
)
def test_the_compiled_cross_entropy_is_one_graph_for_any_number_of_rows(monkeypatch):
    monkeypatch.setattr(gpu, "LOGIT_BYTES", 1)
    monkeypatch.setattr(reference, "LEAST_ROWS", 128)
    weight = torch.randn(300, 8, requires_grad=True)
    counters["stats"].clear()
    for rows in (300, 290):
        hidden = torch.randn(rows, 8).bfloat16().requires_grad_()
        targets, weights = torch.randint(0, 300, (rows,)), (torch.arange(rows) % 7 > 0).float()
        found = []
        for compiled in (True, False):
            total = gpu.linear_cross_entropy(hidden, weight, targets, weights, 1e-4, compiled=compiled)
            found.append((total, *torch.autograd.grad(total, (hidden, weight))))
        for ours, plain in zip(*found, strict=True):
            assert (ours - plain).double().norm() <= 1e-3 * plain.double().norm()
    assert counters["stats"]["unique_graphs"] == 1


def test_many_adamw_steps_equal_single_ones():
    shapes = [(5, 3), (7,), (2, 2)]
    state = [[torch.randn(shape).abs() for shape in shapes] for _ in range(4)]
    copies = [[tensor.clone() for tensor in group] for group in state]
    settings = {"lr": 0.01, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1, "grad_scale": 0.25}
    for step in (1, 2, 3):
        state[1] = [torch.randn(shape) for shape in shapes]
        copies[1] = [grad.clone() for grad in state[1]]
        gpu.adamw_steps(*state, step=step, **settings)
        for tensors in zip(*copies, strict=True):
            reference.adamw_step(*tensors, step=step, **settings)
    for kind in (0, 2, 3):
        torch.testing.assert_close(state[kind], copies[kind], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 48, 48), (2, 24, 96), (2, 96, 24)])
def test_newton_schulz_in_bf16_keeps_directions(shape):
    matrix = torch.randn(shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    ours = reference.newton_schulz_bf16(matrix)
    assert ours.dtype == matrix.dtype
    values = torch.linalg.svdvals(ours)
    assert values.min() > 0.6 and values.max() < 1.3
    agreement = (ours * (left @ right)).sum((-2, -1)) / min(shape[1:])
    assert agreement.min() > 0.9


def test_square_norms():
    tensors = [torch.randn(33, 5), torch.randn(7)]
    wanted = sum(tensor.double().square().sum() for tensor in tensors)
    torch.testing.assert_close(gpu.square_norms(tensors), wanted, rtol=1e-5, atol=0.0)


SHAPE = ModelConfig(
    vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=5, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
)  # fmt: skip


def test_compiled_layers_are_two_whole_graphs_for_any_number_of_documents():
    plain, compiled = Llama(SHAPE, torch.bfloat16), Llama(SHAPE, torch.bfloat16)
    for model in (plain, compiled):
        model.initialise(3)
    counter = CompileCounterWithBackend("aot_eager")
    compiled.compile_layers(counter)
    tokens_BT, slopes_BTD = torch.randint(0, 50, (2, 24)), torch.randn(2, 24, 32)
    for seed in range(4):
        starts_BT, weights_BT = mixed_rows(2, 24, seed)
        documents = torch.from_numpy(starts_BT), torch.from_numpy(document_bounds(starts_BT, weights_BT))
        counted = torch.from_numpy(weights_BT)[:, :, None]
        found = []
        for model in (plain, compiled):
            model.zero_grad()
            hidden_BTD = model.hidden(tokens_BT, *documents)
            (hidden_BTD.float() * counted * slopes_BTD).sum().backward()
            found.append([hidden_BTD * counted, *(weight.grad for weight in model.parameters())])
        for ours, theirs in zip(*found, strict=True):
            assert (ours - theirs).float().norm() < 0.03 * theirs.float().norm()
    assert counter.frame_count == 2  # the first layer has no residual; the others share one graph
