"""The end of a training: whole weights, the best watched state, adapters added to the weights, files and facts of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smolforge.model.config import LoraConfig
from smolforge.model.lora import merge, save_adapter
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.train.loop import TrainState
from smolforge.train.optim import Optimizer
from smolforge.train.team import whole
from smolforge.train.watch import Watch

ADAPTER = "adapter"


def brought_together(state: TrainState) -> TrainState | None:
    """The state with whole tensors in main memory, on rank 0; None on the others, which never hold more than one."""
    if state.spread is None:
        return state
    keep = state.spread.team.rank == 0
    optimizer = state.optimizer
    weights = _gathered(optimizer.parameters, keep)
    first, second = _gathered(optimizer.first, keep), _gathered(optimizer.second, keep)
    if not keep:
        return None
    with torch.device("meta"):
        model = Llama(state.model.config, state.model.compute)
    model.load_state_dict(weights, strict=True, assign=True)
    alone = Optimizer(optimizer.config, dict(model.named_parameters()), optimizer.updates)
    alone.first, alone.second = first, second
    return replace(state, model=model, optimizer=alone, spread=None)


@torch.no_grad()
def _gathered(tensors: Mapping[str, Tensor], keep: bool) -> dict[str, Tensor]:
    found = {}
    for name, tensor in tensors.items():
        complete = whole(tensor.detach())
        if keep:
            found[name] = complete.cpu()
    return found


def finish(
    out: Path,
    model: Llama,
    lora: LoraConfig | None,
    watch: Watch | None,
    ends: Mapping[str, Any],
    *,
    name: str = "",
) -> dict[str, int | float | str]:
    """Write the model, plain whatever was trained beside it; gives facts of adapters and of what was watched.

    `ends` are its begin, end and padding tokens (`save_model`); `name` is what it was called before.
    """
    facts: dict[str, int | float | str] = {}
    if watch is not None:
        watch.take_best(model)
        (out / "watch.json").write_text(json.dumps(watch.state(), indent=1) + "\n", encoding="utf-8")
        facts |= {
            "own_bits_before": watch.looks[0].own,
            "own_bits": watch.best.own,
            "best_step": watch.best.step,
            "stopped_early": watch.stopped or "no",
        }
    if lora is not None:
        save_adapter(out / ADAPTER, model, lora, name)
        facts["trained_parameters"] = lora.parameters(model.config)
        merge(model)
    save_model(out, model, **ends)
    return facts
