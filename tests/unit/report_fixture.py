"""A lab as a finished run leaves it, made up by rule: six domains, three phases, three tuning steps."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from smolforge.evals.stats import ratio_interval, share_interval

DOMAINS = ("web", "code", "mathematics", "textbooks", "stories")
SKILLS = ("knowledge", "mathematics", "code", "instructions", "rewriting", "summarising", "tools")
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)> & "quotes" \x1b[31m'
ITEMS = 120
MADE_ON = {
    "processor": "AMD Zen",
    "machine": "Linux, 2 processors",
    "threads": 2,
    "device": "cpu",
    "commit": "abc",
}
BEGUN_KEY = "b" * 64
"""Of what a run that was cut is in the middle of; its stage has no name."""
ABILITY = {"phase-1": 0.10, "phase-2": 0.18, "phase-3": 0.27, "sft": 0.55, "dpo": 0.555, "grpo": 0.66}


class FakeLab:
    """Writes artifacts and labels in the store's format."""

    def __init__(self, root: Path) -> None:
        self.run = root / "runs" / "demo"
        self.artifacts = root / "artifacts"
        self.run.mkdir(parents=True)
        self.artifacts.mkdir()
        self.labels: dict[str, Any] = {}
        self.refs: dict[str, dict[str, str]] = {}
        config = {"model": {"hidden_size": 128}, "phases": [{"tokens": 3_000_000}], "note": EVIL, "seed": 7}
        (self.run / "recipe.json").write_text(
            json.dumps({"recipe": "quickstart", "scale": "demo", "smolforge": "0.1.0", "config": config})
        )
        self.event("run")

    def event(self, event: str, **facts: Any) -> None:
        with (self.run / "events.jsonl").open("a") as out:
            out.write(json.dumps({"t": 1.0, "event": event, "stage": "", "label": "", **facts}) + "\n")

    def make(
        self,
        label: str,
        stage: str,
        kind: str,
        facts: Mapping[str, Any],
        inputs: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        seconds: float = 1.0,
    ) -> Path:
        key = f"{len(self.labels):02d}{abs(hash_of(label)):062x}"[:64]
        folder = self.artifacts / f"{stage}-{key[:12]}"
        folder.mkdir()
        record = {
            "stage": stage,
            "version": 1,
            "kind": kind,
            "key": key,
            "digest": key[::-1],
            "config": dict(config or {}),
            "inputs": {name: self._ref(value) for name, value in (inputs or {}).items()},
            "facts": dict(facts),
            "provenance": {
                "seconds": seconds,
                "started": 1.0,
                "host": "x",
                "peak_memory_bytes": 400 << 20,
                **MADE_ON,
            },
        }
        (folder / "record.json").write_text(json.dumps(record))
        self.refs[label] = {"key": key, "digest": key[::-1], "folder": folder.name}
        self.labels[label] = {
            "stage": stage, "folder": folder.name, "digest": key[::-1],
            "facts": dict(facts), "seconds": seconds, "reused": False,
        }  # fmt: skip
        (self.run / "labels.json").write_text(json.dumps(self.labels))
        self.event("start", label=label)
        self.event("seal", label=label)
        return folder

    def _ref(self, value: Any) -> Any:
        return self.refs[value] if isinstance(value, str) else {k: self.refs[v] for k, v in value.items()}


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode(), "big") % (1 << 200)


def make_lab(root: Path, *, until: str = "export") -> FakeLab:
    """The whole run, or the part up to and including the label `until`."""
    lab = FakeLab(root)
    for step in (_data, _phases, _tuning, _export):
        step(lab)
        if until in lab.labels:
            _cut(lab, until)
            break
    else:
        lab.event("finished")
    return lab


def _cut(lab: FakeLab, until: str) -> None:
    names = list(lab.labels)
    kept = names[: names.index(until) + 1]
    (lab.run / "labels.json").write_text(json.dumps({name: lab.labels[name] for name in kept}))
    begun = names[len(kept)] if len(names) > len(kept) else "next"
    lab.event("start", label=begun, key=BEGUN_KEY)


