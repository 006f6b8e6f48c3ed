"""The end of a training: the best watched state, adapters added to the weights, files and facts of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolforge.model.config import LoraConfig
from smolforge.model.lora import merge, save_adapter
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.train.watch import Watch

ADAPTER = "adapter"


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
