"""Packing: no token lost, none leaked, little waste, shares kept, resumes exactly."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolforge.data.tokens.batches import Documents, Example, ExampleBatches, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.data.tokens.packing import Packer, Piece
from smolforge.errors import InputError


def write_shards(folder, lengths, *, first_id=1, wide=False, shards=1):
    """Documents whose every token is unique (while ids last): id, id+1, …; token 0 closes each."""
    folder.mkdir(parents=True)
    arrays, at = {}, first_id
    for number, part in enumerate(np.array_split(np.array(lengths, dtype=np.int64), shards)):
        tokens = []
        for length in part.tolist():
            tokens += [*range(at, at + length - 1), 0]
            at += length - 1
        np.array(tokens, dtype="<u4" if wide else "<u2").tofile(folder / f"tokens-{number:05d}.bin")
        arrays[f"shard_{number:05d}"] = np.concatenate([[0], np.cumsum(part)])
    np.savez(folder / "index.npz", **arrays)
    return Documents(folder)


def segments(batch):
    """(input tokens, targets) of every packed document piece, padding left out."""
    for tokens, targets, weights, starts in zip(
        batch.tokens_BT, batch.targets_BT, batch.weights_BT, batch.starts_BT, strict=True
    ):
        for start in np.unique(starts[weights > 0]):
            part = (starts == start) & (weights > 0)
            yield tokens[part].tolist(), targets[part].tolist()


def test_every_token_is_a_target_once_an_epoch_and_follows_its_input(tmp_path):
    draw = np.random.default_rng(0)
    lengths = [*draw.integers(2, 90, 400).tolist(), 700, 64, 65, 1300]
    documents = write_shards(tmp_path / "web", lengths, wide=True, shards=3)
    source = MixtureBatches({"web": documents}, Mixture(weights={"web": 1.0}), length=64, rows=4, seed=1)
    seen = Counter()
    stored = [documents.read(i, 0, documents.length(i)).tolist() for i in range(len(documents))]
    after = {a: b for doc in stored for a, b in pairwise(doc)}
    firsts = {doc[0] for doc in stored}
    while source.state()["cursors"]["web"]["epoch"] < 1:
        for inputs, targets in segments(source.next()):
            seen.update(targets)
            for a, b in zip(inputs, targets, strict=True):
                assert b in firsts if a == 0 else after[a] == b
            assert inputs[1:] == targets[:-1]
    pending = source.state()["pool"]
    waiting = Counter(
        token for _, item, start, end in pending for token in documents.read(item, start, end).tolist()
    )
    total = seen + waiting
    ids = {token for doc in stored for token in doc if token}
    assert all(total[token] >= 1 for token in ids)
    assert sum(total[token] - 1 for token in ids) <= 64 * 6  # the second epoch has just begun
    assert source.trained["web"] == sum(seen.values())


def test_waste_is_under_one_percent_and_most_documents_stay_whole(tmp_path):
    draw = np.random.default_rng(3)
    for name, lengths in {
        "mixed": np.clip(draw.lognormal(4.6, 0.9, 3000), 4, 4000).astype(int),
        "all-alike": np.full(2000, 150),
        "awkward": np.full(2000, 140),
    }.items():
        documents = write_shards(tmp_path / name, (lengths % 1000 + 2).tolist(), wide=True)
        source = MixtureBatches({"a": documents}, Mixture(weights={"a": 1.0}), length=256, rows=16, seed=0)
        batches = [source.next() for _ in range(20)]
        used = np.mean([batch.weights_BT.mean() for batch in batches])
        assert used > 0.99, name
        if name == "mixed":
            short = [i for i in range(len(documents)) if documents.length(i) <= 256]
            firsts = {int(documents.read(i, 0, 1)[0]): documents.length(i) for i in short}
            begun = [targets for batch in batches for _, targets in segments(batch) if targets[0] in firsts]
            assert np.mean([len(targets) == firsts[targets[0]] for targets in begun]) > 0.9


def test_shares_hold_in_every_stretch(tmp_path):
    draw = np.random.default_rng(1)
    domains = {
        name: write_shards(tmp_path / name, draw.integers(3, size, 500).tolist())
        for name, size in (("code", 120), ("math", 30), ("web", 60))
    }
    shares = {"web": 0.6, "code": 0.3, "math": 0.1}
    source = MixtureBatches(domains, Mixture(weights=shares), length=128, rows=8, seed=5)
    for _ in range(4):
        found = Counter()
        for _ in range(20):
            found.update(source.next().domains)
        total = sum(found.values())
        for name, share in shares.items():
            assert found[name] / total == pytest.approx(share, abs=0.06)


def test_resume_gives_the_same_batches_through_json(tmp_path):
    draw = np.random.default_rng(2)
    domains = {n: write_shards(tmp_path / n, draw.integers(3, 200, 60).tolist()) for n in ("a", "b")}

    def source():
        return MixtureBatches(domains, Mixture(weights={"a": 0.7, "b": 0.3}), length=64, rows=4, seed=9)

    whole = source()
    for _ in range(7):
        whole.next()
    resumed = source()
    resumed.restore(json.loads(json.dumps(whole.state())))
    for _ in range(120):  # several epochs
        ours, theirs = whole.next(), resumed.next()
        for name in ("tokens_BT", "targets_BT", "weights_BT", "starts_BT"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    assert whole.state() == resumed.state()


def test_epochs_differ_in_order_and_seeds_too(tmp_path):
    documents = write_shards(tmp_path / "a", [10] * 50)

    def firsts(seed, skip):
        source = MixtureBatches({"a": documents}, Mixture(weights={"a": 1.0}), length=500, rows=1, seed=seed)
        for _ in range(skip):
            source.next()
        return source.next().targets_BT[0].tolist()

    assert firsts(0, 0) == firsts(0, 0)
    assert len({tuple(firsts(seed, skip)) for seed in (0, 1) for skip in (0, 1)}) == 4


def test_a_new_phase_goes_on_where_the_old_one_stopped(tmp_path):
    domains = {n: write_shards(tmp_path / n, [20] * 300) for n in ("a", "b")}
    first = MixtureBatches(domains, Mixture(weights={"a": 1.0}), length=100, rows=2, seed=0)
    for _ in range(5):
        first.next()
    second = MixtureBatches(domains, Mixture(weights={"a": 0.1, "b": 0.9}), length=100, rows=2, seed=0)
    second.restore(first.state(), new_phase=True)
    seen = Counter()
    for _ in range(40):
        seen.update(second.next().domains)
    assert second.trained["a"] == first.trained["a"] + seen["a"]
    assert seen["b"] / sum(seen.values()) > 0.4  # the pool of the first phase comes first
    assert second.state()["cursors"]["a"]["place"] > first.state()["cursors"]["a"]["place"]


def test_a_mixture_of_unknown_domains_is_refused(tmp_path):
    documents = write_shards(tmp_path / "a", [10])
    with pytest.raises(InputError, match="math"):
        MixtureBatches({"a": documents}, Mixture(weights={"math": 1.0}), length=8, rows=1, seed=0)


def test_truncated_shards_are_refused(tmp_path):
    write_shards(tmp_path / "a", [10, 20])
    file = tmp_path / "a" / "tokens-00000.bin"
    file.write_bytes(file.read_bytes()[:-2])
    with pytest.raises(InputError):
        Documents(tmp_path / "a")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=120), st.booleans())
def test_packer_places_every_token_once(lengths, may_cut):
    packer = Packer(40, may_cut=may_cut)
    for item, length in enumerate(lengths):
        packer.add(Piece(0, item, 0, length))
    placed = Counter()
    while len(packer):
        row = packer.row()
        assert sum(piece.length for piece in row) <= 40
        for piece in row:
            placed.update((piece.item, t) for t in range(piece.start, piece.end))
    assert placed == Counter((item, t) for item, length in enumerate(lengths) for t in range(length))
    assert packer.tokens == 0


def conversations(count, draw):
    for i in range(count):
        length = int(draw.integers(4, 60))
        weights = np.zeros(length, dtype=np.float32)
        weights[length // 2 :] = 1.0
        yield Example(np.arange(1000 * i + 1, 1000 * i + 1 + length), weights)


def test_conversations_are_packed_whole_once_an_epoch(tmp_path):
    examples = list(conversations(200, np.random.default_rng(0)))
    source = ExampleBatches(examples, length=64, rows=4, seed=0, epochs=2)
    promised = source.count_batches()
    learned, batches = Counter(), 0
    while (batch := source.next()) is not None:
        batches += 1
        learned.update(batch.targets_BT[batch.weights_BT > 0].tolist())
        for row in range(len(batch.tokens_BT)):
            for start in np.unique(batch.starts_BT[row]):
                part = batch.starts_BT[row] == start
                assert len(np.unique(batch.tokens_BT[row, part] // 1000)) == 1
    wanted = Counter(t for e in examples for t in e.tokens[e.weights > 0].tolist())
    assert learned == Counter(dict.fromkeys(wanted, 2))
    assert batches == promised


def test_short_conversations_are_not_left_to_the_end():
    """Packing leaves short conversations over; the last batches have no more of them in a row than the rest."""
    draw = np.random.default_rng(5)
    lengths = np.clip(draw.lognormal(4.2, 0.7, 6000).astype(int), 8, 500).tolist()
    examples = [Example(np.arange(n), np.ones(n)) for n in lengths]
    source = ExampleBatches(examples, length=512, rows=8, seed=2)
    in_a_row = []
    while (batch := source.next()) is not None:
        in_a_row.append(float(np.mean([len(np.unique(row)) for row in batch.starts_BT])))
    assert np.mean(in_a_row[-6:-1]) < 1.25 * np.mean(in_a_row[:-6])
    trained = sum(lengths) - len(lengths)
    assert trained > 0.97 * 512 * 8 * (len(in_a_row) - 1)  # and the rows are full


def test_conversation_batches_resume(tmp_path):
    examples = list(conversations(90, np.random.default_rng(4)))

    def source():
        return ExampleBatches(examples, length=64, rows=3, seed=1, epochs=3)

    whole, resumed = source(), source()
    for _ in range(5):
        whole.next()
    resumed.restore(json.loads(json.dumps(whole.state())))
    while (ours := whole.next()) is not None:
        theirs = resumed.next()
        assert np.array_equal(ours.tokens_BT, theirs.tokens_BT)
        assert np.array_equal(ours.weights_BT, theirs.weights_BT)
    assert resumed.next() is None


def test_long_conversations_are_cut_and_useless_ones_left_out():
    long = Example(np.arange(1, 101), np.r_[np.zeros(20), np.ones(80)])
    late = Example(np.arange(1, 101), np.r_[np.zeros(90), np.ones(10)])
    source = ExampleBatches([long, late], length=32, rows=2, seed=0)
    assert source.left_out == 1
    batch = source.next()
    assert batch.tokens_BT[0].tolist() == list(range(1, 33))
    assert batch.weights_BT.sum() == 13
    with pytest.raises(InputError):
        ExampleBatches([late], length=32, rows=2, seed=0)
