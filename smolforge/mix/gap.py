"""The gap rule: gaps raise the domains that teach what is missing. The rule of version 0.1, kept to be compared with.

Pure functions. Share gaps are measured against chance, bits per byte against the target itself; the
shares then grow and shrink by a multiplicative rule and are brought within floors, caps, the allowed
repetition and the largest change.

Source: the multiplicative rule is that of exponentiated gradients, as in DoReMi, arXiv:2305.10429; the limit of
about four passes is from arXiv:2305.16264.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from smolforge.mix.limits import Limits, Supply, bounds, near, normalised, passes_left, rounded, scaled


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One skill's score as the decision needs it. `lower_is_better` for bits per byte."""

    value: float
    chance: float
    target: float
    lower_is_better: bool = False

    @property
    def gap(self) -> float:
        """How much of the way from chance to target is missing; 0 when the target is reached."""
        if self.lower_is_better:
            return max(0.0, self.value - self.target) / self.target if self.target > 0 else 0.0
        way = self.target - self.chance
        return min(1.0, max(0.0, self.target - self.value) / way) if way > 0 else 0.0


@dataclass(frozen=True)
class Decision:
    """Shares that add up to 1, and a sentence for every change."""

    weights: dict[str, float]
    reasons: list[str]
    gaps: dict[str, float] = field(default_factory=dict)


def decide(
    before: Mapping[str, float],
    skills: Mapping[str, Measured],
    affinity: Mapping[str, Mapping[str, float]],
    supply: Mapping[str, Supply],
    phase_tokens: int,
    limits: Limits,
    strength: float,
) -> Decision:
    """The next mixture over the domains of `supply`, starting from the shares `before`.

    `affinity[skill][domain]`, 0 or more, says how much the domain teaches the skill. Without skills the
    shares stay, but for the limits. A domain of no tokens gets no share. Limits that contradict each
    other give way in this order: the largest change, the floors, the caps and passes.
    """
    domains = sorted(name for name, has in supply.items() if has.tokens > 0)
    start = normalised({name: max(0.0, before.get(name, 0.0)) for name in domains})
    gaps = {skill: measured.gap for skill, measured in sorted(skills.items())}
    needs = {name: _need(name, gaps, affinity) for name in domains}
    middle = math.fsum(start[name] * needs[name] for name in domains)
    # The rule multiplies, and nothing comes of a share of nothing: what is needed enters by addition.
    begun = {name: max(start[name], limits.entry if needs[name] > middle else 0.0) for name in domains}
    wanted = {name: max(begun[name], 1e-9) * math.exp(strength * (needs[name] - middle)) for name in domains}
    within = bounds({d: supply[d] for d in domains}, phase_tokens, limits)
    within = near(start, within, limits.most_change) if skills else within
    weights = rounded(scaled(wanted, within), within)
    reasons = [
        _reason(name, start[name], weights[name], skills, gaps, affinity, supply, phase_tokens, limits)
        for name in domains
    ]
    return Decision(weights, [*within.notes, *reasons], {skill: round(gap, 6) for skill, gap in gaps.items()})


def _need(domain: str, gaps: Mapping[str, float], affinity: Mapping[str, Mapping[str, float]]) -> float:
    """The three largest of gap times how well the domain teaches the skill, its best teacher counting 1.

    Only three, so that a domain that serves every skill a little does not outgrow the one that is missing.
    """
    parts = []
    for skill, gap in gaps.items():
        table = affinity.get(skill, {})
        most = max(table.values(), default=0.0)
        parts.append(gap * table.get(domain, 0.0) / most if most > 0 else 0.0)
    return math.fsum(sorted(parts)[::-1][:3])


def _reason(
    domain: str,
    before: float,
    after: float,
    skills: Mapping[str, Measured],
    gaps: Mapping[str, float],
    affinity: Mapping[str, Mapping[str, float]],
    supply: Mapping[str, Supply],
    phase_tokens: int,
    limits: Limits,
) -> str:
    """One sentence a person can check."""
    change = (
        f"{domain}: {before:.1%} to {after:.1%}"
        if abs(after - before) >= 5e-4
        else f"{domain}: {after:.1%}, as before"
    )
    causes = []
    served = [s for s in gaps if affinity.get(s, {}).get(domain, 0.0) > 0]
    served.sort(key=lambda s: (-gaps[s] * affinity[s][domain], s))
    if skills:
        missing = [s for s in served if gaps[s] > 0.005][:2]
        causes += [_shortfall(skill, skills[skill]) for skill in missing]
        if not missing:
            causes.append(
                "what it teaches has reached its target" if served else "it teaches no measured skill"
            )
    most = passes_left(supply[domain], limits.most_passes) / phase_tokens
    if abs(after - most) < 1e-4:
        causes.append(f"no more than {limits.most_passes:g} passes over its {supply[domain].tokens:,} tokens")
    elif abs(after - limits.cap) < 1e-4:
        causes.append(f"no domain gets more than {limits.cap:.0%}")
    elif abs(after - limits.floor) < 1e-4:
        causes.append(f"no domain gets less than {limits.floor:.0%}")
    elif skills and abs(abs(after - before) - limits.most_change) < 1e-4:
        causes.append(f"no share moves by more than {limits.most_change:.0%} in a phase")
    return change + (f" ({'; '.join(causes)})" if causes else "")


def _shortfall(skill: str, found: Measured) -> str:
    if found.lower_is_better:
        return f"{skill} is {found.value:.2f}, target {found.target:.2f}"
    return f"{skill} is {found.value:.0%}, target {found.target:.0%}, chance {found.chance:.0%}"


def measured(
    targets: Mapping[str, float], scores: Sequence[Any] | None
) -> tuple[dict[str, Measured], list[str]]:
    """The scores that have targets; a sentence for each target without a score."""
    if scores is None:
        return {}, []
    by_skill = {score["skill"]: score for score in scores}
    skills = {
        skill: Measured(
            value=by_skill[skill]["value"],
            chance=by_skill[skill]["chance"],
            target=target,
            lower_is_better=by_skill[skill]["unit"] == "bits_per_byte",
        )
        for skill, target in sorted(targets.items())
        if skill in by_skill
    }
    return skills, [
        f"{skill} has a target but no score" for skill in sorted(targets) if skill not in by_skill
    ]
