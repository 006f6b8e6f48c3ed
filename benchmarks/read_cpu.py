"""Reading prompts and writing answers on this CPU: smolforge's research engine against transformers.

    python benchmarks/read_cpu.py [--quick] [--model NAME]

The same weights and prompts, each contestant in a process of its own, back to back, in rounds; the best of each counts.
Read: rows of 512 tokens, 8 at once, up to the logits of the last. Written: 64 rows of 32 new tokens after 128, greedy, with a
cache. transformers runs in fp32 and in bf16. The last line is JSON:

    ratio_read, ratio_write   our tokens a second over the best peer's

Results: benchmarks/results/<date>-read_cpu.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peers.start import tell
from train_cpu import processor, write_result

from smolforge.threads import GENTLE

CONTESTANTS = ("smolforge-auto", "transformers-fp32", "transformers-bf16")
READ = (8, 512)
WRITE = (64, 128, 32)


def measure(name: str, folder: str, threads: int) -> dict[str, Any]:
    """Tokens a second of one contestant, in this process."""
    import torch

    torch.set_num_threads(threads)
    draw = torch.Generator().manual_seed(1)
    read, write = (
        torch.randint(100, 40_000, (rows, length), generator=draw).tolist()
        for rows, length in (READ, WRITE[:2])
    )
    reader, writer = ours(folder) if name.startswith("smolforge") else theirs(folder, name)
    with torch.inference_mode():
        return {
            "read": READ[0] * READ[1] / best_seconds(lambda: reader(read)),
            "write": WRITE[0] * WRITE[2] / best_seconds(lambda: writer(write)),
        }


def ours(folder: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """One new token after a prompt; many new tokens."""
    from smolforge.language_model import Sampling
    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.train.precision import compute_dtype

    model = TorchLanguageModel(load_model(Path(folder), compute=compute_dtype("auto", "cpu")))
    return (
        lambda prompts: model.generate(prompts, Sampling(max_new_tokens=1)),
        lambda prompts: model.generate(prompts, Sampling(max_new_tokens=WRITE[2])),
    )


def theirs(folder: str, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The same by transformers' `generate`."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if name.endswith("bf16") else torch.float32
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

    def generate(prompts: list[list[int]], count: int) -> Any:
        ids = torch.tensor(prompts)
        return model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
        )

    return lambda prompts: generate(prompts, 1), lambda prompts: generate(prompts, WRITE[2])


def best_seconds(run: Callable[[], Any]) -> float:
    """Of three, after one that warms up."""
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def started(name: str, folder: str, threads: int) -> dict[str, Any]:
    """One contestant in a process of its own."""
    waiting = GENTLE if name.startswith("smolforge") else {}
    done = subprocess.run(
        [sys.executable, __file__, "--contestant", name, "--model", folder, "--threads", str(threads)],
        env={**os.environ, **waiting, "OMP_NUM_THREADS": str(threads)}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--model", default="smollm2-135m-instruct")
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parse.add_argument("--rounds", type=int, default=2)
    parse.add_argument("--quick", action="store_true", help="one round")
    parse.add_argument("--contestant", help=argparse.SUPPRESS)
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    if given.contestant:
        print(json.dumps(measure(given.contestant, given.model, given.threads)))
        return
    from smolforge.models import model_and_tokenizer
    from smolforge.store import Store

    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        model, _ = model_and_tokenizer(Store(Path(scratch), "read-cpu"), given.model, "model")
        for _ in range(1 if given.quick else given.rounds):
            for name in CONTESTANTS:
                found = started(name, str(model.path.resolve()), given.threads)
                tell(f"  {name}: {found}")
                best[name] = {k: max(round(v), best.get(name, {}).get(k, 0)) for k, v in found.items()}
    ratios = {
        f"ratio_{what}": round(
            best[CONTESTANTS[0]][what] / max(best[name][what] for name in CONTESTANTS[1:]), 2
        )
        for what in ("read", "write")
    }
    about = {"model": given.model, "threads": given.threads, "processor": processor()}
    write_result({"benchmark": "read_cpu", **ratios, **about, "tokens_per_second": best}, given.results)


if __name__ == "__main__":
    main()
