"""The measured rule: plan the phases left, move only where the gain is likely and worth its price, else refuse by name.

Pure functions over a `Situation`, which is what a decision may know. Nothing here trains or reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from smolforge.mix import ledger, planning
from smolforge.mix.law import (
    MISFIT,
    PAIRED,
    Array,
    Contrast,
    Draws,
    Fitted,
    Look,
    World,
    anchor,
    counting,
    draw,
    fit_skill,
)
from smolforge.mix.ledger import Entry
from smolforge.mix.limits import Limits, Supply, bounds, change, passes_left, rounded

DRAWS = 64
SURE = 0.9
"""Probability that a move is for the better, below which none is made."""
LEAST_CHANGE = 0.01
"""A move of fewer of the tokens is none."""
WORST_GUARD = 0.01
"""How much of its bits a guarded skill may be predicted to lose."""
TEACHES, TEACHES_NOT = 1.0, 0.05


@dataclass(frozen=True)
class Belief:
    """How much a source teaches a skill (τ, 1 for the best), and the standard deviation of its logarithm."""

    tau: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a decision may know.

    sources    those that have tokens, in order; every array over sources follows it
    supply     tokens of each, and those trained on so far
    trained    tokens of each source in every phase so far
    keep       shares that would be trained on if nothing were decided, one row for each phase left
    centre     shares that the recipe believes in; None where it has none
    phases     tokens of the phases left
    needs      skill → weight, adding up to 1; guards: skills that must not get worse
    beliefs    skill → source → Belief
    looks, contrasts, entries    what was measured, what branches showed, what predictions became
    trust      how much of the tokens a decision may move; None for all of them (before anything was trained)
    rate       learning rate of the coming phase as a share of its peak, on average
    trouble    what went wrong in training since the last decision, in words
    """

    sources: tuple[str, ...]
    supply: Mapping[str, Supply]
    trained: tuple[Mapping[str, float], ...]
    keep: tuple[Mapping[str, float], ...]
    centre: Mapping[str, float] | None
    phases: tuple[int, ...]
    needs: Mapping[str, float]
    guards: tuple[str, ...] = ()
    beliefs: Mapping[str, Mapping[str, Belief]]
    looks: tuple[Look, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    entries: tuple[Entry, ...] = ()
    trust: float | None = None
    rate: float = 1.0
    trouble: str = ""
    least_tokens: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Refusal:
    """Why nothing is moved: the rule's name, and a sentence."""

    rule: str
    why: str


@dataclass(frozen=True)
class Verdict:
    """What a decision found.

    plan        shares of the phases left, the next one first
    wanted      where the plan would have gone without trust and refusal
    refusal     None where the move is made
    gain, sure  bits per byte by need that the move is expected to gain at the end of training, and P(gain > 0)
    price       bits per byte that a 1% loss of the tokens left would cost
    unknown     sources, the least known first
    predicted   skill → (bits, low, high) after the coming phase, 90%
    """

    plan: tuple[dict[str, float], ...]
    wanted: dict[str, float]
    refusal: Refusal | None
    gain: float = 0.0
    sure: float = 0.0
    price: float = 0.0
    unknown: tuple[str, ...] = ()
    predicted: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    slopes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        return self.plan[0]


def decide(now: Situation, limits: Limits) -> Verdict:
    """The mixtures of the phases left, by what is known."""
    task, notes = task_of(now, limits)
    fits = fits_of(now, task.world)
    worlds = draw(fits, DRAWS, now.seed, ledger.widening(now.entries))
    keep = planning.within(rows_of(now, now.keep), task.low_PK, task.high_PK)
    goal = planning.plan(task, worlds, keep)
    move = _trusted(keep, goal, now.trust)
    kept_DS = planning.bits_after(task, worlds, keep)
    gains = planning.worth(task, worlds, move, kept_DS) - planning.worth(task, worlds, keep, kept_DS)
    price = _price(task, worlds, keep)
    refusal = _refusal(now, fits, gains, task, worlds, (keep, move))
    chosen = keep if refusal else move
    return Verdict(
        plan=tuple(_named(now, row, limits, place) for place, row in enumerate(chosen)),
        wanted=_named(now, goal[0], limits, 0),
        refusal=refusal,
        gain=float(gains.mean()),
        sure=float((gains > 0).mean()),
        price=price,
        unknown=_least_known(now, fits),
        predicted=_predicted(now, task, worlds, chosen),
        slopes=_slopes(now, task, worlds, chosen),
        notes=notes,
    )


def confirm(now: Situation, limits: Limits, move: Verdict) -> Verdict:
    """The same move after twins showed what it does: taken only if it is still likely to be for the better."""
    task, _ = task_of(now, limits)
    worlds = draw(fits_of(now, task.world), DRAWS, now.seed, ledger.widening(now.entries))
    keep, new = planning.within(rows_of(now, now.keep), task.low_PK, task.high_PK), rows_of(now, move.plan)
    kept_DS = planning.bits_after(task, worlds, keep)
    gains = planning.worth(task, worlds, new, kept_DS) - planning.worth(task, worlds, keep, kept_DS)
    gain, sure = float(gains.mean()), float((gains > 0).mean())
    why = f"after the twins a gain of {gain:.4f} bits is likely by {sure:.0%}; {SURE:.0%} is asked for"
    refusal = None if sure >= SURE and gain > 0 else Refusal("not confirmed", why)
    chosen = keep if refusal else new
    return replace(
        move,
        plan=tuple(_named(now, row, limits, place) for place, row in enumerate(chosen)),
        wanted=move.plan[0],
        refusal=refusal,
        gain=gain,
        sure=sure,
        predicted=_predicted(now, task, worlds, chosen),
        slopes=_slopes(now, task, worlds, chosen),
    )


# -- what is planned -----------------------------------------------------------------------------------


def task_of(now: Situation, limits: Limits) -> tuple[planning.Task, tuple[str, ...]]:
    skills = sorted({*now.needs, *now.guards})
    rows = [bounds(now.supply, tokens, limits) for tokens in now.phases]
    low = np.array([[one.low[s] for s in now.sources] for one in rows])
    high = np.array([[one.high[s] for s in now.sources] for one in rows])
    world = World(
        np.array([float(now.supply[s].tokens) for s in now.sources]),
        rows_of(now, now.trained),
        sum(now.phases) + sum(sum(part.values()) for part in now.trained),
    )
    centre = now.centre or dict.fromkeys(now.sources, 1 / len(now.sources))
    task = planning.Task(
        world, np.array(now.phases, dtype=float), low, high, rows_of(now, (centre,))[0],
        np.array([now.needs.get(s, 0.0) for s in skills]), np.array([float(s in now.guards) for s in skills]),
        planning.CLOSENESS if now.centre else 0.0,
    )  # fmt: skip
    return task, rows[0].notes


def rows_of(now: Situation, parts: Sequence[Mapping[str, float]]) -> Array:
    return np.array([[part.get(s, 0.0) for s in now.sources] for part in parts]).reshape(
        len(parts), len(now.sources)
    )


def fits_of(now: Situation, world: World) -> dict[str, Fitted]:
    fits = {}
    for skill in sorted({*now.needs, *now.guards}):
        table = now.beliefs.get(skill, {})
        tau = np.array([table[s].tau if s in table else TEACHES_NOT for s in now.sources])
        sd = np.array([table[s].sd if s in table else 1.2 for s in now.sources])
        fits[skill] = fit_skill(world, skill, tau, sd, now.looks, now.contrasts)
    return fits


def _trusted(keep: Array, goal: Array, trust: float | None) -> Array:
    """As far towards the goal as one decision may go, every phase by the same part of its way."""
    moved = float(np.abs(goal[0] - keep[0]).sum() / 2)
    part = 1.0 if trust is None or moved <= trust else trust / moved
    return keep + part * (goal - keep)


def _named(now: Situation, row: Array, limits: Limits, place: int) -> dict[str, float]:
    within = bounds(now.supply, now.phases[place], limits)
    return rounded({s: float(share) for s, share in zip(now.sources, row, strict=True)}, within)


# -- whether it is done --------------------------------------------------------------------------------


def _refusal(
    now: Situation,
    fits: Mapping[str, Fitted],
    gains: Array,
    task: planning.Task,
    worlds: Draws,
    rows: tuple[Array, Array],
) -> Refusal | None:
    keep, move = rows
    left = sum(now.phases)
    moved = float(np.abs(move[0] - keep[0]).sum() / 2)
    sure, gain = float((gains > 0).mean()), float(gains.mean())
    if now.trust is None:
        return None  # nothing was trained: the plan is where training begins, not a move
    if not now.looks:
        return Refusal("no measurement", "no gold answers of the decision half were measured")
    if left < now.least_tokens:
        return Refusal("too late", f"only {left:,} tokens are left")
    if now.rate < 1 / 3:
        return Refusal("too late", f"the learning rate is {now.rate:.0%} of its peak")
    if now.trouble:
        return Refusal("unstable", now.trouble)
    unfit = [s for s, one in fits.items() if s in now.needs and one.fit is not None and one.fit < 0]
    if unfit:
        return Refusal("law fails", f"with one look left out the law does not predict it: {', '.join(unfit)}")
    if moved < LEAST_CHANGE:
        return Refusal("no room", f"the limits and the plan leave a move of {moved:.1%} of the tokens")
    hurt = _hurt(now, task, worlds, rows)
    if hurt:
        return Refusal("guard", f"{hurt} would get worse by more than {WORST_GUARD:.0%}")
    if sure < SURE or gain <= 0:
        return Refusal(
            "not sure", f"a gain of {gain:.4f} bits is likely by {sure:.0%}; {SURE:.0%} is asked for"
        )
    return None


def _hurt(now: Situation, task: planning.Task, worlds: Draws, rows: tuple[Array, Array]) -> str:
    before, after = (planning.bits_after(task, worlds, row).mean(axis=0) for row in rows)
    worse = {s: after[i] / before[i] - 1 for i, s in enumerate(worlds.skills) if s in now.guards}
    return ", ".join(s for s, part in worse.items() if part > WORST_GUARD)


def _price(task: planning.Task, worlds: Draws, keep: Array) -> float:
    """What a hundredth of the tokens left is worth: the utility that training loses without it."""
    kept_DS = planning.bits_after(task, worlds, keep)
    short = replace(task, phases_P=task.phases_P * 0.99)
    lost = planning.bits_after(short, worlds, keep) - kept_DS
    return float(max(0.0, (lost * task.needs_S).sum(axis=1).mean()))


# -- what is said --------------------------------------------------------------------------------------


def _predicted(
    now: Situation, task: planning.Task, worlds: Draws, chosen: Array
) -> dict[str, tuple[float, float, float]]:
    """Bits of the same items after the coming phase, 90% intervals, corrected by what earlier predictions missed."""
    if not now.looks:
        return {}
    first = replace(task, phases_P=task.phases_P[:1], low_PK=task.low_PK[:1], high_PK=task.high_PK[:1])
    fell_DS = planning.bits_after(first, worlds, chosen[:1]) - _bits_now(task, worlds)
    found = {}
    for place, skill in enumerate(worlds.skills):
        if skill in now.looks[-1].bits:
            level, error = now.looks[-1].bits[skill]
            fell = float(fell_DS[:, place].mean())
            parts = (float(fell_DS[:, place].std()), PAIRED * error, MISFIT * fell)
            spread = 1.645 * float(np.linalg.norm(parts))
            centre = level + fell + ledger.bias(now.entries, skill)
            found[skill] = (centre, centre - spread, centre + spread)
    return found


def _bits_now(task: planning.Task, worlds: Draws) -> Array:
    u_K, v_K, _ = counting(task.world, task.world.trained_PK)
    return worlds.bits(u_K, v_K, task.world.offset, anchor(task.world))


def _slopes(now: Situation, task: planning.Task, worlds: Draws, chosen: Array) -> dict[str, dict[str, float]]:
    """Bits by need that one more percent of the tokens on a source would gain, skill by skill: why shares move."""
    base = planning.bits_after(task, worlds, chosen)
    gains: dict[str, dict[str, float]] = {}
    for place, source in enumerate(now.sources):
        more = chosen * 0.99
        more[:, place] += 0.01
        fell = (base - planning.bits_after(task, worlds, more)).mean(axis=0) * task.needs_S
        gains[source] = {skill: float(fell[i]) for i, skill in enumerate(worlds.skills) if task.needs_S[i]}
    return gains


def _least_known(now: Situation, fits: Mapping[str, Fitted]) -> tuple[str, ...]:
    """Sources by how little is known of what they teach, needs counted; the least known first."""
    doubt = {
        source: sum(
            now.needs[skill] * float(np.sqrt(fits[skill].covariance[place, place])) for skill in now.needs
        )
        for place, source in enumerate(now.sources)
    }
    return tuple(sorted(doubt, key=lambda s: (-doubt[s], s)))


def reasons(now: Situation, verdict: Verdict, limits: Limits) -> list[str]:
    """The decision in words: one sentence for the whole, one for every source."""
    said = list(verdict.notes)
    if verdict.refusal:
        moved = change(now.keep[0], verdict.wanted)
        said.append(
            f"kept as planned, rule `{verdict.refusal.rule}`: {verdict.refusal.why}"
            + (f" (the plan wanted to move {moved:.1%})" if moved >= LEAST_CHANGE else "")
        )
    elif now.trust is not None:
        said.append(
            f"moved: {verdict.gain:.4f} bits per byte are expected of it, likely by {verdict.sure:.0%}"
        )
    else:
        said.append("planned from what the sources and skills have in common; nothing was trained yet")
    said += [_source_words(now, verdict, source, limits) for source in now.sources]
    return said


def _source_words(now: Situation, verdict: Verdict, source: str, limits: Limits) -> str:
    before, after = now.keep[0].get(source, 0.0), verdict.weights[source]
    same = abs(after - before) < 5e-4
    text = f"{source}: {after:.1%}, as before" if same else f"{source}: {before:.1%} to {after:.1%}"
    gains = sorted(verdict.slopes.get(source, {}).items(), key=lambda pair: -abs(pair[1]))[:2]
    causes = [
        f"one point more of it changes {skill} by {-gain:+.4f} bits"
        for skill, gain in gains
        if abs(gain) >= 5e-5
    ]
    passes = (now.supply[source].planned + after * now.phases[0]) / max(1, now.supply[source].tokens)
    if passes > 1:
        causes.append(f"{passes:.1f} passes by the end of the phase")
    if passes_left(now.supply[source], limits.most_passes) <= after * now.phases[0] * 1.001:
        causes.append(f"no more than {limits.most_passes:g} passes")
    return text + (f" ({'; '.join(causes)})" if causes else "")


# -- as JSON -------------------------------------------------------------------------------------------


def to_plain(now: Situation) -> dict[str, Any]:
    """A situation as JSON values, so that a trial can decide again with what it adds."""
    from dataclasses import asdict

    return asdict(now)


def from_plain(plain: Mapping[str, Any]) -> Situation:
    """The inverse of `to_plain`."""
    given = dict(plain)
    return Situation(
        **{
            **given,
            "sources": tuple(given["sources"]),
            "supply": {name: Supply(**has) for name, has in given["supply"].items()},
            "trained": tuple(given["trained"]),
            "keep": tuple(given["keep"]),
            "phases": tuple(given["phases"]),
            "guards": tuple(given["guards"]),
            "beliefs": {
                skill: {source: Belief(**one) for source, one in table.items()}
                for skill, table in given["beliefs"].items()
            },
            "looks": tuple(look_from(one) for one in given["looks"]),
            "contrasts": tuple(contrast_from(one) for one in given["contrasts"]),
            "entries": tuple(Entry(**one) for one in given["entries"]),
        }
    )


def look_from(plain: Mapping[str, Any]) -> Look:
    """A look from JSON values."""
    return Look(int(plain["segments"]), _pairs(plain["bits"]))


def contrast_from(plain: Mapping[str, Any]) -> Contrast:
    """A contrast from JSON values."""
    rows = {name: tuple(float(x) for x in plain[name]) for name in ("shares", "control")}
    return Contrast(**{**plain, **rows, "bits": _pairs(plain["bits"])})


def _pairs(plain: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    return {skill: (float(pair[0]), float(pair[1])) for skill, pair in plain.items()}
