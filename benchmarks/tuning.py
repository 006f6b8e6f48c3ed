"""Tuning on this CPU against TRL: the same loss and gradient, and tokens a second.

    python benchmarks/tuning.py --trl-python ENVIRONMENT/bin/python            1M parameters
    python benchmarks/tuning.py --trl-python … --size 135m --rows 4 --steps 6

The same weights, ids, rows, AdamW and threads. `sft` counts the answer's tokens; preferences are asked in three forms. Losses
and gradients of one batch are compared in fp32 (the gradient by the norm of the difference over its own); speed in fp32
and in bf16 for TRL, of which the quicker counts, and in this machine's own type for us. TRL runs the reference model in every
step; ours runs it once before, and that time is counted with ours. The last line is JSON:

    loss_<kind>, gradient_<kind>   largest differences
    ratio_sft, ratio_dpo           our tokens a second over TRL's

An environment for TRL: python -m venv ENVIRONMENT && ENVIRONMENT/bin/pip install torch==2.13.0 trl==1.16.0 datasets.
Results: benchmarks/results/<date>-tuning.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.start import tell
from safetensors.torch import load_file
from train_cpu import SIZES, processor, write_result

from smolforge.align.dpo import PairBatches, TokenPair, dpo_loss, with_reference
from smolforge.align.rows import rows_of
from smolforge.data.tokens.batches import Batch, Example
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_model, save_model
from smolforge.train.config import OptimConfig
from smolforge.train.loop import accumulate
from smolforge.train.loss import Loss, next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype

FORMS = ("sigmoid", "apo_zero", "apo_down")
BETA = 0.3
PROMPT, ANSWER = (20, 60), (10, 60)
"""Tokens of questions and answers, from and to: as in the quick start."""
LENGTH = 128
MICRO_TOKENS = 16_384


def write_task(folder: Path, size: str, rows: int, steps: int) -> dict[str, Any]:
    """Two sets of weights a little apart, and made-up conversations and pairs."""
    config = SIZES[size].model
    for name, seed in (("model", 1), ("start", 2)):
        model = Llama(config)
        model.initialise(1)
        with torch.no_grad():
            for weight in model.parameters():
                noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
                weight += 0.02 * noise
        (folder / name).mkdir()
        save_model(folder / name, model)
    draw = np.random.default_rng(0)

    def ids(limits: tuple[int, int]) -> list[int]:
        return list(draw.integers(2, config.vocab_size, draw.integers(*limits)).tolist())

    asked = [(ids(PROMPT), ids(ANSWER), ids(ANSWER)) for _ in range(rows * steps)]
    chats = [{"input_ids": p + a, "labels": [-100] * len(p) + a} for p, a, _ in asked]
    pairs = [{"prompt_ids": p, "chosen_ids": a, "rejected_ids": b} for p, a, b in asked]
    (folder / "chats.json").write_text(json.dumps(chats))
    (folder / "pairs.json").write_text(json.dumps(pairs))
    return {"folder": str(folder), "rows": rows, "steps": steps, "beta": BETA}


def example(prompt: list[int], answer: list[int]) -> Example:
    """Ours from the same ids."""
    weights = np.array([0.0] * len(prompt) + [1.0] * len(answer), np.float32)
    return Example(np.array([*prompt, *answer], np.int64), weights)


def batches_of(folder: Path, kind: str, rows: int, start: Llama) -> list[Batch]:
    """All batches in the order in which they stand in the file."""
    if kind == "sft":
        chats = json.loads((folder / "chats.json").read_text())
        made = [_chat(one) for one in chats]
        return [rows_of(made[i : i + rows], LENGTH) for i in range(0, len(made), rows)]
    asked = json.loads((folder / "pairs.json").read_text())
    pairs = [
        TokenPair(
            example(one["prompt_ids"], one["chosen_ids"]), example(one["prompt_ids"], one["rejected_ids"])
        )
        for one in asked
    ]
    ready = with_reference(start, pairs, length=LENGTH, rows=rows, micro_tokens=MICRO_TOKENS)
    found = []
    for i in range(0, len(ready), rows):
        source = PairBatches(ready[i : i + rows], length=LENGTH, pairs_per_step=rows, seed=0)
        found.append(source.next())
    return [batch for batch in found if batch is not None]


def _chat(one: dict[str, list[int]]) -> Example:
    counted = np.array([label != -100 for label in one["labels"]], np.float32)
    return Example(np.array(one["input_ids"], np.int64), counted)


def loss_of(kind: str) -> Loss:
    return next_token_loss() if kind == "sft" else dpo_loss(BETA, form=kind)  # type: ignore[arg-type]


def differences(folder: Path, kind: str, rows: int) -> dict[str, float]:
    """Loss and gradient of the first batch against what TRL left behind, in fp32."""
    model, start = (load_model(folder / name) for name in ("model", "start"))
    batch = batches_of(folder, kind, rows, start)[0]
    total, count, _ = accumulate(model, batch, loss_of(kind), MICRO_TOKENS)
    theirs = json.loads((folder / f"found-{kind}.json").read_text())
    gradient = load_file(folder / f"gradient-{kind}.safetensors")
    apart, size = 0.0, 0.0
    for name, weight in model.named_parameters():
        assert weight.grad is not None
        wanted = gradient[name].double()
        apart += float((weight.grad.double() / count - wanted).square().sum())
        size += float(wanted.square().sum())
    return {
        f"loss_{kind}": abs(total / count - theirs["loss"]),
        f"gradient_{kind}": (apart / size) ** 0.5,
    }


def our_rate(folder: Path, kind: str, rows: int) -> float:
    """Tokens a second over all batches, the reference's pass among them."""
    model, start = (
        load_model(folder / name, compute=compute_dtype("auto", "cpu")) for name in ("model", "start")
    )
    optimizer = make_optimizer(model, OptimConfig(kind="adamw", lr=1e-5, embedding_lr=1e-5, norm_lr=1e-5))
    seconds = 0.0
    for turn in range(2):  # the first warms up
        began = time.perf_counter()
        for batch in batches_of(folder, kind, rows, start):
            _, count, _ = accumulate(model, batch, loss_of(kind), MICRO_TOKENS)
            optimizer.step(1.0, 1.0 / count)
        seconds = time.perf_counter() - began if turn else 0.0
    return tokens_in(folder, kind) / seconds


