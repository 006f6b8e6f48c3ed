"""What no mixture may break: floors, caps, repetition, the largest change; and how wishes are brought within them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

WHOLE = 1.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What no decision may break.

    floor, cap    least and greatest share of a domain
    most_passes   how often a domain may be gone through, earlier phases included
    most_change   how far a share may move in one phase
    entry         with what share a domain enters that had less
    """

    floor: float
    cap: float
    most_passes: float
    most_change: float
    entry: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Supply:
    """What a domain has: its tokens, and how many are spoken for by earlier phases."""

    tokens: int
    planned: float = 0.0


@dataclass(frozen=True)
class Bounds:
    """Least and greatest share of each domain; they always leave room for a whole mixture. `notes`: what gave way."""

    low: Mapping[str, float]
    high: Mapping[str, float]
    notes: tuple[str, ...] = ()


def passes_left(has: Supply, most_passes: float) -> float:
    """Tokens of a domain that may still be trained on."""
    return max(0.0, most_passes * has.tokens - has.planned)


def bounds(supply: Mapping[str, Supply], phase_tokens: int, limits: Limits) -> Bounds:
    """Floors, caps and repetition of one phase; where text is too short for all of them they give way together."""
    floor = min(limits.floor, WHOLE / len(supply))
    room = {d: passes_left(has, limits.most_passes) / phase_tokens for d, has in supply.items()}
    cap = {d: max(0.0, min(limits.cap, room[d])) for d in supply}
    notes: tuple[str, ...] = ()
    if math.fsum(cap.values()) < WHOLE:
        notes = ("there is too little text for the limits on share and repetition; they give way together",)
        cap = _widened(cap, room, supply)
    return Bounds({d: min(floor, cap[d]) for d in supply}, cap, notes)


def _widened(
    cap: Mapping[str, float], room: Mapping[str, float], supply: Mapping[str, Supply]
) -> dict[str, float]:
    spare = room if math.fsum(room.values()) > 0 else {d: float(has.tokens) for d, has in supply.items()}
    scale = math.fsum(spare.values())
    wide = {d: max(cap[d], spare[d] / scale) for d in cap}
    short = WHOLE - math.fsum(wide.values())
    return {d: share + max(0.0, short) / len(wide) for d, share in wide.items()}


def near(start: Mapping[str, float], wide: Bounds, most_change: float) -> Bounds:
    """The same bounds, no further than `most_change` from where the shares stand; wider where that leaves no mixture."""
    low = {d: max(wide.low[d], min(wide.high[d], start[d] - most_change)) for d in start}
    high = {d: min(wide.high[d], max(wide.low[d], start[d] + most_change)) for d in start}
    if math.fsum(low.values()) <= WHOLE <= math.fsum(high.values()):
        return Bounds(low, high, wide.notes)
    note = "the limits on repetition and share ask for a larger change than a phase usually makes"
    return Bounds(wide.low, wide.high, (*wide.notes, note))


def scaled(wanted: Mapping[str, float], within: Bounds) -> dict[str, float]:
    """The shares proportional to `wanted` within the bounds: one factor for all, found by bisection."""

    def shares(log_factor: float) -> dict[str, float]:
        factor = math.exp(log_factor)
        return {d: min(within.high[d], max(within.low[d], factor * value)) for d, value in wanted.items()}

    left, right = -60.0, 60.0
    for _ in range(200):
        middle = (left + right) / 2
        if math.fsum(shares(middle).values()) < WHOLE:
            left = middle
        else:
            right = middle
    return shares(right)


def rounded(weights: Mapping[str, float], within: Bounds) -> dict[str, float]:
    """Six decimals, adding up to 1; what rounding leaves goes where the bounds leave most room."""
    short = {name: round(share, 6) for name, share in weights.items()}
    rest = WHOLE - math.fsum(short.values())
    room = {d: within.high[d] - short[d] if rest > 0 else short[d] - within.low[d] for d in short}
    taker = max(sorted(room), key=lambda name: room[name])
    short[taker] = round(short[taker] + rest, 6)
    return short


def fitted(wanted: Mapping[str, float], within: Bounds) -> dict[str, float]:
    """`wanted` brought within the bounds and rounded; a share of nothing stays nothing where the floor lets it."""
    return rounded(scaled({d: max(share, 1e-12) for d, share in wanted.items()}, within), within)


def normalised(shares: Mapping[str, float]) -> dict[str, float]:
    """The same proportions adding up to 1; even shares where there are none."""
    total = math.fsum(shares.values())
    if total <= 0:
        return {name: WHOLE / len(shares) for name in shares}
    return {name: share / total for name, share in shares.items()}


def change(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Total variation: the part of the tokens that goes elsewhere."""
    return math.fsum(abs(after.get(d, 0.0) - before.get(d, 0.0)) for d in {**before, **after}) / 2
