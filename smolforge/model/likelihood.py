"""Log-probabilities of continuations, each token of a shared beginning read once.

Questions of one task begin with the same worked examples, and the choices of a question with the same question. So a call
is read in three steps: a `prefix` that many prompts share, the `trunk` that all continuations of a prompt share, and each
continuation's own `branch`. Keys and values go from a step to the next by copy; logits are computed at scored
positions alone, and once for choices that part there.

Shapes: R rows, T positions of the longest row, D model width, N scored positions, V vocabulary, M scored tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from smolforge.language_model import Logprob
from smolforge.model.writing import Cache

PREFIX_TOKENS = 48
"""A shorter beginning costs more to copy than to read again."""
BATCH_TOKENS = 4096
CACHE_BYTES = 1 << 30
LOGIT_NUMBERS = 8 << 20
START_TOKEN = 0

Ids = tuple[int, ...]


class Network(Protocol):
    """What reading needs of a model; `generate.TorchLanguageModel` is one."""

    @property
    def vocabulary(self) -> int: ...

    @property
    def positions(self) -> int: ...

    @property
    def token_bytes(self) -> int:
        """Keys and values of one position."""
        ...

    def read(self, rows: Sequence[Ids], at_R: Tensor | None, cache: Cache | None) -> Tensor:
        """Last states (R, T, D) of rows of unlike lengths, each from cache index `at_R` (None: 0) on."""
        ...

    def new_cache(self, rows: int, capacity: int) -> Cache: ...

    def logits(self, hidden_ND: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Piece:
    """A continuation, or a part of a long one: `ids[scored:]` is scored after `ids[:scored]`; `owner`: its place in the call."""

    owner: int
    ids: Ids
    scored: int


@dataclass(frozen=True)
class Trunk:
    """Pieces with one prompt, and how many of their first tokens all of them read."""

    pieces: Sequence[Piece]
    shared: int

    @property
    def ids(self) -> Ids:
        """What is read once."""
        return self.pieces[0].ids[: self.shared]

    @property
    def branches(self) -> list[Piece]:
        """The pieces that read on after it; the last token of each is only scored."""
        return [piece for piece in self.pieces if len(piece.ids) - 1 > self.shared]

    @property
    def longest(self) -> int:
        """Tokens of the longest piece that are read."""
        return max(len(piece.ids) for piece in self.pieces) - 1

    @property
    def branched(self) -> int:
        """Tokens that are read after the trunk, of all branches together."""
        return sum(len(piece.ids) - 1 - self.shared for piece in self.branches)


class Tally:
    """What each continuation of a call has come to."""

    def __init__(self, count: int) -> None:
        self.total = np.zeros(count)
        self.greedy = np.ones(count, dtype=bool)

    def add(self, owners: np.ndarray, logprob_M: Tensor, greedy_M: Tensor) -> None:
        """Scored tokens of these continuations."""
        np.add.at(self.total, owners, logprob_M.double().cpu().numpy())
        np.logical_and.at(self.greedy, owners, greedy_M.cpu().numpy())


def logprobs(
    network: Network, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
) -> list[Logprob]:
    """Log-probability of each continuation after its prompt.

    An empty prompt stands for the start token. Where the two are longer than the model's positions,
    the continuation is scored in windows that each see at least half the positions as context.
    """
    tally = Tally(len(prompts))
    trunks = _trunks(
        piece
        for owner, (prompt, continuation) in enumerate(zip(prompts, continuations, strict=True))
        for piece in _windows(owner, tuple(prompt) or (START_TOKEN,), tuple(continuation), network.positions)
    )
    for prefix, group in _shared_prefixes(trunks):
        _score_group(network, prefix, group, tally)
    return [
        Logprob(float(total), len(continuation), bool(greedy))
        for total, greedy, continuation in zip(tally.total, tally.greedy, continuations, strict=True)
    ]


# -- what is shared ------------------------------------------------------------------------------------


def _windows(owner: int, prompt: Ids, continuation: Ids, positions: int) -> Iterator[Piece]:
    """Pieces that together score `continuation` once within `positions`; none where it is empty."""
    text, at = prompt + continuation, len(prompt)
    if len(text) <= positions + 1 and continuation:
        yield Piece(owner, text, at)
        return
    while at < len(text):
        start = 0 if at < positions // 2 else at - positions // 2
        end = min(len(text), start + positions + 1)
        yield Piece(owner, text[start:end], at - start)
        at = end


def _trunks(pieces: Iterator[Piece]) -> list[Trunk]:
    """Pieces by prompt, in the order of their prompts' ids."""
    prompts: dict[Ids, list[Piece]] = {}
    for piece in pieces:
        prompts.setdefault(piece.ids[: piece.scored], []).append(piece)
    trunks = []
    for _, found in sorted(prompts.items()):
        first, last = min(one.ids[:-1] for one in found), max(one.ids[:-1] for one in found)
        trunks.append(Trunk(found, _common(first, last)))
    return trunks


