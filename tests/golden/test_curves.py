"""Curves of tiny pre-trainings, SFT, DPO and GRPO: changed only with a reason, and with the stages' versions.

A curve pins the order of data, the packing, the initial weights, the model, the loss, the optimiser, clipping and
the schedule at once; that of GRPO the sampling and the advantages too. Golden: loss and gradient norm of every
step, and GRPO's rewards, in fp32. Training in bf16 and fp16 must keep near them, but for GRPO: one answer sampled
otherwise, and all that follows is another. To renew them: `PYTHONPATH=tests python tests/golden/test_curves.py`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import VOCABULARY, write_domain

from smolforge.align.dpo import PairBatches, TokenPair, dpo_loss, with_reference
from smolforge.align.grpo import Rollout, RolloutBatches, grpo_loss
from smolforge.data.tokens.batches import Example, ExampleBatches, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig
from smolforge.train.loop import BatchSource, TrainState, fit
from smolforge.train.loss import Loss, next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype
from smolforge.train.schedule import over_steps

GOLDEN = Path(__file__).with_name("curves.json")
MODEL = ModelConfig(
    vocab_size=VOCABULARY,
    hidden_size=48,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=64,
)
ASK, SAY, END = 2, 3, 4
Curve = dict[str, list[float]]


def fresh_model(compute: Compute, zero_outputs: bool = False) -> Llama:
    model = Llama(MODEL, compute_dtype(compute, "cpu"))
    model.initialise(7, zero_outputs=zero_outputs)
    return model


def train(
    model: Llama, optim: OptimConfig, batches: BatchSource, loss: Loss, schedule: ScheduleConfig, steps: int
) -> Curve:
    state = TrainState(model=model, optimizer=make_optimizer(model, optim))
    made = fit(
        state,
        batches,
        loss,
        over_steps(schedule, steps),
        until_step=steps,
        micro_tokens=128,
        clip=optim.clip,
        skip_deviations=optim.skip_deviations,
    )
    taken = [(step.loss, step.grad_norm) for step in made]
    return {"loss": [loss for loss, _ in taken], "grad_norm": [norm for _, norm in taken]}


def pretrain(folder: Path, compute: Compute, kind: str) -> Curve:
    domains = {"a": write_domain(folder / "a", 3), "b": write_domain(folder / "b", 5)}
    batches = MixtureBatches(domains, Mixture(weights={"a": 0.7, "b": 0.3}), length=64, rows=4, seed=7)
    optim = OptimConfig(kind=kind, lr=0.02 if kind == "muon" else 0.004, embedding_lr=0.005, z_loss=1e-4)  # type: ignore[arg-type]
    schedule = ScheduleConfig(warmup_share=0.1, decay_share=0.4)
    model = fresh_model(compute, zero_outputs=kind == "muon")
    return train(model, optim, batches, next_token_loss(optim.z_loss), schedule, 40)


def prompt(number: int) -> list[int]:
    return [ASK, 5 + (number * 13) % 80, SAY]


def counting(number: int, step: int) -> Example:
    """A prompt, and an answer that counts on from it; the answer alone is learned."""
    asked, length = prompt(number), 4 + (number * 5) % 14
    answer = [5 + (asked[1] + place * step) % 90 for place in range(length)] + [END]
    weights = np.array([0.0] * len(asked) + [1.0] * len(answer), dtype=np.float32)
    return Example(np.array(asked + answer, dtype=np.int64), weights)


def sft(folder: Path, compute: Compute) -> Curve:
    examples = [counting(number, 3) for number in range(120)]
    batches = ExampleBatches(examples, length=64, rows=4, seed=7, epochs=4)
    optim = OptimConfig(kind="muon", lr=0.01, embedding_lr=0.004, norm_lr=0.004)
    schedule = ScheduleConfig(kind="cosine", warmup_share=0.1, floor=0.0)
    steps = batches.count_batches()
    return train(fresh_model(compute), optim, batches, next_token_loss(), schedule, steps)


def dpo(folder: Path, compute: Compute) -> Curve:
    model = fresh_model(compute)
    pairs = [TokenPair(counting(number, 3), counting(number, 7)) for number in range(48)]
    ready = with_reference(model, pairs, length=64, rows=8, micro_tokens=256)
    batches = PairBatches(ready, length=64, pairs_per_step=8, seed=7, epochs=4)
    optim = OptimConfig(kind="adamw", lr=1e-3, embedding_lr=1e-3, norm_lr=1e-3, skip_deviations=0.0)
    loss = dpo_loss(0.5, nll_weight=0.1)
    return train(
        model, optim, batches, loss, ScheduleConfig(kind="linear", floor=0.1), batches.count_batches()
    )


def grpo(folder: Path, compute: Compute) -> Curve:
    """Earns the share of an answer's tokens that are even."""
    model, rewards = fresh_model(compute), []

    def judge(questions, answers, ended):
        earned = [float(np.mean(np.array([*answer, 1]) % 2 == 0)) for answer in answers]
        rewards.append(float(np.mean(earned)))
        return earned

    how = Rollout(
        questions=4,
        group=4,
        max_new_tokens=8,
        length=64,
        updates=2,
        seed=7,
        micro_tokens=256,
        temperature=1.0,
    )
    prompts = [prompt(number) for number in range(10)]
    batches = RolloutBatches(model, copy.deepcopy(model), prompts, judge, how, stop=(END,), rounds=10)
    optim = OptimConfig(kind="adamw", lr=5e-3, embedding_lr=5e-3, norm_lr=5e-3, skip_deviations=0.0)
    schedule = ScheduleConfig(kind="linear", warmup_share=0.1, floor=0.1)
    found = train(model, optim, batches, grpo_loss(kl_weight=0.02), schedule, batches.count_batches())
    return {**found, "reward": rewards}


