"""Trying a proposed mixture: probes that pay for themselves, the decision again, and twins for a large move."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smolforge.evals import answer_bits
from smolforge.evals.answer_bits import Bits
from smolforge.mix import decide, ledger, planning, record, rules
from smolforge.mix.decide import Situation, Verdict
from smolforge.mix.law import PAIRED, Contrast, anchor, counting, draw
from smolforge.mix.limits import Limits, change

if TYPE_CHECKING:
    from smolforge.mix.branches import Branch, Ground

MIXED = 0.5
"""Share of a probe that is of its source alone; the rest is the mixture as planned."""
LEAST_STEPS = 4
GUESSES = 12


def try_out(
    cfg: Any, plain: Mapping[str, Any], ground: Ground, branch: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """The record of the decision after its trial; `cfg` is a `stages.TryConfig`."""
    now, limits = decide.from_plain(plain["situation"]), Limits(**plain["limits"])
    verdict, spent, told = decide.decide(now, limits), 0, []
    probes, steps = _affordable(cfg, now, ground)
    names, worth, price = _worth_of_probes(
        now, limits, verdict, probes, steps * ground.step_tokens, int(plain["spent_tokens"])
    )
    if names and worth > price:
        contrasts, spent = _probe(now, ground, names, steps)
        now = _after(replace(now, contrasts=(*now.contrasts, *contrasts)), spent)
        verdict = decide.decide(now, limits)
        told.append(f"{', '.join(names)} had a branch each: worth {worth:.4f} bits at a price of {price:.4f}")
    elif steps < LEAST_STEPS:
        told.append(
            f"no probes: {cfg.probe_share:.0%} of what is left is {steps} steps a branch, too few to tell"
        )
    elif names:
        told.append(f"no probes: worth {max(0.0, worth):.4f} bits at a price of {price:.4f}")
    begun = 0
    moved = change(now.keep[0], verdict.weights)
    if verdict.refusal is None and moved > cfg.check_above:
        now, verdict, winner, lost = _check(cfg, now, limits, verdict, ground)
        winner.save(branch)
        begun, spent = winner.tokens, spent + lost
        told.append(_check_words(verdict, moved))
    for line in told:
        say(f"  {line}")
    return _recorded(plain, now, verdict, limits, (spent, begun), told)


def _after(now: Situation, spent: int) -> Situation:
    """The same with a shorter coming phase."""
    return replace(now, phases=(max(1, now.phases[0] - spent), *now.phases[1:]))


# -- probes --------------------------------------------------------------------------------------------


def _affordable(cfg: Any, now: Situation, ground: Ground) -> tuple[int, int]:
    """How many probes, and the steps of each: what the share allows, all branches and the control together."""
    steps = int(cfg.probe_share * sum(now.phases) // ground.step_tokens)
    probes = min(cfg.probes, steps // LEAST_STEPS - 1)
    return (probes, steps // (probes + 1)) if probes > 0 else (0, steps)


def _worth_of_probes(
    now: Situation, limits: Limits, verdict: Verdict, probes: int, tokens: int, asking_tokens: int
) -> tuple[tuple[str, ...], float, float]:
    """Sources to probe, what the decision would gain by it on average, and what it costs, both in bits.

    Worlds are guessed, what branches would show there is made up with its noise, and the decision taken as it would be.
    """
    names = verdict.unknown[:probes]
    blocked = verdict.refusal is not None and verdict.refusal.rule not in ("not sure", "no room")
    if not names or blocked:
        return (), 0.0, 0.0
    price = verdict.price * 100 * (len(names) + 1) * (tokens + asking_tokens) / max(1, sum(now.phases))
    task, _ = decide.task_of(now, limits)
    worlds = draw(decide.fits_of(now, task.world), GUESSES, now.seed + 1, ledger.widening(now.entries))
    rng, gains = np.random.default_rng(now.seed), []
    stay = decide.rows_of(now, verdict.plan)
    for place in range(GUESSES):
        truth = worlds.only(place)
        shown = tuple(_imagined(now, task, truth, name, tokens, rng) for name in names)
        found = decide.decide(replace(now, contrasts=(*now.contrasts, *shown)), limits)
        kept = planning.bits_after(task, truth, stay)
        went = decide.rows_of(now, found.plan)
        gains.append(
            float(planning.worth(task, truth, went, kept)[0] - planning.worth(task, truth, stay, kept)[0])
        )
    return names, float(np.mean(gains)), price


def _imagined(now: Situation, task: Any, truth: Any, name: str, tokens: int, rng: Any) -> Contrast:
    shares, control = _probe_shares(now, name), tuple(now.keep[0].get(s, 0.0) for s in now.sources)
    ends = []
    for row in (shares, control):
        u_K, v_K, _ = counting(task.world, np.vstack([task.world.trained_PK, tokens * np.array(row)]))
        ends.append(truth.bits(u_K, v_K, task.world.offset, anchor(task.world))[0])
    bits = {}
    for place, skill in enumerate(truth.skills):
        noise = PAIRED * now.looks[-1].bits[skill][1] if skill in now.looks[-1].bits else 1.0
        bits[skill] = (float(ends[0][place] - ends[1][place] + noise * rng.standard_normal()), noise)
    return Contrast(len(now.trained), tokens, shares, control, bits)


def _probe_shares(now: Situation, name: str) -> tuple[float, ...]:
    return tuple((1 - MIXED) * now.keep[0].get(s, 0.0) + MIXED * (s == name) for s in now.sources)


def _probe(now: Situation, ground: Ground, names: Sequence[str], steps: int) -> tuple[list[Contrast], int]:
    """Branches of these sources beside a control, and the tokens that all of it took."""
    control_shares = tuple(now.keep[0].get(s, 0.0) for s in now.sources)
    control = ground.grow(dict(zip(now.sources, control_shares, strict=True)), steps)
    spent, contrasts = control.tokens + answer_bits.spent_tokens(control.bits), []
    for name in names:
        shares = _probe_shares(now, name)
        grown = ground.grow(
            dict(zip(now.sources, shares, strict=True)), steps, _few(now, name, grown_tokens=control.tokens)
        )
        spent += grown.tokens + answer_bits.spent_tokens(grown.bits)
        contrasts.append(
            Contrast(
                len(now.trained), grown.tokens, shares, control_shares, differences(grown.bits, control.bits)
            )
        )
    return contrasts, spent


def _few(now: Situation, name: str, *, grown_tokens: int) -> dict[str, int]:
    """So few tokens of the source that the branch repeats them as often as a phase with this share of it would."""
    has = now.supply[name]
    passes = MIXED * now.phases[0] / max(1, has.tokens)
    return {name: max(1, round(MIXED * grown_tokens / passes))} if passes > 1 else {}


def differences(one: Sequence[Bits], other: Sequence[Bits]) -> dict[str, tuple[float, float]]:
    """Skill → bits per byte of one less those of the other on the same items, and the standard error."""
    from smolforge.evals.stats import paired_ratio_difference

    before = {(b.skill, b.id): b for b in other}
    found = {}
    for skill in sorted({b.skill for b in one}):
        pairs = [(before[skill, b.id], b) for b in one if b.skill == skill]
        if len(pairs) < 2:
            continue
        interval = paired_ratio_difference(
            [a.bits for a, _ in pairs], [b.bits for _, b in pairs], [float(b.bytes) for _, b in pairs]
        )
        found[skill] = (interval.value, (interval.high - interval.low) / 3.92)
    return found


# -- twins ---------------------------------------------------------------------------------------------


def _check(
    cfg: Any, now: Situation, limits: Limits, verdict: Verdict, ground: Ground
) -> tuple[Situation, Verdict, Branch, int]:
    """Twins, one as planned and one as proposed, and the decision after what they showed; the winner, and what was lost."""
    steps = max(LEAST_STEPS, math.ceil(cfg.check_share * now.phases[0] / ground.step_tokens))
    keep = ground.grow(now.keep[0], steps)
    new = ground.grow(verdict.weights, steps)
    shown = Contrast(
        len(now.trained), new.tokens, tuple(verdict.weights[s] for s in now.sources),
        tuple(now.keep[0].get(s, 0.0) for s in now.sources), differences(new.bits, keep.bits),
    )  # fmt: skip
    lost = keep.tokens + answer_bits.spent_tokens(keep.bits) + answer_bits.spent_tokens(new.bits)
    then = _after(replace(now, contrasts=(*now.contrasts, shown)), lost)
    after = decide.confirm(then, limits, verdict)
    return then, after, keep if after.refusal else new, lost


def _check_words(verdict: Verdict, moved: float) -> str:
    if verdict.refusal:
        return (
            f"twins were trained for a move of {moved:.1%}, and it was not confirmed: {verdict.refusal.why}"
        )
    return f"twins confirmed the move of {moved:.1%}: a gain is likely by {verdict.sure:.0%}"


def _recorded(
    plain: Mapping[str, Any],
    now: Situation,
    verdict: Verdict,
    limits: Limits,
    cost: tuple[int, int],
    told: Sequence[str],
) -> dict[str, Any]:
    spent, begun = cost
    past = replace(_past_of(plain), contrasts=now.contrasts)
    overridden = str(plain.get("rejected", {}).get("why", "")) == "the recipe overrides"
    found = {} if overridden else record.of_verdict(now, verdict) | {"weights": verdict.weights}
    weights = plain["weights"] if overridden else verdict.weights
    return {
        **plain,
        **found,
        **rules.sums(weights, past, now.phases[0]),
        "contrasts": [vars(one) for one in now.contrasts],
        "reasons": [*told, *(plain["reasons"] if overridden else decide.reasons(now, verdict, limits))],
        "situation": decide.to_plain(now),
        "spent_tokens": plain["spent_tokens"] + spent,
        "begun_tokens": begun,
        "trial": list(told),
    }


def _past_of(plain: Mapping[str, Any]) -> record.Past:
    """What lay before this decision: its own phase taken off again."""
    trained = plain["trained"]
    last = trained[-1]
    planned = {name: tokens - last.get(name, 0.0) for name, tokens in plain["planned_tokens"].items()}
    return record.Past(planned=planned, trained=tuple(trained[:-1]))
