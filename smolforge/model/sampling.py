"""Choosing the next token from logits: greedy, or sampled after temperature, top-k and top-p.

Shapes: R rows, V vocabulary, N steps of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from smolforge.evals.task import Sampling


class Chooser:
    """Picks the next token of each row; the random numbers belong to the row, not to the batch."""

    def __init__(
        self, how: Sampling, places: Sequence[int], prompts: Sequence[Sequence[int]], vocabulary: int
    ):
        self.how = how
        self._seen_RV: Tensor | None = None
        if how.repetition_penalty != 1.0:
            self._seen_RV = torch.zeros(len(prompts), vocabulary, dtype=torch.bool)
            for row, prompt in enumerate(prompts):
                self._seen_RV[row, list(prompt)] = True
        self._uniform_RN: Tensor | None = None
        if how.temperature > 0:
            draws = [_uniforms(how.seed, place, how.max_new_tokens) for place in places]
            self._uniform_RN = torch.from_numpy(np.stack(draws))

    def take(self, rows: Tensor) -> None:
        """Keep these rows."""
        if self._seen_RV is not None:
            self._seen_RV = self._seen_RV[rows]
        if self._uniform_RN is not None:
            self._uniform_RN = self._uniform_RN[rows]

    def choose(self, logits_RV: Tensor, step: int) -> Tensor:
        """Token of each row at this step of the answer."""
        penalty = self.how.repetition_penalty
        if self._seen_RV is not None:
            punished = torch.where(logits_RV > 0, logits_RV / penalty, logits_RV * penalty)
            logits_RV = torch.where(self._seen_RV, punished, logits_RV)
        if self._uniform_RN is None:
            token_R = logits_RV.argmax(1)
        else:
            token_R = _sample(logits_RV, self.how, self._uniform_RN[:, step])
        if self._seen_RV is not None:
            self._seen_RV.scatter_(1, token_R[:, None], True)
        return token_R


def _sample(logits_RV: Tensor, how: Sampling, uniform_R: Tensor) -> Tensor:
    """Inverse-transform sampling after temperature, top-k and top-p (nucleus, arXiv:1904.09751)."""
    probabilities = (logits_RV.double() / how.temperature).softmax(1)
    order = None
    if how.top_k > 0 or how.top_p < 1.0:
        wanted = min(how.top_k, probabilities.shape[1]) if how.top_k > 0 else probabilities.shape[1]
        probabilities, order = probabilities.topk(wanted, dim=1)
        if how.top_p < 1.0:
            total = probabilities.sum(1, keepdim=True)
            before = (probabilities.cumsum(1) - probabilities) / total
            before[:, 0] = 0.0
            probabilities = probabilities.masked_fill(before >= max(how.top_p, 1e-9), 0.0)
    edges = probabilities.cumsum(1)
    picked = torch.searchsorted(edges, (uniform_R * edges[:, -1])[:, None], right=True)
    last = (probabilities > 0).to(torch.int8).flip(1).argmax(1, keepdim=True)
    picked = torch.minimum(picked, probabilities.shape[1] - 1 - last)
    return (picked if order is None else order.gather(1, picked))[:, 0]


def _uniforms(seed: int, place: int, count: int) -> np.ndarray:
    key = ((seed & (2**64 - 1)) << 64) | place
    return np.random.Generator(np.random.Philox(key=key)).random(count)