CURVES: dict[str, Callable[[Path, Compute], Curve]] = {
    "pretrain-muon": lambda folder, compute: pretrain(folder, compute, "muon"),
    "pretrain-adamw": lambda folder, compute: pretrain(folder, compute, "adamw"),
    "sft": sft,
    "dpo": dpo,
    "grpo": grpo,
}


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", CURVES)
def test_curve(tmp_path, name, one_thread):
    found = CURVES[name](tmp_path, "float32")
    golden = json.loads(GOLDEN.read_text())[name]
    assert set(found) == set(golden)
    assert found["loss"] == pytest.approx(golden["loss"], abs=3e-3)
    assert found["grad_norm"] == pytest.approx(golden["grad_norm"], rel=0.02, abs=1e-3)
    if name == "grpo":
        assert found["reward"] == pytest.approx(golden["reward"], abs=0.01)
        assert np.mean(found["reward"][-3:]) > np.mean(found["reward"][:3]) + 0.05
    else:
        assert found["loss"][-1] < 0.75 * found["loss"][0]


@pytest.mark.parametrize("compute", ["bfloat16", "float16"], ids=["bf16", "fp16"], indirect=True)
@pytest.mark.parametrize("name", [name for name in CURVES if name != "grpo"])
def test_a_curve_of_fewer_bits_keeps_near(tmp_path, name, compute, one_thread):
    """Measured with and without the C kernels, with AVX2, AVX-512 and AMX: at most a quarter of what is allowed."""
    found, golden = CURVES[name](tmp_path, compute), json.loads(GOLDEN.read_text())[name]
    assert found["loss"] == pytest.approx(golden["loss"], abs=0.01)
    assert found["grad_norm"] == pytest.approx(golden["grad_norm"], rel=0.06, abs=1e-3)
    assert found["loss"] != pytest.approx(golden["loss"], abs=1e-6), "it ran in fp32"


if __name__ == "__main__":
    import tempfile

    torch.set_num_threads(1)
    curves = {}
    for name, make in CURVES.items():
        with tempfile.TemporaryDirectory() as place:
            curves[name] = {
                figure: [round(value, 5) for value in values]
                for figure, values in make(Path(place), "float32").items()
            }
    GOLDEN.write_text(json.dumps(curves) + "\n")
