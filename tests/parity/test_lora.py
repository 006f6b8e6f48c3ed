"""Adapters against `peft`: the same logits, losses and gradients, files that it loads, and a merge that changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from families import FAMILIES, PLAIN
from torch.nn import functional

from smolforge import kernels
from smolforge.errors import ConfigError
from smolforge.language_model import Sampling
from smolforge.model.config import PRODUCTS, LoraConfig, ModelConfig
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.lora import add_adapters, merge, save_adapter
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.train.config import Compute, OptimConfig
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype

LORA = LoraConfig(rank=4, alpha=12.0)


def adapted(config: ModelConfig, lora: LoraConfig, seed: int = 0) -> Llama:
    """A model whose adapters are far from zero."""
    model = Llama(config)
    model.initialise(seed)
    add_adapters(model, lora, seed)
    draw = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("lora_B.weight"):
                weight.normal_(0.0, 0.1, generator=draw)
    return model


@pytest.mark.parametrize(
    "targets", [PRODUCTS, ("q_proj", "v_proj"), ("k_proj", "down_proj")], ids=["all", "qv", "kd"]
)
@pytest.mark.parametrize("family", ["llama", "llama-biased", "qwen3"])
def test_equal_to_peft(family: str, targets: tuple[str, ...], tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    lora = replace(LORA, targets=targets)
    model = adapted(FAMILIES[family], lora)
    base = Llama(model.config)
    base.load_state_dict({n: w for n, w in model.state_dict().items() if ".adapter." not in n})
    save_model(tmp_path / "base", base)
    save_adapter(tmp_path / "adapter", model, lora, str(tmp_path / "base"))
    theirs = peft.PeftModel.from_pretrained(
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base"),
        tmp_path / "adapter",
        is_trainable=True,
    )
    tokens = torch.randint(0, model.config.vocab_size, (2, 21), generator=torch.Generator().manual_seed(3))
    logits, reference = model(tokens), theirs(tokens, labels=tokens)
    torch.testing.assert_close(logits, reference.logits, atol=1e-4, rtol=1e-4)
    functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    reference.loss.backward()
    found = {
        name.removeprefix("base_model.model.")
        .replace(".default", "")
        .replace("lora_", "adapter.lora_"): weight.grad
        for name, weight in theirs.named_parameters()
        if weight.requires_grad
    }
    own = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert own.keys() == found.keys() and len(own) == 2 * len(targets) * model.config.num_hidden_layers
    assert sum(grad.numel() for grad in own.values()) == lora.parameters(model.config)
    for name, grad in own.items():
        torch.testing.assert_close(grad, found[name], atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_it_is_the_same_model_without_adapters(family: str) -> None:
    model = adapted(FAMILIES[family], LORA)
    tokens = torch.randint(0, model.config.vocab_size, (2, 17), generator=torch.Generator().manual_seed(4))
    reader = TorchLanguageModel(model)
    with torch.no_grad():
        before = model(tokens)
        merge(model)
        torch.testing.assert_close(model(tokens), before, atol=1e-4, rtol=1e-4)
    assert not [name for name, _ in model.named_parameters() if "adapter" in name]
    assert all(weight.requires_grad for weight in model.parameters())
    prompts, how = [row[:5].tolist() for row in tokens], Sampling(max_new_tokens=6)
    assert reader.generate(prompts, how) == TorchLanguageModel(model).generate(prompts, how)


def test_only_adapters_move(compute: Compute) -> None:
    model = adapted(PLAIN, LORA)
    model.compute = compute_dtype(compute, "cpu")
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = make_optimizer(model, OptimConfig(kind="adamw", lr=0.01))
    tokens = torch.randint(0, PLAIN.vocab_size, (2, 33))
    hidden = model.hidden(tokens)
    total, _ = kernels.linear_cross_entropy(
        hidden[:, :-1].flatten(0, 1), model.output_weight_VD, tokens[:, 1:].flatten()
    )
    total.backward()
    optimizer.step(1.0, 1 / 64)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) == (".adapter." not in name), name
    assert set(optimizer.first) == {name for name in before if ".adapter." in name}


def test_impossible_settings() -> None:
    for wrong in ({"rank": 0}, {"alpha": 0.0}, {"targets": ("q_proj", "lm_head")}, {"targets": ()}):
        with pytest.raises(ConfigError):
            LoraConfig(**wrong)