def _data(lab: FakeLab) -> None:
    lab.make("held-out", "hold-out", "EvalTexts", {"items": 840, "texts": 60})
    for i, domain in enumerate(DOMAINS):
        count = 2400 - 300 * i
        lab.make(
            f"raw/{domain}",
            f"gather-{domain}",
            "RawDocs",
            {"documents": count, "bytes": count * 9000},
            seconds=4,
        )
        facts = {
            "documents": count - 400,
            "bytes": (count - 400) * 8000,
            "dropped": 400,
            "dropped_too_short": 250,
            "dropped_near_duplicate": 100,
            "dropped_decontaminated": 50,
        }
        inputs = {"raw": f"raw/{domain}", "banned": "held-out"}
        folder = lab.make(f"corpus/{domain}", "curate", "Corpus", facts, inputs, seconds=9)
        rows = [
            {"id": str(n), "rule": rule, "reason": why, "excerpt": f"{text} {n}"}
            for rule, why, text in (
                ("too_short", "fewer than 50 words", "Home | About | Contact"),
                ("near_duplicate", "Jaccard 0.91 with web-17", EVIL),
                ("decontaminated", "shares 13 words with a held-out item", "What is the capital of Peru?"),
            )
            for n in range(5)
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / "dropped-00000.parquet")
    lab.make(
        "raw/chats",
        "make-conversations",
        "ChatData",
        {"conversations": 24_000, "turns": 81_000},
        {"banned": "held-out"},
        seconds=7,
    )
    facts = {"documents": 24_000, "bytes": 9_000_000, "dropped": 0}
    lab.make("corpus/chat", "chat-corpus", "Corpus", facts, {"data": "raw/chats", "held_out": "held-out"})
    corpora = {d: f"corpus/{d}" for d in (*DOMAINS, "chat")}
    folder = lab.make("sizing", "size-run", "Sizing", {"parameters": 2_134_016}, {"corpora": corpora})
    promised = {"phase_tokens": {"1": 3, "2": 3, "3": 3}, "predicted": {"bits_per_byte": 1.0, "seconds": 200}}
    (folder / "sizing.json").write_text(json.dumps(promised))
    lab.make(
        "tokenizer",
        "train-tokenizer",
        "Tokenizer",
        {"vocabulary": 4096, "bytes_per_token": 3.41},
        {"corpora": corpora},
        seconds=6,
    )
    for domain in DOMAINS:
        lab.make(
            f"shards/{domain}",
            "tokenize",
            "TokenShards",
            {"tokens": 1_900_000, "bytes": 5_700_000},
            {"corpus": f"corpus/{domain}", "tokenizer": "tokenizer"},
            seconds=2,
        )


def _phases(lab: FakeLab) -> None:
    shares = [0.40, 0.15, 0.15, 0.15, 0.15]
    before = None
    for n in (1, 2, 3):
        weights = dict(zip(DOMAINS, shares, strict=True))
        inputs: dict[str, Any] = {"shards": {d: f"shards/{d}" for d in DOMAINS}}
        folder = lab.make(
            f"phase-{n}/mixture",
            "decide-mixture",
            "ChosenMixture",
            {},
            {"scores": f"phase-{n - 1}/scores"} if n > 1 else {},
            seconds=0.01,
        )
        reasons = ["the start: web first, equal parts of the rest"] if n == 1 else [
            f"mathematics is {30 - n} points under its target: its share goes from {shares[2] - 0.06:.2f} to {shares[2]:.2f}",
            "web gives it up, as its bits per byte changed least",
            "stories stay at their floor of 0.10",
        ]  # fmt: skip
        (folder / "mixture.json").write_text(json.dumps({"weights": weights, "reasons": reasons, "gaps": {}}))
        inputs |= {"mixture": f"phase-{n}/mixture", "tokenizer": "tokenizer"}
        if before:
            inputs["start"] = before
        facts = {"parameters": 2_134_016, "tokens": n * 3_000_000, "loss": 4.2 - 0.6 * n, "flops": 3.8e13}
        folder = lab.make(f"phase-{n}/model", "pretrain", "Checkpoint", facts, inputs, seconds=70)
        _losses(folder, n)
        before = f"phase-{n}/model"
        _score(lab, f"phase-{n}", before, "text")
        shares = [shares[0] - 0.1, shares[1], shares[2] + 0.06, shares[3] + 0.04, shares[4]]


def _losses(folder: Path, n: int) -> None:
    chance = random.Random(n)
    with (folder / "losses.jsonl").open("w") as out:
        for step in range(1, 181):
            tokens = (n - 1) * 3_000_000 + step * 16_667
            loss = 1.7 + 6.5 * math.exp(-tokens / 9e5) + 0.9 * math.exp(-tokens / 6e6) + chance.gauss(0, 0.07)
            lr = 0.01 * min(1.0, tokens / 4e5) * (1 if n < 3 else 1 - step / 190)
            out.write(json.dumps({"step": step, "tokens": tokens, "loss": loss, "lr": lr}) + "\n")


