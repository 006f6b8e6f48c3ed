"""Mixtures add up to 1 or are refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolforge.data.tokens.mixture import Mixture
from smolforge.errors import ConfigError


def test_wrong_sums_name_every_share():
    with pytest.raises(ConfigError) as caught:
        Mixture(weights={"web": 0.70, "math": 0.20, "code": 0.15})
    assert caught.value.what == "mixture shares add up to 1.05, not 1: web 0.70, math 0.20, code 0.15"


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"web": 1.2, "code": -0.2},
        {"web": float("nan")},
        {"web": 0.5, "code": 0.49999},
        {"web": float("inf")},
    ],
)
def test_impossible_shares_are_refused(weights):
    with pytest.raises(ConfigError):
        Mixture(weights=weights)


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8))
def test_normalised_shares_are_accepted(shares):
    total = sum(shares)
    Mixture(weights={str(i): share / total for i, share in enumerate(shares)})
