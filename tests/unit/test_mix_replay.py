"""What SmolLM2's authors saw and did, and what the measured rule does with exactly that.

Published: mean scores after each phase and the shares of each (arXiv:2502.02737, section 4 and its tables), sizes of the
sources, and the tables of the ablations. A score becomes the bits of a right answer, −log2; its error is that of its
items. The rule gets the sources that were there at the time, and no ablation.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from smolforge.mix import decide as deciding
from smolforge.mix import planning
from smolforge.mix.decide import Belief, Situation
from smolforge.mix.law import Contrast, Look, World
from smolforge.mix.limits import Limits, Supply, change

B, T = 10**9, 10**12
SUPPLY = {
    "fineweb-edu": 1.3 * T, "dclm": 3.8 * T, "starcoderdata": 250 * B, "stack-edu": 125 * B, "openwebmath": 12 * B,
    "infimm-webmath": 40 * B, "finemath-4plus": 10 * B, "infiwebmath-3plus": 20.5 * B, "cosmopedia": 28 * B,
}  # fmt: skip
GROUPS = {
    "web": ("fineweb-edu", "dclm"), "code": ("starcoderdata", "stack-edu"),
    "mathematics": ("openwebmath", "infimm-webmath", "finemath-4plus", "infiwebmath-3plus"), "synthetic": ("cosmopedia",),
}  # fmt: skip
PHASES = (6 * T, 2 * T, 2 * T, 1 * T)
PUBLISHED = (
    {"fineweb-edu": 0.54, "dclm": 0.36, "starcoderdata": 0.10},
    {"fineweb-edu": 0.45, "dclm": 0.30, "starcoderdata": 0.20, "openwebmath": 0.05},
    {"fineweb-edu": 0.296, "dclm": 0.444, "stack-edu": 0.16, "openwebmath": 0.023, "infimm-webmath": 0.077},
    {
        "fineweb-edu": 0.232, "dclm": 0.348, "stack-edu": 0.24, "infiwebmath-3plus": 0.094, "finemath-4plus": 0.0452,
        "openwebmath": 0.0008, "cosmopedia": 0.04,
    },
)  # fmt: skip
ARRIVED = (
    ("openwebmath",),
    ("stack-edu", "infimm-webmath"),
    ("finemath-4plus", "infiwebmath-3plus", "cosmopedia"),
)
"""What was new before phases 2, 3 and 4."""
SCORES = {
    "knowledge": ((0.5550, 0.5676, 0.5747), 20_000), "mathematics": ((0.0321, 0.0370, 0.0727), 6_319),
    "code": ((0.0887, 0.1056, 0.1675), 486),
}  # fmt: skip
"""Means after phases 1, 2 and 3, and how many questions they are over."""
TEACHES = {
    "knowledge": {"fineweb-edu": 1.0, "dclm": 0.7, "cosmopedia": 0.7},
    "mathematics": {
        "openwebmath": 0.5,
        "infimm-webmath": 0.6,
        "infiwebmath-3plus": 0.9,
        "finemath-4plus": 1.0,
    },
    "code": {"starcoderdata": 0.6, "stack-edu": 1.0},
}


def bits(skill, phase):
    shares, items = SCORES[skill]
    share = shares[phase]
    return -math.log2(share), math.sqrt((1 - share) / (share * items)) / math.log(2)


def before_phase(number):
    """What was known before phase `number` (2, 3 or 4), on the way that was really gone."""
    names = {*PUBLISHED[0], *(name for part in ARRIVED[: number - 1] for name in part)}
    names |= {name for shares in PUBLISHED[: number - 1] for name in shares}
    sources = tuple(sorted(names))
    trained = [
        {n: shares.get(n, 0.0) * tokens for n in sources}
        for shares, tokens in zip(PUBLISHED[: number - 1], PHASES, strict=False)
    ]
    supply = {n: Supply(tokens=int(SUPPLY[n]), planned=sum(t[n] for t in trained)) for n in sources}
    last = {n: PUBLISHED[number - 2].get(n, 0.0) for n in sources}
    left = PHASES[number - 1 :]
    return Situation(
        sources=sources, supply=supply, trained=tuple(trained), keep=(last,) * len(left), centre=last, phases=left,
        needs=dict.fromkeys(SCORES, 1 / 3), trust=0.15,
        beliefs={s: {n: Belief(table.get(n, 0.05), 0.5) for n in sources} for s, table in TEACHES.items()},
        looks=tuple(Look(n + 1, {s: bits(s, n) for s in SCORES}) for n in range(number - 1)),
    )  # fmt: skip


def grouped(shares):
    return {group: round(sum(shares.get(n, 0.0) for n in names), 3) for group, names in GROUPS.items()}


LIMITS = Limits(floor=0.0, cap=1.0, most_passes=5.0, most_change=1.0)
"""Their own limit of four to five passes."""


@pytest.mark.parametrize(
    ("number", "ours"),
    [
        (2, {"web": 0.762, "code": 0.221, "mathematics": 0.018, "synthetic": 0.0}),
        (3, {"web": 0.725, "code": 0.238, "mathematics": 0.037, "synthetic": 0.0}),
        (4, {"web": 0.634, "code": 0.233, "mathematics": 0.114, "synthetic": 0.018}),
    ],
)
def test_the_rules_shares_beside_theirs(number, ours):
    """Theirs: 75/20/5/0, 74/16/10/0, 58/24/14/4. The rule goes their way but in phase 3: it raises code, which they lowered, and
    has less mathematics, as the passes over OpenWebMath were spent and one move raises InfiMM from nothing only so far.
    """
    now = before_phase(number)
    found = deciding.decide(now, LIMITS)
    assert found.refusal is None
    assert grouped(found.weights) == pytest.approx(ours, abs=0.02)
    theirs, kept = PUBLISHED[number - 1], now.keep[0]
    assert change(grouped(found.weights), grouped(theirs)) < 0.09
    assert found.weights["openwebmath"] * PHASES[number - 1] + now.supply["openwebmath"].planned <= max(
        5 * SUPPLY["openwebmath"] * 1.001, now.supply["openwebmath"].planned + 1e6
    )
    for group, before in grouped(kept).items():
        if number != 3 and abs(grouped(theirs)[group] - before) > 0.03:
            assert (grouped(found.weights)[group] - before) * (grouped(theirs)[group] - before) > 0


ABLATIONS = {
    "OpenWebMath at 5% of phase 2, GSM8K 4.32 to 4.62": ((0.0432, 0.0462), 1319, 0.05, False),
    "InfiMM over OpenWebMath, GSM8K 10 to 14": ((0.10, 0.14), 1319, 0.6, True),
    "FineMath-4+ over InfiMM, GSM8K 14 to 28": ((0.14, 0.28), 1319, 0.6, True),
    "Stack-Edu over StarCoder, MultiPL-E over four languages": ((0.183, 0.239), 644, 1.0, True),
    "after phase 2, HumanEval 10.97 to 9.15": ((0.1097, 0.0915), 164, 0.1, False),
}
"""(score before and after, questions, share that was changed, whether they acted on it); what moved was the new source's share."""


