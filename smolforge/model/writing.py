"""Answers that are being written: a row each, with its cache; rows end on their own, and others take their places.

Shapes: R rows, K key/value heads, S cached positions, E head width, N steps of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smolforge.model.sampling import Chooser

COMPACT_BELOW = 0.6
"""With fewer rows alive than this share, the others are dropped and prompts that wait are read."""


@dataclass
class Cache:
    """Keys and values of every layer, (R, K, S, E) each, filled up to each row's own length."""

    keys: list[Tensor]
    values: list[Tensor]

    def take(self, rows: Tensor, added: int = 0, capacity: int = 0) -> None:
        """Keep (or repeat) these rows; with more of them `added`, in a cache of so many positions."""
        rows = rows.to(self.keys[0].device)
        for tensors in (self.keys, self.values):
            for layer, old in enumerate(tensors):  # one after the other: never all of them twice
                kept = old.index_select(0, rows)
                tensors[layer] = _resized(kept, added, capacity) if added else kept

    def repeated(self, rows: int, capacity: int) -> Cache:
        """A copy of its first row for each of so many rows, with room for `capacity` positions."""
        copy = Cache(list(self.keys), list(self.values))
        for tensors in (copy.keys, copy.values):
            for layer, old in enumerate(tensors):
                tensors[layer] = _resized(old[:1], rows - 1, capacity)
                tensors[layer][1:] = tensors[layer][:1]
        return copy

    def part(self, first: int, last: int) -> Cache:
        """These rows of it, not copied."""
        return Cache([k[first:last] for k in self.keys], [v[first:last] for v in self.values])


def _resized(old: Tensor, added: int, capacity: int) -> Tensor:
    rows, heads, before, width = old.shape
    new = old.new_zeros(rows + added, heads, capacity, width)
    shared = min(before, capacity)
    new[:rows, :, :shared] = old[:, :, :shared]
    return new


@dataclass
class Writing:
    """The answers of a batch.

    place_R  each prompt's place in the call; length_R  its tokens; limit_R  most tokens of its answer
    step_R counts the tokens that are chosen; no row is `alive` beyond its limit.
    """

    place_R: Tensor
    length_R: Tensor
    limit_R: Tensor
    step_R: Tensor
    alive_R: Tensor
    chosen_RN: Tensor
    chooser: Chooser
    cache: Cache

    @property
    def rows(self) -> int:
        return len(self.place_R)

    @property
    def capacity(self) -> int:
        """Positions that the rows need."""
        return int((self.length_R + self.limit_R).max()) if self.rows else 0

    @property
    def is_thin(self) -> bool:
        """Whether so many rows have ended that it is worth a copy to be rid of them."""
        return int(self.alive_R.sum()) <= COMPACT_BELOW * self.rows

    def answer(self, row: int) -> list[int]:
        """The tokens chosen so far."""
        return list(self.chosen_RN[row, : int(self.step_R[row])].tolist())

    def keep(self, rows: Tensor) -> None:
        """Keep these rows, the cache's aside."""
        for name in ("place_R", "length_R", "limit_R", "step_R", "alive_R", "chosen_RN"):
            setattr(self, name, getattr(self, name)[rows])
        self.chooser.take(rows)

    def add(self, places: list[int], prompts: list[list[int]], limits: list[int]) -> None:
        """Rows of new answers, the cache's aside."""
        count = len(places)
        more = {
            "place_R": torch.tensor(places),
            "length_R": torch.tensor([len(p) for p in prompts]),
            "limit_R": torch.tensor(limits),
            "step_R": torch.zeros(count, dtype=torch.long),
            "alive_R": torch.ones(count, dtype=torch.bool),
            "chosen_RN": torch.zeros(count, self.chosen_RN.shape[1], dtype=torch.long),
        }
        for name, rows in more.items():
            setattr(self, name, torch.cat([getattr(self, name), rows]))
        self.chooser.add(places, prompts)
