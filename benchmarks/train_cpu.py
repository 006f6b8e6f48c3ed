"""Training speed on this CPU: smolforge against the Hugging Face Trainer and a plain PyTorch loop.

    python benchmarks/train_cpu.py --quick          1M, 3M and 5M parameters, some four minutes
    python benchmarks/train_cpu.py --sizes 15m,50m

    python benchmarks/train_cpu.py --clock cpu      one thread, processor seconds: for a machine that others use too

Same Llama shape, tokens, batch, threads and AdamW for all; each contestant runs in a process of its own,
back to back, in rounds, so that a noisy neighbour hits all alike; the best round of each counts. Peers run
in fp32 and in autocast bf16, and the quicker one is "the best peer". The last line is JSON:

    ratio_best_peer  our tokens a second over the best peer's, the lowest of all sizes
    ratio_eager      the same over plain PyTorch in fp32
    peak_share       our FLOP/s over the best matrix-product rate seen in the same rounds, lowest from 3M up

Needs `pip install accelerate` for the Trainer. Results: benchmarks/results/<date>-train_cpu.json.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from smolforge.model.config import ModelConfig

LENGTH = 256
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
clock = time.perf_counter


def _shape(
    vocab: int, width: int, forward: int, layers: int, heads: int, kv_heads: int, head: int
) -> ModelConfig:
    return ModelConfig(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head,
    )


SIZES = {
    "1m": _shape(2048, 128, 352, 5, 4, 2, 32),
    "3m": _shape(4096, 192, 512, 6, 6, 2, 32),
    "5m": _shape(4096, 256, 704, 6, 4, 2, 64),
    "15m": _shape(4096, 384, 1024, 9, 6, 2, 64),
    "50m": _shape(16384, 512, 1408, 13, 8, 4, 64),
    "135m": _shape(49152, 576, 1536, 30, 9, 3, 64),
}
CONTESTANTS = ("smolforge", "trainer-fp32", "trainer-bf16", "eager-fp32", "eager-bf16")


def rows_of(size: str) -> int:
    """Rows of a batch: 8192 tokens for the small ones, fewer where a step would take a minute."""
    return {"15m": 16, "50m": 8, "135m": 4}.get(size, 32)


# One contestant, in its own process -------------------------------------------------------------------


def draw_tokens(config: ModelConfig, rows: int) -> Any:
    import torch

    return torch.randint(0, config.vocab_size, (rows, LENGTH + 1), generator=torch.Generator().manual_seed(1))


def run_smolforge(config: ModelConfig, rows: int, steps: int) -> list[float]:
    """The project's own loop: `fit` with AdamW, clipping and spike checks."""
    import numpy as np

    from smolforge.data.batches import Batch
    from smolforge.model.transformer import Llama
    from smolforge.train.config import OptimConfig
    from smolforge.train.loop import TrainState, fit, next_token_loss
    from smolforge.train.optim import make_optimizer
    from smolforge.train.precision import compute_dtype

    tokens = draw_tokens(config, rows).numpy()

    class Same:
        def next(self) -> Batch:
            shape = (rows, LENGTH)
            weights, starts = np.ones(shape, np.float32), np.zeros(shape, np.int64)
            return Batch(tokens[:, :-1], tokens[:, 1:], weights, starts)

        def state(self) -> dict[str, Any]:
            return {}

        def restore(self, state: Any) -> None: ...

    model = Llama(config, compute_dtype("auto", "cpu"))
    model.initialise(1)
    optimizer = make_optimizer(model, OptimConfig(kind="adamw", lr=0.001, embedding_lr=0.001, norm_lr=0.001))
    state = TrainState(model=model, optimizer=optimizer)
    ends = [clock()]
    ends += [
        clock() for _ in fit(state, Same(), next_token_loss(), lambda step, tokens: 1.0, until_step=steps)
    ]
    return between(ends)


def between(ends: list[float]) -> list[float]:
    """Seconds from each moment to the next."""
    return [later - earlier for earlier, later in itertools.pairwise(ends)]


def peer_model(config: ModelConfig) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    names = [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "max_position_embeddings",
        "rms_norm_eps",
    ]
    settings = {name: getattr(config, name) for name in names}
    return LlamaForCausalLM(LlamaConfig(**settings, tie_word_embeddings=True, use_cache=False))


