"""Training speed on this CPU: smolforge against nanochat, litgpt, the Hugging Face Trainer and a plain PyTorch loop.

    python benchmarks/train_cpu.py --nanochat CHECKOUT --litgpt-python ENVIRONMENT/bin/python
    python benchmarks/train_cpu.py --quick …        1M and 5M parameters
    python benchmarks/train_cpu.py --sizes 15m,50m  two of the six; with --add beside what was measured earlier today
    python benchmarks/train_cpu.py --clock cpu      one thread, processor seconds: for a machine that others use too

Same shape, vocabulary, length, batch and threads for all. Each contestant runs in a process of its own, back to back,
in rounds (`--rounds`), so that a noisy neighbour hits all alike; the best round of each counts, and in it the median of
the steps that follow the first ones, which compile. Batches are 8192 tokens; from 15M parameters upward a step has
fewer, and the optimiser's part of it is counted once for the 8192. Each runs its own step (`peers/`), in fp32 and in bf16
with fp32 weights; the variant in the type that this machine multiplies more slowly is left out, except where it is the
peer's default. smolforge runs with AdamW against those who use AdamW, and with Muon against nanochat, which uses Muon.
nanochat's model is its own: its FLOPs a token, as a share of ours, are in the result, and `ratio_nanochat` compares
tokens. The last line is JSON:

    ratio_best_peer  our tokens a second over the best peer's, the lowest of all sizes
    ratio_nanochat   the same over nanochat as it runs on a CPU (fp32)
    ratio_litgpt     the same over litgpt as it runs by default (bf16-mixed)
    ratio_eager      the same over plain PyTorch in fp32
    peak_share       our FLOP/s over the best rate of matrix products in the same rounds, PyTorch's in fp32 and bf16 and our
                     own in fp16, lowest from 3M up
    torch_peak_share the same over the best of PyTorch's rates: what a program without products of its own could reach

Needs `pip install -e '.[bench]'` for the Trainer; for nanochat a checkout of its repository; for litgpt an environment of
its own with the same torch, because it pins other versions:

    python -m venv ENVIRONMENT && ENVIRONMENT/bin/pip install torch==2.13.0 litgpt==0.5.13

nanochat and litgpt compile, minutes for the large sizes; the compiler's cache (TORCHINDUCTOR_CACHE_DIR) makes the second
run of this script much shorter than the first. A peer that is not given is named as missing, one that fails is named with its message. Results:
benchmarks/results/<date>-train_cpu.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.start import Contestants, Failure, stop_with_children, tell

from smolforge.config import to_plain
from smolforge.model.config import ModelConfig

LENGTH = 256
KINDS = ("smolforge", "eager", "trainer", "nanochat", "litgpt")
DEFAULTS = ("eager-fp32", "nanochat-fp32", "litgpt-bf16")
"""What a peer does when it is told nothing; these run in either type."""
PEER_TYPES = ("fp32", "bf16")
SLOWER = 0.8
"""A type whose products reach less than this share of the other's rate is the slower one."""


@dataclass(frozen=True)
class Size:
    """A model, and the rows of a step, each of `LENGTH`."""

    model: ModelConfig
    rows: int


def _size(
    vocab: int, width: int, forward: int, layers: int, heads: int, kv_heads: int, head: int, *, rows: int
) -> Size:
    model = ModelConfig(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head,
        max_position_embeddings=LENGTH,
    )
    return Size(model, rows)


SIZES = {
    "1m": _size(2048, 128, 352, 5, 4, 2, 32, rows=32),
    "3m": _size(4096, 192, 512, 6, 6, 2, 32, rows=32),
    "5m": _size(4096, 256, 704, 6, 4, 2, 64, rows=32),
    "15m": _size(4096, 384, 1024, 9, 6, 2, 64, rows=16),
    "50m": _size(16384, 512, 1408, 13, 8, 4, 64, rows=4),
    "135m": _size(49152, 576, 1536, 30, 9, 3, 64, rows=4),
}
BATCH_TOKENS = 8192
"""Of the batch that is reckoned with. Where it would take a minute a step has fewer rows: its gradients count as often
as the batch needs, its optimiser once, or Muon's products would hide everything else."""
MOST_STEPS = 50


