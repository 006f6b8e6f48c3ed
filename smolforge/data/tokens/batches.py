"""Batches of packed rows: which documents, in which order, cut and placed how. No torch here.

A document of n stored tokens (its closing end-of-text included) fills n positions of a row: the inputs
are a start token and the document without its last token, the targets the document itself. So every
stored token is a target exactly once, and a target never lies in another document than its input.

Rows are packed by best fit from a small pool, so that most documents stay whole; only when nothing
fits is a document cut. Everything is decided by the seed and the order of calls: a source's `state()` is
small JSON, and `restore()` goes on from there exactly.

Shapes: B rows, T positions. Source of best-fit packing: arXiv:2404.10830.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from smolforge.data.tokens.mixture import Mixture
from smolforge.data.tokens.packing import Packer, Piece, cut_to
from smolforge.data.tokens.shards import ShardReader, read_shards
from smolforge.errors import InputError

START_TOKEN = 0
POOL_ROWS = 32
"""Rows' worth of tokens held back for the packer to choose from; chosen, waste measured in the tests."""


@dataclass(frozen=True)
class Batch:
    """Packed rows. `starts_BT[b, t]` is the place in row b where the document of position t begins.

    weights_BT  loss weight of each target; 0 for padding
    domains     tokens of each domain in this batch
    extra       further arrays with a row each, for losses that need them (preference pairs, advantages)
    group       rows that a micro-batch must keep together
    """

    tokens_BT: np.ndarray
    targets_BT: np.ndarray
    weights_BT: np.ndarray
    starts_BT: np.ndarray
    domains: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    group: int = 1

    @property
    def positions(self) -> int:
        """Rows times length, padding included."""
        return int(self.tokens_BT.size)