def tokens_in(folder: Path, kind: str) -> int:
    """Tokens of all rows, padding not counted."""
    if kind == "sft":
        return sum(len(one["input_ids"]) for one in json.loads((folder / "chats.json").read_text()))
    pairs = json.loads((folder / "pairs.json").read_text())
    return sum(2 * len(p["prompt_ids"]) + len(p["chosen_ids"]) + len(p["rejected_ids"]) for p in pairs)


def their_rates(python: str, folder: Path, task: dict[str, Any], threads: int) -> dict[str, float]:
    """Runs TRL in both types; the files of the fp32 run stay for `differences`."""
    best: dict[str, float] = {}
    for bf16, kinds in ((True, ["sft", "sigmoid"]), (False, ["sft", *FORMS])):
        (folder / "task.json").write_text(
            json.dumps({**task, "kinds": kinds, "bf16": bf16, "threads": threads})
        )
        script = Path(__file__).parent / "peers" / "trl_steps.py"
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        subprocess.run([python, str(script), str(folder / "task.json")], check=True, env=environment)
        for kind in kinds:
            found = json.loads((folder / f"found-{kind}.json").read_text())
            rate = tokens_in(folder, kind) / task["steps"] / found["seconds"]
            tell(f"TRL {kind} {'bf16' if bf16 else 'fp32'}: {rate:,.0f} tokens a second")
            best[kind] = max(rate, best.get(kind, 0.0))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trl-python", required=True)
    parser.add_argument("--size", default="1m", choices=sorted(SIZES))
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    result: dict[str, Any] = {"size": given.size, "processor": processor(), "threads": given.threads}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        task = write_task(folder, given.size, given.rows, given.steps)
        theirs = their_rates(given.trl_python, folder, task, given.threads)
        for kind in ("sft", *FORMS):
            result |= {
                name: float(f"{value:.3g}") for name, value in differences(folder, kind, given.rows).items()
            }
        for name, kind in (("sft", "sft"), ("dpo", "sigmoid")):
            ours = our_rate(folder, kind, given.rows)
            result |= {f"ours_{name}": round(ours), f"trl_{name}": round(theirs[kind])}
            result[f"ratio_{name}"] = round(ours / theirs[kind], 2)
    write_result({"benchmark": "tuning", **result}, given.results)


if __name__ == "__main__":
    main()
