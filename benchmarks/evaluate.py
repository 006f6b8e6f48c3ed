"""How quickly multiple-choice questions are scored, beside lm-evaluation-harness: the same requests, the same weights.

    python -m venv lm-eval && lm-eval/bin/pip install "lm-eval[hf,math]" "transformers<5" "datasets<5"
    python benchmarks/evaluate.py --harness lm-eval/bin/python --data FOLDER [--quick] [--rounds N] [--items N]

The harness asks its own tasks in its own Python; what it asked is asked here again, tokenised anew. Time is from text to
verdicts, without loading; rounds go back to back. Beside other work take `--clock processor`: the seconds that all
threads of a side computed, which do not grow while it waits. The last line is JSON:

    ratio_lm_eval       its seconds to ours, all tasks together, both in fp32; the middle of the rounds
    ratio_by_task       the same, task by task
    predictions_equal   [equal, of all] in fp32; bf16_predictions_equal in bf16
    largest_difference  of two log-probabilities in fp32, in nats
    ratio_bf16          its fp32 seconds to ours in bf16, where the processor multiplies it
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from parity_lm_eval import IN_ORDER, PAIRS, Harness, Pair, Rows, WithoutStart, lay_out, their_choice
from peers.start import tell
from train_cpu import processor, write_result

from smolforge.evals.score import judge_choices
from smolforge.evals.task import Item

ZERO_SHOT = ("hellaswag", "arc_easy", "piqa", "winogrande_partial")
FEW_SHOT = ("arc_challenge", "mmlu_mcf_5shot")
QUICK_ITEMS = 6


def chosen_tasks(items: int) -> list[Pair]:
    """Four tasks without examples and three with five, the same for every question, as MMLU has them."""
    plain = [replace(pair, most=items) for pair in PAIRS if pair.ours in ZERO_SHOT]
    shown = [replace(pair, most=items, shots=5) for pair in PAIRS if pair.ours in FEW_SHOT]
    return plain + [replace(pair, settings=IN_ORDER) if "mmlu" not in pair.ours else pair for pair in shown]


def asked_items(pair: Pair, samples: Rows) -> list[Item]:
    """What the harness asked, as items; the right answer plays no part here."""
    made = []
    for sample in samples:
        contexts, choices = zip(*sample["arguments"], strict=True)
        item = Item(
            id=str(sample["doc_id"]), skill=pair.ours, kind="choice", messages=(), prompt=contexts[0],
            choices=choices, contexts=() if len(set(contexts)) == 1 else contexts, answer=0, norm="sum",
        )  # fmt: skip
        made.append(item)
    return made


CLOCKS = {"wall": (time.perf_counter, "seconds"), "processor": (time.process_time, "processor_seconds")}
"""Ours, and the name of the harness' figure by the same clock."""


def compare(
    items: Sequence[Item], samples: Rows, engine: WithoutStart, tok: Any, clock: str
) -> dict[str, Any]:
    """Seconds, equal predictions and the largest difference of one task."""
    now = CLOCKS[clock][0]
    began = now()
    judge_choices(engine, tok, items, "text")
    seconds, mine = now() - began, iter(engine.seen)
    equal, largest = 0, 0.0
    for item, sample in zip(items, samples, strict=True):
        theirs = [float(one[0][0]) for one in sample["resps"]]
        totals = [next(mine).total for _ in theirs]
        largest = max(largest, *(abs(a - b) for a, b in zip(totals, theirs, strict=True)))
        equal += place(item, totals, sample) == place(item, theirs, sample)
    return {"seconds": seconds, "equal": equal, "items": len(items), "difference": largest}


def place(item: Item, totals: Sequence[float], sample: Any) -> Any:
    """The choice with the most log-probability a character, as the harness' normed score has it."""
    return their_choice(replace(item, norm="character"), totals, sample)


