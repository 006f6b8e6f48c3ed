"""What is learned in minutes on this CPU: bits per byte on held-out text, smolforge against the same peers.

    python benchmarks/train_learn.py --nanochat CHECKOUT --litgpt-python ENVIRONMENT/bin/python [--text PATH]
    python benchmarks/train_learn.py --quick …           fifteen seconds instead of three and five minutes

Everybody gets the same documents (split, deduplicated and tokenized here, vocabulary by our sizing for the time), the
same length and batch, the quicker number type of this machine, and documents in random order; everybody is tested by the same
code on the same held-out documents. `--text` is a file or folder that smolforge can read (text, Markdown, code, JSON
Lines, Parquet); without it, the Python files of the standard library.

    smolforge  the model that `train.sizing` chooses for the minutes and its default optimiser and schedule, over the
               tokens that a measured rate promises; stopped by the clock, its first steps counted; several seeds
    peers      the better of two models in a short trial, ours or the next smaller one; their own optimiser;
               schedules that end exactly with the time; start, compilation and first step not counted, in their favour.
               Trainer and litgpt: AdamW at the rate of `ADAMW_LR`, cosine; nanochat: Muon and AdamW at its own rates,
               also tried with the batch of its `runs/runcpu.sh`, 16,384 tokens

The last line is JSON: `bits_per_byte` by contestant and minutes, and for the longest time `difference_best_peer_bits`
(best peer less ours; above 0 ours is lower) and `noise_bits` (standard deviation of ours over seeds, at the time that
has most of them). Set-up of the peers: see `train_cpu.py`. Results: benchmarks/results/<date>-train_learn.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from peers.start import Contestants, Failure, stop_with_children, tell
from train_cpu import PEER_TYPES, add_peers, measured_peak, processor, shape_of, write_result

from smolforge.data.read.documents import Document, stable_share
from smolforge.data.read.found import Limits
from smolforge.data.read.readers import read_file
from smolforge.data.read.sources import folder_found, stdlib_files
from smolforge.data.tokens.shards import write_shards
from smolforge.model.config import ModelConfig
from smolforge.text import tokenizer as tokenizers
from smolforge.train import sizing

HELD_OUT_SHARE = 0.05
HELD_OUT_BYTES = 250_000
HELD_OUT_CHARACTERS = 6_000
VOCABULARY_BYTES = 12_000_000
ADAMW_LR = 0.004
"""Peak rate of AdamW at width 128, divided by the square root of the width's growth.

