"""nanochat's own pre-training script, `scripts/base_train.py` of a checkout, run as it is.

What it would fetch or report (tokenizer, data, evaluation, checkpoints, wandb) is replaced by stand-ins; model,
number type, `torch.compile`, Muon with AdamW, learning rates scaled to the batch, schedule and step are its own.
Its command line is that of its `runs/runcpu.sh` at the given shape.

It differs from the Llama of the others: no gate in the feed-forward (4 x width, squared ReLU), an output matrix of its
own, value embeddings in every other layer, norms without weights, smear and back-out, logits capped. Timed, it gets our
number of key/value heads; learning, its default, which is as many as query heads.

Learning, its number of iterations is estimated anew at every step from the share of the time that has passed, so
that its schedule ends with the time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from contest import Feed, Task, Trained, flops_per_token, serve
from torch import Tensor

FREE_STEPS = 2
"""Batches are taken ahead: the first step's compiled update ends after the second tick."""


def stand_in(name: str, **content: Any) -> None:
    """A module of that name with that content."""
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module


class Vocabulary:
    """All that the script asks of a tokenizer."""

    def __init__(self, size: int) -> None:
        self.size = size

    def get_vocab_size(self) -> int:
        return self.size


def nothing(*_args: Any, **_kwargs: Any) -> Any:
    """Stands in for evaluation and checkpoints, which are switched off."""


def batches(feed: Feed, script: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor, dict[str, int]]]:
    """What its data loader gives; tells the script how long it will be."""
    place = {"epoch": 0, "pq_idx": 0, "rg_idx": 0}
    for batch in feed.batches():
        if len(feed.moments) == 2:  # the first step's gradient is done, its update is next
            feed.watch(script["optimizer"])
        step, share = script.get("step", 0), feed.share
        if feed.over:
            script["num_iterations"] = step + 1
        elif share > 0:
            script["num_iterations"] = step + 1 + max(1, round((step + 1) * (1 - share) / share))
        yield batch[:, :-1].contiguous(), batch[:, 1:].contiguous(), place


def command_line(task: Task) -> list[str]:
    """The script's arguments. Its width is layers x aspect ratio, rounded up to whole heads."""
    layers, width = task.shape["num_hidden_layers"], task.shape["hidden_size"]
    given = {
        "device-type": task.device,
        "depth": layers,
        "aspect-ratio": width // layers,
        "head-dim": task.shape["head_dim"],
        "window-pattern": "L",
        "max-seq-len": task.length,
        "device-batch-size": task.micro_rows or task.rows,
        "total-batch-size": task.rows * task.length,
        "num-iterations": task.steps or 1000,
        "eval-every": -1,
        "core-metric-every": -1,
        "sample-every": -1,
    }
    return [f"--{name}={value}" for name, value in given.items()]


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    feed.free_steps = FREE_STEPS
    checkout = Path(task.checkout)
    sys.path.insert(0, str(checkout))
    os.environ["NANOCHAT_DTYPE"] = {"fp32": "float32", "bf16": "bfloat16"}[task.precision]
    os.environ["NANOCHAT_BASE_DIR"] = str(Path(sys.argv[2]).parent)
    source = checkout / "scripts" / "base_train.py"
    script: dict[str, Any] = {"__name__": "__main__", "__file__": str(source)}

    def loader(*_args: Any, **_kwargs: Any) -> Iterator[Any]:
        return batches(feed, script)

    stand_in("wandb")
    stand_in(
        "nanochat.tokenizer",
        get_tokenizer=lambda: Vocabulary(task.shape["vocab_size"]),
        get_token_bytes=nothing,
    )
    stand_in(
        "nanochat.dataloader",
        tokenizing_distributed_data_loader_bos_bestfit=loader,
        tokenizing_distributed_data_loader_with_state_bos_bestfit=loader,
    )
    stand_in("nanochat.checkpoint_manager", save_checkpoint=nothing, load_checkpoint=nothing)
    stand_in("nanochat.engine", Engine=nothing)
    stand_in("scripts.base_eval", evaluate_core=nothing)
    if not task.seconds:
        _give_key_value_heads(task.shape["num_hidden_layers"], task.shape["num_key_value_heads"])
    sys.argv[1:], kept = command_line(task), sys.argv[1:]
    try:
        exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), script)
    finally:
        sys.argv[1:] = kept
    model = script["orig_model"]
    if model.config.n_embd != task.shape["hidden_size"]:
        raise SystemExit(f"nanochat made a width of {model.config.n_embd}, not {task.shape['hidden_size']}")
    model.eval()
    parameters = sum(weight.numel() for weight in model.parameters())
    attention = "FlashAttention-3" if script["using_fa3"] else "SDPA"
    matrices = model.num_matmul_params()
    return Trained(
        model,
        parameters,
        flops_per_token(matrices, task.shape, task.length),
        {"matrix_weights": matrices, "attention": attention},
    )


def _give_key_value_heads(layers: int, count: int) -> None:
    """Our number for the model of our depth, not for the one of twelve layers that its rates are scaled from."""
    from nanochat import gpt

    whole = gpt.GPTConfig
    gpt.GPTConfig = lambda **fields: whole(
        **{**fields, "n_kv_head": count if fields["n_layer"] == layers else fields["n_kv_head"]}
    )


if __name__ == "__main__":
    serve(train)
