"""Learning-rate schedules as pure functions of the place in the whole training.

A place is counted in whatever the caller counts (tokens, steps) and may span several phases: a phase
knows where it begins. Each function gives a factor from 0 to 1 for the peak rates.

Source: warm-up, stable, decay from MiniCPM, arXiv:2404.06395; cosine from arXiv:1608.03983.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from smolforge.train.config import ScheduleConfig

Schedule = Callable[[int, int], float]
"""`schedule(step, tokens)`: factor for the step that ends there (step from 1, tokens with this step's)."""


def warmup_stable_decay(place: float, *, total: float, warmup: float, decay: float, floor: float) -> float:
    """Up over `warmup`, level, then straight down to `floor` over the last `decay`."""
    if place < warmup:
        return place / warmup
    left = total - place
    if left >= decay:
        return 1.0
    return floor + (1.0 - floor) * max(0.0, left) / decay


def cosine(place: float, *, total: float, warmup: float, floor: float) -> float:
    """Up over `warmup`, then half a cosine to `floor`."""
    if place < warmup:
        return place / warmup
    done = min(1.0, (place - warmup) / max(1e-12, total - warmup))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * done))


def linear(place: float, *, total: float, warmup: float, floor: float) -> float:
    """Up over `warmup`, then straight down to `floor`."""
    if place < warmup:
        return place / warmup
    done = min(1.0, (place - warmup) / max(1e-12, total - warmup))
    return 1.0 - (1.0 - floor) * done


def factor(config: ScheduleConfig, place: float, total: float) -> float:
    """The schedule of `config` at `place` of `total`."""
    warmup = config.warmup_share * total
    if config.kind == "wsd":
        decay = config.decay_share * total
        return warmup_stable_decay(place, total=total, warmup=warmup, decay=decay, floor=config.floor)
    shape = cosine if config.kind == "cosine" else linear
    return shape(place, total=total, warmup=warmup, floor=config.floor)


def over_tokens(config: ScheduleConfig, total_tokens: int) -> Schedule:
    """The schedule over tokens: what pre-training's phases share."""
    return lambda step, tokens: factor(config, tokens, total_tokens)


def over_steps(config: ScheduleConfig, total_steps: int) -> Schedule:
    """The schedule over steps: what tuning uses."""
    return lambda step, tokens: factor(config, step, total_steps)
