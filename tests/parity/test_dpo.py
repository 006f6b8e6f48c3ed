"""DPO and GRPO losses and gradients against formulas written out in float64 over `transformers`' logits."""

import math

import numpy as np
import pytest
import torch

from smolforge.align.dpo import REFERENCE, TokenPair, dpo_loss, preference_loss, with_reference
from smolforge.align.grpo import ADVANTAGE, OLD, grpo_loss
from smolforge.align.grpo import REFERENCE as KL_REFERENCE
from smolforge.align.rows import logprobs_of, rows_of
from smolforge.data.tokens.batches import Batch, Example
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.train.loop import accumulate

SHAPE = ModelConfig(
    vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
)  # fmt: skip


def network(seed):
    model = Llama(SHAPE, torch.float32)
    model.initialise(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
    return model


def theirs(model, folder):
    transformers = pytest.importorskip("transformers")
    save_model(folder, model)
    return transformers.LlamaForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager"
    )


def answer(generator, prompt, size):
    tokens = np.concatenate([prompt, generator.integers(1, 64, size)])
    return Example(tokens, np.array([0.0] * len(prompt) + [1.0] * size, dtype=np.float32))


def logprobs(model, example):
    """Log-probabilities of the answer's tokens, float64, from whole-sequence logits."""
    ids = torch.from_numpy(example.tokens)[None]
    logp = model(ids[:, :-1]).logits.log_softmax(-1)[0]
    picked = logp.gather(1, ids[0, 1:, None])[:, 0]
    return picked[torch.from_numpy(example.weights[1:]) > 0]


@pytest.fixture
def pairs():
    generator = np.random.default_rng(0)
    made = []
    for size in (3, 9, 5, 12, 4):
        prompt = generator.integers(1, 64, 4 + size % 3)
        made.append(TokenPair(answer(generator, prompt, size), answer(generator, prompt, size + 2)))
    return made


def same_gradients(ours, others, scale=1.0):
    reference = dict(others.named_parameters())
    for name, weight in ours.named_parameters():
        wanted = reference[name].grad
        assert torch.allclose(weight.grad.double() * scale, wanted, rtol=2e-3, atol=2e-5), name


@pytest.mark.parametrize(
    ("by_length", "nll", "smoothing", "form"),
    [
        (False, 0.0, 0.0, "sigmoid"),
        (True, 0.2, 0.0, "sigmoid"),
        (False, 0.1, 0.1, "sigmoid"),
        (False, 0.0, 0.0, "apo_zero"),
        (True, 0.1, 0.0, "apo_down"),
    ],
)
@pytest.mark.parametrize("micro_tokens", [1, 64, 10_000])
def test_dpo_is_the_papers_formula(pairs, tmp_path, by_length, nll, smoothing, form, micro_tokens):
    beta, policy, start = 0.3, network(1), network(2)
    ready = with_reference(start, pairs, length=48, rows=2, micro_tokens=10_000)
    rows = [e for pair in ready for e in (pair.chosen, pair.rejected)]
    batch = rows_of(rows, 48, group=2)
    batch = Batch(**{**vars(batch), "extra": {REFERENCE: np.array([r for p in ready for r in p.reference])}})
    loss = dpo_loss(beta, by_length=by_length, nll_weight=nll, smoothing=smoothing, form=form)
    total, count, figures = accumulate(policy, batch, loss, micro_tokens)

    (tmp_path / "policy").mkdir()
    (tmp_path / "start").mkdir()
    other, other_start = theirs(policy, tmp_path / "policy"), theirs(start, tmp_path / "start")
    wanted, right = torch.zeros((), dtype=torch.float64), 0
    for pair in pairs:
        chosen, rejected = logprobs(other, pair.chosen), logprobs(other, pair.rejected)
        with torch.no_grad():
            old_chosen, old_rejected = (
                logprobs(other_start, pair.chosen),
                logprobs(other_start, pair.rejected),
            )
        up, down = chosen.sum() - old_chosen.sum(), rejected.sum() - old_rejected.sum()
        if by_length:
            up, down = up / len(chosen), down / len(rejected)
        z = beta * (up - down)
        sigmoid = (1 - smoothing) * torch.log1p(torch.exp(-z)) + smoothing * torch.log1p(torch.exp(z))
        zero = 1 - torch.sigmoid(beta * up) + torch.sigmoid(beta * down)
        both_down = torch.sigmoid(beta * up) + 1 - torch.sigmoid(z)
        wanted = wanted + {"sigmoid": sigmoid, "apo_zero": zero, "apo_down": both_down}[form]
        wanted = wanted - nll * chosen.mean()
        right += int(z > 0)
    wanted.backward()
    assert count == 5 and figures["accuracy"] == right
    assert total == pytest.approx(wanted.item(), rel=1e-4)
    same_gradients(policy, other)


