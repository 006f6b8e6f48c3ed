"""Intervals: how far a score could be from the truth, given how few items were asked.

All intervals are two-sided at 95%. Shares use Wilson's interval, which stays inside 0..1 and is honest at
0 and 1; bits per byte is a ratio of two sums over documents; comparisons pair the same items. Means and ratios
use Student's t, since documents are often few; one alone says nothing, so its interval has no bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from smolforge.errors import InputError
from smolforge.intervals import Interval

Z = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


def share_interval(passed: int, items: int) -> Interval:
    """A share of passed items, with Wilson's score interval. Source: Wilson 1927, equation for p."""
    if not 0 <= passed <= items or items == 0:
        raise InputError(f"{passed} of {items} is not a share", fix="give at least one item")
    share = passed / items
    denominator = 1 + Z * Z / items
    centre = (share + Z * Z / (2 * items)) / denominator
    half = Z / denominator * math.sqrt(share * (1 - share) / items + Z * Z / (4 * items * items))
    return Interval(
        share, max(0.0, centre - half) if passed else 0.0, min(1.0, centre + half) if passed < items else 1.0
    )


def mean_interval(values: Sequence[float]) -> Interval:
    """A mean with Student's interval."""
    mean = math.fsum(values) / _count(values)
    half = _half(_variance(values, mean), len(values))
    return Interval(mean, mean - half, mean + half)


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Sum over sum, such as bits per byte over documents, with the linearised (delta-method) Student's interval.

    Documents are the sampling units: bytes of one text are not independent of each other.
    Source: Cochran, Sampling Techniques, 3rd edition, section 6.3.
    """
    count = _count(numerators, denominators)
    total = math.fsum(denominators)
    if total <= 0:
        raise InputError("a ratio needs a positive denominator", fix="give texts that are not empty")
    ratio = math.fsum(numerators) / total
    residuals = [n - ratio * d for n, d in zip(numerators, denominators, strict=True)]
    half = _half(_variance(residuals, 0.0), count) / (total / count)
    return Interval(ratio, ratio - half, ratio + half)


def paired_share_difference(before: Sequence[bool], after: Sequence[bool]) -> Interval:
    """Share after minus share before on the same items; the bounds are Bonett and Price's adjusted Wald.

    One item is added to each kind of disagreement, so that few items never give a width of zero.
    Source: Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data".
    """
    items = _count(before, after)
    gained = sum(bool(b) < bool(a) for b, a in zip(before, after, strict=True))
    lost = sum(bool(b) > bool(a) for b, a in zip(before, after, strict=True))
    up, down = (gained + 1) / (items + 2), (lost + 1) / (items + 2)
    centre = up - down
    half = Z * math.sqrt(max(0.0, up + down - centre * centre) / (items + 2))
    return Interval((gained - lost) / items, max(-1.0, centre - half), min(1.0, centre + half))


def paired_mean_difference(before: Sequence[float], after: Sequence[float]) -> Interval:
    """Mean after minus mean before on the same items."""
    _count(before, after)
    return mean_interval([a - b for b, a in zip(before, after, strict=True)])


def paired_ratio_difference(
    before: Sequence[float], after: Sequence[float], denominators: Sequence[float]
) -> Interval:
    """Ratio after minus ratio before over the same documents, such as a change in bits per byte."""
    _count(before, after)
    return ratio_interval([a - b for b, a in zip(before, after, strict=True)], denominators)


def _half(variance: float, count: int) -> float:
    """Half the width of Student's interval of a mean of `count` values."""
    if count < 2:
        return math.inf
    from scipy.special import stdtrit  # late: the command's help needs no tables

    return float(stdtrit(count - 1, 0.975)) * math.sqrt(variance / count)


def _count(*columns: Sequence[object]) -> int:
    if len({len(column) for column in columns}) != 1:
        raise InputError(
            "the two sets of scores are not over the same items", fix="evaluate both on the same items"
        )
    if not columns[0]:
        raise InputError("there is nothing to score", fix="give at least one item")
    return len(columns[0])


def _variance(values: Sequence[float], mean: float) -> float:
    if len(values) < 2:
        return 0.0
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