Source: measured with the Trainer at width 128 for 100 processor seconds on the standard library's files: 2.765 bits per
byte at 0.002, 2.734 at 0.004, 2.740 at 0.008; the growth with width is chosen, untested.
"""
NANOCHAT_BATCH_TOKENS = 16_384
PEERS = ("trainer", "nanochat", "litgpt")


@dataclass(frozen=True)
class Time:
    """A training time: what ours is trained on in it, and how large."""

    seconds: float
    choice: sizing.Choice
    folder: Path


@dataclass(frozen=True)
class Entry:
    """One way for a contestant to take part: a variant, a model, rows a batch, a rate."""

    name: str
    model: ModelConfig
    rows: int
    lr: float = ADAMW_LR

    @property
    def words(self) -> str:
        tokens = self.rows * self.model.max_position_embeddings
        return f"{self.name}, width {self.model.hidden_size}, {self.model.num_hidden_layers} layers, {tokens} a batch"


# --- text -------------------------------------------------------------------------------------------------


def documents(text: Path | None) -> list[str]:
    """The documents to learn from and be tested on, each once, in an order of its own."""
    found: Iterator[Any] = stdlib_files(max_bytes=60_000_000)
    if text is not None:
        found = folder_found(text) if text.is_dir() else read_file(text, text.name, Limits())
    texts = [entry.text for entry in found if isinstance(entry, Document) and entry.kind != "html"]
    by_digest = {hashlib.sha256(t.encode("utf-8", "replace")).hexdigest(): t for t in texts if t.strip()}
    if len(by_digest) < 2:
        raise SystemExit("no documents to learn from: give another --text")
    return [by_digest[digest] for digest in sorted(by_digest)]


def split(texts: list[str]) -> tuple[list[str], list[str]]:
    """Training and held-out documents; of a held-out one the beginning counts, and there are few of them."""
    train, held_out, held_bytes = [], [], 0
    for text in texts:
        if held_bytes < HELD_OUT_BYTES and (not held_out or stable_share(text, "held out") < HELD_OUT_SHARE):
            held_out.append(text[:HELD_OUT_CHARACTERS])
            held_bytes += size_of(held_out[-1])
        else:
            train.append(text)
    return train, held_out


def size_of(text: str) -> int:
    """Bytes of a text."""
    return len(text.encode("utf-8", "replace"))


def prepare(train: list[str], held_out: list[str], vocabulary: int, folder: Path) -> Path:
    """A folder with both as token ids, under a tokenizer learned from the training text alone."""
    if folder.is_dir():
        return folder
    (folder / "shards").mkdir(parents=True)
    sample, sampled = [], 0
    for text in train:
        sample.append(text)
        sampled += size_of(text)
        if sampled > VOCABULARY_BYTES:
            break
    tokenizers.save(tokenizers.train(sample, vocabulary), folder)
    tok = tokenizers.load_tokenizer(folder)
    write_shards(train, tok, folder / "shards")
    ids = tok.encode_batch(train)
    np.save(folder / "tokens.npy", np.concatenate([np.array([*i, tok.eot_id], np.uint16) for i in ids]))
    np.save(folder / "starts.npy", np.cumsum([0, *(len(i) + 1 for i in ids)]))
    test = tok.encode_batch(held_out)
    np.savez(
        folder / "held_out.npz",
        tokens=np.concatenate([np.array(i, np.uint16) for i in test]),
        starts=np.cumsum([0, *map(len, test)]),
        bytes=sum(map(size_of, held_out)),
    )
    return folder


# --- contestants --------------------------------------------------------------------------------------------


def entries(peer: str, precision: str, time: Time) -> list[Entry]:
    """The ways a peer may take part, of which the best in a trial is taken."""
    model, length = time.choice.model, time.choice.model.max_position_embeddings
    rows = time.choice.batch_tokens // length
    name = f"{peer}-{precision}"
    found = [Entry(name, shape, rows, adamw_lr(shape.hidden_size)) for shape in (model, smaller(model))]
    if peer == "nanochat":
        found.append(replace(found[0], rows=max(1, NANOCHAT_BATCH_TOKENS // length)))
    return list(dict.fromkeys(found))


def adamw_lr(width: int) -> float:
    """Peak rate of AdamW for a model of that width."""
    return ADAMW_LR * (128 / width) ** 0.5


def smaller(model: ModelConfig) -> ModelConfig:
    """The next smaller shape of the sizing's table, the vocabulary kept."""
    widths = [shape[0] for shape in sizing.SHAPES]
    place = widths.index(model.hidden_size) if model.hidden_size in widths else 0
    return sizing.model_of(sizing.SHAPES[max(0, place - 1)], model.vocab_size, model.max_position_embeddings)


def learn(
    contestants: Contestants, entry: Entry, time: Time, seconds: float, seed: int
) -> dict[str, Any] | Failure:
    """Train one entry for so many seconds; its answer holds `bits_per_byte`."""
    found = contestants.run(
        entry.name,
        shape=shape_of(entry.model),
        rows=entry.rows,
        length=entry.model.max_position_embeddings,
        seconds=seconds,
        folder=str(time.folder),
        lr=entry.lr,
        seed=seed,
    )
    if isinstance(found, Failure):
        tell(f"  {entry.words} failed: {found.why}")
    else:
        tell(
            f"  {entry.words}: {found['bits_per_byte']:.3f} bits per byte after {found['seconds']:.0f} s "
            f"and {found['tokens']} tokens"
        )
    return found


def best_entry(contestants: Contestants, choices: list[Entry], time: Time, seconds: float) -> Entry | None:
    """The entry that learns most in a short trial, None where all fail; without seconds, the first."""
    if not seconds or len(choices) == 1:
        return choices[0]
    found = [(learn(contestants, entry, time, seconds, 1), entry) for entry in choices]
    worked = [(answer["bits_per_byte"], entry) for answer, entry in found if not isinstance(answer, Failure)]
    return min(worked, key=lambda pair: pair[0])[1] if worked else None


