"""Pieces of documents put into rows by best fit. Source: arXiv:2404.10830."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SLACK_PARTS = 128
"""A gap of up to 1/128 of a row is left empty rather than cutting a document for it."""


class Piece(NamedTuple):
    """Targets `start` to `end` of item `item` of source `source`."""

    source: int
    item: int
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Packer:
    """A pool of pieces from which full rows are made, oldest piece first, then the best fits."""

    def __init__(self, length: int, *, may_cut: bool) -> None:
        self.length = length
        self.may_cut = may_cut
        self.tokens = 0
        self._added = 0
        self._waiting: OrderedDict[int, Piece] = OrderedDict()
        self._by_length: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, piece: Piece) -> None:
        """Put one piece, of at most a row's length, into the pool."""
        self._waiting[self._added] = piece
        insort(self._by_length, (piece.length, -self._added))
        self._added += 1
        self.tokens += piece.length

    def row(self) -> list[Piece]:
        """The pieces of the next row; together at most `length`, and nearly that if pieces may be cut."""
        pieces = [self._remove(next(iter(self._waiting)))]
        gap = self.length - pieces[0].length
        while gap > 0 and self._waiting:
            place = bisect_right(self._by_length, (gap, 1)) - 1
            if place >= 0:
                pieces.append(self._remove(-self._by_length[place][1]))
            elif self.may_cut and gap > self.length // SLACK_PARTS:
                pieces.append(self._cut(-self._by_length[-1][1], gap))
            else:
                break
            gap -= pieces[-1].length
        return pieces

    def _remove(self, order: int) -> Piece:
        piece = self._waiting.pop(order)
        del self._by_length[bisect_right(self._by_length, (piece.length, -order)) - 1]
        self.tokens -= piece.length
        return piece

    def _cut(self, order: int, length: int) -> Piece:
        """The first `length` tokens of a piece; the rest keeps its place in the queue."""
        whole = self._waiting[order]
        rest = whole._replace(start=whole.start + length)
        del self._by_length[bisect_right(self._by_length, (whole.length, -order)) - 1]
        self._waiting[order] = rest
        insort(self._by_length, (rest.length, -order))
        self.tokens -= length
        return whole._replace(end=whole.start + length)

    def state(self) -> list[list[int]]:
        """The waiting pieces, oldest first."""
        return [list(piece) for piece in self._waiting.values()]

    def restore(self, pieces: Sequence[Sequence[int]]) -> None:
        """Replace the pool."""
        self.tokens, self._added = 0, 0
        self._waiting.clear()
        self._by_length.clear()
        for piece in pieces:
            self.add(Piece(*piece))


def cut_to(piece: Piece, length: int) -> Iterator[Piece]:
    """A piece as pieces of at most `length`, for pools saved with longer rows."""
    for start in range(piece.start, piece.end, length):
        yield piece._replace(start=start, end=min(piece.end, start + length))
