"""Log-probabilities with shared beginnings against each text read alone."""

from __future__ import annotations

import random

import pytest
import torch

from smolforge.language_model import Sampling
from smolforge.model import likelihood
from smolforge.model.config import ModelConfig
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.transformer import Llama


@pytest.fixture(scope="module")
def network():
    config = ModelConfig(
        vocab_size=97, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=160,
    )  # fmt: skip
    model = Llama(config)
    model.initialise(3)
    return model


def alone(network, prompt, continuation):
    """One text through the training forward pass: its log-probability and whether it is greedy."""
    ids = torch.tensor([[*prompt, *continuation]])
    with torch.no_grad():
        logits_TV = network(ids[:, :-1])[0]
    scored = logits_TV[len(prompt) - 1 :].log_softmax(-1)
    targets = torch.tensor(continuation)
    return float(scored[torch.arange(len(targets)), targets].sum()), bool(
        (scored.argmax(-1) == targets).all()
    )


def task(seed, shots, items):
    """Prompts with the same examples before them, and choices of one to nine tokens, some beginning alike."""
    draw = random.Random(seed)

    def words(count):
        return [draw.randrange(1, 97) for _ in range(count)]

    examples, prompts, continuations = words(shots), [], []
    for _ in range(items):
        prompt, start = examples + words(draw.randint(1, 20)), words(draw.randint(0, 2))
        for _ in range(draw.randint(1, 4)):
            prompts.append(prompt)
            continuations.append(start + words(draw.randint(1, 7)))
    return prompts, continuations


@pytest.mark.parametrize("shots", [0, 60, 110])
def test_sharing_changes_no_score(network, shots):
    prompts, continuations = task(1, shots, 12)
    prompts += [prompts[0], prompts[0][:1], []]
    continuations += [continuations[0], [5], []]
    found = likelihood.logprobs(TorchLanguageModel(network), prompts, continuations)
    for prompt, continuation, one in zip(prompts[:-1], continuations[:-1], found[:-1], strict=True):
        total, greedy = alone(network, prompt, continuation)
        assert one.total == pytest.approx(total, abs=1e-4)
        assert (one.tokens, one.is_greedy) == (len(continuation), greedy)
    assert (found[-1].total, found[-1].tokens, found[-1].is_greedy) == (0.0, 0, True)


def test_a_greedy_continuation_is_known_as_one(network):
    reader = TorchLanguageModel(network)
    prompts, _ = task(2, 60, 5)
    answers = reader.generate(prompts, Sampling(max_new_tokens=4))
    assert all(one.is_greedy for one in reader.logprobs(prompts, answers))
    changed = [[*answer[:-1], (answer[-1] + 1) % 97] for answer in answers]
    assert not any(one.is_greedy for one in reader.logprobs(prompts, changed))


def test_every_shared_token_is_read_once(network, monkeypatch):
    """Ten questions behind 100 tokens of examples, four choices each that part at their second token."""
    reader, read = TorchLanguageModel(network), []
    inner = reader.read
    monkeypatch.setattr(reader, "read", lambda rows, *rest: read.extend(map(len, rows)) or inner(rows, *rest))
    examples = list(range(1, 90)) + list(range(1, 12))
    prompts = [[*examples, 90, n, n + 1] for n in range(10) for _ in range(4)]
    continuations = [[7, 10 + k, 20 + k] for _ in range(10) for k in range(4)]
    likelihood.logprobs(reader, prompts, continuations)
    # the last token of each choice is only scored, the first of them is the same one
    assert sum(read) == 101 + 10 * (2 + 1) + 40 * 1


def test_little_room_changes_nothing(network, monkeypatch):
    reader = TorchLanguageModel(network)
    prompts, continuations = task(3, 60, 9)
    whole = reader.logprobs(prompts, continuations)
    monkeypatch.setattr(likelihood, "BATCH_TOKENS", 16)
    monkeypatch.setattr(likelihood, "CACHE_BYTES", reader.token_bytes * 100)
    monkeypatch.setattr(likelihood, "LOGIT_NUMBERS", 97 * 3)
    for one, other in zip(whole, reader.logprobs(prompts, continuations), strict=True):
        assert one.total == pytest.approx(other.total, abs=1e-4)


def test_questions_of_two_tasks_keep_their_own_examples(network):
    first, second = task(4, 70, 4), task(5, 90, 4)
    prompts, continuations = first[0] + second[0], first[1] + second[1]
    pieces = [
        likelihood.Piece(n, (*p, *c), len(p))
        for n, (p, c) in enumerate(zip(prompts, continuations, strict=True))
    ]
    groups = list(likelihood._shared_prefixes(likelihood._trunks(iter(pieces))))
    assert sorted(len(prefix) for prefix, _ in groups) == [70, 90]
