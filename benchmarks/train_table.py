"""The measured table behind `train.sizing`: held-out bits per byte by size, tokens, rate and initialisation.

    python benchmarks/train_table.py --text PATH            the whole table, some ten minutes
    python benchmarks/train_table.py --text PATH --quick    three short runs

Every run is a whole training (warm-up, level, decay) by the product's own loop on the same documents, tested on the same
held-out ones; what counts is tokens, not time, so it may run on a busy machine. Rates are tried at each size first,
then the law of loss of `train.law` is fitted to the best runs: its three factors, the powers as published. The
last line is JSON: `rows`, `law` and `law_error_bits` (root of the mean square).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.contest import bits_per_byte
from train_cpu import write_result
from train_learn import documents, prepare, size_of, split

from smolforge.data.tokens.batches import Documents, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train import law, sizing
from smolforge.train.config import OptimConfig, ScheduleConfig
from smolforge.train.loop import TrainState, fit
from smolforge.train.loss import next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype
from smolforge.train.schedule import over_tokens

LENGTH = 256
VOCABULARY = 4096
BATCH_TOKENS = 2048
SEED = 1

# (row of sizing.SHAPES, tokens, rate of matrices, rate of the embedding, initial deviation)
RATES = [
    (1, 600_000, lr, embedding_lr, deviation)
    for lr, embedding_lr, deviation in (
        (0.006, 0.004, 0.08),
        (0.01, 0.005, 0.08),
        (0.02, 0.005, 0.08),
        (0.006, 0.004, 0.02),
        (0.01, 0.005, 0.02),
        (0.02, 0.005, 0.02),
        (0.04, 0.01, 0.02),
        (0.02, 0.01, 0.02),
    )
]
SIZES = [
    (shape, tokens)
    for shape, tokens in (
        (0, 400_000),
        (0, 1_600_000),
        (1, 1_600_000),
        (3, 600_000),
        (3, 1_600_000),
        (4, 600_000),
    )
]
QUICK = [(0, 50_000, 0.02, 0.005, 0.02), (0, 100_000, 0.02, 0.005, 0.02), (1, 100_000, 0.02, 0.005, 0.02)]


def model_of(shape: int, deviation: float) -> ModelConfig:
    """A row of the sizing's table with another initial deviation."""
    return replace(sizing.model_of(sizing.SHAPES[shape], VOCABULARY, LENGTH), initializer_range=deviation)


def run(
    folder: Path, shape: int, tokens: int, lr: float, embedding_lr: float, deviation: float
) -> dict[str, Any]:
    """One training; its settings and what came out."""
    config = model_of(shape, deviation)
    model = Llama(config, compute_dtype("auto", "cpu"))
    model.initialise(SEED, zero_outputs=True)
    optim = OptimConfig(lr=lr, embedding_lr=embedding_lr)
    state = TrainState(model=model, optimizer=make_optimizer(model, optim))
    texts = {"text": Documents(folder / "shards")}
    rows = BATCH_TOKENS // LENGTH
    batches = MixtureBatches(texts, Mixture(weights={"text": 1.0}), length=LENGTH, rows=rows, seed=SEED)
    steps = tokens // BATCH_TOKENS
    schedule = over_tokens(ScheduleConfig(), steps * BATCH_TOKENS)
    for step in fit(state, batches, next_token_loss(), schedule, until_step=steps):
        if step.step % 100 == 0:
            print(f"  {step.step}/{steps} loss {step.loss:.3f}", file=sys.stderr, flush=True)
    found = bits_per_byte(lambda inputs: model(inputs), folder, LENGTH)
    return {
        "width": config.hidden_size,
        "parameters": config.parameters,
        "tokens": state.tokens,
        "lr": lr,
        "embedding_lr": embedding_lr,
        "deviation": deviation,
        "bits_per_byte": round(found, 4),
    }


def fit_law(
    rows: list[dict[str, Any]], bytes_per_token: float, unique_bytes: int
) -> tuple[dict[str, float], float]:
    """The law's factors by least squares over the best run of every (size, tokens), and its error in bits."""
    best: dict[tuple[int, int], dict[str, Any]] = {}
    for row in rows:
        key = (row["width"], row["tokens"])
        if key not in best or row["bits_per_byte"] < best[key]["bits_per_byte"]:
            best[key] = row
    sides = []
    for row in best.values():
        worth = law.worth_parameters(row["parameters"], VOCABULARY, row["width"])
        seen = law.worth_bytes(row["tokens"] * bytes_per_token, unique_bytes)
        sides.append([1.0, (worth / 1e6) ** -law.SIZE_POWER, (seen / 1e7) ** -law.DATA_POWER])
    wanted = np.array([row["bits_per_byte"] for row in best.values()])
    factors = np.linalg.lstsq(np.array(sides), wanted, rcond=None)[0]
    error = float(np.sqrt(np.mean((np.array(sides) @ factors - wanted) ** 2)))
    names = ("entropy_bits", "size_bits", "data_bits")
    return {name: round(float(value), 4) for name, value in zip(names, factors, strict=True)}, error


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--text", type=Path, help="a file or folder of texts (default: the standard library)")
    parse.add_argument("--quick", action="store_true", help="three short runs")
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    torch.set_num_threads(given.threads)
    train, held_out = split(documents(given.text))
    packed = law.packed_bits(train)
    with tempfile.TemporaryDirectory() as place:
        folder = prepare(train, held_out, VOCABULARY, Path(place) / "text")
        bytes_per_token = sum(map(size_of, train)) / len(np.load(folder / "tokens.npy"))
        rows = []
        for settings in QUICK if given.quick else RATES:
            rows.append(run(folder, *settings))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        if not given.quick:
            best = min(rows, key=lambda row: row["bits_per_byte"])
            for shape, tokens in SIZES:
                rows.append(run(folder, shape, tokens, best["lr"], best["embedding_lr"], best["deviation"]))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    factors, error = fit_law(rows, bytes_per_token, sum(map(size_of, train)))
    line = {
        "benchmark": "train_table",
        "rows": rows,
        "law": factors,
        "packed_bits_per_byte": round(packed, 4),
        "law_error_bits": round(error, 4),
        "bytes_per_token": round(bytes_per_token, 3),
    }
    write_result(line, given.results)


if __name__ == "__main__":
    main()
