"""From scores to the next mixture: gaps raise the domains that teach what is missing.

Pure functions. Share gaps are measured against chance, bits per byte against the target itself; the
shares then grow and shrink by a multiplicative rule and are brought within floors, caps, the allowed
repetition and the largest change.

Source: chosen for small budgets, where a search that costs a tenth of the tokens loses to a good prior;
the multiplicative rule is that of exponentiated gradients, as in DoReMi, arXiv:2305.10429; the limit of
about four passes is from arXiv:2305.16264.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

WHOLE = 1.0


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


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What no decision may break.

    floor, cap    least and greatest share of a domain
    most_passes   how often a domain may be gone through, earlier phases included
    most_change   how far a share may move in one phase
    strength      how strongly needs move shares
    entry         with what share a domain enters that had less and is needed more than the mixture on average
    """

    floor: float
    cap: float
    most_passes: float
    most_change: float
    strength: float
    entry: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Supply:
    """What a domain has: its tokens, and how many are spoken for by earlier phases."""

    tokens: int
    planned: float = 0.0


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
) -> Decision:
    """The next mixture over the domains of `supply`, starting from the shares `before`.

    `affinity[skill][domain]`, 0 or more, says how much the domain teaches the skill. Without skills the
    shares stay, but for the limits. A domain of no tokens gets no share. Limits that contradict each
    other give way in this order: the largest change, the floors, the caps and passes.
    """
    domains = sorted(name for name, has in supply.items() if has.tokens > 0)
    start = _normalised({name: max(0.0, before.get(name, 0.0)) for name in domains})
    gaps = {skill: measured.gap for skill, measured in sorted(skills.items())}
    needs = {name: _need(name, gaps, affinity) for name in domains}
    middle = math.fsum(start[name] * needs[name] for name in domains)
    # The rule multiplies, and nothing comes of a share of nothing: what is needed enters by addition.
    begun = {name: max(start[name], limits.entry if needs[name] > middle else 0.0) for name in domains}
    wanted = {
        name: max(begun[name], 1e-9) * math.exp(limits.strength * (needs[name] - middle)) for name in domains
    }
    notes: list[str] = []
    low, high = _bounds(domains, start, supply, phase_tokens, limits, moving=bool(skills), notes=notes)
    weights = _rounded(_project(wanted, low, high), low, high)
    reasons = [
        _reason(name, start[name], weights[name], skills, gaps, affinity, supply, phase_tokens, limits)
        for name in domains
    ]
    return Decision(weights, notes + reasons, {skill: round(gap, 6) for skill, gap in gaps.items()})


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


def _bounds(
    domains: list[str],
    start: Mapping[str, float],
    supply: Mapping[str, Supply],
    phase_tokens: int,
    limits: Limits,
    *,
    moving: bool,
    notes: list[str],
) -> tuple[dict[str, float], dict[str, float]]:
    floor = min(limits.floor, WHOLE / len(domains))
    room = {d: _passes_left(supply[d], limits) / phase_tokens for d in domains}
    cap = {d: max(0.0, min(limits.cap, room[d])) for d in domains}
    if math.fsum(cap.values()) < WHOLE:
        notes.append(
            "there is too little text for the limits on share and repetition; they give way together"
        )
        total = math.fsum(room.values())
        spare = {d: room[d] if total > 0 else float(supply[d].tokens) for d in domains}
        scale = math.fsum(spare.values())
        cap = {d: max(cap[d], spare[d] / scale) for d in domains}
        short = WHOLE - math.fsum(cap.values())
        if short > 0:
            cap = {d: cap[d] + short / len(domains) for d in domains}
    low = {d: min(floor, cap[d]) for d in domains}
    near_low = {d: max(low[d], min(cap[d], start[d] - limits.most_change)) for d in domains}
    near_high = {d: min(cap[d], max(low[d], start[d] + limits.most_change)) for d in domains}
    if moving and math.fsum(near_low.values()) <= WHOLE <= math.fsum(near_high.values()):
        return near_low, near_high
    if moving:
        notes.append("the limits on repetition and share ask for a larger change than a phase usually makes")
    return low, cap


def _passes_left(has: Supply, limits: Limits) -> float:
    return max(0.0, limits.most_passes * has.tokens - has.planned)


def _project(
    wanted: Mapping[str, float], low: Mapping[str, float], high: Mapping[str, float]
) -> dict[str, float]:
    """The shares proportional to `wanted` within the bounds: one factor for all, found by bisection."""

    def shares(log_factor: float) -> dict[str, float]:
        factor = math.exp(log_factor)
        return {name: min(high[name], max(low[name], factor * value)) for name, value in wanted.items()}

    left, right = -60.0, 60.0
    for _ in range(200):
        middle = (left + right) / 2
        if math.fsum(shares(middle).values()) < WHOLE:
            left = middle
        else:
            right = middle
    return shares(right)


def _rounded(
    weights: Mapping[str, float], low: Mapping[str, float], high: Mapping[str, float]
) -> dict[str, float]:
    """Six decimals, adding up to 1; what rounding leaves goes where the bounds leave most room."""
    short = {name: round(share, 6) for name, share in weights.items()}
    rest = WHOLE - math.fsum(short.values())
    room = {name: high[name] - short[name] if rest > 0 else short[name] - low[name] for name in short}
    taker = max(sorted(room), key=lambda name: room[name])
    short[taker] = round(short[taker] + rest, 6)
    return short


def _normalised(shares: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(shares.values())
    if total <= 0:
        return {name: WHOLE / len(shares) for name in shares}
    return {name: share / total for name, share in shares.items()}


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
    most = _passes_left(supply[domain], limits) / phase_tokens
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
