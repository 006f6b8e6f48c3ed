"""Generation and sampling: what is chosen has the wanted probabilities, and answers end where they are said to."""

from __future__ import annotations

import pytest
import torch

from smolforge.language_model import Sampling
from smolforge.model import sampling
from smolforge.model.config import ModelConfig
from smolforge.model.generate import ENDED_STEPS, TorchLanguageModel
from smolforge.model.transformer import Llama

DRAWS = 50_000


def wanted_probabilities(logits_V: torch.Tensor, how: Sampling) -> torch.Tensor:
    """By the definitions of temperature, top-k and top-p, one after the other."""
    probability_V = (logits_V.double() / how.temperature).softmax(0)
    best_V, order_V = probability_V.sort(descending=True)
    if how.top_k:
        best_V[how.top_k :] = 0
        best_V /= best_V.sum()
    if how.top_p < 1:
        best_V[best_V.cumsum(0) - best_V >= how.top_p] = 0
    found_V = torch.zeros_like(probability_V)
    found_V[order_V] = best_V / best_V.sum()
    return found_V


@pytest.mark.parametrize("vocabulary", [7, sampling.BLOCK, 3 * sampling.BLOCK + 1])
@pytest.mark.parametrize(
    "how",
    [
        Sampling(temperature=0.8),
        Sampling(temperature=0.8, top_p=0.7),
        Sampling(temperature=1.5, top_k=5),
        Sampling(temperature=0.8, top_p=0.7, top_k=5),
    ],
    ids=["all", "top-p", "top-k", "both"],
)
def test_tokens_are_drawn_with_their_probabilities(vocabulary, how):
    logits_V = 2 * torch.randn(vocabulary, generator=torch.Generator().manual_seed(vocabulary))
    # Random numbers in even steps leave no chance: each token gets its share to within one draw at each of its edges.
    uniform_N = (torch.arange(DRAWS, dtype=torch.float64) + 0.5) / DRAWS
    drawn = [sampling._sample(logits_V.expand(len(u), -1), how, u) for u in uniform_N.split(1000)]
    share_V = torch.bincount(torch.cat(drawn), minlength=vocabulary).double() / DRAWS
    assert (share_V - wanted_probabilities(logits_V, how)).abs().max() <= 2 / DRAWS


def test_a_nucleus_larger_than_the_head_is_looked_at_whole():
    vocabulary = 2 * sampling.NUCLEUS_HEAD
    logits_RV = torch.zeros(64, vocabulary)
    logits_RV[0, :3] = 30.0  # one row whose nucleus is small, among others whose nucleus is everything
    uniform_R = torch.linspace(0.01, 0.99, 64, dtype=torch.float64)
    token_R = sampling._sample(logits_RV, Sampling(temperature=1.0, top_p=0.95), uniform_R)
    assert token_R[0] < 3
    assert len(set(token_R[1:].tolist())) == 63


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_a_token_of_no_probability_is_never_drawn(top_p):
    logits_RV = torch.full((2, 1000), -torch.inf)
    logits_RV[:, 5], logits_RV[:, 900] = 1.0, 1.0
    uniform_R = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert sampling._sample(logits_RV, Sampling(temperature=1.0, top_p=top_p), uniform_R).tolist() == [5, 900]


@pytest.fixture(scope="module")
def reader():
    config = ModelConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=128,
    )  # fmt: skip
    model = Llama(config)
    model.initialise(3)
    return TorchLanguageModel(model)


def test_answers_end_by_what_they_say_and_the_others_go_on(reader):
    prompts = [[1, 2, 3], [4, 5], [6], [7, 8, 9, 10]]
    how = Sampling(max_new_tokens=4 * ENDED_STEPS)
    whole = reader.generate(prompts, how)
    asked: list[int] = []

    def ended(place, ids):
        asked.append(place)
        return place in (1, 3)

    cut = reader.generate(prompts, how, ended=ended)
    assert [len(ids) for ids in cut] == [4 * ENDED_STEPS, ENDED_STEPS, 4 * ENDED_STEPS, ENDED_STEPS]
    assert all(ids == full[: len(ids)] for ids, full in zip(cut, whole, strict=True))
    assert asked.count(1) == 1 and asked.count(0) == 4


def test_one_hears_how_many_answers_are_done(reader, monkeypatch):
    """Over several batches too: with room for two rows at a time."""
    monkeypatch.setattr("smolforge.model.generate.CACHE_BYTES", 2 * 40 * reader.token_bytes)
    prompts, heard = [[1, 2, 3], [4, 5], [6], [7, 8, 9, 10]], []
    how = Sampling(max_new_tokens=4 * ENDED_STEPS)
    reader.generate(prompts, how, ended=lambda place, ids: place == 1, told=heard.append)
    assert heard == sorted(heard) and heard[-1] == 4 and {1, 2} <= set(heard)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_are_the_same_however_few_rows_have_room(reader, monkeypatch, temperature):
    """Rows end at unlike lengths and prompts of unlike lengths take their places, longer ones in a larger cache."""
    prompts = [[1 + i % 7] * (1 + (5 * i) % 23) for i in range(13)]
    how = Sampling(max_new_tokens=5 * ENDED_STEPS, temperature=temperature, seed=4, repetition_penalty=1.3)

    def ended(place, ids):
        return len(ids) >= ENDED_STEPS * (1 + place % 5)

    together = reader.generate(prompts, how, stop=[9], ended=ended)
    assert len({len(ids) for ids in together}) > 3
    refilled = []
    fill_up = type(reader)._fill_up

    def noted(self, writing, waiting, ready, how):
        before = len(waiting)
        kept = fill_up(self, writing, waiting, ready, how)
        refilled.append((kept, before - len(waiting)))
        return kept

    monkeypatch.setattr(type(reader), "_fill_up", noted)
    monkeypatch.setattr("smolforge.model.generate.CACHE_BYTES", 4 * 64 * reader.token_bytes)
    assert reader.generate(prompts, how, stop=[9], ended=ended) == together
    assert sum(kept > 0 and added > 0 for kept, added in refilled) >= 2, "rows go on while others are read"
