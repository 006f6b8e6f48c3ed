"""Configs: strict in, canonical out, one `--set` that is type-checked."""

from __future__ import annotations

from dataclasses import field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolforge.config import canonical_json, config, from_plain, set_paths, to_plain
from smolforge.errors import ConfigError
from smolforge.units import format_count, parse_count


@config
class Phase:
    name: str
    tokens: int = 1_000_000
    rate: float = 1e-3
    shares: dict[str, float] = field(default_factory=lambda: {"web": 0.5, "code": 0.5})


@config
class Whole:
    phases: tuple[Phase, ...] = (Phase(name="first"), Phase(name="last"))
    seed: int = 0
    note: str | None = None
    maybe: dict[str, float] | None = field(default_factory=lambda: {"web": 0.5})
    fast: bool = False


@config
class Shares:
    shares: dict[str, float] = field(default_factory=lambda: {"web": 0.5, "code": 0.5})

    def __post_init__(self) -> None:
        if sum(self.shares.values()) != 1:
            raise ConfigError("they do not add up")


def test_a_value_that_is_no_count_names_its_setting() -> None:
    for text in ("nan", "", "abc", "1.5"):
        with pytest.raises(ConfigError, match=r"`phases.1.tokens`.*"):
            set_paths(Whole(), [("phases.1.tokens", text)])


def test_plain_form_and_back_is_the_same_config() -> None:
    whole = Whole(seed=7, note="1e-4", maybe=None, phases=(Phase(name="x", tokens=3, rate=0.5),))
    assert from_plain(Whole, to_plain(whole)) == whole


@pytest.mark.parametrize(
    ("path", "text", "read"),
    [
        ("phases.1.tokens", "2M", lambda c: c.phases[1].tokens == 2_000_000),
        ("phases.0.rate", "1e-4", lambda c: c.phases[0].rate == 1e-4),
        ("phases.0.shares.web", "0.9", lambda c: c.phases[0].shares == {"web": 0.9, "code": 0.5}),
        ("maybe.web", "0.9", lambda c: c.maybe == {"web": 0.9}),
        ("note", "no", lambda c: c.note == "no"),
        ("note", "none", lambda c: c.note is None),
        ("fast", "true", lambda c: c.fast is True),
    ],
)
def test_set_changes_one_field(path, text, read) -> None:
    assert read(set_paths(Whole(), [(path, text)]))


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("phases.0.tokns", "1", "tokens"),
        ("sed", "1", "seed"),
        ("phases.5.tokens", "1", "0 to 1"),
        ("phases.0.shares.wbe", "1", "web"),
        ("seed", "many", "many"),
        ("seed", "1.5", "whole"),
        ("fast", "yes", "true or false"),
        ("seed.deeper", "1", "deeper"),
    ],
)
def test_bad_settings_are_refused_and_named(path, text, named) -> None:
    with pytest.raises(ConfigError) as caught:
        set_paths(Whole(), [(path, text)])
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "plain", [{"sed": 1}, {"seed": "1"}, {"seed": True}, {"phases": [{"tokens": 3}]}, {"phases": 3}]
)
def test_strict_reading_refuses(plain) -> None:
    with pytest.raises(ConfigError):
        from_plain(Whole, plain)


def test_what_has_no_stable_meaning_is_refused() -> None:
    for value in (float("nan"), {1, 2}, object()):
        with pytest.raises(ConfigError):
            canonical_json({"a": value})


def test_canonical_form_does_not_depend_on_order() -> None:
    assert canonical_json({"b": 1, "a": [1, 2]}) == canonical_json({"a": (1, 2), "b": 1})


@given(st.integers(min_value=0, max_value=10**15))
def test_counts_read_back(count: int) -> None:
    assert parse_count(str(count)) == count
    shown = parse_count(format_count(count).replace(" ", ""))
    assert abs(shown - count) <= 0.05 * max(count, 1)
