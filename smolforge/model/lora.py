"""Low-rank adapters: a few numbers beside each frozen product, trained instead of it and added to it at the end.

    adapted = add_adapters(model, LoraConfig(rank=16), seed=1)     # everything else is frozen from here on
    …train…
    save_adapter(folder, model, cfg)                               # in the format of `peft`
    merge(model)                                                   # W + alpha / rank · B A, a plain model again

Source: LoRA, arXiv:2106.09685; files as `peft` writes them.
Shapes: R rank, D width of a product's input, M of its output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from smolforge.model.config import LoraConfig
from smolforge.model.transformer import Adapter, Llama, whole_weight
from smolforge.model.weights import save_tensors


def add_adapters(model: Llama, cfg: LoraConfig, seed: int) -> int:
    """Freeze the model and put an adapter beside every target; gives how many numbers are left to train.

    A is normal with deviation 1 / sqrt(D), B zero, so that training begins with the model as it is.
    """
    model.requires_grad_(False)
    draw, trained = torch.Generator().manual_seed(seed), 0
    for _, layer in targets(model, cfg):
        adapter = Adapter(layer.in_features, layer.out_features, cfg.rank, cfg.alpha / cfg.rank)
        with torch.no_grad():
            spread = torch.randn(cfg.rank, layer.in_features, generator=draw) * layer.in_features**-0.5
            adapter.lora_A.weight.copy_(spread)
        layer.adapter = adapter.to(layer.weight.device)
        trained += sum(weight.numel() for weight in adapter.parameters())
    return trained


def targets(model: Llama, cfg: LoraConfig) -> Iterator[tuple[str, nn.Linear]]:
    """Name and layer of every product that an adapter goes beside."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in cfg.targets:
            yield name, layer


@torch.no_grad()
def merge(model: Llama) -> None:
    """Add every adapter to its weight and take it away; the model is plain and trainable again."""
    for layer in list(model.modules()):
        if isinstance(layer, nn.Linear) and hasattr(layer, "adapter"):
            layer.weight.copy_(whole_weight(layer))
            del layer.adapter
    model.requires_grad_(True)


def save_adapter(folder: Path, model: Llama, cfg: LoraConfig, base: str) -> None:
    """`adapter_config.json` and `adapter_model.safetensors`, as `peft` loads them; `base` names the model below."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"base_model.model.{name.replace('.adapter.', '.')}": weight.detach()
        for name, weight in model.named_parameters()
        if ".adapter." in name
    }
    save_tensors(folder / "adapter_model.safetensors", tensors)
    plain = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": cfg.rank,
        "lora_alpha": cfg.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted(cfg.targets),
    }
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n", encoding="utf-8")