def _score(lab: FakeLab, name: str, model: str, form: str) -> None:
    chance = random.Random(7)  # the same draws for each step, so that items keep their difficulty
    samples, scores = [], []
    for skill in SKILLS:
        ability = ABILITY[name] * (0.5 if skill == "code" else 1.0)
        rights = [chance.random() < ability for _ in range(ITEMS)]
        share = share_interval(sum(rights), ITEMS)
        scores.append({"skill": skill, "value": share.value, "low": share.low, "high": share.high,
                       "chance": 0.25 if skill == "knowledge" else 0.0, "items": ITEMS, "unit": "share", "detail": {}})  # fmt: skip
        samples += [
            {"id": f"{skill}-{i}", "skill": skill, "kind": "exact", "question": f"Question {i} about {skill}? {EVIL if i == 0 else ''}",
             "answer": f"The answer of {name} is {i}. {EVIL if i < 2 else ''}", "wanted": str(i), "right": right, "credit": float(right), "reason": ""}
            for i, right in enumerate(rights)
        ]  # fmt: skip
    bits = []
    noise = random.Random(name)
    for i, domain in enumerate(DOMAINS):
        level = 1.4 + 0.15 * i + 2.2 * (0.7 - ABILITY[name] if form == "text" else 0.45)
        sizes = [1000.0 * (1 + 0.05 * n) for n in range(10)]
        found = [size * (level + 0.03 * n + noise.gauss(0, 0.01)) for n, size in enumerate(sizes)]
        ratio = ratio_interval(found, sizes)
        scores.append({"skill": f"bits_{domain}", "value": ratio.value, "low": ratio.low, "high": ratio.high,
                       "chance": 8.0, "items": 10, "unit": "bits_per_byte", "detail": {}})  # fmt: skip
        bits += [
            {"id": str(n), "domain": domain, "bits": one, "bytes": size}
            for n, (one, size) in enumerate(zip(found, sizes, strict=True))
        ]
    folder = lab.make(
        f"{name}/scores",
        "evaluate",
        "Scores",
        {},
        {"model": model, "texts": "held-out"},
        {"form": form},
        seconds=14,
    )
    (folder / "scores.json").write_text(json.dumps(scores))
    (folder / "samples.jsonl").write_text("".join(json.dumps(s) + "\n" for s in samples))
    (folder / "bits.jsonl").write_text("".join(json.dumps(b) + "\n" for b in bits))


def _tuning(lab: FakeLab) -> None:
    facts = {"parameters": 2_134_016, "tokens": 11_500_000, "loss": 1.31, "flops": 3.1e13}
    sft = lab.make(
        "sft/model",
        "sft",
        "Checkpoint",
        facts,
        {"model": "phase-3/model", "chats": "raw/chats", "tokenizer": "tokenizer"},
        seconds=60,
    )
    _curve(sft, "loss", 2.6, 1.3)
    _score(lab, "sft", "sft/model", "chat")
    pairs = lab.make(
        "dpo/pairs",
        "sample-pairs",
        "PreferenceData",
        {"pairs": 900},
        {"model": "sft/model", "chats": "raw/chats"},
        seconds=30,
    )
    (pairs / "pairs.jsonl").write_text(
        "".join(
            json.dumps({"id": str(i), "skill": s}) + "\n" for i, s in enumerate(("instructions", "rewriting"))
        )
    )
    dpo = lab.make(
        "dpo/model",
        "dpo",
        "Checkpoint",
        {**facts, "loss": 0.5},
        {"model": "sft/model", "pairs": "dpo/pairs"},
        seconds=25,
    )
    _curve(dpo, "loss", 0.69, 0.5)
    _score(lab, "dpo", "dpo/model", "chat")
    grpo = lab.make(
        "grpo/model",
        "grpo",
        "Checkpoint",
        {**facts, "loss": 0.1},
        {"model": "dpo/model", "chats": "raw/chats"},
        {"skills": ["mathematics", "instructions"]},
        seconds=40,
    )
    _curve(grpo, "reward", 0.4, 0.66)
    talk = lab.make("talk", "converse", "Conversations", {"conversations": 1}, {"model": "grpo/model"})
    turns = [
        ("system", "You are a pirate."),
        ("user", "Who are you?"),
        ("assistant", f"A pirate. {EVIL}"),
        ("user", "Sure?"),
    ]
    messages = [{"role": role, "content": text} for role, text in turns]
    lines = [{"messages": messages}, {"messages": "broken"}, {"messages": [1, {"role": "user"}]}]
    (talk / "conversations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    _score(lab, "grpo", "grpo/model", "chat")


def _curve(folder: Path, name: str, start: float, end: float) -> None:
    chance = random.Random(3)
    with (folder / "losses.jsonl").open("w") as out:
        for step in range(1, 81):
            value = end + (start - end) * math.exp(-step / 20) + chance.gauss(0, 0.02)
            out.write(json.dumps({"step": step, "tokens": step * 1000, name: value, "lr": 1e-3}) + "\n")


def _export(lab: FakeLab) -> None:
    facts = {"checks": 4, "hf_bytes": 8_600_000, "gguf_f16_bytes": 4_400_000, "gguf_q8_0_bytes": 2_400_000}
    folder = lab.make(
        "export",
        "export",
        "DeviceModel",
        facts,
        {"model": "grpo/model", "tokenizer": "tokenizer"},
        seconds=12,
    )
    names = ("same_logits_as_transformers", "same_tokens", "same_chat_template", "gguf_same_greedy_text")
    checks = [{"name": n, "passed": True, "detail": "40 prompts", "worst": 3.2e-6} for n in names]
    (folder / "parity.json").write_text(json.dumps(checks))
