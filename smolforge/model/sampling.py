"""Choosing the next token from logits: greedy, or sampled after temperature, top-k and top-p.

Shapes: R rows, V vocabulary, N steps of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from smolforge.language_model import Sampling

NUCLEUS_HEAD = 1024
"""Tokens looked at first for top-p; a row whose nucleus is larger is sorted whole."""

BLOCK = 256
"""Tokens of a block in sampling from the whole vocabulary."""


class Chooser:
    """Picks the next token of each row; the random numbers belong to the row, not to the batch."""

    def __init__(self, how: Sampling, vocabulary: int):
        self.how = how
        self._seen_RV: Tensor | None = None
        if how.repetition_penalty != 1.0:
            self._seen_RV = torch.zeros(0, vocabulary, dtype=torch.bool)
        self._uniform_RN: Tensor | None = None
        if how.temperature > 0:
            self._uniform_RN = torch.zeros(0, how.max_new_tokens, dtype=torch.float64)

    def add(self, places: Sequence[int], prompts: Sequence[Sequence[int]]) -> None:
        """More rows: each prompt and its place in the call."""
        if self._seen_RV is not None:
            seen_RV = torch.zeros(len(prompts), self._seen_RV.shape[1], dtype=torch.bool)
            for row, prompt in enumerate(prompts):
                seen_RV[row, list(prompt)] = True
            self._seen_RV = torch.cat([self._seen_RV, seen_RV])
        if self._uniform_RN is not None and len(places):
            draws = [_uniforms(self.how.seed, place, self.how.max_new_tokens) for place in places]
            self._uniform_RN = torch.cat([self._uniform_RN, torch.from_numpy(np.stack(draws))])

    def take(self, rows: Tensor) -> None:
        """Keep these rows."""
        if self._seen_RV is not None:
            self._seen_RV = self._seen_RV[rows]
        if self._uniform_RN is not None:
            self._uniform_RN = self._uniform_RN[rows]

    def choose(self, logits_RV: Tensor, step_R: Tensor) -> Tensor:
        """Token of each row at this step of its answer."""
        penalty = self.how.repetition_penalty
        if self._seen_RV is not None:
            punished = torch.where(logits_RV > 0, logits_RV / penalty, logits_RV * penalty)
            logits_RV = torch.where(self._seen_RV, punished, logits_RV)
        if self._uniform_RN is None:
            token_R = logits_RV.argmax(1)
        else:
            token_R = _sample(logits_RV, self.how, self._uniform_RN.gather(1, step_R[:, None])[:, 0])
        if self._seen_RV is not None:
            self._seen_RV.scatter_(1, token_R[:, None], True)
        return token_R


def _sample(logits_RV: Tensor, how: Sampling, uniform_R: Tensor) -> Tensor:
    """Inverse-transform sampling after temperature, top-k and top-p (nucleus, arXiv:1904.09751)."""
    scaled_RV = logits_RV.float() / how.temperature
    vocabulary = scaled_RV.shape[1]
    if how.top_k > 0:
        return _sample_first(scaled_RV, min(how.top_k, vocabulary), how.top_p, uniform_R)[0]
    if how.top_p >= 1.0:
        return _sample_all(scaled_RV, uniform_R)
    total_R = scaled_RV.logsumexp(1).double()
    head = min(NUCLEUS_HEAD, vocabulary)
    token_R, mass_R = _sample_first(scaled_RV, head, how.top_p, uniform_R, total_R)
    wide_R = mass_R < how.top_p
    if head < vocabulary and wide_R.any():  # the nucleus is larger than the head: these rows are sorted whole
        token_R[wide_R] = _sample_first(
            scaled_RV[wide_R], vocabulary, how.top_p, uniform_R[wide_R], total_R[wide_R]
        )[0]
    return token_R


def _sample_first(
    scaled_RV: Tensor, count: int, top_p: float, uniform_R: Tensor, total_R: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Token of each row among its `count` most probable ones, and the probability that these have.

    `total_R` is the log of the sum over the tokens that may be chosen; without it these are the
    `count` first ones alone, as top-k has it.
    """
    best_RK, order_RK = scaled_RV.topk(count, dim=1)
    best_RK = best_RK.double()
    total_R = best_RK.logsumexp(1) if total_R is None else total_R
    probability_RK = (best_RK - total_R[:, None]).exp()
    if top_p < 1.0:
        before_RK = probability_RK.cumsum(1) - probability_RK
        before_RK[:, 0] = 0.0
        kept_RK = probability_RK.masked_fill(before_RK >= max(top_p, 1e-9), 0.0)
    else:
        kept_RK = probability_RK
    picked_R1 = _inverse(kept_RK, uniform_R)[:, None]
    return order_RK.gather(1, picked_R1)[:, 0], probability_RK.sum(1)


def _sample_all(scaled_RV: Tensor, uniform_R: Tensor) -> Tensor:
    """Token of each row among all: first the block of the vocabulary, then the token in the block.

    Running sums over the whole vocabulary in double precision took a fifth of a step of generation.
    """
    rows, vocabulary = scaled_RV.shape
    weight_RV = (scaled_RV - scaled_RV.amax(1, keepdim=True)).exp_()
    weight_RV = torch.nn.functional.pad(weight_RV, (0, -vocabulary % BLOCK))
    weight_RBK = weight_RV.view(rows, -1, BLOCK)
    edge_RB = weight_RBK.sum(2).double().cumsum(1)
    wanted_R = uniform_R * edge_RB[:, -1]
    block_R = torch.searchsorted(edge_RB, wanted_R[:, None], right=True)[:, 0]
    block_R = torch.minimum(block_R, _last_positive(edge_RB.diff(dim=1, prepend=edge_RB.new_zeros(rows, 1))))
    weight_RK = weight_RBK[torch.arange(rows), block_R].double()
    start_R = torch.where(block_R > 0, edge_RB.gather(1, (block_R - 1).clamp_min(0)[:, None])[:, 0], 0.0)
    edge_RK = weight_RK.cumsum(1)
    picked_R = torch.searchsorted(edge_RK, (wanted_R - start_R)[:, None], right=True)[:, 0]
    return block_R * BLOCK + torch.minimum(picked_R, _last_positive(weight_RK))


def _inverse(weight_RK: Tensor, uniform_R: Tensor) -> Tensor:
    """Place of the running sum of each row at which its random number, in [0, 1), falls."""
    edge_RK = weight_RK.cumsum(1)
    picked_R = torch.searchsorted(edge_RK, (uniform_R * edge_RK[:, -1])[:, None], right=True)[:, 0]
    return torch.minimum(picked_R, _last_positive(weight_RK))


def _last_positive(weight_RK: Tensor) -> Tensor:
    """Place of the last entry above zero: rounding at the end of a sum must not choose a later one."""
    return weight_RK.shape[1] - 1 - (weight_RK > 0).to(torch.int8).flip(1).argmax(1)


def _uniforms(seed: int, place: int, count: int) -> np.ndarray:
    key = ((seed & (2**64 - 1)) << 64) | place
    return np.random.Generator(np.random.Philox(key=key)).random(count)