def taking_part(contestants: Contestants, peak: dict[str, float]) -> tuple[list[str], list[str]]:
    """Who runs, and who is left out for running in the slower number type."""
    rates = {name: peak[name] for name in PEER_TYPES}
    slow = {name for name, rate in rates.items() if rate < SLOWER * max(rates.values())}
    known = [n for n in contestants.names() if n.partition("-")[0] in KINDS and n != "smolforge-packed"]
    left_out = [n for n in known if n.partition("-")[2] in slow and n not in DEFAULTS]
    return [n for n in known if n not in left_out], left_out


def compare(
    name: str, size: Size, contestants: Contestants, rounds: int = 1, seconds: float = 1.0
) -> dict[str, Any]:
    """Tokens a second of every contestant at one size, and the peak around them."""
    best: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    left_out: list[str] = []
    peak: dict[str, float] = {}
    for number in range(rounds):
        for type_name, rate in measured_peak(contestants).items():
            peak[type_name] = max(rate, peak.get(type_name, 0.0))
        if number == 0:
            running, left_out = taking_part(contestants, peak)
        tell(f"{name}, round {number + 1}")
        contestants.round(
            running,
            best,
            failed,
            shape=shape_of(size.model),
            rows=size.rows,
            length=LENGTH,
            batch_tokens=BATCH_TOKENS,
            steps=MOST_STEPS,
            enough=seconds,
        )
    result = judged(size, best, peak) | {"left_out": left_out, "failed": failed}
    tell(f"{name}: {json.dumps(result)}")
    return result


def shape_of(model: ModelConfig) -> dict[str, Any]:
    """The fields of a model's configuration."""
    return dict(to_plain(model))


def measured_peak(contestants: Contestants) -> dict[str, float]:
    """GFLOP/s of matrix products by number type; without it nothing can be judged."""
    found = contestants.run("peak")
    if isinstance(found, Failure):
        raise SystemExit(f"the peak could not be measured:\n{found.why}")
    return found


def judged(size: Size, best: dict[str, dict[str, Any]], peak: dict[str, float]) -> dict[str, Any]:
    """The figures of one size from everybody's best round."""
    speeds = {name: round(found["tokens_per_second"]) for name, found in best.items()}
    ratios = {
        name: round(speeds[ours] / speed, 2)
        for name, speed in speeds.items()
        if (ours := rival(name, speeds))
    }
    flops = size.model.flops_per_token(LENGTH)
    achieved = flops * speeds.get("smolforge-adamw", 0) / 1e9
    return {
        "parameters": size.model.parameters,
        "tokens_per_second": speeds,
        "mebibytes": {name: found["mebibytes"] for name, found in best.items()},
        "other_models": {
            name: {
                "parameters": found["parameters"],
                "flops_per_token_share": round((found["flops_per_token"] or flops) / flops, 3),
            }
            for name, found in best.items()
            if found["parameters"] != size.model.parameters
        },
        "peak_gflops": {name: round(rate) for name, rate in peak.items()},
        "achieved_gflops": round(achieved),
        "ratios": ratios,
        "best_peer": min(ratios, key=lambda name: ratios[name]) if ratios else None,
        "ratio_best_peer": min(ratios.values(), default=None),
        "ratio_nanochat": ratios.get("nanochat-fp32"),
        "ratio_litgpt": ratios.get("litgpt-bf16"),
        "ratio_eager": ratios.get("eager-fp32"),
        "peak_share": round(achieved / max(peak.values()), 3) if achieved else None,
        "torch_peak_share": round(achieved / max(peak[name] for name in PEER_TYPES), 3) if achieved else None,
    }


