"""A mixture: which share of the tokens each domain gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from smolforge.errors import ConfigError

TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Domain → share of tokens. Shares are 0 or more and add up to 1 within 1e-6, else ConfigError."""

    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.weights:
            raise ConfigError("the mixture names no domain", fix='name at least one, such as {"web": 1.0}')
        for name, share in self.weights.items():
            if not math.isfinite(share) or share < 0:
                raise ConfigError(f"the mixture's share of {name} is {share}", fix="use a share from 0 to 1")
        total = math.fsum(self.weights.values())
        if abs(total - 1.0) > TOLERANCE:
            listed = ", ".join(f"{name} {share:.2f}" for name, share in self.weights.items())
            raise ConfigError(
                f"mixture shares add up to {_short(total)}, not 1: {listed}",
                fix="change the shares to add up to 1",
            )


def _short(total: float) -> str:
    """1.05 as `1.05`; as many decimals as tell it from 1."""
    return next((text for text in (f"{total:.{n}f}" for n in (2, 4, 7)) if float(text) != 1.0), repr(total))
