"""TRL tuning a model on ids that are given: the loss and gradient of one batch, then tokens a second. Needs trl and datasets.

    ENVIRONMENT/bin/python benchmarks/peers/trl_steps.py TASK.json

The task names a folder (model/, start/, chats.json, pairs.json), forms, number type, rows and steps; what is found is written
into the folder as found-<kind>.json and, of the first batch, gradient-<kind>.safetensors.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import save_file
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer


class AsGiven(DPOTrainer):
    """Rows hold ids already."""

    def _prepare_dataset(self, dataset: Any, *others: Any) -> Any:
        return dataset


class Clock(TrainerCallback):
    """When every step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *others: Any, **more: Any) -> None:
        self.ends.append(time.perf_counter())


def words(vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer that is never asked for more than its padding."""
    table = {f"w{n}": n for n in range(vocabulary)}
    tok = Tokenizer(models.WordLevel(table, unk_token="w0"))
    return PreTrainedTokenizerFast(tokenizer_object=tok, pad_token="w0", eos_token="w1", unk_token="w0")


def trainer_of(task: dict[str, Any], kind: str, rows: list[dict[str, Any]]) -> Any:
    """Its trainer for `sft` or a form of preference optimisation."""
    folder = Path(task["folder"])
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    common = {
        "output_dir": str(folder / "out"), "per_device_train_batch_size": task["rows"], "max_steps": task["steps"],
        "learning_rate": 1e-5, "bf16": task["bf16"], "use_cpu": True, "report_to": [], "save_strategy": "no",
        "logging_strategy": "no", "disable_tqdm": True, "gradient_checkpointing": False, "max_length": None,
    }  # fmt: skip
    tok = words(model.config.vocab_size)
    data = Dataset.from_list(rows)
    if kind == "sft":
        args = SFTConfig(**common, dataset_kwargs={"skip_prepare_dataset": True}, loss_type="nll")
        return SFTTrainer(model=model, args=args, train_dataset=data, processing_class=tok)
    start = AutoModelForCausalLM.from_pretrained(folder / "start", dtype=torch.float32)
    args = DPOConfig(**common, beta=task["beta"], loss_type=[kind])
    return AsGiven(model=model, ref_model=start, args=args, train_dataset=data, processing_class=tok)


def measure(task: dict[str, Any], kind: str) -> dict[str, Any]:
    """Loss of the first batch with its gradient, and seconds a step after the first two."""
    folder = Path(task["folder"])
    rows = json.loads((folder / ("chats.json" if kind == "sft" else "pairs.json")).read_text())
    trainer = trainer_of(task, kind, rows)
    trainer.model.eval()  # no dropout is there; nothing else differs
    inputs = trainer.data_collator(rows[: task["rows"]])
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    gradient = {name: weight.grad.contiguous() for name, weight in trainer.model.named_parameters()}
    save_file(gradient, folder / f"gradient-{kind}.safetensors")
    trainer.model.zero_grad()
    clock = Clock()
    trainer.add_callback(clock)
    trainer.train()
    seconds = (clock.ends[-1] - clock.ends[1]) / (len(clock.ends) - 2)
    return {"loss": float(loss), "seconds": seconds}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(given["threads"])
    for wanted in given["kinds"]:
        found = measure(given, wanted)
        (Path(given["folder"]) / f"found-{wanted}.json").write_text(json.dumps(found))
