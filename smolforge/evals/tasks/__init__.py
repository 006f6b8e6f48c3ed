"""Public benchmarks: one file each, a folder of JSON lines in, items out.

Formulations are those under which SmolLM2's scores were published (arXiv:2502.02737, section 4 and its
evaluation code); where the data at hand forces another, the module says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from smolforge.config import unknown_key
from smolforge.evals.task import Item
from smolforge.evals.tasks import (
    arc,
    commonsense_qa,
    gsm8k,
    hellaswag,
    humaneval,
    ifeval,
    mbpp,
    mmlu,
    openbookqa,
    piqa,
    triviaqa,
    winogrande,
)
from smolforge.evals.tasks.rows import MissingBenchmark

BENCHMARKS: dict[str, Callable[[Path], list[Item]]] = {
    "arc_challenge": arc.challenge,
    "arc_easy": arc.easy,
    "commonsense_qa": commonsense_qa.items,
    "gsm8k": gsm8k.items,
    "hellaswag": hellaswag.items,
    "humaneval": humaneval.items,
    "ifeval": ifeval.items,
    "mbpp": mbpp.items,
    "mmlu": mmlu.cloze,
    "mmlu_pro": mmlu.pro,
    "openbookqa": openbookqa.items,
    "piqa": piqa.items,
    "triviaqa": triviaqa.items,
    "winogrande": winogrande.items,
}


def known_benchmark(name: str) -> None:
    """Raises `ConfigError` for an unknown name."""
    if name not in BENCHMARKS:
        raise unknown_key(name, name, sorted(BENCHMARKS), "benchmark")


def load_benchmark(name: str, folder: Path) -> list[Item]:
    """The items of one benchmark; `ConfigError` for an unknown name."""
    known_benchmark(name)
    return BENCHMARKS[name](folder)


def held_in(folder: Path) -> list[str]:
    """Names of the benchmarks whose files are in the folder, in alphabetical order."""
    found = []
    for name in sorted(BENCHMARKS):
        try:
            load_benchmark(name, folder)
        except MissingBenchmark:
            continue
        found.append(name)
    return found
