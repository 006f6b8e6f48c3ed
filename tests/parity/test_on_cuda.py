"""On a card: every path that only CUDA takes, against plain float64 or the plain loop. `pytest tests -m cuda`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import packed_rows

from smolforge import kernels
from smolforge.data.tokens.batches import Batch
from smolforge.kernels import gpu, reference
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train.config import OptimConfig
from smolforge.train.feed import document_bounds, placed
from smolforge.train.loop import TrainState, fit
from smolforge.train.loss import micro_batches, next_token_loss
from smolforge.train.optim import make_optimizer

pytestmark = pytest.mark.cuda

SHAPE = ModelConfig(
    vocab_size=512, hidden_size=256, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, head_dim=64, max_position_embeddings=256,
)  # fmt: skip
CARD = torch.device("cuda")


def rows_of_documents(rows: int, length: int, vocab: int, seed: int) -> Batch:
    draw = np.random.default_rng(seed)
    starts, weights = packed_rows(draw, rows, length, [1, 3, 30, 100], padding=9)
    begins, steps = draw.integers(1, vocab, (rows, 1)), draw.integers(1, 5, (rows, 1))
    tokens = (begins + steps * np.arange(length + 1)) % vocab  # counting: something to learn
    return Batch(tokens[:, :-1], tokens[:, 1:], weights, starts)


class Batches:
    """As many as wanted, each of its own seed."""

    def __init__(self, rows=8, length=256):
        self.rows, self.length, self.place = rows, length, 0

    def next(self):
        self.place += 1
        return rows_of_documents(self.rows, self.length, 512, self.place)

    def state(self):
        return {"place": self.place}

    def restore(self, state):
        self.place = state["place"]


def relative(ours: torch.Tensor, exact: torch.Tensor) -> float:
    return float((ours.double().cpu() - exact.double().cpu()).norm() / exact.double().cpu().norm())


@pytest.mark.parametrize("heads,kv_heads,width", [(9, 3, 64), (4, 4, 64), (8, 2, 32)])
def test_packed_flash_attention_and_its_gradients(heads, kv_heads, width):
    torch.manual_seed(1)
    batch = rows_of_documents(3, 256, 512, 1)
    bounds_C = placed(document_bounds(batch.starts_BT, batch.weights_BT), CARD)
    cos, sin = reference.rotary_tables(256, width, 10_000.0)
    qkv = torch.randn(
        3, 256, (heads + 2 * kv_heads) * width, device=CARD, dtype=torch.bfloat16, requires_grad=True
    )
    exact = qkv.detach().double().cpu().requires_grad_()
    counted = torch.from_numpy(batch.weights_BT)[:, :, None]
    assert gpu.serves_documents(qkv, heads, kv_heads)
    ours = kernels.rotary_attention(qkv, heads, kv_heads, cos.to(CARD), sin.to(CARD), None, None, bounds_C)
    theirs = reference.rotary_attention(
        exact, heads, kv_heads, cos.double(), sin.double(), None, torch.from_numpy(batch.starts_BT)
    )
    slopes = torch.randn(theirs.shape) * counted
    ours.backward(slopes.to(CARD, torch.bfloat16))
    theirs.backward(slopes.double())
    assert relative(ours.detach().cpu() * counted, theirs.detach() * counted) < 0.01
    assert relative(qkv.grad, exact.grad) < 0.02


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rows", [700, 9_000])
def test_cross_entropy_keeps_no_logits_and_is_right(rows, compiled):
    torch.manual_seed(2)
    hidden = torch.randn(rows, 64, device=CARD).bfloat16().requires_grad_()
    weight = (0.3 * torch.randn(49_152, 64, device=CARD)).requires_grad_()
    targets, weights = torch.randint(0, 49_152, (rows,), device=CARD), torch.ones(rows, device=CARD)
    weights[::7] = 0
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    total, count = kernels.linear_cross_entropy(hidden, weight, targets, weights, 1e-4, compiled)
    got = torch.autograd.grad(total, (hidden, weight))
    if compiled:
        assert torch.cuda.max_memory_allocated() - before < 4 * gpu.LOGIT_BYTES
    wide, master = hidden.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    wanted = torch.zeros((), device=CARD, dtype=torch.float64)
    for part in torch.arange(rows, device=CARD).split(1000):
        logits = wide[part] @ master.T
        each = torch.nn.functional.cross_entropy(logits, targets[part], reduction="none")
        wanted = wanted + (weights[part] * (each + 1e-4 * logits.logsumexp(-1).square())).sum()
    exact = torch.autograd.grad(wanted, (wide, master))
    assert float(count) == float(weights.sum()) and relative(total.detach(), wanted.detach()) < 2e-3
    assert relative(got[0], exact[0]) < 0.02 and relative(got[1], exact[1]) < 0.02


def test_compiled_layers_equal_plain_ones():
    batch = next(micro_batches(rows_of_documents(4, 256, 512, 3), 10**6, CARD))
    found = []
    for compiled in (False, True):
        model = Llama(SHAPE, torch.bfloat16)
        model.initialise(5)
        model.to(CARD)
        if compiled:
            model.compile_layers()
        next_token_loss()(model, batch).total.backward()
        found.append([weight.grad for weight in model.parameters()])
    for plain, ours in zip(*found, strict=True):
        assert relative(ours, plain) < 0.03


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_the_loss_curve_is_that_of_the_cpu(kind):
    curves = []
    for device in ("cpu", "cuda"):
        model = Llama(SHAPE, torch.float32 if device == "cpu" else torch.bfloat16)
        model.initialise(5, zero_outputs=True)
        model.to(device)
        if device == "cuda":
            model.compile_layers()
        state = TrainState(model=model, optimizer=make_optimizer(model, OptimConfig(kind=kind, lr=0.003)))
        steps = fit(state, Batches(), next_token_loss(), lambda step, tokens: 1.0, until_step=30)
        curves.append([step.loss for step in steps])
    assert curves[0][-1] < 0.8 * curves[0][0]
    np.testing.assert_allclose(curves[1], curves[0], rtol=0.03)


DETERMINISTIC = """
import hashlib, sys
from smolforge.devices import prepare
from smolforge.devices import Machine
prepare(Machine(device="cuda", deterministic=True))
import torch
from test_on_cuda import SHAPE, Batches
from smolforge.model.transformer import Llama
from smolforge.train.config import OptimConfig
from smolforge.train.loop import TrainState, fit
from smolforge.train.loss import next_token_loss
from smolforge.train.optim import make_optimizer
model = Llama(SHAPE, torch.bfloat16); model.initialise(5); model.to("cuda"); model.compile_layers()
state = TrainState(model=model, optimizer=make_optimizer(model, OptimConfig(lr=0.003)))
for step in fit(state, Batches(), next_token_loss(), lambda step, tokens: 1.0, until_step=8, micro_tokens=1024): pass
digest = hashlib.sha256()
for weight in model.parameters(): digest.update(weight.detach().cpu().numpy().tobytes())
print(digest.hexdigest())
"""


def test_deterministic_training_gives_the_same_bits_in_two_processes():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    digests = [
        subprocess.run(
            [sys.executable, "-c", DETERMINISTIC], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        for _ in range(2)
    ]
    assert digests[0] == digests[1]


def test_nothing_waits_for_the_card_before_the_one_reading_of_a_step():
    """With the driver told to refuse every wait, the gradients of a whole step are still made."""
    from smolforge.train.loop import summed_gradients

    model = Llama(SHAPE, torch.bfloat16)
    model.initialise(5)
    model.to(CARD)
    batch = rows_of_documents(8, 256, 512, 4)
    summed_gradients(model, batch, next_token_loss(), 512)  # first use of everything may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        sums = summed_gradients(model, batch, next_token_loss(), 512)
        make_optimizer(model, OptimConfig()).step(1.0, 1.0 / 1000)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert float(sums.count) == batch.weights_BT.sum()


def test_answers_and_their_probabilities_are_those_of_the_cpu():
    from smolforge.language_model import Sampling
    from smolforge.model.generate import TorchLanguageModel

    model = Llama(SHAPE)
    model.initialise(5)
    prompts = [[1, 2, 3], [7] * 40, [9, 8, 7, 6, 5, 4, 3, 2, 1, 10], [9, 8, 7, 6, 5, 4, 3, 2, 1, 10]]
    continuations = [[4, 5], [8], [11, 12, 13], [14]]
    found = []
    for device in ("cpu", "cuda"):
        reader = TorchLanguageModel(model.to(device))
        answers = reader.generate(prompts, Sampling(max_new_tokens=12), (3,))
        found.append((reader.logprobs(prompts, continuations), answers))
    for here, there in zip(found[0][0], found[1][0], strict=True):
        assert there.total == pytest.approx(here.total, rel=1e-3)
    assert found[0][1] == found[1][1]
