"""Adapting a released model on this CPU: smolforge against transformers and peft, tokens a second and memory.

    python benchmarks/adapt_cpu.py                   SmolLM2-135M-Instruct (`smol pull` fetches it)
    python benchmarks/adapt_cpu.py --quick           one round, 4 rows a step: a batch is reckoned from them
    python benchmarks/adapt_cpu.py --model NAME      another model, by any name that `smol` takes

The same weights and texts (Python's own standard library), AdamW, clipping at 1, 16 rows of 512 tokens a step,
`--micro-rows` of them at once. Each contestant runs in a process of its own, back to back, in rounds; the best round of
each counts. Peers run in fp32, in bf16 by autocast, and wholly in bf16. The first losses stand in the result: they must
be the same for all, or the contestants do not do the same work. The last line is JSON:

    ratio_full, ratio_lora    our tokens a second over the best peer's
    memory_full, memory_lora  our most memory over that of the peer that is quickest

Needs `pip install peft`. Results: benchmarks/results/<date>-adapt_cpu.json.
"""

from __future__ import annotations

import argparse
import os
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from peers.start import ADAPTING, Contestants, stop_with_children
from train_cpu import processor, write_result

from smolforge.models import model_and_tokenizer
from smolforge.store import Store
from smolforge.text.tokenizer import load_tokenizer

METHODS = ("full", "lora")
TEXT_BYTES = 1_500_000


def write_texts(tokenizer: Path, folder: Path) -> None:
    """The standard library's modules as `contest` reads documents."""
    tok, texts, size_bytes = load_tokenizer(tokenizer), [], 0
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = file.read_text(encoding="utf-8", errors="replace")
        texts.append(np.array(tok.encode(text), np.int32))
        size_bytes += len(text)
        if size_bytes > TEXT_BYTES:
            break
    np.save(folder / "tokens.npy", np.concatenate(texts))
    np.save(folder / "starts.npy", np.cumsum([0, *map(len, texts)]))


def judged(best: dict[str, Any], method: str) -> dict[str, Any]:
    """Ours over the quickest peer's."""
    ours = best.get(f"adapted-{method}-auto")
    peers = {name: one for name, one in best.items() if name.startswith(f"peft-{method}")}
    if ours is None or not peers:
        return {f"ratio_{method}": None, f"memory_{method}": None}
    quickest = max(peers, key=lambda name: peers[name]["tokens_per_second"])
    return {
        f"best_peer_{method}": quickest,
        f"ratio_{method}": round(ours["tokens_per_second"] / peers[quickest]["tokens_per_second"], 2),
        f"memory_{method}": round(ours["mebibytes"] / peers[quickest]["mebibytes"], 2),
    }


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--model", default="smollm2-135m-instruct")
    parse.add_argument("--lab", type=Path, help="where the model is taken in; a temporary folder when absent")
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parse.add_argument("--micro-rows", type=int, default=4)
    parse.add_argument("--rounds", type=int, default=2)
    parse.add_argument("--seconds", type=float, default=40.0, help="of timed steps, two at least, each round")
    parse.add_argument("--limit-seconds", type=float, default=900.0, help="the most one contestant may take")
    parse.add_argument("--quick", action="store_true")
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    stop_with_children()
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(given.lab or Path(scratch) / "lab", "adapt-cpu")
        model, tokenizer = model_and_tokenizer(store, given.model, "model")
        write_texts(tokenizer.path, Path(scratch))
        contestants = Contestants(threads=given.threads, limit_seconds=given.limit_seconds)
        task = {
            "shape": {},
            "model": str(model.path.resolve()),
            "folder": scratch,
            "rows": 4 if given.quick else 16,
            "batch_tokens": 16 * 512 if given.quick else 0,
            "length": 512,
            "micro_rows": given.micro_rows,
            "steps": 20,
            "enough": 5.0 if given.quick else given.seconds,
            "lr": 1e-5,
        }
        best: dict[str, dict[str, Any]] = {}
        failed: dict[str, str] = {}
        for _ in range(1 if given.quick else given.rounds):
            contestants.round(list(ADAPTING), best, failed, **task)
    line = {"benchmark": "adapt_cpu"}
    for method in METHODS:
        line |= judged(best, method)
    about = {
        "model": given.model,
        "micro_rows": given.micro_rows,
        "threads": given.threads,
        "processor": processor(),
    }
    write_result(line | about | {"failed": failed, "contestants": best}, given.results)


if __name__ == "__main__":
    main()