def ours(contestants: Contestants, time: Time, seeds: int) -> list[dict[str, Any] | Failure]:
    """Our answers, a seed each."""
    model = time.choice.model
    entry = Entry("smolforge-muon", model, time.choice.batch_tokens // model.max_position_embeddings)
    return [learn(contestants, entry, time, time.seconds, seed) for seed in range(1, seeds + 1)]


# --- result ---------------------------------------------------------------------------------------------------


def contest(
    contestants: Contestants, time: Time, seeds: int, trial_seconds: float, precision: str
) -> dict[str, Any]:
    """Everybody's bits per byte after one time."""
    tell(f"{time.seconds / 60:g} minutes")
    answers: dict[str, list[dict[str, Any] | Failure]] = {"smolforge": ours(contestants, time, seeds)}
    for peer in PEERS:
        if peer not in contestants.missing:
            entry = best_entry(contestants, entries(peer, precision, time), time, trial_seconds)
            failed = Failure("every entry failed in its trial")
            answers[peer] = [learn(contestants, entry, time, time.seconds, 1) if entry else failed]
    return {name: verdict(given) for name, given in answers.items()} | {
        "predicted": round(time.choice.bits_per_byte, 3)
    }


def verdict(answers: list[dict[str, Any] | Failure]) -> dict[str, Any]:
    """Mean and deviation over seeds, and what was trained."""
    worked = [answer for answer in answers if not isinstance(answer, Failure)]
    failed = [answer.why for answer in answers if isinstance(answer, Failure)]
    if not worked:
        return {"failed": failed}
    bits = [answer["bits_per_byte"] for answer in worked]
    return {
        "bits_per_byte": round(statistics.fmean(bits), 4),
        "deviation": round(statistics.stdev(bits), 4) if len(bits) > 1 else None,
        "seeds": len(bits),
        "each": [{key: answer[key] for key in KEPT if key in answer} for answer in worked],
        "failed": failed,
    }


KEPT = (
    "bits_per_byte",
    "parameters",
    "steps",
    "tokens",
    "promised_tokens",
    "seconds",
    "mebibytes",
    "skipped",
)


def summary(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The figures that are quoted."""
    bits = {
        minutes: {
            name: found["bits_per_byte"]
            for name, found in result.items()
            if name != "predicted" and "bits_per_byte" in found
        }
        for minutes, result in results.items()
    }
    longest = bits[max(bits, key=float)]
    peers = {name: value for name, value in longest.items() if name != "smolforge"}
    deviations = [r["smolforge"] for r in results.values() if r["smolforge"].get("deviation") is not None]
    noise = max(deviations, key=lambda found: found["seeds"])["deviation"] if deviations else None
    difference = min(peers.values()) - longest["smolforge"] if peers and "smolforge" in longest else None
    return {
        "benchmark": "train_learn",
        "difference_best_peer_bits": round(difference, 4) if difference is not None else None,
        "noise_bits": noise,
        "best_peer": min(peers, key=lambda name: peers[name]) if peers else None,
        "bits_per_byte": bits,
    }


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--quick", action="store_true", help="fifteen seconds, two seeds, no trials")
    parse.add_argument("--minutes", default="3,5", help="training times")
    parse.add_argument("--seeds", default="3,1", help="runs of ours, for each time")
    parse.add_argument("--trial-seconds", type=float, default=30.0, help="to choose a peer's model; 0: ours")
    parse.add_argument("--text", type=Path, help="file or folder; without it, the standard library's files")
    parse.add_argument("--length", type=int, default=256)
    add_peers(parse)
    given = parse.parse_args()
    stop_with_children()
    if given.quick:
        given.minutes, given.seeds, given.trial_seconds = "0.25", "2", 0.0
    minutes, seeds = given.minutes.split(","), [int(n) for n in given.seeds.split(",")]
    if len(seeds) != len(minutes):
        parse.error("--seeds needs as many numbers as --minutes")
    contestants = Contestants(
        threads=given.threads,
        nanochat=given.nanochat,
        litgpt_python=given.litgpt_python,
        limit_seconds=given.limit_seconds + 60 * max(map(float, minutes)),
    )
    for name, why in contestants.missing.items():
        tell(f"without {name}: {why}")
    train, held_out = split(documents(given.text))
    unique_bytes = sum(map(size_of, train))
    tell(f"{unique_bytes / 1e6:.1f} MB to learn from, {sum(map(size_of, held_out)) / 1e3:.0f} kB held out")
    rate = sizing.measure_rate(given.threads, "cpu", given.length, "auto")
    peak = measured_peak(contestants)
    precision = max(PEER_TYPES, key=lambda name: peak[name])
    results = {}
    with tempfile.TemporaryDirectory() as work:
        for mark, count in zip(minutes, seeds, strict=True):
            choice = sizing.choose(unique_bytes, 60 * float(mark), rate, length=given.length)
            folder = prepare(
                train, held_out, choice.model.vocab_size, Path(work) / str(choice.model.vocab_size)
            )
            time = Time(60 * float(mark), choice, folder)
            results[mark] = contest(contestants, time, count, given.trial_seconds, precision)
            tell(json.dumps({mark: results[mark]}))
    line = summary(results) | {
        "text": str(given.text.name) if given.text else "the Python standard library",
        "train_bytes": unique_bytes,
        "precision_of_peers": precision,
        "missing": contestants.missing,
        "threads": given.threads,
        "processor": processor(),
        "minutes": results,
    }
    write_result(line, given.results)


if __name__ == "__main__":
    main()
