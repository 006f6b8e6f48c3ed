"""Does measuring choose better mixtures? The measured rule against others, in worlds where the answer was planted.

    python benchmarks/mixing.py --quick                       one seed of two worlds, minutes
    python benchmarks/mixing.py --worlds planted null --seeds 5 --tokens 300000 --lab FOLDER

Worlds (sources are called d0 … d7, so that no name gives anything away)
    aligned   what the person declares is true
    planted   a quarter of the need is mathematics, whose only teacher is 1.5% of the text and declared to be another
              source; beside it stand true exercises with their answers permuted (the same n-grams) and shuffled words
    null      one corpus split at random into eight: nothing can be gained
    scarce    the teacher of mathematics has a few thousand tokens

Arms: natural, uniform, unimax, hand (a mixture written down beforehand by a person who knows the world), gap, mixmin,
prior, measured; scarce: measured, and the same with a hard limit of four passes. Equal compute: whatever measuring,
probes and twins took is taken off the arm's own training. Decisions read the decision half; what is compared is the
report half, which no decision reads. J = bits per byte of gold answers there, weighted by need; fixed before any run.
Pairs share a seed (initialisation, order of documents); the test is the exact one-sided sign flip over seeds: with five,
the smallest p is 1/32. Everything is kept in the lab, so that a run that is stopped goes on.
The last line is JSON. Results: benchmarks/results/<date>-mixing.json.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import random
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from train_cpu import processor, write_result

from smolforge.artifacts import Corpus, EvalTexts, Facts, RawDocs, Tokenizer, TokenShards
from smolforge.config import config
from smolforge.data.clean.stages import HoldOutConfig, hold_out
from smolforge.data.read.documents import CORPUS_SCHEMA, ParquetWriter, read_rows
from smolforge.data.tokens.stages import TokenizeConfig, tokenize
from smolforge.evals.half_stages import HalfConfig, decision_half, report_half
from smolforge.log import Log
from smolforge.mix.stages import (
    AffinityConfig,
    ChooseMixtureConfig,
    MeasureConfig,
    TryConfig,
    choose_mixture,
    measure_skills,
    source_affinity,
    try_mixture,
)
from smolforge.model.config import ModelConfig
from smolforge.stage import Job, Machine, stage
from smolforge.store import Store
from smolforge.text.stages import TokenizerConfig, train_tokenizer
from smolforge.train.config import OptimConfig, ScheduleConfig
from smolforge.train.stages import PretrainConfig, pretrain
from smolforge.written.stages import SyntheticConfig, synthetic_documents

SKILLS = ("knowledge", "mathematics", "code")
ARMS = ("natural", "uniform", "unimax", "hand", "gap", "mixmin", "prior", "measured")
PHASE_SHARES = (0.3, 0.3, 0.4)
VOCABULARY, LENGTH, ROWS = 1024, 128, 8
SIZES = {"0.2M": (64, 2), "0.9M": (128, 4)}
SCHEDULE = ScheduleConfig(kind="wsd", warmup_share=0.02, decay_share=0.3, floor=0.02)
PAIR = re.compile(r"Question: (.*?)\nAnswer: (.*?)(?=\nQuestion: |\n\nQuestion: |\Z)", re.DOTALL)


@dataclass(frozen=True)
class World:
    """Sources as (generator, bytes, what is done to them), the person's needs and declared beliefs, and a mixture by hand."""

    sources: tuple[tuple[str, int, str], ...]
    needs: Mapping[str, float]
    taught_by: Mapping[str, tuple[str, ...]]
    hand: Mapping[str, float]


NEEDS = {"knowledge": 0.3, "mathematics": 0.25, "code": 0.25, "bits_stories": 0.2}
TRUE = {"knowledge": ("d0",), "mathematics": ("d2",), "code": ("d4",), "bits_stories": ("d1",)}
PLANTED = (
    ("textbooks", 600_000, ""), ("stories", 500_000, ""), ("mathematics", 32_000, ""), ("mathematics", 320_000, "permuted"),
    ("code_exercises", 250_000, ""), ("recitation", 150_000, ""), ("textbooks", 200_000, "shuffled"), ("stories", 100_000, "shuffled"),
)  # fmt: skip
ALIGNED = tuple((name, 300_000, how if how == "shuffled" else "") for name, _, how in PLANTED)
SCARCE = tuple((n, 12_000 if n == "mathematics" else b, h) for n, b, h in PLANTED if h != "permuted")
HAND = {"d0": 0.28, "d1": 0.2, "d2": 0.14, "d3": 0.02, "d4": 0.3, "d5": 0.02, "d6": 0.02, "d7": 0.02}
WORLDS = {
    "planted": World(PLANTED, NEEDS, {**TRUE, "mathematics": ("d0",)}, HAND),
    "aligned": World(ALIGNED, NEEDS, TRUE, {**HAND, "d2": 0.08, "d3": 0.08}),
    "null": World(tuple(("all", 250_000, f"part {n}") for n in range(8)), NEEDS, {}, {f"d{n}": 1 / 8 for n in range(8)}),
    "scarce": World(
        SCARCE, NEEDS, {**TRUE, "code": ("d3",)},
        {"d0": 0.28, "d1": 0.2, "d2": 0.1, "d3": 0.34, "d4": 0.02, "d5": 0.03, "d6": 0.03},
    ),
}  # fmt: skip


