"""Batches made ahead are the batches, and their states the states, of the source alone."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from smolforge.data.tokens.ahead import AheadBatches
from smolforge.data.tokens.batches import Documents, MixtureBatches
from smolforge.data.tokens.mixture import Mixture


def write_domain(folder, seed, documents=40):
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    lengths = draw.integers(3, 60, documents)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    draw.integers(1, 60, offsets[-1]).astype("<u2").tofile(folder / "tokens-00000.bin")
    np.savez(folder / "index.npz", shard_00000=offsets)
    return folder


@pytest.fixture
def source(tmp_path):
    domains = {name: Documents(write_domain(tmp_path / name, seed)) for seed, name in enumerate("ab")}

    def fresh():
        return MixtureBatches(domains, Mixture(weights={"a": 0.7, "b": 0.3}), length=32, rows=4, seed=3)

    return fresh


def same(left, right):
    return all(
        np.array_equal(getattr(left, name), getattr(right, name))
        for name in ("tokens_BT", "targets_BT", "weights_BT", "starts_BT")
    )


def test_same_batches_states_and_counts(source):
    plain = source()
    with AheadBatches(source()) as ahead:
        assert ahead.state() == plain.state()
        for _ in range(30):
            assert same(ahead.next(), plain.next())
            assert json.dumps(ahead.state()) == json.dumps(plain.state())
            assert ahead.trained == plain.trained and ahead.passes == plain.passes


def test_a_saved_state_forgets_what_was_made_but_not_used(source):
    plain = source()
    with AheadBatches(source()) as first:
        for _ in range(7):
            first.next(), plain.next()
        saved = json.loads(json.dumps(first.state()))
    with AheadBatches(source()) as second:
        second.next()  # its thread is already further
        second.restore(saved)
        for _ in range(10):
            assert same(second.next(), plain.next())


def test_it_goes_on_after_closing_and_leaves_no_thread(source):
    before = threading.active_count()
    plain, ahead = source(), AheadBatches(source())
    for _ in range(3):
        for _ in range(3):
            assert same(ahead.next(), plain.next())
        ahead.close()
        assert threading.active_count() == before


def test_a_dead_source_is_raised_in_its_turn(source):
    class Dying(MixtureBatches):
        def next(self):
            if sum(self.trained.values()) > 300:
                raise OSError("the disk is gone")
            return super().next()

    dying = source()
    dying.__class__ = Dying
    plain = source()
    with AheadBatches(dying) as ahead:
        given = 0
        with pytest.raises(OSError, match="the disk is gone"):
            while True:
                assert same(ahead.next(), plain.next())
                given += 1
        assert given == 3 and ahead.state() == plain.state()
