"""What was predicted and what came true: kept from phase to phase, and believed less the more often it was wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FIRST_TRUST, LEAST_TRUST, MOST_TRUST = 0.15, 0.05, 0.35
"""How much of the tokens one decision may move: at first, at the least, and at the most. Chosen, untested."""
SHRINKING = 4
"""So many entries that were not seen count as right when the bias is estimated."""


@dataclass(frozen=True)
class Entry:
    """One skill's bits per byte over one phase: before it, as predicted with a 90% interval, and as it came."""

    phase: str
    skill: str
    before: float
    predicted: float
    low: float
    high: float
    realised: float

    @property
    def inside(self) -> bool:
        return self.low <= self.realised <= self.high

    @property
    def deviations(self) -> float:
        """How far off, in predicted standard deviations."""
        return (self.realised - self.predicted) / max((self.high - self.low) / (2 * 1.645), 1e-9)


def coverage(entries: Sequence[Entry]) -> float | None:
    """Share of what came true inside its predicted interval; None while nothing has."""
    return sum(one.inside for one in entries) / len(entries) if entries else None


def widening(entries: Sequence[Entry]) -> float:
    """Factor for later standard deviations, 1 or more: the root mean square of how far off the earlier ones were."""
    if not entries:
        return 1.0
    square = math.fsum(one.deviations**2 for one in entries) + SHRINKING
    return max(1.0, math.sqrt(square / (len(entries) + SHRINKING)))


def bias(entries: Sequence[Entry], skill: str) -> float:
    """What to add to a prediction of this skill: its mean miss, shrunk."""
    misses = [one.realised - one.predicted for one in entries if one.skill == skill]
    return math.fsum(misses) / (len(misses) + SHRINKING)


def trust(before: float, entries: Sequence[Entry], needs: Mapping[str, float]) -> float:
    """How far the next decision may move, after the last phase's entries: more if the change came as predicted."""
    meant = math.fsum(needs.get(one.skill, 0.0) * (one.predicted - one.before) for one in entries)
    came = math.fsum(needs.get(one.skill, 0.0) * (one.realised - one.before) for one in entries)
    if not entries or meant == 0:
        return before
    factor = 1.5 if 0.5 <= came / meant <= 1.5 else 0.5
    return min(MOST_TRUST, max(LEAST_TRUST, before * factor))