def one_round(
    pairs: Sequence[Pair], harness: Harness, scratch: Path, engines: Any, tok: Any, clock: str
) -> dict[str, Any]:
    """Both sides on all tasks: engine → task → what came of it, and the harness' seconds."""
    heard = harness.ask(pairs, scratch / "theirs", 10**6)
    found: dict[str, Any] = {name: {} for name in engines} | {"theirs": {}}
    for pair, answer in zip(pairs, heard, strict=True):
        if "failed" in answer:
            sys.exit(f"the harness failed on {pair.key}: {answer['failed']}")
        seconds = found["theirs"][pair.key] = answer[CLOCKS[clock][1]]
        items = asked_items(pair, answer["samples"])
        for name, engine in engines.items():
            found[name][pair.key] = compare(items, answer["samples"], engine, tok, clock)
        told = ", ".join(f"{name} {found[name][pair.key]['seconds']:.2f}" for name in engines)
        tell(f"  {pair.key}: lm-eval {seconds:.2f} seconds, {told}")
    return found


def summary(rounds: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """Ratios of the middle round, and what is equal in the worst one."""

    def ratio(one: dict[str, Any], tasks: Sequence[str]) -> float:
        return float(sum(one["theirs"][t] for t in tasks) / sum(one[name][t]["seconds"] for t in tasks))

    tasks = list(rounds[0]["theirs"])
    items = sum(one["items"] for one in rounds[0][name].values())
    return {
        "ratio": round(statistics.median(ratio(one, tasks) for one in rounds), 2),
        "by_task": {
            task: round(statistics.median(ratio(one, [task]) for one in rounds), 2) for task in tasks
        },
        "equal": [min(sum(one["equal"] for one in found[name].values()) for found in rounds), items],
        "difference": max(one["difference"] for found in rounds for one in found[name].values()),
    }


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--harness", required=True, help="a Python that has lm-eval")
    parse.add_argument("--data", type=Path, required=True, help="folder of benchmark files")
    parse.add_argument("--model", default="smollm2-135m-instruct")
    parse.add_argument("--items", type=int, default=40)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parse.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parse.add_argument("--quick", action="store_true", help=f"one round of {QUICK_ITEMS} items a task")
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    if given.quick:
        given.items, given.rounds = QUICK_ITEMS, 1
    with tempfile.TemporaryDirectory() as scratch:
        rounds = measure(given, Path(scratch))
    fp32, bf16 = summary(rounds, "float32"), summary(rounds, "bfloat16")
    line = {
        "benchmark": "evaluate", "ratio_lm_eval": fp32["ratio"], "ratio_by_task": fp32["by_task"],
        "predictions_equal": fp32["equal"], "largest_difference": fp32["difference"],
        "ratio_bf16": bf16["ratio"], "bf16_predictions_equal": bf16["equal"],
        "bf16_largest_difference": bf16["difference"], "rounds": len(rounds), "items": given.items,
        "model": given.model, "threads": given.threads, "clock": given.clock, "processor": processor(), "load": given.load,
    }  # fmt: skip
    write_result(line, given.results)


def measure(given: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """The rounds, with the load of the machine before them in `given.load`."""
    import torch

    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.models import model_and_tokenizer
    from smolforge.store import Store
    from smolforge.text.tokenizer import load_tokenizer

    torch.set_num_threads(given.threads)
    given.load = round(os.getloadavg()[0], 1)
    model, tokenizer = model_and_tokenizer(Store(scratch / "lab", "evaluate"), given.model, "model")
    harness = Harness(given.harness, model.path.resolve(), tokenizer.path.resolve(), scratch, given.threads)
    engines = {
        str(compute).removeprefix("torch."): WithoutStart(
            TorchLanguageModel(load_model(model.path, compute=compute))
        )
        for compute in (torch.float32, torch.bfloat16)
    }
    pairs = chosen_tasks(given.items)
    for pair in pairs:
        lay_out(pair, given.data, scratch)
    tok = load_tokenizer(tokenizer.path)
    return [one_round(pairs, harness, scratch, engines, tok, given.clock) for _ in range(given.rounds)]


if __name__ == "__main__":
    main()