# --- worlds -----------------------------------------------------------------------------------------------


@config
class SpoilConfig:
    """What is done to a source: nothing, `permuted` answers, `shuffled` words, or `part N` of eight at random."""

    how: str
    bytes: int
    seed: int = 1


@stage(makes=Corpus, version=1)
def spoil(cfg: SpoilConfig, job: Job, *, raw: Mapping[str, RawDocs]) -> Facts:
    """A corpus from generated documents, spoilt as the world says.

    Writes  documents-*.parquet
    Facts   documents, bytes
    """
    texts = [str(row["text"]) for one in raw.values() for row in read_rows(one.path, columns=["text"])]
    size = 0
    with ParquetWriter(job.out, "documents", CORPUS_SCHEMA) as kept:
        for number, text in enumerate(_spoilt(cfg, texts)):
            if size < cfg.bytes:
                kept.add({"id": str(number), "text": text, "url": "", "score": 0.0})
                size += len(text.encode())
    return {"documents": kept.rows, "bytes": size}


def _spoilt(cfg: SpoilConfig, texts: Sequence[str]) -> Iterator[str]:
    rng = random.Random(cfg.seed)
    if cfg.how.startswith("part "):
        yield from (text for text in texts if rng.randrange(8) == int(cfg.how.split()[1]))
    elif cfg.how == "shuffled":
        for text in texts:
            words = text.split()
            rng.shuffle(words)
            yield " ".join(words)
    elif cfg.how == "permuted":
        pairs = [pair for text in texts for pair in PAIR.findall(text)]
        answers = [answer for _, answer in pairs]
        rng.shuffle(answers)
        lines = [f"Question: {q}\nAnswer: {a}" for (q, _), a in zip(pairs, answers, strict=True)]
        yield from ("\n".join(lines[n : n + 5]) for n in range(0, len(lines), 5))
    else:
        yield from texts


@dataclass(frozen=True)
class Built:
    """A world as artifacts."""

    world: World
    shards: Mapping[str, TokenShards]
    tokenizer: Tokenizer
    deciding: EvalTexts
    reporting: EvalTexts


def build(store: Store, name: str) -> Built:
    """The sources of a world as tokens, and both halves of what is held out."""
    world = WORLDS[name]
    corpora = {}
    for number, (generator, size, how) in enumerate(world.sources):
        names = (
            ("textbooks", "stories", "mathematics", "code_exercises") if generator == "all" else (generator,)
        )
        most = 550_000 if generator == "all" else size * 2
        seed = 1 if generator == "all" else number + 1
        raw = {
            one: store.run(
                synthetic_documents,
                SyntheticConfig(domain=one, bytes=most, seed=seed),
                label=f"{name}/raw/{number}/{one}",
            )
            for one in names
        }
        corpora[f"d{number}"] = store.run(
            spoil, SpoilConfig(how=how, bytes=size), label=f"{name}/d{number}", raw=raw
        )
    told = store.run(
        synthetic_documents, SyntheticConfig(domain="stories", bytes=150_000, seed=99), label=f"{name}/told"
    )
    asked = HoldOutConfig(items=400, skills=SKILLS, share=0.45, max_texts=60)
    held = store.run(hold_out, asked, label=f"{name}/held-out", sources={"stories": told})
    vocabulary = TokenizerConfig(vocabulary=VOCABULARY, sample_bytes=1_000_000, chat_share=0.0)
    tokenizer = store.run(train_tokenizer, vocabulary, label=f"{name}/tokenizer", corpora=corpora)
    shards = {
        d: store.run(
            tokenize, TokenizeConfig(), label=f"{name}/shards/{d}", corpus=corpus, tokenizer=tokenizer
        )
        for d, corpus in corpora.items()
    }
    halves = [
        store.run(half, HalfConfig(), label=f"{name}/{half.name}", parts={"all": held})
        for half in (decision_half, report_half)
    ]
    return Built(world, shards, tokenizer, halves[0], halves[1])