def test_dpo_by_hand():
    # beta 0.1; log-ratios 2 and -1: margin 0.3; loss ln(1 + e^-0.3) = 0.554355.
    found = preference_loss(
        torch.tensor([-3.0, -6.0]), torch.tensor([-5.0, -5.0]), torch.tensor([2, 2]), beta=0.1
    )
    assert float(found.total) == pytest.approx(0.554355, abs=1e-6)
    assert found.figures["margin"] == pytest.approx(0.3)


@pytest.mark.parametrize("by_answer", [True, False])
@pytest.mark.parametrize("kl", [0.0, 0.04])
@pytest.mark.parametrize("micro_tokens", [1, 10_000])
def test_grpo_is_the_papers_formula(pairs, tmp_path, by_answer, kl, micro_tokens):
    low, high, policy, sampled, start = 0.2, 0.28, network(1), network(3), network(2)
    with torch.no_grad():  # an older policy close by, so that some ratios are clipped and some are not
        for old, new in zip(sampled.parameters(), policy.parameters(), strict=True):
            old.copy_(new + 0.01 * torch.randn(new.shape, generator=torch.Generator().manual_seed(4)))
    rows = [e for pair in pairs for e in (pair.chosen, pair.rejected)]
    advantages = np.linspace(-2, 2, len(rows), dtype=np.float32)
    batch = rows_of(rows, 48)
    extra = {ADVANTAGE: advantages, OLD: logprobs_of(sampled, batch, 10_000)}
    if kl:
        extra[KL_REFERENCE] = logprobs_of(start, batch, 10_000)
    batch = Batch(**{**vars(batch), "extra": extra})
    loss = grpo_loss(clip_low=low, clip_high=high, kl_weight=kl, by_answer=by_answer)
    total, count, _ = accumulate(policy, batch, loss, micro_tokens)

    for name in ("policy", "sampled", "start"):
        (tmp_path / name).mkdir()
    other = theirs(policy, tmp_path / "policy")
    other_sampled, other_start = theirs(sampled, tmp_path / "sampled"), theirs(start, tmp_path / "start")
    terms, clipped = [], 0
    for example, advantage in zip(rows, advantages, strict=True):
        new = logprobs(other, example)
        with torch.no_grad():
            old, reference = logprobs(other_sampled, example), logprobs(other_start, example)
        per_token = []
        for t in range(len(new)):
            ratio = torch.exp(new[t] - old[t])
            held = min(max(ratio.item(), 1 - low), 1 + high)
            clipped += held != ratio.item()
            gain = ratio * float(advantage)
            if held * float(advantage) < float(gain):
                gain = torch.tensor(held * float(advantage), dtype=torch.float64)
            drift = torch.exp(reference[t] - new[t]) - (reference[t] - new[t]) - 1
            per_token.append(-gain + kl * drift)
        terms.append(torch.stack(per_token))
    wanted = sum(term.mean() for term in terms) if by_answer else sum(term.sum() for term in terms)
    wanted.backward()
    assert 5 < clipped < 70
    assert count == (len(rows) if by_answer else sum(len(term) for term in terms))
    assert total == pytest.approx(wanted.item(), rel=1e-3, abs=1e-4)
    same_gradients(policy, other)


def test_reference_of_itself_gives_ln_2(pairs):
    model = network(1)
    ready = with_reference(model, pairs, length=48, rows=3, micro_tokens=10_000)
    batch = rows_of([e for pair in ready for e in (pair.chosen, pair.rejected)], 48, group=2)
    batch = Batch(**{**vars(batch), "extra": {REFERENCE: np.array([r for p in ready for r in p.reference])}})
    total, count, _ = accumulate(model, batch, dpo_loss(0.5), 10_000)
    assert total / count == pytest.approx(math.log(2), abs=1e-5)
