"""Training speed on one card: smolforge against nanochat's step and the Llama of transformers, compiled.

    python benchmarks/train_gpu.py --nanochat CHECKOUT                     # all sizes, some ten minutes
    python benchmarks/train_gpu.py --nanochat CHECKOUT --quick             # 135M only
    python benchmarks/train_gpu.py --device cpu --tiny                     # whether it runs, nothing more

Rows of 2048 positions in bf16 with fp32 masters, one contestant after the other, each in a process of its own, in
rounds; the best median step of each counts. Where a contestant's micro-batch does not fit the card, it gets half
the rows at once, down to one. Ours is timed with AdamW (against transformers), with Muon (against nanochat), and with
documents of 512 packed into the rows, which nobody else keeps apart. nanochat's model is its own (`peers/nano.py`),
so `ratio_nanochat` compares tokens; its FLOPs are in the result. The last line is JSON:

    ratio_best_peer   our tokens a second over the better peer's, the lowest of the sizes
    ratio_nanochat, ratio_transformers
    mfu               FLOPs of our training (`ModelConfig.flops_per_token`) over the card's 990 TFLOP/s, by size

Needs CUDA (it says so and exits with 1) and `pip install -e '.[bench]'`. Memory is the most that tensors held.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from peers.start import Contestants, Failure, stop_with_children, tell
from train_cpu import write_result

from smolforge.model.config import ModelConfig

PEAK_FLOPS = 990e12
"""Dense bf16 of an H100 or H200 SXM, NVIDIA's data sheet."""

GOALS = {"135m": 0.45, "360m": 0.50, "1.7b": 0.55}
LENGTH = 2048
VOCABULARY = 49_152
SHAPES = {
    # width, feed-forward, layers, query heads, key/value heads; rows a batch, rows at once
    "135m": (576, 1536, 30, 9, 3, 128, 32),
    "360m": (960, 2560, 32, 15, 5, 64, 16),
    "1.7b": (2048, 8192, 24, 32, 32, 32, 8),
}
FULL = ("OutOfMemoryError", "out of memory", "memory is full")
"""What a contestant says when its micro-batch does not fit."""

CONTESTANTS = ("smolforge-adamw", "smolforge-muon", "smolforge-packed", "transformers-bf16", "nanochat-bf16")


def model_of(size: str) -> tuple[ModelConfig, int, int, int]:
    """A shape, with its rows a batch, its rows at once, and their length; `tiny` is for trying the script."""
    if size == "tiny":
        tiny = ModelConfig(
            vocab_size=512, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, head_dim=16, max_position_embeddings=32,
        )  # fmt: skip
        return tiny, 4, 2, 32
    width, forward, layers, heads, kv_heads, rows, micro_rows = SHAPES[size]
    config = ModelConfig(
        vocab_size=VOCABULARY, hidden_size=width, intermediate_size=forward, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=LENGTH,
    )  # fmt: skip
    return config, rows, micro_rows, LENGTH


def measured(name: str, size: str, contestants: Contestants, device: str, steps: int) -> dict[str, Any]:
    """One contestant's answer, with as many rows at once as fit; `error` where it gave none."""
    config, rows, micro_rows, length = model_of(size)
    shape = {field: getattr(config, field) for field in FIELDS}
    while True:
        found = contestants.run(
            name, shape=shape, rows=rows, micro_rows=micro_rows, length=length, steps=steps, device=device,
            precision="bf16",
        )  # fmt: skip
        if not isinstance(found, Failure):
            return {**found, "micro_rows": micro_rows}
        if micro_rows == 1 or not any(words in found.why for words in FULL):
            tell(f"  {name} failed: {found.why}")
            return {"error": found.why}
        micro_rows //= 2


FIELDS = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps",
)  # fmt: skip


def compare(
    size: str, contestants: Contestants, names: list[str], given: argparse.Namespace
) -> dict[str, Any]:
    """All contestants at one size."""
    config, rows, _, length = model_of(size)
    best: dict[str, dict[str, Any]] = {}
    for _round in range(given.rounds):
        for name in names:
            found = measured(name, size, contestants, given.device, given.steps)
            if name not in best or found.get("tokens_per_second", 0) > best[name].get("tokens_per_second", 0):
                best[name] = found
            tell(f"  {size} {name}: {round(found.get('tokens_per_second', 0)):,} tokens/s")
    flops = config.flops_per_token(length)
    for name, found in best.items():
        if "error" not in found:
            own = flops if name.startswith(("smolforge", "transformers")) else found["flops_per_token"]
            found["mfu"] = round(own * found["tokens_per_second"] / PEAK_FLOPS, 4)
    return {
        "parameters": config.parameters,
        "batch_tokens": rows * length,
        "goal": GOALS.get(size),
        "mfu": best.get("smolforge-adamw", {}).get("mfu"),
        "ratio_nanochat": ratio(best, "smolforge-muon", "nanochat-bf16"),
        "ratio_transformers": ratio(best, "smolforge-adamw", "transformers-bf16"),
        "contestants": best,
    }


def ratio(best: dict[str, dict[str, Any]], ours: str, theirs: str) -> float | None:
    """Tokens a second of ours over theirs; None where one is missing."""
    speeds = [best.get(name, {}).get("tokens_per_second") for name in (ours, theirs)]
    return round(speeds[0] / speeds[1], 3) if all(speeds) else None


def summary(results: dict[str, dict[str, Any]], contestants: Contestants, card: str) -> dict[str, Any]:
    """The JSON line."""

    def lowest(name: str) -> float | None:
        return min((r[name] for r in results.values() if r[name] is not None), default=None)

    ratios = {name: lowest(name) for name in ("ratio_nanochat", "ratio_transformers")}
    return {
        "benchmark": "train_gpu",
        "ratio_best_peer": min((r for r in ratios.values() if r is not None), default=None),
        **ratios,
        "mfu": {size: result["mfu"] for size, result in results.items()},
        "mfu_share_of_goal": {
            s: round(r["mfu"] / r["goal"], 3) for s, r in results.items() if r["mfu"] and r["goal"]
        },
        "card": card,
        "missing": contestants.missing,
        "sizes": results,
    }


def card_of(device: str) -> str:
    """The card's name; without one the script ends, and says why."""
    if device == "cpu":
        return "none: the processor, for trying the script only"
    import torch

    if not torch.cuda.is_available():
        sys.exit(
            "train_gpu needs a CUDA device and PyTorch finds none (`--device cpu --tiny` only tries the script)"
        )
    return torch.cuda.get_device_name()


def main() -> None:
    stop_with_children()
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--nanochat", type=Path, help="a checkout of nanochat")
    parse.add_argument("--sizes", default="135m,360m,1.7b")
    parse.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, comma-separated")
    parse.add_argument("--steps", type=int, default=12)
    parse.add_argument("--rounds", type=int, default=2)
    parse.add_argument("--quick", action="store_true", help="135M, one round")
    parse.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parse.add_argument("--tiny", action="store_true", help="a toy shape, to try the script")
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    card = card_of(given.device)
    if given.quick:
        given.sizes, given.rounds = "135m", 1
    if given.tiny:
        given.sizes, given.rounds, given.steps = "tiny", 1, 6
    contestants = Contestants(threads=1 if given.tiny else 8, nanochat=given.nanochat)
    asked = [name for name in given.only.split(",") if name.partition("-")[0] not in contestants.missing]
    results = {size: compare(size, contestants, asked, given) for size in given.sizes.split(",")}
    line = summary(results, contestants, card)
    write_result(line, given.results)


if __name__ == "__main__":
    main()