# --- arms -------------------------------------------------------------------------------------------------


def mixing_of(arm: str, world: World) -> ChooseMixtureConfig:
    """The settings of an arm; `most4` is the measured rule with a hard limit of four passes."""
    rule = {"hand": "fixed", "most4": "measured"}.get(arm, arm)
    return ChooseMixtureConfig(
        rule=rule, needs=world.needs, taught_by=world.taught_by, base=world.hand if arm == "hand" else {},
        targets=dict.fromkeys(world.needs, 1.0), most_passes=4.0 if arm in ("most4", "gap") else 16.0,
        schedule=SCHEDULE, least_tokens=0, floor=0.01,
    )  # fmt: skip


def train_arm(
    store: Store, built: Built, arm: str, seed: int, tokens: int, size: str, here: str
) -> dict[str, Any]:
    """One run of one arm: J on the report half, its parts, and what its decisions were."""
    measuring = MeasureConfig(
        form="text", items_per_skill=16, text_bytes_per_domain=3_000, window_tokens=LENGTH, compute="float32"
    )
    known = {"shards": built.shards, "tokenizer": built.tokenizer}
    affinity = store.run(
        source_affinity, AffinityConfig(form="text"), label=f"{here}/affinity", texts=built.deciding, **known
    )
    model, mixture, measured, begun, refusals = None, None, None, 0, []
    phases = [round(tokens * share) for share in PHASE_SHARES]
    for number, length in enumerate(phases):
        cfg = replace(
            mixing_of(arm, built.world),
            phase=f"{number + 1}",
            phase_tokens=length,
            later_tokens=tuple(phases[number + 1 :]),
            seed=seed,
        )
        mixture = store.run(
            choose_mixture, cfg, label=f"{here}/{number}/mixture", shards=built.shards, previous=mixture,
            measured=measured, affinity=affinity, trained=model,
        )  # fmt: skip
        if model is not None and cfg.rule == "measured":
            trial = TryConfig(
                measure=measuring, start_tokens=begun, total_tokens=tokens, batch_tokens=ROWS * LENGTH, length=LENGTH,
                schedule=SCHEDULE, compute="float32", seed=seed,
            )  # fmt: skip
            mixture = store.run(
                try_mixture,
                trial,
                label=f"{here}/{number}/trial",
                proposed=mixture,
                init=model,
                texts=built.deciding,
                **known,
            )
        training = PretrainConfig(
            phase=f"{number + 1}", model=shape(size), tokens=length, start_tokens=begun, total_tokens=tokens,
            batch_tokens=ROWS * LENGTH, length=LENGTH, optim=OptimConfig(), schedule=SCHEDULE, compute="float32", seed=seed,
        )  # fmt: skip
        model = store.run(
            pretrain, training, label=f"{here}/{number}/model", mixture=mixture, init=model, **known
        )
        begun += length
        if cfg.rule in ("measured", "gap"):
            measured = store.run(
                measure_skills,
                measuring,
                label=f"{here}/{number}/skills",
                model=model,
                tokenizer=built.tokenizer,
                texts=built.deciding,
            )
    asking = replace(measuring, items_per_skill=0, text_bytes_per_domain=40_000)
    final = store.run(
        measure_skills,
        asking,
        label=f"{here}/report",
        model=model,
        tokenizer=built.tokenizer,
        texts=built.reporting,
    )
    refusals = [decision_of(store, f"{here}/{n}") for n in range(len(phases))]
    parts = {skill: float(final.facts[skill]) for skill in built.world.needs}
    return {
        "arm": arm, "seed": seed, "J": sum(n * parts[s] for s, n in built.world.needs.items()), "parts": parts,
        "decisions": refusals, "inside": calibration(store, here, measured),
    }  # fmt: skip


def shape(size: str) -> ModelConfig:
    """A model of about so many parameters."""
    width, layers = SIZES[size]
    return ModelConfig(
        vocab_size=VOCABULARY, hidden_size=width, intermediate_size=width * 11 // 4, num_hidden_layers=layers,
        num_attention_heads=width // 32, num_key_value_heads=width // 32, head_dim=32, max_position_embeddings=512,
        initializer_range=0.08,
    )  # fmt: skip


def record_of(store: Store, here: str) -> dict[str, Any]:
    label = f"{here}/trial" if f"{here}/trial" in store.labels else f"{here}/mixture"
    folder = store.lab / "artifacts" / store.labels[label]["folder"]
    return json.loads((folder / "mixture.json").read_text("utf-8"))