@pytest.mark.parametrize("name", ABLATIONS)
def test_their_ablations_move_the_plan_where_they_moved_them(name):
    (before, after), items, share, acted = ABLATIONS[name]
    gain = math.log2(before / after)
    error = math.hypot(*(math.sqrt((1 - p) / (p * items)) / math.log(2) for p in (before, after)))
    sources = ("new", "old")
    now = Situation(
        sources=sources, supply={n: Supply(tokens=10 * T) for n in sources}, trained=({"new": 0.0, "old": 3.0 * T},),
        keep=({"new": 0.0, "old": 1.0},), centre={"new": 0.0, "old": 1.0}, phases=(1 * T,), needs={"s": 1.0}, trust=1.0,
        beliefs={"s": {n: Belief(0.5, 0.5) for n in sources}}, looks=(Look(1, {"s": (-math.log2(before), error)}),),
    )  # fmt: skip
    shown = Contrast(1, 60.0 * B, (share, 1 - share), (0.0, 1.0), {"s": (gain, error)})
    unseen = deciding.decide(now, LIMITS).wanted["new"]
    seen = deciding.decide(replace(now, contrasts=(shown,)), LIMITS).wanted["new"]
    assert (seen - unseen > 0.15) is acted


def test_of_the_web_mixtures_none_is_better_than_theirs():
    """By utility, in which what falls behind counts twice: FineWeb-Edu, DCLM, 40:60, 60:40 (theirs)."""
    scores = {
        "edu": (37.5, 57.5, 41.9, 60.1, 36.2, 76.2), "dclm": (35.5, 53.5, 40.8, 62.3, 40.1, 76.9),
        "40:60": (36.5, 53.2, 39.0, 61.4, 39.9, 75.7), "60:40": (37.0, 56.0, 41.9, 62.2, 38.5, 76.4),
    }  # fmt: skip
    losses = {
        name: max(
            max(column) - mine for mine, column in zip(row, zip(*scores.values(), strict=True), strict=True)
        )
        for name, row in scores.items()
    }
    assert min(losses, key=losses.get) == "60:40"
    kept = np.array([[-math.log2(s / 100) for s in scores["60:40"]]])
    skills = kept.shape[1]
    task = planning.Task(
        World(np.ones(1), np.zeros((0, 1)), 1.0), np.ones(1), np.zeros((1, 1)), np.ones((1, 1)), np.ones(1),
        np.full(skills, 1 / skills), np.zeros(skills),
    )  # fmt: skip
    stays = planning._utility(task, kept, kept)[0][0]
    for row in scores.values():
        bits = np.array([[-math.log2(s / 100) for s in row]])
        assert planning._utility(task, bits, kept)[0][0] <= stays
