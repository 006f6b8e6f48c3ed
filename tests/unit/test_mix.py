"""Mixtures keep their limits whatever the rule, follow what was measured, and say why."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolforge.artifacts import Affinity, ChosenMixture, SkillBits, TokenShards
from smolforge.errors import ConfigError
from smolforge.log import Log
from smolforge.mix import baselines, ledger
from smolforge.mix.gap import Measured, decide
from smolforge.mix.limits import Limits, Supply, bounds, change, fitted
from smolforge.mix.stages import ChooseMixtureConfig, choose_mixture
from smolforge.stage import Job

LIMITS = Limits(floor=0.02, cap=0.6, most_passes=4.0, most_change=0.15)
DOMAINS = ("chat", "code", "mathematics", "web")


def share_of(value, target=0.6, chance=0.1):
    return Measured(value=value, chance=chance, target=target)


def by_gap(before, skills, affinity, supply, tokens, limits=LIMITS, strength=1.0):
    return decide(before, skills, affinity, supply, tokens, limits, strength)


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


@settings(max_examples=200, deadline=None)
@given(situations())
def test_shares_add_up_and_keep_the_limits_whatever_the_rule(situation):
    before, skills, affinity, supply, tokens = situation
    within = bounds(supply, tokens, LIMITS)
    room = {d: max(0.0, 4.0 * supply[d].tokens - supply[d].planned) / tokens for d in DOMAINS}
    tops = {d: min(0.6, room[d]) for d in DOMAINS}
    for weights in (
        by_gap(before, skills, affinity, supply, tokens).weights,
        baselines.natural(supply, within),
        baselines.uniform(supply, within),
        baselines.unimax(supply, within, tokens, 4.0),
    ):
        assert math.fsum(weights.values()) == pytest.approx(1.0, abs=1e-9)
        assert all(share >= 0 for share in weights.values())
        if sum(tops.values()) >= 1 + 1e-5:  # the limits can be kept together
            for domain in DOMAINS:
                assert weights[domain] <= tops[domain] + 1e-5
                assert weights[domain] >= min(0.02, tops[domain]) - 1e-5


def plenty():
    return {d: Supply(tokens=10**9) for d in DOMAINS}


def even():
    return dict.fromkeys(DOMAINS, 0.25)


class TestGap:
    """The rule of version 0.1."""

    def test_without_scores_the_shares_stay(self):
        assert by_gap(even(), {}, {}, plenty(), 10**6).weights == even()

    def test_a_gap_raises_the_domain_that_teaches_it_and_only_that(self):
        skills = {"mathematics": share_of(0.1), "code": share_of(0.7)}
        affinity = {"mathematics": {"mathematics": 1.0}, "code": {"code": 1.0}}
        decision = by_gap(even(), skills, affinity, plenty(), 10**6)
        assert decision.weights["mathematics"] > 0.35
        assert max(decision.weights[d] for d in ("chat", "code", "web")) < 0.25
        assert decision.gaps == {"mathematics": 1.0, "code": 0.0}
        assert any("mathematics: 25.0% to" in r and "target 60%" in r for r in decision.reasons)

    def test_no_share_moves_further_than_allowed(self):
        skills = {"mathematics": share_of(0.0)}
        limits = Limits(floor=0.02, cap=0.9, most_passes=4.0, most_change=0.1)
        decision = by_gap(
            even(), skills, {"mathematics": {"mathematics": 1.0}}, plenty(), 10**6, limits, strength=50.0
        )
        assert decision.weights["mathematics"] == pytest.approx(0.35, abs=1e-5)
        assert all(abs(share - 0.25) <= 0.1 + 1e-5 for share in decision.weights.values())

    def test_repetition_is_counted_over_all_phases(self):
        supply = plenty() | {"mathematics": Supply(tokens=50_000, planned=100_000)}
        skills = {"mathematics": share_of(0.0)}
        decision = by_gap(even(), skills, {"mathematics": {"mathematics": 1.0}}, supply, 10**6)
        assert decision.weights["mathematics"] == pytest.approx(0.1, abs=1e-5)
        assert any("4 passes over its 50,000 tokens" in reason for reason in decision.reasons)

    def test_bits_per_byte_count_downwards(self):
        worse = Measured(value=2.4, chance=8.0, target=2.0, lower_is_better=True)
        assert worse.gap == pytest.approx(0.2)
        assert dataclasses.replace(worse, value=1.8).gap == 0.0
        assert share_of(0.35).gap == pytest.approx(0.5)
        assert share_of(0.05).gap == 1.0

    def test_a_domain_without_text_gets_nothing(self):
        supply = plenty() | {"web": Supply(tokens=0)}
        weights = by_gap(even(), {}, {}, supply, 10**6).weights
        assert weights.get("web", 0.0) == 0.0
        assert sum(weights.values()) == pytest.approx(1.0)

    def test_a_source_without_a_share_enters_when_it_is_needed(self):
        before = {"web": 0.9, "code": 0.1, "mathematics": 0.0, "chat": 0.0}
        skills = {"mathematics": share_of(0.1), "web": share_of(0.6)}
        affinity = {"mathematics": {"mathematics": 1.0}, "web": {"web": 1.0}}
        limits = Limits(floor=0.0, cap=1.0, most_passes=5.0, most_change=0.15)
        weights = by_gap(before, skills, affinity, plenty(), 10**6, limits).weights
        assert weights["mathematics"] > 0.02
        assert weights["chat"] == pytest.approx(0.0, abs=1e-6)

    def test_published_shares_count_their_passes_over_all_phases(self):
        """OpenWebMath: 100 billion tokens of phase 2 are eight passes already, and phase 3 may add none."""
        supply = {"web": Supply(tokens=10**13), "openwebmath": Supply(tokens=12 * 10**9, planned=1e11)}
        limits = Limits(floor=0.0, cap=1.0, most_passes=5.0, most_change=0.05)
        before = {"web": 0.977, "openwebmath": 0.023}
        assert by_gap(before, {}, {}, supply, 2 * 10**12, limits).weights["openwebmath"] == 0.0


def test_unimax_stops_small_domains_and_shares_the_rest():
    supply = {"small": Supply(tokens=100), "a": Supply(tokens=10**6), "b": Supply(tokens=10**6)}
    free = bounds(supply, 10_000, Limits(floor=0.0, cap=1.0, most_passes=1e9, most_change=1.0))
    weights = baselines.unimax(supply, free, 10_000, 4.0)
    assert weights == pytest.approx({"small": 0.04, "a": 0.48, "b": 0.48}, abs=1e-6)
    assert baselines.natural(supply, free)["small"] == pytest.approx(100 / 2_000_100, abs=1e-6)


def test_change_is_the_part_of_the_tokens_that_goes_elsewhere():
    assert change({"a": 1.0}, {"b": 1.0}) == 1.0
    assert change({"a": 0.5, "b": 0.5}, {"a": 0.6, "b": 0.4}) == pytest.approx(0.1)
    assert fitted({"a": 3.0, "b": 1.0}, bounds({d: Supply(tokens=10**9) for d in "ab"}, 10, LIMITS)) == {
        "a": 0.6,
        "b": 0.4,
    }


class TestLedger:
    """Predictions that failed widen later intervals and shorten later moves."""

    def entry(self, realised, skill="s"):
        return ledger.Entry("p", skill, before=2.0, predicted=1.8, low=1.7, high=1.9, realised=realised)

    def test_trust_grows_with_what_came_as_predicted(self):
        needs = {"s": 1.0}
        assert ledger.trust(0.15, [self.entry(1.82)], needs) == pytest.approx(0.225)
        assert ledger.trust(0.15, [self.entry(1.99)], needs) == pytest.approx(0.075)
        assert ledger.trust(0.35, [self.entry(1.80)], needs) == 0.35
        assert ledger.trust(0.15, [], needs) == 0.15

    def test_misses_widen_and_shift_later_intervals(self):
        good, bad = [self.entry(1.81)] * 4, [self.entry(2.3)] * 4
        assert ledger.widening(good) == 1.0
        assert ledger.widening(bad) > 3
        assert ledger.bias(bad, "s") == pytest.approx(0.25)
        assert ledger.bias(bad, "t") == 0.0
        assert ledger.coverage(good) == 1.0
        assert ledger.coverage(bad) == 0.0
        assert ledger.coverage([]) is None


class TestStage:
    """`choose_mixture` over two phases, by every rule."""

    config = ChooseMixtureConfig(
        base={"web": 0.5, "code": 0.3, "mathematics": 0.2},
        taught_by={"sums": ("mathematics",), "bits_web": ("web",)},
        targets={"sums": 1.0, "bits_web": 2.0, "singing": 0.5},
        phase_tokens=1000,
        later_tokens=(1000,),
        least_tokens=0,
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

    def skills(self, tmp_path, sums=2.0, width=0.1):
        folder = tmp_path / f"skills-{sums}-{width}"
        folder.mkdir(exist_ok=True)
        listed = [
            {
                "skill": s,
                "value": v,
                "low": v - width,
                "high": v + width,
                "chance": 8.0,
                "unit": "bits_per_byte",
            }
            for s, v in (("sums", sums), ("bits_web", 1.9))
        ]
        (folder / "skills.json").write_text(json.dumps(listed))
        return SkillBits(folder, "k", "d", {"spent_tokens": 30})

    @pytest.mark.parametrize("rule", ["fixed", "natural", "uniform", "unimax", "gap", "prior", "measured"])
    def test_every_rule_records_what_the_next_decision_needs(self, tmp_path, rule):
        config = dataclasses.replace(self.config, rule=rule)
        facts, first, chosen = self.choose(tmp_path, "one", config)
        assert sum(first["weights"].values()) == pytest.approx(1.0)
        assert facts["share_web"] == first["weights"]["web"]
        assert first["rule"] == rule
        last = dataclasses.replace(config, later_tokens=())
        _, second, _ = self.choose(tmp_path, "two", last, previous=chosen, measured=self.skills(tmp_path))
        assert sum(second["planned_tokens"].values()) == pytest.approx(1970, abs=4)
        assert second["spent_tokens"] == 30
        assert len(second["trained"]) == 2
        assert second["measured"]["sums"] == [2.0, pytest.approx(0.2 / 3.92, abs=1e-6)]

    def test_the_plan_gives_more_to_what_teaches_the_needed_skill(self, tmp_path):
        _, first, _ = self.choose(tmp_path, "one", dataclasses.replace(self.config, needs={"sums": 1.0}))
        assert first["weights"]["mathematics"] > 0.3
        assert len(first["plan"]) == 1

    def test_one_level_alone_moves_nothing_and_the_refusal_is_named(self, tmp_path):
        _, _, chosen = self.choose(tmp_path, "one")
        config = dataclasses.replace(self.config, later_tokens=())
        _, second, _ = self.choose(tmp_path, "two", config, previous=chosen, measured=self.skills(tmp_path))
        assert second["refusal"]["rule"] in ("not sure", "no room")
        assert any(second["refusal"]["rule"] in reason for reason in second["reasons"])
        assert set(second["predicted"]) == {"sums", "bits_web"}

    def test_no_move_when_it_is_too_late_or_nothing_was_measured(self, tmp_path):
        _, _, chosen = self.choose(tmp_path, "one")
        late = dataclasses.replace(self.config, least_tokens=10**6)
        _, second, _ = self.choose(tmp_path, "two", late, previous=chosen, measured=self.skills(tmp_path))
        assert second["refusal"]["rule"] == "too late"
        _, third, _ = self.choose(tmp_path, "three", previous=chosen)
        assert third["refusal"]["rule"] == "no measurement"

    def test_the_recipe_may_override_and_what_the_rule_wanted_is_kept(self, tmp_path):
        by_hand = {"web": 0.2, "code": 0.2, "mathematics": 0.6}
        config = dataclasses.replace(self.config, override=by_hand)
        _, first, _ = self.choose(tmp_path, "one", config)
        assert first["weights"] == pytest.approx(by_hand)
        assert first["rejected"]["why"] == "the recipe overrides"
        assert first["rejected"]["weights"] != first["weights"]
        assert "overrides" in first["reasons"][0]

    def test_mixmin_speaks_the_words_of_the_skills(self, tmp_path):
        (tmp_path / "affinity.json").write_text(
            json.dumps({"weights": {"sums": {"web": 0.1, "code": 0.2, "mathematics": 0.7}}, "all": {}})
        )
        config = dataclasses.replace(self.config, rule="mixmin", needs={"sums": 1.0})
        spoken = Affinity(tmp_path, "k", "d")
        _, first, _ = self.choose(tmp_path, "one", config, affinity=spoken)
        assert first["weights"] == pytest.approx({"web": 0.1, "code": 0.2, "mathematics": 0.7}, abs=1e-5)

    def test_impossible_shares_are_refused(self, tmp_path):
        with pytest.raises(ConfigError, match=r"1\.05"):
            dataclasses.replace(self.config, base={"web": 0.7, "code": 0.35})
        with pytest.raises(ConfigError, match="poems"):
            self.choose(tmp_path, "b", dataclasses.replace(self.config, base={"poems": 1.0}))
        with pytest.raises(ConfigError, match="phase_tokens"):
            self.choose(tmp_path, "c", dataclasses.replace(self.config, phase_tokens=None))
        with pytest.raises(ConfigError, match="affinity"):
            self.choose(tmp_path, "d", dataclasses.replace(self.config, rule="mixmin"))