def decision_of(store: Store, here: str) -> dict[str, Any]:
    """A decision in short."""
    plain = record_of(store, here)
    return {
        "weights": plain["weights"], "refusal": (plain["refusal"] or {}).get("rule"), "gain": plain.get("gain_bits"),
        "spent_tokens": plain["spent_tokens"], "trial": plain.get("trial", []),
    }  # fmt: skip


def calibration(store: Store, here: str, last: Any) -> list[bool]:
    """Whether each change came inside its predicted interval, the last phase's included."""
    plain = record_of(store, f"{here}/{len(PHASE_SHARES) - 1}")
    inside = [bool(entry["inside"]) for entry in plain["ledger"]]
    if last is not None:
        inside += [
            low <= float(last.facts[skill]) <= high for skill, (_, low, high) in plain["predicted"].items()
        ]
    return inside


# --- what it shows ----------------------------------------------------------------------------------------


def sign_flip(differences: Sequence[float]) -> float:
    """Exact one-sided p that differences of mean 0 would have a mean this high."""
    seen = sum(differences)
    flips = itertools.product((1, -1), repeat=len(differences))
    return sum(
        sum(s * d for s, d in zip(signs, differences, strict=True)) >= seen - 1e-12 for signs in flips
    ) / 2 ** len(differences)


def judge(results: Sequence[Mapping[str, Any]], against: str = "measured") -> dict[str, Any]:
    """J by arm, and by how much the measured rule is below each other arm on the same seeds (above 0: better)."""
    by = {(r["arm"], r["seed"]): r["J"] for r in results}
    arms = list(dict.fromkeys(r["arm"] for r in results))
    table = {}
    for arm in arms:
        own = [j for (a, _), j in by.items() if a == arm]
        pairs = [j - by[against, seed] for (a, seed), j in by.items() if a == arm and (against, seed) in by]
        table[arm] = {
            "J": round(statistics.mean(own), 4), "seeds": len(own), "better_by": round(statistics.mean(pairs), 4) if pairs else None,
            "sd": round(statistics.stdev(pairs), 4) if len(pairs) > 1 else None, "p": round(sign_flip(pairs), 4) if pairs and arm != against else None,
        }  # fmt: skip
    loop = [r for r in results if r["arm"] == against]
    later = [d for r in loop for d in r["decisions"][1:]]
    inside = [x for r in loop for x in r["inside"]]
    return {
        "arms": table,
        "refused": round(sum(d["refusal"] is not None for d in later) / len(later), 3) if later else None,
        "spent": round(statistics.mean(sum(d["spent_tokens"] for d in r["decisions"]) for r in loop))
        if loop
        else None,
        "inside": round(sum(inside) / len(inside), 3) if inside else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--arms", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=3_000_000)
    parser.add_argument("--size", choices=SIZES, default="0.9M")
    parser.add_argument("--lab", type=Path, default=Path("lab-mixing"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.worlds, options.seeds, options.tokens, options.size = ["planted", "null"], 1, 120_000, "0.2M"
        options.arms = options.arms or ["uniform", "prior", "measured"]
    found: dict[str, list[dict[str, Any]]] = {world: [] for world in options.worlds}
    began = time.time()
    for seed, name in itertools.product(range(1, options.seeds + 1), options.worlds):
        usual = {"null": ("uniform", "measured"), "scarce": ("measured", "most4")}.get(name, ARMS)
        for arm in options.arms or usual:
            store = Store(
                options.lab,
                f"{name}-{arm}-{seed}-{options.size}-{options.tokens}",
                machine=Machine(threads=options.threads),
                log=Log(None, show=io.StringIO()),
            )
            result = train_arm(
                store, build(store, name), arm, seed, options.tokens, options.size, f"{name}/{arm}/{seed}"
            )
            found[name].append(result)
            print(
                f"{time.time() - began:6.0f} s  {name:8} {arm:9} seed {seed}  J {result['J']:.4f}  {result['parts']}",
                flush=True,
            )
    plain = {
        "processor": processor(), "tokens": options.tokens, "size": options.size, "seeds": options.seeds,
        "worlds": {name: judge(results) for name, results in found.items() if results}, "runs": found,
    }  # fmt: skip
    if not options.quick:
        write_result({"benchmark": "mixing", **plain}, Path(__file__).parent / "results")
    else:
        print(json.dumps({key: value for key, value in plain.items() if key != "runs"}))


if __name__ == "__main__":
    main()