def run_trainer(config: ModelConfig, rows: int, steps: int, bf16: bool) -> list[float]:
    """The Hugging Face Trainer with its defaults (SDPA attention, AdamW of PyTorch, clipping at 1)."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    tokens = draw_tokens(config, rows)[:, :-1]
    examples = [{"input_ids": row, "labels": row} for row in tokens.repeat(steps, 1)]
    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            ends.append(clock())

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            bf16=bf16,
            per_device_train_batch_size=rows,
            max_steps=steps,
            save_strategy="no",
            report_to=[],
            logging_strategy="no",
            disable_tqdm=True,
        )
        Trainer(peer_model(config), arguments, train_dataset=examples, callbacks=[Clock()]).train()
    return between(ends)


def run_eager(config: ModelConfig, rows: int, steps: int, bf16: bool) -> list[float]:
    """The Llama of transformers in the shortest PyTorch loop: AdamW (fused), clipping at 1."""
    import torch

    model, tokens = peer_model(config), draw_tokens(config, rows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001, fused=True)
    ends = [clock()]
    for _ in range(steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(input_ids=tokens[:, :-1], labels=tokens[:, :-1]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ends.append(clock())
    return between(ends)


def measure_peak() -> dict[str, float]:
    """GFLOP/s of PyTorch's matrix products in both types, the best of a few shapes."""
    import torch

    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        best = 0.0
        for rows, width, columns in ((4096, 192, 512), (4096, 256, 768), (2048, 1024, 1024)):
            left, right = torch.ones(rows, width, dtype=dtype), torch.ones(columns, width, dtype=dtype)
            for _ in range(10):
                began = clock()
                for _ in range(5):
                    torch.mm(left, right.T)
                best = max(best, 5 * 2 * rows * width * columns / (clock() - began) / 1e9)
        found[name] = best
    return found


def work(name: str, size: str, steps: int, threads: int) -> dict[str, Any]:
    """What one process measures; prints nothing."""
    import torch

    torch.set_num_threads(threads)
    if name == "peak":
        return measure_peak()
    config, rows = SIZES[size], rows_of(size)
    kind, _, precision = name.partition("-")
    if kind == "smolforge":
        seconds = run_smolforge(config, rows, steps)
    else:
        runner = run_trainer if kind == "trainer" else run_eager
        seconds = runner(config, rows, steps, precision == "bf16")
    warm = seconds[2:]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": statistics.median(warm), "mebibytes": memory // 1024}


# All of them, in rounds ---------------------------------------------------------------------------------


def in_process(name: str, size: str, given: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--work", name, "--sizes", size, "--steps", str(given.steps)]
    command += ["--threads", str(given.threads), "--clock", given.clock]
    environment = {**os.environ, "OMP_NUM_THREADS": str(given.threads), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{name} at {size} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(size: str, given: argparse.Namespace) -> dict[str, Any]:
    """Tokens a second of every contestant at one size, and the peak around them."""
    best: dict[str, dict[str, Any]] = {}
    peak: dict[str, float] = {}
    for _ in range(given.rounds):
        for name, rate in in_process("peak", size, given).items():
            peak[name] = max(rate, peak.get(name, 0.0))
        for name in CONTESTANTS:
            found = in_process(name, size, given)
            if name not in best or found["seconds"] < best[name]["seconds"]:
                best[name] = found
    config, tokens = SIZES[size], rows_of(size) * LENGTH
    speeds = {name: round(tokens / found["seconds"]) for name, found in best.items()}
    peers = {name: speed for name, speed in speeds.items() if name != "smolforge"}
    achieved = config.flops_per_token(LENGTH) * speeds["smolforge"] / 1e9
    result = {
        "parameters": config.parameters,
        "tokens_per_second": speeds,
        "mebibytes": {name: found["mebibytes"] for name, found in best.items()},
        "peak_gflops": {name: round(rate) for name, rate in peak.items()},
        "achieved_gflops": round(achieved),
        "best_peer": max(peers, key=lambda name: peers[name]),
        "ratio_best_peer": round(speeds["smolforge"] / max(peers.values()), 2),
        "ratio_eager": round(speeds["smolforge"] / speeds["eager-fp32"], 2),
        "peak_share": round(achieved / max(peak.values()), 3),
    }
    print(f"{size}: {json.dumps(result)}", file=sys.stderr, flush=True)
    return result


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def summary(results: dict[str, dict[str, Any]], given: argparse.Namespace) -> dict[str, Any]:
    from smolforge import kernels

    large = [r["peak_share"] for r in results.values() if r["parameters"] >= 3_000_000]
    return {
        "benchmark": "train_cpu",
        "ratio_best_peer": min(r["ratio_best_peer"] for r in results.values()),
        "ratio_eager": min(r["ratio_eager"] for r in results.values()),
        "peak_share": min(large) if large else None,
        "threads": given.threads,
        "clock": given.clock,
        "processor": processor(),
        "kernels": kernels.describe(),
        "sizes": results,
    }


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--quick", action="store_true", help="three small sizes, one round")
    parse.add_argument("--sizes", default="1m,3m,5m,15m,50m,135m")
    parse.add_argument("--steps", type=int, default=8)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parse.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parse.add_argument("--work", help=argparse.SUPPRESS)
    given = parse.parse_args()
    if given.clock == "cpu":
        given.threads = 1
    if given.quick:
        given.sizes, given.rounds, given.steps = "1m,3m,5m", 1, 6
    if given.work:
        global clock
        clock = CLOCKS[given.clock]
        print(json.dumps(work(given.work, given.sizes, given.steps, given.threads)))
        return
    results = {size: compare(size, given) for size in given.sizes.split(",")}
    line = summary(results, given)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    file = folder / f"{datetime.date.today().isoformat()}-train_cpu.json"
    file.write_text(json.dumps(line, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
