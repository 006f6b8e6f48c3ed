"""The law, the plan and the decision: against RegMix's published runs, and in worlds whose truth is known."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from smolforge.mix import decide as deciding
from smolforge.mix import ledger, planning
from smolforge.mix.decide import Belief, Situation
from smolforge.mix.law import Contrast, Draws, Look, World, anchor, counting, draw, fit_skill, middle
from smolforge.mix.limits import Limits, Supply
from smolforge.mix.trial import differences

OPEN = Limits(floor=0.01, cap=1.0, most_passes=16.0, most_change=1.0)


# -- the law -------------------------------------------------------------------------------------------


def test_repetition_and_age_count_less_but_all_tokens_count_as_many_as_they_are():
    world = World(np.array([1e6, 1e3]), np.zeros((0, 2)), 1e5)
    u_K, v_K, _ = counting(world, np.array([[3e4, 2e4], [4e4, 1e4]]))
    assert v_K.sum() == pytest.approx(1.0)
    assert v_K[0] > 0.7  # the later segment has more of it
    assert u_K[0] == pytest.approx(v_K[0] * 1e5)
    assert u_K[1] < 0.5 * v_K[1] * 1e5  # thirty passes


def random_task(rng, phases=2, sources=4, skills=3):
    world = World(rng.uniform(1e4, 1e6, sources), rng.uniform(1e3, 1e4, (1, sources)), 2e5)
    draws = Draws(
        tuple(f"s{i}" for i in range(skills)),
        rng.uniform(0.1, 1, (5, skills, sources)),
        rng.uniform(0.2, 0.4, (5, skills)),
        rng.uniform(0.5, 1.5, (5, skills)),
        rng.uniform(0.5, 1.5, (5, skills)),
        0.1 * rng.standard_normal((5, skills, sources)),
    )
    shape = (phases, sources)
    task = planning.Task(
        world, np.full(phases, 9e4), np.full(shape, 0.01), np.full(shape, 0.9), np.full(sources, 1 / sources),
        np.full(skills, 1 / skills), np.zeros(skills),
    )  # fmt: skip
    return task, draws


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_the_plans_slope_is_the_slope_of_its_value(seed):
    rng = np.random.default_rng(seed)
    task, draws = random_task(rng)
    shares = rng.dirichlet(np.ones(4), 2)
    kept = planning.bits_after(task, draws, np.full((2, 4), 0.25)) + 0.3  # away from the hinges
    slope = planning._slope(task, draws, shares, kept)
    way = rng.standard_normal((2, 4))
    way -= way.mean(axis=1, keepdims=True)  # lengths of the phases stay
    value = [planning._value(task, draws, shares + e * way, kept) for e in (1e-5, -1e-5)]
    assert (value[0] - value[1]) / 2e-5 == pytest.approx(float((slope * way).sum()), rel=2e-3, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_plans_keep_bounds_and_are_worth_no_less_than_where_they_began(seed):
    rng = np.random.default_rng(seed)
    task, draws = random_task(rng)
    start = planning.within(rng.dirichlet(np.ones(4), 2), task.low_PK, task.high_PK)
    kept = planning.bits_after(task, draws, start)
    found = planning.plan(task, draws, start)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert (found >= task.low_PK - 1e-9).all()
    assert (found <= task.high_PK + 1e-9).all()
    assert planning._value(task, draws, found, kept) >= planning._value(task, draws, start, kept) - 1e-12


def test_a_contrast_tells_a_look_alike_from_a_teacher():
    world = World(np.full(3, 1e9), np.full((1, 3), 1e5), 1e6)
    even = (1 / 3, 1 / 3, 1 / 3)
    looks = [Look(1, {"s": (2.0, 0.02)})]
    shown = [
        Contrast(1, 5e4, (0.6, 0.2, 0.2), even, {"s": (-0.04, 0.005)}),
        Contrast(1, 5e4, (0.2, 0.6, 0.2), even, {"s": (0.03, 0.005)}),
    ]
    before = fit_skill(world, "s", np.ones(3), np.full(3, 0.8), looks)
    after = fit_skill(world, "s", np.ones(3), np.full(3, 0.8), looks, shown)
    assert before.mean[0] == pytest.approx(before.mean[1])
    assert after.mean[0] > 0.3 > -0.1 > after.mean[1]
    assert after.mean[-3] < after.mean[-2]  # harm of the first below harm of the second
    assert after.covariance[0, 0] < before.covariance[0, 0]


def test_differences_are_paired_by_item():
    from smolforge.evals.answer_bits import Bits

    rng = np.random.default_rng(0)
    hard = rng.uniform(10, 100, 30)
    one = [Bits("s", str(i), bits + 1, 10, 1) for i, bits in enumerate(hard)]
    other = [Bits("s", str(i), bits, 10, 1) for i, bits in enumerate(hard)]
    value, error = differences(one, other)["s"]
    assert value == pytest.approx(0.1)
    assert error < 1e-6


# -- RegMix's published runs ---------------------------------------------------------------------------

TABLES = Path(os.environ.get("SMOL_SHARED_DATA", "no data")) / "mixing" / "regmix"


def table(name):
    rows = list(csv.reader((TABLES / f"{name}.csv").open()))
    heads = [h.removeprefix("train_the_pile_").removeprefix("metric/the_pile_") for h in rows[0][1:]]
    return [h.removesuffix("_val_loss") for h in heads], {r[0]: np.array(r[1:], float) for r in rows[1:]}


def runs(mixtures, losses):
    sources, shares = table(mixtures)
    skills, found = table(losses)
    keys = [key for key in shares if key in found]
    mixed = np.array([shares[key] for key in keys])
    return sources, skills, mixed / mixed.sum(axis=1, keepdims=True), np.array([found[key] for key in keys])


def designed(mixed, count):
    """Runs that tell most about concave shares: greedy D-optimal."""
    roots, chosen = np.sqrt(mixed), []
    known = 0.05 * np.eye(mixed.shape[1])
    for _ in range(count):
        news = np.einsum("nk,kl,nl->n", roots, np.linalg.inv(known), roots)
        news[chosen] = -1
        chosen.append(int(news.argmax()))
        known += np.outer(roots[chosen[-1]], roots[chosen[-1]])
    return chosen


@pytest.mark.skipif(not TABLES.is_dir(), reason="the tables are not here")
@pytest.mark.parametrize("judge", ["1m", "60m"])
def test_from_18_runs_the_law_ranks_mixtures_that_it_has_not_seen(judge):
    sources, skills, mixed, losses = runs("train_mixture_1m", "train_pile_loss_1m")
    world = World(np.full(len(sources), 1e9), np.zeros((0, len(sources))), 1.0)
    few = designed(mixed, 18)
    fits = {}
    for place, skill in enumerate(skills):
        tau = np.array([1.0 if source == skill else 0.1 for source in sources])
        first = few[0]
        shown = [
            Contrast(
                0, 1.0, tuple(mixed[run]), tuple(mixed[first]),
                {skill: (losses[run, place] - losses[first, place], 0.1)},
            )
            for run in few[1:]
        ]  # fmt: skip
        fits[skill] = fit_skill(world, skill, tau, np.full(len(sources), 0.8), [], shown)
    law = middle(fits)
    _, _, unseen, true = runs(f"test_mixture_{judge}", f"test_pile_loss_{judge}")
    now_K = anchor(world)
    said = np.array(
        [law.bits(*counting(world, row[None])[:2], world.offset, now_K)[0].mean() for row in unseen]
    )
    came = true.mean(axis=1)
    assert spearmanr(said, came)[0] >= 0.85
    assert (came[said.argmin()] - came.min()) / (np.median(came) - came.min()) <= 0.1


# -- worlds whose truth is known -----------------------------------------------------------------------

PHASES = (1_000_000,) * 3
NOISE, ITEMS = 0.006, 0.02
"""Noise between looks and branches on the same items, and over items."""


@dataclass
class Truth:
    """A world drawn from the law: eight sources, five skills; `null` has eight sources that are one."""

    sources: tuple[str, ...]
    supply: np.ndarray
    law: Draws
    believed: np.ndarray

    @staticmethod
    def drawn(seed, null):
        rng = np.random.default_rng(seed)
        believed = np.full((5, 8), 0.5) if null else np.where(rng.random((5, 8)) < 0.3, 1.0, 0.1)
        spread = 0.0 if null else 1.0
        law = Draws(
            tuple(f"s{i}" for i in range(5)),
            believed[None] * np.exp(0.8 * spread * rng.standard_normal((1, 5, 8))),
            0.28 * np.exp(0.28 * rng.standard_normal((1, 5))),
            1.2 * np.exp(0.3 * rng.standard_normal((1, 5))),
            1 + 0.3 * rng.random((1, 5)),
            0.2 * spread * rng.standard_normal((1, 5, 8)),
        )
        supply = np.exp(rng.uniform(np.log(2e5), np.log(5e6), 8))
        return Truth(tuple(f"d{i}" for i in range(8)), supply, law, believed)

    def bits(self, tokens):
        total = sum(PHASES)
        world = World(self.supply, np.zeros((0, 8)), total)
        u_K, v_K, _ = counting(world, np.array(tokens))
        return self.law.bits(u_K, v_K, world.offset, anchor(world))[0]

    def row(self, named):
        return np.array([named[s] for s in self.sources])


def probes(truth, now, trained, verdict, rng):
    shown = []
    keep = truth.row(now.keep[0])
    control = truth.bits([*trained, 6e4 * keep])
    for name in verdict.unknown[:4]:
        shares = 0.5 * keep + 0.5 * (np.array(truth.sources) == name)
        came = truth.bits([*trained, 6e4 * shares]) - control + NOISE * rng.standard_normal(5)
        bits = {s: (float(came[i]), NOISE) for i, s in enumerate(truth.law.skills)}
        shown.append(Contrast(len(trained), 6e4, tuple(shares), tuple(keep), bits))
    return tuple(shown)


def lived(seed, null=False):
    """(what each decision after the first truly gained or None where it refused, what the ledger holds)."""
    truth, rng = Truth.drawn(seed, null), np.random.default_rng(seed + 1)
    skills = truth.law.skills
    even = dict.fromkeys(truth.sources, 1 / 8)
    now = Situation(
        sources=truth.sources, supply={}, trained=(), keep=(even,) * 3, centre=even, phases=PHASES,
        needs=dict.fromkeys(skills, 0.2), seed=seed,
        beliefs={
            s: {d: Belief(float(truth.believed[i, k]), 0.8) for k, d in enumerate(truth.sources)}
            for i, s in enumerate(skills)
        },
    )  # fmt: skip
    gains, level = [], ITEMS * rng.standard_normal(5)
    for phase in range(3):
        trained = [truth.row(part) for part in now.trained]
        supply = {
            d: Supply(tokens=int(truth.supply[k]), planned=float(sum(t[k] for t in trained)))
            for k, d in enumerate(truth.sources)
        }
        now = replace(now, supply=supply, phases=PHASES[phase:])
        verdict = deciding.decide(now, OPEN)
        if phase:
            now = replace(now, contrasts=(*now.contrasts, *probes(truth, now, trained, verdict, rng)))
            verdict = deciding.decide(now, OPEN)
            ends = [
                truth.bits([*trained, *(truth.row(r) * PHASES[phase] for r in rows)]).mean()
                for rows in (now.keep, verdict.plan)
            ]
            gains.append(None if verdict.refusal else ends[0] - ends[1])
        segment = {d: share * PHASES[phase] for d, share in verdict.weights.items()}
        came = truth.bits([*trained, truth.row(segment)]) + level + NOISE * rng.standard_normal(5)
        look = Look(phase + 1, {s: (float(came[i]), ITEMS) for i, s in enumerate(skills)})
        entries = tuple(
            ledger.Entry(str(phase), s, now.looks[-1].bits[s][0], *verdict.predicted[s], look.bits[s][0])
            for s in verdict.predicted
        )
        trust = ledger.trust(now.trust or ledger.FIRST_TRUST, entries, now.needs)
        now = replace(
            now, trained=(*now.trained, segment), keep=verdict.plan[1:], looks=(*now.looks, look),
            entries=(*now.entries, *entries), trust=trust,
        )  # fmt: skip
    return gains, now.entries


@pytest.mark.slow
def test_moves_are_for_the_better_and_predictions_come_true():
    lives = [lived(seed) for seed in range(20)]
    moves = [gain for gains, _ in lives for gain in gains if gain is not None]
    entries = [one for _, found in lives for one in found]
    assert len(moves) >= 5
    assert sum(gain < 0 for gain in moves) <= 0.1 * len(moves)
    assert np.mean(moves) > 0.01
    assert ledger.coverage(entries) >= 0.8


@pytest.mark.slow
def test_where_all_sources_are_one_nothing_is_moved():
    gains = [gain for seed in range(20) for gain in lived(100 + seed, null=True)[0]]
    moved = [gain for gain in gains if gain is not None]
    assert len(moved) <= 0.1 * len(gains)
    assert sum(moved) > -0.01 * 2.0 * len(
        gains
    )  # all of them together cost less than a hundredth of the bits


def test_a_refusal_says_which_rule_it_is():
    truth = Truth.drawn(1, False)
    even = dict.fromkeys(truth.sources, 1 / 8)
    now = Situation(
        sources=truth.sources, supply={d: Supply(tokens=10**6, planned=10**5) for d in truth.sources},
        trained=(dict.fromkeys(truth.sources, 1e5),), keep=(even,), centre=even, phases=(10**6,),
        needs={"s0": 1.0}, guards=("s1",), beliefs={}, looks=(Look(1, {"s0": (2.0, 0.02), "s1": (2.0, 0.02)}),),
        trust=0.15,
    )  # fmt: skip
    assert deciding.decide(replace(now, looks=()), OPEN).refusal.rule == "no measurement"
    assert deciding.decide(replace(now, least_tokens=10**7), OPEN).refusal.rule == "too late"
    assert deciding.decide(replace(now, rate=0.2), OPEN).refusal.rule == "too late"
    assert deciding.decide(replace(now, trouble="9 steps were skipped"), OPEN).refusal.rule == "unstable"
    assert deciding.decide(replace(now, trust=0.0), OPEN).refusal.rule == "no room"
    beliefs = {"s0": {d: Belief(1.0 if d == "d0" else 0.05, 0.3) for d in truth.sources}}
    moved = deciding.decide(replace(now, beliefs=beliefs, guards=()), OPEN)
    assert moved.refusal is None
    assert moved.weights["d0"] > 0.2
    hurt = {"s1": {d: Belief(0.001 if d == "d0" else 1.0, 0.1) for d in truth.sources}}
    worse = Contrast(1, 2e5, (0.9, *[0.1 / 7] * 7), (1 / 8,) * 8, {"s1": (0.5, 0.01)})
    guarded = replace(now, beliefs=beliefs | hurt, contrasts=(worse,))
    assert deciding.decide(guarded, OPEN).refusal.rule == "guard"


def test_a_situation_survives_being_written_down():
    import json

    truth = Truth.drawn(2, False)
    even = dict.fromkeys(truth.sources, 1 / 8)
    now = Situation(
        sources=truth.sources, supply={d: Supply(tokens=10**6) for d in truth.sources}, trained=(), keep=(even,),
        centre=even, phases=(10**6,), needs={"s0": 1.0}, beliefs={"s0": {"d0": Belief(1.0, 0.5)}},
        looks=(Look(0, {"s0": (2.0, 0.1)}),), contrasts=(Contrast(0, 1.0, (1.0,), (0.0,), {"s0": (0.1, 0.1)}),),
        entries=(ledger.Entry("p", "s0", 1.0, 1.0, 0.9, 1.1, 1.0),),
    )  # fmt: skip
    assert deciding.from_plain(json.loads(json.dumps(deciding.to_plain(now)))) == now


def test_draws_spread_as_they_are_told_to():
    world = World(np.full(2, 1e6), np.full((1, 2), 1e5), 1e6)
    fit = fit_skill(world, "s", np.ones(2), np.full(2, 0.8), [Look(1, {"s": (2.0, 0.02)})])
    narrow, wide = (np.log(draw({"s": fit}, 400, 0, by).tau_DSK).std() for by in (1.0, 2.0))
    assert wide == pytest.approx(2 * narrow, rel=0.02)