def rows_of_rank(batch: Batch, rank: int, ranks: int) -> Batch:
    """One process's rows: whole groups in order, as many for each process; blank rows where they run out.

    Blank rows weigh nothing, so all processes' sums together are those of the batch.
    """
    rows, length = batch.tokens_BT.shape
    each = -(-rows // (batch.group * ranks)) * batch.group
    part = slice(min(rows, rank * each), min(rows, (rank + 1) * each))
    missing = each - (part.stop - part.start)
    tokens_BT, targets_BT, weights_BT, starts_BT = _blank(missing, length)
    extra = {
        name: np.concatenate([a[part], np.zeros((missing, *a.shape[1:]), a.dtype)])
        for name, a in batch.extra.items()
    }
    return Batch(
        np.concatenate([batch.tokens_BT[part], tokens_BT]),
        np.concatenate([batch.targets_BT[part], targets_BT]),
        np.concatenate([batch.weights_BT[part], weights_BT]),
        np.concatenate([batch.starts_BT[part], starts_BT]),
        domains=batch.domains,
        extra=extra,
        group=batch.group,
    )


class Documents:
    """The token ids of one domain, read from its shards as they are needed.

    `most_tokens`: only the first documents, up to so many tokens and at least one, as if there were no more.
    """

    def __init__(self, folder: Path, most_tokens: int | None = None) -> None:
        self._shards = list(read_shards(folder))
        self._reader = ShardReader()
        firsts = [shard.offsets[:-1] for shard in self._shards]
        counts = [np.diff(shard.offsets) for shard in self._shards]
        self._first = np.concatenate(firsts) if firsts else np.zeros(0, np.int64)
        self._length = np.concatenate(counts) if counts else np.zeros(0, np.int64)
        self._shard = np.repeat(
            np.arange(len(firsts)), np.array([len(first) for first in firsts], dtype=np.int64)
        )
        if most_tokens is not None:
            kept = max(1, int(np.searchsorted(self._length.cumsum(), most_tokens, side="right")))
            self._first, self._length = self._first[:kept], self._length[:kept]

    def __len__(self) -> int:
        return len(self._length)

    @property
    def tokens(self) -> int:
        """Stored tokens of all documents."""
        return int(self._length.sum())

    def length(self, item: int) -> int:
        """Stored tokens of one document."""
        return int(self._length[item])

    def read(self, item: int, start: int, end: int) -> np.ndarray:
        """Stored tokens `start` to `end` of one document."""
        first = int(self._first[item])
        return self._reader.read(self._shards[self._shard[item]], first + start, first + end)


@dataclass
class _Cursor:
    """How far one domain has been read: `epoch` whole passes, `place` documents into the present one."""

    name: str
    documents: Documents
    seed: int
    epoch: int = 0
    place: int = 0
    start: int = 0
    trained: int = 0
    drawn_in_phase: int = 0
    _order: np.ndarray | None = None

    def next_piece(self, source: int, length: int) -> Piece:
        if self._order is None:
            self._order = shuffled(len(self.documents), self.seed, self.name, self.epoch)
        item = int(self._order[self.place])
        end = min(self.start + length, self.documents.length(item))
        piece = Piece(source, item, self.start, end)
        self.start = end
        if end == self.documents.length(item):
            self.place, self.start = self.place + 1, 0
        if self.place == len(self.documents):
            self.epoch, self.place, self._order = self.epoch + 1, 0, None
        return piece


class MixtureBatches:
    """Endless batches of documents drawn by a mixture, each domain in a new shuffled order every pass.

    The next piece comes from the domain that lags furthest behind its share, so the mixture holds to
    within a piece at every moment. `restore(state, new_phase=True)` keeps every domain's position and
    the pool, and begins to count shares anew.
    """

    def __init__(
        self, domains: Mapping[str, Documents], mixture: Mixture, *, length: int, rows: int, seed: int
    ) -> None:
        for name, share in mixture.weights.items():
            if share > 0 and name not in domains:
                raise InputError(
                    f"the mixture asks for {name}, which has no tokens",
                    fix=f"there are {', '.join(sorted(domains))}",
                )
            if share > 0 and not domains[name].tokens:
                raise InputError(f"the domain {name} is empty", fix="give it documents, or no share")
        self.length = length
        self.rows = rows
        self._names = sorted(domains)
        self._cursors = [_Cursor(name, domains[name], seed) for name in self._names]
        self._shares = np.array([mixture.weights.get(name, 0.0) for name in self._names])
        self._packer = Packer(length, may_cut=True)

    def next(self) -> Batch:
        """The next `rows` rows."""
        batch = _blank(self.rows, self.length)
        used = np.zeros(len(self._names), dtype=np.int64)
        for row in range(self.rows):
            self._fill_pool()
            place = 0
            for piece in self._packer.row():
                self._write(batch, row, place, piece)
                used[piece.source] += piece.length
                place += piece.length
        for cursor, tokens in zip(self._cursors, used.tolist(), strict=True):
            cursor.trained += tokens
        domains = {name: int(n) for name, n in zip(self._names, used, strict=True) if n}
        return Batch(*batch, domains=domains)

    def _fill_pool(self) -> None:
        while self._packer.tokens < POOL_ROWS * self.length:
            drawn = np.array([cursor.drawn_in_phase for cursor in self._cursors], dtype=np.float64)
            lag = np.where(self._shares > 0, self._shares * (drawn.sum() + 1) - drawn, -np.inf)
            source = int(lag.argmax())
            piece = self._cursors[source].next_piece(source, self.length)
            self._cursors[source].drawn_in_phase += piece.length
            self._packer.add(piece)

    def _write(self, batch: tuple[np.ndarray, ...], row: int, place: int, piece: Piece) -> None:
        tokens_BT, targets_BT, weights_BT, starts_BT = batch
        part = slice(place, place + piece.length)
        documents = self._cursors[piece.source].documents
        read = documents.read(piece.item, max(0, piece.start - 1), piece.end)
        targets_BT[row, part] = read[-piece.length :]
        tokens_BT[row, part] = START_TOKEN
        tokens_BT[row, part][piece.start == 0 :] = read[: piece.length - (piece.start == 0)]
        weights_BT[row, part] = 1.0
        starts_BT[row, part] = place

    @property
    def trained(self) -> dict[str, int]:
        """Tokens of each domain in all batches so far, earlier phases included."""
        return {cursor.name: cursor.trained for cursor in self._cursors}

    @property
    def passes(self) -> dict[str, float]:
        """How often each domain has been gone through."""
        return {c.name: c.trained / c.documents.tokens if c.documents.tokens else 0.0 for c in self._cursors}

    def state(self) -> dict[str, Any]:
        """JSON-ready: every domain's position and the packing pool."""
        return {
            "names": self._names,
            "cursors": {
                c.name: {
                    "documents": len(c.documents),
                    "tokens": c.documents.tokens,
                    "epoch": c.epoch,
                    "place": c.place,
                    "start": c.start,
                    "trained": c.trained,
                    "drawn_in_phase": c.drawn_in_phase,
                }
                for c in self._cursors
            },
            "pool": self._packer.state(),
        }

    def restore(self, state: Mapping[str, Any], *, new_phase: bool = False) -> None:
        """Go on from `state`. A domain whose tokens have changed since is begun anew."""
        kept = {}
        for cursor in self._cursors:
            saved = state["cursors"].get(cursor.name)
            if saved is None:
                continue
            cursor.trained = saved["trained"]
            cursor.drawn_in_phase = 0 if new_phase else saved["drawn_in_phase"]
            if (saved["documents"], saved["tokens"]) != (len(cursor.documents), cursor.documents.tokens):
                continue
            cursor.epoch, cursor.place, cursor.start = saved["epoch"], saved["place"], saved["start"]
            cursor._order = None
            kept[state["names"].index(cursor.name)] = self._names.index(cursor.name)
        pool = [[kept[source], *rest] for source, *rest in state["pool"] if source in kept]
        longest = self.length
        self._packer.restore([cut for piece in pool for cut in cut_to(Piece(*piece), longest)])


@dataclass(frozen=True)
class Example:
    """Token ids of one conversation and, for each, whether the model is to learn it (0 or 1, or a weight)."""

    tokens: np.ndarray
    weights: np.ndarray


class ExampleBatches:
    """Batches of whole conversations, packed without leaking, shuffled anew each epoch; ends after `epochs`.

    An epoch's rows are shuffled once they are packed. Packing takes the pieces that fill a row best, so short conversations
    wait until nothing longer is left: in the order of packing they would all come last, where the learning rate is near 0.

    A conversation longer than a row loses its end; one that then has nothing to learn is left out
    (`left_out` counts them).
    """

    def __init__(
        self, examples: Sequence[Example], *, length: int, rows: int, seed: int, epochs: int = 1
    ) -> None:
        self.length = length
        self.rows = rows
        self.epochs = epochs
        self._seed = seed
        self._examples = [e for e in examples if np.any(e.weights[1 : length + 1])]
        self.left_out = len(examples) - len(self._examples)
        if not self._examples:
            raise InputError(
                "no conversation has anything to learn", fix="check the conversations' roles and lengths"
            )
        self._epoch = self._place = 0
        self._packed = self._pack(0)

    def next(self) -> Batch | None:
        """The next rows; the last batch may be smaller, then None."""
        rows: list[list[int]] = []
        while len(rows) < self.rows and self._epoch < self.epochs:
            rows.append(self._packed[self._place])
            self._place += 1
            if self._place == len(self._packed):
                self._epoch, self._place = self._epoch + 1, 0
                self._packed = self._pack(self._epoch)
        if not rows:
            return None
        batch = _blank(len(rows), self.length)
        for row, items in enumerate(rows):
            place = 0
            for item in items:
                place += self._write(batch, row, place, item)
        return Batch(*batch)

    def count_batches(self) -> int:
        """How many batches all epochs give; packs them without reading any token."""
        return -(-sum(len(self._pack(epoch)) for epoch in range(self.epochs)) // self.rows)

    def _pack(self, epoch: int) -> list[list[int]]:
        """The rows of an epoch, each the items that stand in it; none beyond the last epoch."""
        if epoch >= self.epochs:
            return []
        packer, rows = Packer(self.length, may_cut=False), []
        for item in shuffled(len(self._examples), self._seed, "examples", epoch).tolist():
            packer.add(Piece(0, item, 0, self._used(item)))
            if packer.tokens >= POOL_ROWS * self.length:
                rows.append([piece.item for piece in packer.row()])
        while len(packer):
            rows.append([piece.item for piece in packer.row()])
        return [rows[place] for place in shuffled(len(rows), self._seed, "rows", epoch).tolist()]

    def _used(self, item: int) -> int:
        return min(self.length, len(self._examples[item].tokens) - 1)

    def _write(self, batch: tuple[np.ndarray, ...], row: int, place: int, item: int) -> int:
        """Put an item there; how many positions it takes."""
        tokens_BT, targets_BT, weights_BT, starts_BT = batch
        used, example = self._used(item), self._examples[item]
        part = slice(place, place + used)
        tokens_BT[row, part] = example.tokens[:used]
        targets_BT[row, part] = example.tokens[1 : used + 1]
        weights_BT[row, part] = example.weights[1 : used + 1]
        starts_BT[row, part] = place
        return used

    def state(self) -> dict[str, Any]:
        """JSON-ready position."""
        return {"epoch": self._epoch, "place": self._place}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of a source over the same examples."""
        self._epoch, self._place = state["epoch"], state["place"]
        self._packed = self._pack(self._epoch)


def shuffled(count: int, seed: int, name: str, epoch: int) -> np.ndarray:
    """0 … count-1 in an order decided by seed, name and epoch alone."""
    digest = hashlib.sha256(f"{seed}/{name}/{epoch}".encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "little"))).permutation(count)


def _blank(rows: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of padding: each padded position is a document of its own, with weight 0."""
    tokens_BT = np.full((rows, length), START_TOKEN, dtype=np.int64)
    targets_BT = np.full((rows, length), START_TOKEN, dtype=np.int64)
    weights_BT = np.zeros((rows, length), dtype=np.float32)
    starts_BT = np.tile(np.arange(length, dtype=np.int32), (rows, 1))
    return tokens_BT, targets_BT, weights_BT, starts_BT