def _common(one: Ids, other: Ids) -> int:
    """How many first ids are the same."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _shared_prefixes(trunks: Sequence[Trunk]) -> Iterator[tuple[Ids, list[Trunk]]]:
    """(shared beginning, trunks that have it), of trunks in order; those that share none come last, together."""
    alone: list[Trunk] = []
    for group, shared in _neighbours(trunks):
        if len(group) > 1:
            yield group[0].ids[:shared], group
        else:
            alone += group
    if alone:
        yield (), alone


def _neighbours(trunks: Sequence[Trunk]) -> Iterator[tuple[list[Trunk], int]]:
    """Runs of trunks with a long common beginning, and its length; a run ends where half of it would be lost."""
    group: list[Trunk] = []
    shared = 0
    for trunk in trunks:
        # A prompt's last token is read with what follows it, never in the prefix.
        most = min(one.pieces[0].scored for one in (*group[:1], trunk)) - 1
        common = min(most, _common(group[-1].ids, trunk.ids)) if group else 0
        common = common if len(group) == 1 else min(shared, common)
        if common >= max(PREFIX_TOKENS, shared / 2 if len(group) > 1 else 0):
            group.append(trunk)
            shared = common
            continue
        if group:
            yield group, shared
        group, shared = [trunk], 0
    if group:
        yield group, shared


# -- reading -------------------------------------------------------------------------------------------


def _score_group(network: Network, prefix: Ids, group: Sequence[Trunk], tally: Tally) -> None:
    start: Cache | None = None
    if prefix:
        start = network.new_cache(1, len(prefix))
        network.read([prefix], None, start)
    for batch in _batches(network, len(prefix), group):
        _score_trunks(network, len(prefix), start, batch, tally)


def _batches(network: Network, before: int, trunks: Sequence[Trunk]) -> Iterator[list[Trunk]]:
    """Trunks of like lengths whose tokens and whose keys and values stay within the limits."""
    batch: list[Trunk] = []
    tokens = rows = 0
    for trunk in sorted(trunks, key=lambda one: (not one.branches, one.longest)):
        new, added = trunk.shared - before + trunk.branched, 1 + len(trunk.branches)
        full = (rows + added) * _capacity([*batch, trunk]) * network.token_bytes > CACHE_BYTES
        if batch and (full or tokens + new > BATCH_TOKENS):
            yield batch
            batch, tokens, rows = [], 0, 0
        batch.append(trunk)
        tokens, rows = tokens + new, rows + added
    if batch:
        yield batch


def _score_trunks(
    network: Network, before: int, start: Cache | None, batch: Sequence[Trunk], tally: Tally
) -> None:
    """Reads the trunks after the `before` tokens that `start` keeps, then their branches from copies of them."""
    counts = [len(trunk.branches) for trunk in batch]
    cache = _room_for(network, start, batch, any(counts))
    at_R = torch.full((len(batch),), before) if start is not None else None
    hidden_RTD = network.read([trunk.ids[before:] for trunk in batch], at_R, cache)
    _collect(
        network,
        hidden_RTD,
        [(row, before, trunk.shared, piece) for row, trunk in enumerate(batch) for piece in trunk.pieces],
        tally,
    )
    if cache is None or not any(counts):
        return
    repeats = torch.tensor(counts)
    cache.take(torch.repeat_interleave(torch.arange(len(batch)), repeats))
    at_R = torch.repeat_interleave(torch.tensor([trunk.shared for trunk in batch]), repeats)
    branches = [(trunk.shared, piece) for trunk in batch for piece in trunk.branches]
    hidden_RTD = network.read([piece.ids[shared:-1] for shared, piece in branches], at_R, cache)
    places = [(row, shared, len(piece.ids) - 1, piece) for row, (shared, piece) in enumerate(branches)]
    _collect(network, hidden_RTD, places, tally)


def _room_for(network: Network, start: Cache | None, batch: Sequence[Trunk], branching: bool) -> Cache | None:
    """A cache for the trunks, and for what follows them; None where nothing comes before or after."""
    capacity = _capacity(batch)
    if start is None:
        return network.new_cache(len(batch), capacity) if branching else None
    return start.repeated(len(batch), capacity)


def _capacity(batch: Sequence[Trunk]) -> int:
    """Cached positions of a row: the longest branch may stand, padded, behind the longest trunk."""
    return max(trunk.shared for trunk in batch) + max(trunk.longest - trunk.shared for trunk in batch)


def _collect(
    network: Network, hidden_RTD: Tensor, places: Sequence[tuple[int, int, int, Piece]], tally: Tally
) -> None:
    """Score what (row, its first position in the text, the position after its last, piece) predict."""
    row_M, step_M, owner_M, target_M = [], [], [], []
    for row, first, end, piece in places:
        scored = range(max(first, piece.scored - 1), end)
        row_M += [row] * len(scored)
        step_M += [position - first for position in scored]
        owner_M += [piece.owner] * len(scored)
        target_M += [piece.ids[position + 1] for position in scored]
    if not row_M:
        return
    length = hidden_RTD.shape[1]
    flat_N, index_M = np.unique(np.array(row_M) * length + np.array(step_M), return_inverse=True)
    hidden_ND = hidden_RTD.flatten(0, 1)[torch.from_numpy(flat_N).to(hidden_RTD.device)]
    found = _target_logprobs(network, hidden_ND, index_M, np.array(target_M))
    for chosen_M, logprob_M, greedy_M in found:
        tally.add(np.array(owner_M)[chosen_M], logprob_M, greedy_M)


def _target_logprobs(
    network: Network, hidden_ND: Tensor, index_M: np.ndarray, target_M: np.ndarray
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """(places in M, log-probability of each target, whether it is the greedy one), a part of the positions at a time."""
    rows, device = max(1, LOGIT_NUMBERS // network.vocabulary), hidden_ND.device
    for a in range(0, len(hidden_ND), rows):
        logits_NV = network.logits(hidden_ND[a : a + rows])
        chosen_M = np.nonzero((index_M >= a) & (index_M < a + rows))[0]
        index = torch.from_numpy(index_M[chosen_M] - a).to(device)
        target = torch.from_numpy(target_M[chosen_M]).to(device)
        logprob_M = logits_NV[index, target] - logits_NV.logsumexp(1)[index]
        yield chosen_M, logprob_M, logits_NV.argmax(1)[index] == target
