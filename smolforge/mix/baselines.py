"""Mixtures that follow from sizes alone: what any rule that measures has to beat."""

from __future__ import annotations

from collections.abc import Mapping

from smolforge.mix.limits import Bounds, Supply, fitted, normalised


def natural(supply: Mapping[str, Supply], within: Bounds) -> dict[str, float]:
    """Every domain by the tokens it has."""
    return fitted(normalised({d: float(has.tokens) for d, has in supply.items()}), within)


def uniform(supply: Mapping[str, Supply], within: Bounds) -> dict[str, float]:
    """Every domain alike."""
    return fitted(dict.fromkeys(supply, 1.0 / len(supply)), within)


def unimax(
    supply: Mapping[str, Supply], within: Bounds, total_tokens: int, most_passes: float
) -> dict[str, float]:
    """Every domain alike, but none more than so many passes over the whole run; the others share what is left.

    Source: UniMax, arXiv:2304.09151, algorithm 1; here the smallest domains first.
    """
    shares: dict[str, float] = {}
    left = float(total_tokens)
    by_size = sorted(supply, key=lambda d: (supply[d].tokens, d))
    for place, domain in enumerate(by_size):
        even = left / (len(by_size) - place)
        shares[domain] = min(even, most_passes * supply[domain].tokens)
        left -= shares[domain]
    return fitted(normalised(shares), within)
