"""Copying from the context: the exercises that teach it, and the start that makes it easy."""

from __future__ import annotations

import itertools

import torch

from smolforge.model import induction
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.written.synthetic import recitation

SHAPE = ModelConfig(
    vocab_size=300,
    hidden_size=128,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=128,
    initializer_range=0.08,
)


def repeated_loss(model: Llama) -> float:
    """Mean loss in nats over the second half of sequences whose halves are equal."""
    draw = torch.Generator().manual_seed(5)
    half = torch.randint(0, SHAPE.vocab_size, (16, 24), generator=draw)
    tokens = torch.cat([half, half], dim=1)
    with torch.no_grad():
        logits = model(tokens)[:, 24:-1]
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 25:].flatten()))


def test_an_untrained_model_copies_better_than_it_guesses() -> None:
    model = Llama(SHAPE)
    model.initialise(0, zero_outputs=True)
    before = repeated_loss(model)
    induction.lay_down(model, 1)
    assert repeated_loss(model) < before - 1.0


def test_the_start_depends_on_the_seed_alone() -> None:
    weights = []
    for seed in (1, 1, 2):
        model = Llama(SHAPE)
        model.initialise(0)
        induction.lay_down(model, seed)
        weights.append(model.model.layers[1].self_attn.k_proj.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_every_list_and_line_is_repeated_whole() -> None:
    seen = {"list": 0, "line": 0}
    for document in itertools.islice(recitation(3, 400), 400):
        style = document.meta["style"]
        if style not in seen:
            continue
        for exercise in document.text.split("\n\n"):
            lines = exercise.split("\n")
            if style == "list":
                assert lines[0].endswith(lines[1])
            else:
                assert lines[1] == lines[2]
            seen[style] += 1
    assert min(seen.values()) > 50


def test_exercises_repeat_from_run_to_run() -> None:
    first = [d.text for d in recitation(3, 20)]
    assert first == [d.text for d in recitation(3, 20)]
    assert first != [d.text for d in recitation(4, 20)]
