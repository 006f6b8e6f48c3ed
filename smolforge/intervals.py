"""An estimate with its bounds, and the difference of two; how such bounds are found stands in `evals/stats.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """An estimate between its bounds."""

    value: float
    low: float
    high: float

    def excludes(self, number: float) -> bool:
        """Whether `number` lies outside the bounds."""
        return not self.low <= number <= self.high


def independent_difference(before: Interval, after: Interval) -> Interval:
    """After minus before for two scores over different items, from their two intervals.

    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions",
    method 10; the same square-and-add rule (MOVER) serves for means.
    """
    value = after.value - before.value
    down = math.hypot(after.value - after.low, before.high - before.value)
    up = math.hypot(after.high - after.value, before.value - before.low)
    return Interval(value, value - down, value + up)
