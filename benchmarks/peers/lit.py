"""litgpt's own pre-training loop, `litgpt.pretrain.fit`: Fabric, `torch.compile`, its cross-entropy, AdamW of PyTorch.

What is set is what its command line offers: the shape, tied embeddings where steps are timed (it unties them by
default), whole batches as micro-batches, the number type (its default is bf16-mixed). Learning, its cosine runs over
the share of the time that has passed instead of over iterations, and its warm-up is 2% instead of 2,000 steps.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from contest import Feed, Task, Trained, serve
from litgpt import pretrain
from litgpt.args import EvalArgs, TrainArgs
from litgpt.config import Config
from litgpt.model import GPT
from litgpt.utils import instantiate_torch_optimizer

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}
MOST_STEPS = 1_000_000
WARMUP_SHARE = 0.02


def config_of(task: Task) -> Config:
    """The shape in litgpt's words: a Llama."""
    shape = task.shape
    return Config(
        name="contest",
        block_size=task.length,
        vocab_size=shape["vocab_size"],
        padded_vocab_size=shape["vocab_size"],
        n_layer=shape["num_hidden_layers"],
        n_embd=shape["hidden_size"],
        n_head=shape["num_attention_heads"],
        n_query_groups=shape["num_key_value_heads"],
        head_size=shape["head_dim"],
        intermediate_size=shape["intermediate_size"],
        norm_class_name="RMSNorm",
        norm_eps=shape["rms_norm_eps"],
        mlp_class_name="LLaMAMLP",
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
    )


class Loader:
    """What `fit` iterates over. It looks at `iter_num` after taking a batch, so that is where it is told to stop."""

    def __init__(self, feed: Feed, state: dict[str, Any]) -> None:
        self.feed = feed
        self.state = state

    def __iter__(self) -> Iterator[torch.Tensor]:
        for batch in self.feed.batches():
            if self.feed.over:
                self.state["iter_num"] = MOST_STEPS
            yield batch


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    feed.free_steps = 1
    fabric = lightning.Fabric(devices=1, accelerator="cpu", precision=PRECISIONS[task.precision])
    fabric.launch()
    fabric.seed_everything(task.seed)
    arguments = TrainArgs(
        global_batch_size=task.rows,
        micro_batch_size=task.rows,
        max_tokens=MOST_STEPS * task.rows * task.length,
        max_norm=1.0,
        min_lr=4e-5,
        lr_warmup_steps=int(WARMUP_SHARE * MOST_STEPS) if task.seconds else 0,
        tie_embeddings=not task.seconds,
        log_interval=MOST_STEPS,
        save_interval=None,
    )
    plain = GPT(config_of(task))
    pretrain.initialize_weights(fabric, plain, n_layer=plain.config.n_layer, n_embd=plain.config.n_embd)
    if arguments.tie_embeddings:
        plain.transformer.wte.weight = plain.lm_head.weight
    model = fabric.setup(torch.compile(plain))
    optimizer: Any = "AdamW"
    if task.seconds:
        optimizer = {
            "class_path": "torch.optim.AdamW",
            "init_args": {"lr": task.lr, "betas": (0.9, 0.95), "weight_decay": 0.1},
        }
    adamw = instantiate_torch_optimizer(optimizer, model.parameters(), fused=False)
    feed.watch(adamw)
    optimizer = fabric.setup_optimizers(adamw)
    state = {"model": model, "optimizer": optimizer, "iter_num": 0, "step_count": 0}
    by_iteration = pretrain.get_lr
    pretrain.get_lr = lambda lr, _it, *rest: by_iteration(lr, int(feed.share * MOST_STEPS), *rest)
    with tempfile.TemporaryDirectory() as folder:
        pretrain.fit(
            fabric=fabric,
            devices=1,
            state=state,
            train_dataloader=Loader(feed, state),
            val_dataloader=[torch.zeros(task.rows, task.length + 1, dtype=torch.int64)],
            out_dir=Path(folder),
            tokenizer_dir=None,
            train=arguments,
            eval=EvalArgs(interval=MOST_STEPS, final_validation=False),
        )
    plain.eval()
    return Trained(
        plain, sum(weight.numel() for weight in plain.parameters()), notes={"tied": arguments.tie_embeddings}
    )


if __name__ == "__main__":
    serve(train)
