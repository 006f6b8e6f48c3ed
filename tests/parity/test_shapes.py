"""The published shapes, every layer of them, against `transformers`: logits, loss and gradients in fp32.

Weights are random, large enough that attention is far from uniform. "Equal to 1e-4" means: the largest
difference is at most 1e-4 of the largest value, of the logits and of each parameter's gradient by itself.
Both models share the memory of the weights, and each gradient is dropped as soon as it has been compared.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import hf_config
from smolforge.recipe import load_recipe

transformers = pytest.importorskip("transformers")

ROOT = Path(__file__).resolve().parents[2]
RELATIVE = 1e-4
ROOM_BYTES = 3 * 2**29
"""Beside weights and gradients: activations, one gradient of the other model, the libraries."""


def published(scale: str) -> ModelConfig:
    return load_recipe(str(ROOT / "recipes" / "smollm2.py")).scales[scale].model


def free_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024


def fill(model: Llama) -> None:
    """Normal values of 1.5 / sqrt(width) for matrices; from one table, over and over: billions of draws take minutes."""
    size = 2**22 + 3
    table = torch.randn(size, generator=torch.Generator().manual_seed(5)).repeat(2)
    begin = 0
    for weight in model.parameters():
        scale = 1.5 * weight.shape[1] ** -0.5 if weight.ndim == 2 else 0.3
        for part in weight.detach().view(-1).split(size):
            torch.mul(table[begin : begin + len(part)], scale, out=part)
            begin = (begin + 1_000_003) % size
        if weight.ndim == 1:
            weight.detach().add_(1.0)


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, in units of the largest value; spoils both."""
    with torch.no_grad():
        return float(ours.sub_(theirs).abs_().max() / theirs.abs_().max())


def compare_gradients_as_they_come(ours: Llama, theirs: torch.nn.Module) -> dict[str, float]:
    """Filled during the other model's backward pass: the difference of every parameter's gradient."""
    found: dict[str, float] = {}
    own = dict(ours.named_parameters())

    def compare(name: str, weight: Tensor) -> None:
        found[name] = difference(own[name].grad, weight.grad)
        own[name].grad = weight.grad = None

    for name, weight in theirs.named_parameters():
        weight.register_post_accumulate_grad_hook(lambda weight, name=name: compare(name, weight))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["135m", "360m", "1.7b"])
def test_published_shapes_equal_transformers(scale: str) -> None:
    config = published(scale)
    needed = 2 * 4 * config.parameters + ROOM_BYTES
    if free_bytes() < needed:
        pytest.skip(f"needs {needed / 2**30:.0f} GiB of free memory")
    ours = Llama(config)
    fill(ours)
    with torch.device("meta"):
        theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**hf_config(config)))
    theirs.load_state_dict(ours.state_dict(), strict=False, assign=True)
    theirs.tie_weights()
    theirs.model.rotary_emb = type(theirs.model.rotary_emb)(theirs.config)  # has a table, which is no weight
    theirs.requires_grad_(True)
    assert not any(weight.is_meta for weight in theirs.parameters())
    tokens = torch.randint(0, config.vocab_size, (2, 9), generator=torch.Generator().manual_seed(1))

    logits = ours(tokens)
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    reference = theirs(tokens, labels=tokens, use_cache=False)
    assert difference(logits.detach().clone(), reference.logits.detach().clone()) < RELATIVE
    assert loss.item() == pytest.approx(reference.loss.item(), rel=RELATIVE)
    loss.backward()
    found = compare_gradients_as_they_come(ours, theirs)
    reference.loss.backward()
    assert set(found) == {name for name, _ in ours.named_parameters()}
    assert {name: value for name, value in found.items() if value > RELATIVE} == {}
