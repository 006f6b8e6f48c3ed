"""Decided mixtures keep their limits, follow the gaps, and say why."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolforge.artifacts import ChosenMixture, Scores, TokenShards
from smolforge.errors import ConfigError
from smolforge.log import Log
from smolforge.mix.decide import Limits, Measured, Supply, decide
from smolforge.mix.stages import ChooseMixtureConfig, choose_mixture
from smolforge.stage import Job

LIMITS = Limits(floor=0.02, cap=0.6, most_passes=4.0, most_change=0.15, strength=1.0)
DOMAINS = ("chat", "code", "mathematics", "web")


def share_of(value, target=0.6, chance=0.1):
    return Measured(value=value, chance=chance, target=target)


@st.composite
def situations(draw):
    shares = [draw(st.floats(0.0, 1.0)) for _ in DOMAINS]
    before = dict(zip(DOMAINS, shares, strict=True))
    skills = {
        f"s{i}": share_of(draw(st.floats(0, 1)), target=draw(st.floats(0.2, 1)))
        for i in range(draw(st.integers(0, 4)))
    }
    affinity = {s: {d: draw(st.floats(0, 1)) for d in DOMAINS} for s in skills}
    supply = {
        d: Supply(tokens=draw(st.integers(1, 10**6)), planned=draw(st.floats(0, 10**6))) for d in DOMAINS
    }
    return before, skills, affinity, supply, draw(st.integers(1000, 10**6))


@settings(max_examples=300, deadline=None)
@given(situations())
def test_shares_add_up_and_keep_the_limits_whatever_comes(situation):
    before, skills, affinity, supply, tokens = situation
    decision = decide(before, skills, affinity, supply, tokens, LIMITS)
    weights = decision.weights
    assert math.fsum(weights.values()) == pytest.approx(1.0, abs=1e-9)
    assert all(share >= 0 for share in weights.values())
    room = {d: max(0.0, 4.0 * supply[d].tokens - supply[d].planned) / tokens for d in DOMAINS}
    tops = {d: min(0.6, room[d]) for d in DOMAINS}
    if sum(tops.values()) >= 1 + 1e-5:  # the limits can be kept together
        for domain in DOMAINS:
            assert weights[domain] <= tops[domain] + 1e-5
            assert weights[domain] >= min(0.02, tops[domain]) - 1e-5
    assert len(decision.reasons) >= len(DOMAINS)


def plenty():
    return {d: Supply(tokens=10**9) for d in DOMAINS}


def even():
    return dict.fromkeys(DOMAINS, 0.25)


def test_without_scores_the_shares_stay():
    assert decide(even(), {}, {}, plenty(), 10**6, LIMITS).weights == even()


def test_a_gap_raises_the_domain_that_teaches_it_and_only_that():
    skills = {"mathematics": share_of(0.1), "code": share_of(0.7)}
    affinity = {"mathematics": {"mathematics": 1.0}, "code": {"code": 1.0}}
    decision = decide(even(), skills, affinity, plenty(), 10**6, LIMITS)
    assert decision.weights["mathematics"] > 0.35
    assert max(decision.weights[d] for d in ("chat", "code", "web")) < 0.25
    assert decision.gaps == {"mathematics": 1.0, "code": 0.0}
    assert any("mathematics: 25.0% to" in reason and "target 60%" in reason for reason in decision.reasons)


def test_no_share_moves_further_than_allowed():
    skills = {"mathematics": share_of(0.0)}
    strong = Limits(floor=0.02, cap=0.9, most_passes=4.0, most_change=0.1, strength=50.0)
    decision = decide(even(), skills, {"mathematics": {"mathematics": 1.0}}, plenty(), 10**6, strong)
    assert decision.weights["mathematics"] == pytest.approx(0.35, abs=1e-5)
    assert all(abs(share - 0.25) <= 0.1 + 1e-5 for share in decision.weights.values())


def test_repetition_is_counted_over_all_phases():
    supply = plenty() | {"mathematics": Supply(tokens=50_000, planned=100_000)}
    skills = {"mathematics": share_of(0.0)}
    decision = decide(even(), skills, {"mathematics": {"mathematics": 1.0}}, supply, 10**6, LIMITS)
    assert decision.weights["mathematics"] == pytest.approx(0.1, abs=1e-5)  # (4 * 50,000 - 100,000) / 10**6
    assert any("4 passes over its 50,000 tokens" in reason for reason in decision.reasons)


def test_bits_per_byte_count_downwards():
    worse = Measured(value=2.4, chance=8.0, target=2.0, lower_is_better=True)
    better = Measured(value=1.8, chance=8.0, target=2.0, lower_is_better=True)
    assert worse.gap == pytest.approx(0.2)
    assert better.gap == 0.0
    assert share_of(0.35).gap == pytest.approx(0.5)
    assert share_of(0.05).gap == 1.0


def test_a_domain_without_text_gets_nothing():
    supply = plenty() | {"web": Supply(tokens=0)}
    weights = decide(even(), {}, {}, supply, 10**6, LIMITS).weights
    assert weights.get("web", 0.0) == 0.0
    assert sum(weights.values()) == pytest.approx(1.0)


class TestStage:
    """`choose_mixture` over two phases."""

    config = ChooseMixtureConfig(
        base={"web": 0.5, "code": 0.3, "mathematics": 0.2},
        targets={"mathematics": 0.5, "bits_web": 2.0, "singing": 0.5},
        affinity={"mathematics": {"mathematics": 1.0, "code": 0.3}},
        phase_tokens=1000,
    )

    def choose(self, tmp_path, name, config=config, **inputs):
        for part in ("out", "work"):
            (tmp_path / name / part).mkdir(parents=True)
        job = Job(out=tmp_path / name / "out", work=tmp_path / name / "work", log=Log())
        shards = {
            d: TokenShards(tmp_path, "k", "d", {"tokens": 5000}) for d in ("web", "code", "mathematics")
        }
        facts = choose_mixture(config, job, shards=shards, **inputs)
        return facts, json.loads((job.out / "mixture.json").read_text()), ChosenMixture(job.out, "k", "d")

    def test_two_phases(self, tmp_path):
        facts, first, chosen = self.choose(tmp_path, "one")
        assert first["weights"] == pytest.approx(self.config.base)
        assert facts["share_web"] == pytest.approx(0.5)
        assert first["planned_tokens"] == {"web": 500, "code": 300, "mathematics": 200}
        folder = tmp_path / "scores"
        folder.mkdir()
        listed = [
            {"skill": "mathematics", "value": 0.1, "chance": 0.0, "unit": "share"},
            {"skill": "bits_web", "value": 1.9, "chance": 8.0, "unit": "bits_per_byte"},
        ]
        (folder / "scores.json").write_text(json.dumps(listed))
        _, second, _ = self.choose(tmp_path, "two", scores=Scores(folder, "k", "d"), previous=chosen)
        assert second["weights"]["mathematics"] > 0.25
        assert second["gaps"] == {"mathematics": 0.8, "bits_web": 0.0}
        assert any("singing" in reason for reason in second["reasons"])
        assert sum(second["planned_tokens"].values()) == pytest.approx(2000, abs=2)

    def test_impossible_shares_are_refused(self, tmp_path):
        import dataclasses

        with pytest.raises(ConfigError, match=r"1\.05"):
            self.choose(tmp_path, "a", dataclasses.replace(self.config, base={"web": 0.7, "code": 0.35}))
        with pytest.raises(ConfigError, match="poems"):
            self.choose(tmp_path, "b", dataclasses.replace(self.config, base={"poems": 1.0}))
        with pytest.raises(ConfigError, match="phase_tokens"):
            self.choose(tmp_path, "c", dataclasses.replace(self.config, phase_tokens=None))


def test_a_source_without_a_share_enters_when_it_is_needed():
    before = {"web": 0.9, "code": 0.1, "mathematics": 0.0, "chat": 0.0}
    skills = {"mathematics": share_of(0.1), "web": share_of(0.6)}
    affinity = {"mathematics": {"mathematics": 1.0}, "web": {"web": 1.0}}
    open_floor = Limits(floor=0.0, cap=1.0, most_passes=5.0, most_change=0.15, strength=1.0)
    weights = decide(before, skills, affinity, plenty(), 10**6, open_floor).weights
    assert weights["mathematics"] > 0.02
    assert weights["chat"] == pytest.approx(0.0, abs=1e-6)


def test_published_shares_count_their_passes_over_all_phases():
    """OpenWebMath: 100 billion tokens of phase 2 are eight passes already, and phase 3 may add none."""
    supply = {"web": Supply(tokens=10**13), "openwebmath": Supply(tokens=12 * 10**9, planned=1e11)}
    limits = Limits(floor=0.0, cap=1.0, most_passes=5.0, most_change=0.05, strength=1.0)
    shares = decide({"web": 0.977, "openwebmath": 0.023}, {}, {}, supply, 2 * 10**12, limits).weights
    assert shares["openwebmath"] == 0.0
