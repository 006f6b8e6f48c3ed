"""Trials on a small world: probes and twins are trained, charged, heard, and the winner goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from smolforge.artifacts import Checkpoint, ChosenMixture, DecisionHalf, SkillBits, Tokenizer, TokenShards
from smolforge.data.tokens.batches import Documents
from smolforge.data.tokens.shards import write_shards
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
from smolforge.stage import Job
from smolforge.text import tokenizer
from smolforge.train.schedule import factor
from smolforge.train.stages import PretrainConfig, pretrain

WORDS = ["cat", "dog", "sun", "sea", "hat", "tree", "milk", "bird"]
PHASE = 24_000
MEASURE = MeasureConfig(form="text", items_per_skill=0, compute="float32")
TRIAL = TryConfig(
    measure=MEASURE, start_tokens=PHASE, total_tokens=2 * PHASE, batch_tokens=256, length=32, compute="float32",
    probes=1, probe_share=0.15, check_share=0.05, check_above=0.0,
)  # fmt: skip


class World:
    """Two sources, one of which teaches to say what is asked; a model trained on them for one of two phases."""

    def __init__(self, root):
        self.root, self.made = root, 0
        texts = {
            "saying": [f"Say {word}: {word}.\n" * 3 for word in WORDS * 30],
            "noise": [" ".join(WORDS[(n * k) % 8] for k in range(1, 12)) + ".\n" for n in range(240)],
        }
        tok = tokenizer.train([text for many in texts.values() for text in many], 300)
        (root / "tokenizer").mkdir()
        tokenizer.save(tok, root / "tokenizer")
        self.tokenizer = Tokenizer(root / "tokenizer", "k", "d", {"vocabulary": 300})
        self.shards = {}
        for name, many in texts.items():
            (root / name).mkdir()
            facts = write_shards(many, tokenizer.load_tokenizer(root / "tokenizer"), root / name)
            self.shards[name] = TokenShards(root / name, "k", "d", facts)
        (root / "half").mkdir()
        rows = [
            {
                "id": f"{word}{n}",
                "skill": "say",
                "kind": "exact",
                "messages": [],
                "prompt": f"Say {word}:",
                "answer": f"{word}.",
            }
            for n, word in enumerate(WORDS)
        ]
        (root / "half" / "items-say.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.half = DecisionHalf(root / "half", "k", "d")
        self.model = self.train("one", {"saying": 0.3, "noise": 0.7})

    def job(self, name):
        self.made += 1
        for part in ("out", "work"):
            (self.root / f"{name}-{self.made}" / part).mkdir(parents=True)
        place = self.root / f"{name}-{self.made}"
        return Job(out=place / "out", work=place / "work", log=Log(), threads=1)

    def known(self):
        return {"shards": self.shards, "tokenizer": self.tokenizer}

    def train(self, name, shares=None, **inputs):
        cfg = PretrainConfig(
            phase=name, tokens=PHASE, start_tokens=0 if shares else PHASE, total_tokens=2 * PHASE, batch_tokens=256,
            length=32, mixture=shares, compute="float32",
            model=ModelConfig(
                vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1,
                num_key_value_heads=1, head_dim=32, max_position_embeddings=64,
            ),
        )  # fmt: skip
        job = self.job(name)
        return Checkpoint(job.out, "k", "d", pretrain(cfg, job, **self.known(), **inputs))

    def measure(self, model):
        job = self.job("skills")
        facts = measure_skills(MEASURE, job, model=model, tokenizer=self.tokenizer, texts=self.half)
        return SkillBits(job.out, "k", "d", facts)

    def choose(self, cfg, **inputs):
        job = self.job("mixture")
        return ChosenMixture(job.out, "k", "d", choose_mixture(cfg, job, shards=self.shards, **inputs))

    def proposed(self, taught_by):
        even = ChooseMixtureConfig(
            rule="measured", base={"saying": 0.3, "noise": 0.7}, phase_tokens=PHASE, later_tokens=(PHASE,), least_tokens=0,
            taught_by=taught_by, needs={"say": 1.0}, cap=0.9,
        )  # fmt: skip
        first = self.choose(replace(even, override={"saying": 0.3, "noise": 0.7}))
        plain = json.loads((first.path / "mixture.json").read_text())
        plain["plan"] = [{"saying": 0.3, "noise": 0.7}]
        (first.path / "mixture.json").write_text(json.dumps(plain))
        last = replace(even, later_tokens=())
        return self.choose(last, previous=first, measured=self.measure(self.model), trained=self.model)

    def tried(self, cfg, proposed):
        job = self.job("trial")
        facts = try_mixture(cfg, job, proposed=proposed, init=self.model, texts=self.half, **self.known())
        return (
            facts,
            json.loads((job.out / "mixture.json").read_text()),
            ChosenMixture(job.out, "k", "d", facts),
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


def test_the_bits_of_what_is_taught_fall(world):
    more = world.train("more", {"saying": 0.9, "noise": 0.1}, init=world.model)
    before, after = (float(world.measure(model).facts["say"]) for model in (world.model, more))
    assert after < before


def test_the_words_of_a_skill_are_those_of_its_teacher(world):
    job = world.job("affinity")
    source_affinity(AffinityConfig(form="text"), job, texts=world.half, **world.known())
    found = json.loads((job.out / "affinity.json").read_text())["weights"]["say"]
    assert found["saying"] > 0.6
    assert sum(found.values()) == pytest.approx(1.0)


def test_a_move_is_checked_by_twins_and_the_winner_goes_on_at_equal_compute(world):
    proposed = world.proposed({"say": ("saying",)})
    facts, plain, tried = world.tried(replace(TRIAL, probes=0), proposed)
    steps = round(0.05 * PHASE / 256 + 0.5)
    assert any("twins" in line for line in plain["trial"])
    assert facts["begun_tokens"] == pytest.approx(steps * 256, abs=256)
    assert facts["spent_tokens"] >= proposed.facts["spent_tokens"] + facts["begun_tokens"]
    final = world.train("two", mixture=tried, init=world.model)
    whole = 2 * PHASE - facts["spent_tokens"]
    assert final.facts["tokens"] == pytest.approx(whole, abs=256)
    rates = [json.loads(line)["lr"] for line in (final.path / "losses.jsonl").read_text().splitlines()]
    schedule = PretrainConfig(phase="x").schedule
    taken = facts["spent_tokens"] + facts["begun_tokens"]
    peak = rates[0] / factor(schedule, PHASE + taken + 256, 2 * PHASE)
    assert rates[-1] == pytest.approx(peak * factor(schedule, 2 * PHASE, 2 * PHASE), abs=0.05 * peak)


def test_probes_find_what_nobody_declared_and_are_charged(world):
    proposed = world.proposed({"say": ("noise",)})  # a person is wrong
    facts, plain, _ = world.tried(replace(TRIAL, probes=2, probe_share=0.5, check_above=1.0), proposed)
    if "had a branch each" in plain["trial"][0]:
        shown = {tuple(c["shares"]): c["bits"]["say"][0] for c in plain["contrasts"]}
        by_source = {("noise", "saying")[shares[1] > 0.5]: bits for shares, bits in shown.items()}
        assert by_source["saying"] < by_source["noise"]
        assert facts["spent_tokens"] > proposed.facts["spent_tokens"] + 2 * 0.5 * PHASE / 4
    else:
        assert "no probes" in plain["trial"][0]
        assert facts["spent_tokens"] == proposed.facts["spent_tokens"]


def test_probes_that_cannot_tell_are_not_made(world):
    proposed = world.proposed({"say": ("noise",)})
    facts, plain, _ = world.tried(replace(TRIAL, probe_share=0.001, check_above=1.0), proposed)
    assert "too few" in plain["trial"][0]
    assert facts["spent_tokens"] == proposed.facts["spent_tokens"]
    assert facts["begun_tokens"] == 0


def test_other_rules_are_not_tried(world):
    natural = world.choose(ChooseMixtureConfig(rule="natural", phase_tokens=PHASE))
    facts, plain, tried = world.tried(TRIAL, natural)
    assert facts["begun_tokens"] == 0
    assert plain["weights"] == json.loads((natural.path / "mixture.json").read_text())["weights"]
    assert not (tried.path / "branch").exists()


def test_a_short_branch_sees_as_few_documents_as_it_is_told(world):
    whole = Documents(world.shards["saying"].path)
    few = Documents(world.shards["saying"].path, 100)
    assert 50 < few.tokens <= 100 < whole.tokens
    assert len(Documents(world.shards["saying"].path, 1)) == 1