def rival(peer: str, speeds: dict[str, int]) -> str | None:
    """The variant of ours that a peer is compared to: the one with its kind of optimiser."""
    if peer.startswith("smolforge"):
        return None
    ours = "smolforge-muon" if peer.startswith("nanochat") else "smolforge-adamw"
    return ours if ours in speeds else None


def processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def lowest(results: dict[str, dict[str, Any]], name: str, least_parameters: int = 0) -> float | None:
    """The lowest figure of that name over the sizes that have it."""
    large = [r for r in results.values() if r["parameters"] >= least_parameters]
    return min((r[name] for r in large if r[name] is not None), default=None)


def summary(results: dict[str, dict[str, Any]], contestants: Contestants) -> dict[str, Any]:
    """The result line."""
    import torch

    from smolforge import kernels

    ratios = ("ratio_best_peer", "ratio_nanochat", "ratio_litgpt", "ratio_eager")
    return {
        "benchmark": "train_cpu",
        **{name: lowest(results, name) for name in ratios},
        **{name: lowest(results, name, 3_000_000) for name in ("peak_share", "torch_peak_share")},
        "missing": contestants.missing,
        "failed": sorted({name for r in results.values() for name in r["failed"]}),
        "threads": contestants.threads,
        "clock": contestants.clock,
        "processor": processor(),
        "torch": torch.__version__,
        "kernels": kernels.describe(),
        "sizes": results,
    }


def result_file(benchmark: str, folder: Path) -> Path:
    """Today's file."""
    return folder / f"{datetime.date.today().isoformat()}-{benchmark}.json"


def earlier_sizes(folder: Path) -> dict[str, dict[str, Any]]:
    """What today's file holds already."""
    file = result_file("train_cpu", folder)
    return json.loads(file.read_text(encoding="utf-8"))["sizes"] if file.is_file() else {}


def write_result(line: dict[str, Any], folder: Path) -> None:
    """Keep the line under today's date, and print it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = result_file(line["benchmark"], folder)
    file.write_text(json.dumps(line, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(line))


def add_peers(parse: argparse.ArgumentParser) -> None:
    """The options that both training benchmarks have."""
    parse.add_argument("--nanochat", type=Path, help="a checkout of nanochat")
    parse.add_argument("--litgpt-python", type=Path, help="the Python of an environment with litgpt")
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parse.add_argument("--limit-seconds", type=float, default=900.0, help="the most one contestant may take")
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--quick", action="store_true", help="two small sizes, four seconds each")
    parse.add_argument("--sizes", default=",".join(SIZES))
    parse.add_argument("--add", action="store_true", help="keep the other sizes of today's file")
    parse.add_argument("--rounds", type=int, default=1)
    parse.add_argument("--seconds", type=float, default=8.0, help="of timed steps, two at least, each round")
    parse.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    add_peers(parse)
    given = parse.parse_args()
    stop_with_children()
    if given.quick:
        given.sizes, given.rounds, given.seconds = "1m,5m", 1, 4.0
    unknown = [name for name in given.sizes.split(",") if name not in SIZES]
    if unknown:
        parse.error(f"no size {unknown[0]}: there are {', '.join(SIZES)}")
    contestants = Contestants(
        threads=1 if given.clock == "cpu" else given.threads,
        nanochat=given.nanochat,
        litgpt_python=given.litgpt_python,
        clock=given.clock,
        limit_seconds=given.limit_seconds,
    )
    for name, why in contestants.missing.items():
        tell(f"without {name}: {why}")
    results = {
        name: compare(name, SIZES[name], contestants, given.rounds, given.seconds)
        for name in given.sizes.split(",")
    }
    known = earlier_sizes(given.results) if given.add else {}
    write_result(summary(known | results, contestants), given.results)


if __name__ == "__main__":
    main()
