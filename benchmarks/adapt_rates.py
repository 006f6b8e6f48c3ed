"""Rates of an adaptation: the same documents and tokens, all weights or adapters, at several rates, and once without replay.

    smol run adapt --set data=FOLDER … --lab LAB         prepares documents, questions and what is replayed
    python benchmarks/adapt_rates.py --lab LAB --tokens 65536
    python benchmarks/adapt_rates.py --lab LAB --quick   the first two

Trains on what the run `adapt` of that lab prepared, and judges each state by the decision half, as the recipe does. The
last line is JSON; results: benchmarks/results/<date>-adapt_rates.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from peers.start import tell
from train_cpu import processor, write_result

from smolforge.adapt.judging import compare
from smolforge.adapt.stages import REPLAYED_CHAT, REPLAYED_TEXT
from smolforge.artifacts import Artifact
from smolforge.evals.measured import read_measured
from smolforge.evals.stages import EvaluateConfig, evaluate
from smolforge.model.config import LoraConfig
from smolforge.store import Store
from smolforge.threads import wait_gently
from smolforge.train.config import OptimConfig, ScheduleConfig
from smolforge.train.stages import PretrainConfig, pretrain

TRIALS = (
    ("full", 3e-5, True), ("full", 1e-4, True), ("full", 3e-4, True), ("lora", 3e-4, True), ("lora", 1e-3, True),
    ("full", 1e-4, False),
)  # fmt: skip
"""(method, rate, whether what the model said by itself is replayed)."""
ASKED = EvaluateConfig(form="native", items_per_skill=0, text_bytes_per_domain=60_000)


def without_replay(weights: dict[str, float]) -> dict[str, float]:
    """The shares of what is the user's own, made to sum to one again."""
    left = {name: share for name, share in weights.items() if name not in (REPLAYED_TEXT, REPLAYED_CHAT)}
    return {name: share / sum(left.values()) for name, share in left.items()}


class Sweep:
    """One lab's prepared parts, and trainings on them."""

    def __init__(self, lab: Path, tokens: int, batch_tokens: int) -> None:
        self.store, self.tokens, self.batch_tokens = Store(lab, "adapt-rates"), tokens, batch_tokens
        self.base = self.part("model/weights")
        self.weights = json.loads((self.part("mixture").path / "mixture.json").read_text("utf-8"))["weights"]
        replayed = {REPLAYED_TEXT: "rehearsed-texts", REPLAYED_CHAT: "rehearsed-chats"}
        self.shards = {name: self.part(f"shards/{replayed.get(name, name)}") for name in self.weights}
        self.before = read_measured(self.scores("base", self.base).path)

    def part(self, label: str) -> Any:
        """An artifact of the run `adapt`."""
        return self.store.find(f"adapt/{label}")

    def scores(self, name: str, model: Artifact) -> Any:
        """Of the decision half."""
        return self.store.run(
            evaluate, ASKED, label=f"{name}/scores", model=model, tokenizer=self.part("model/tokenizer"),
            texts=self.part("held-out/decision-half"),
        )  # fmt: skip

    def train(self, name: str, method: str, rate: float, weights: dict[str, float]) -> dict[str, Any]:
        """One training, and what it changed."""
        optim = OptimConfig(
            kind="adamw", lr=rate, embedding_lr=rate, norm_lr=rate, weight_decay=0.0, skip_deviations=0.0
        )
        cfg = PretrainConfig(
            phase="documents",
            tokens=self.tokens,
            start_tokens=0,
            total_tokens=self.tokens,
            batch_tokens=self.batch_tokens,
            length=512,
            mixture=weights,
            optim=optim,
            schedule=ScheduleConfig(kind="linear", warmup_share=0.05, floor=0.05),
            lora=LoraConfig() if method == "lora" else None,
            keep_optimizer=False,
        )
        shards = {domain: self.shards[domain] for domain in weights}
        began = time.perf_counter()
        model = self.store.run(
            pretrain,
            cfg,
            label=f"{name}/model",
            shards=shards,
            tokenizer=self.part("model/tokenizer"),
            init=self.base,
        )
        seconds = time.perf_counter() - began
        change = compare(self.before, read_measured(self.scores(name, model).path))
        return {"seconds": round(seconds, 1), **change.plain()}


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--lab", type=Path, required=True)
    parse.add_argument("--tokens", type=int, default=65_536)
    parse.add_argument("--batch-tokens", type=int, default=4_096)
    parse.add_argument("--quick", action="store_true")
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    wait_gently()
    sweep = Sweep(given.lab, given.tokens, given.batch_tokens)
    found = {}
    for method, rate, replayed in TRIALS[: 2 if given.quick else None]:
        name = f"{method}-{rate:g}{'' if replayed else '-without-replay'}"
        weights = sweep.weights if replayed else without_replay(sweep.weights)
        found[name] = sweep.train(name, method, rate, weights)
        tell(f"{name}: {json.dumps(found[name])}")
    write_result(
        {"benchmark": "adapt_rates", "tokens": given.tokens, "processor": processor(), "states": found},
        given.results,
    )


if __name__ == "__main__":
    main()
