"""Choosing a token from one row of logits, without torch; the same random numbers as `model.sampling` for a seed and place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from smolforge.language_model import Sampling

Floats = NDArray[np.float32]


class Choice:
    """Picks the tokens of one answer: greedy, or after repetition penalty, temperature, top-k and top-p."""

    def __init__(self, how: Sampling, vocabulary: int, place: int, prompt: Iterable[int]) -> None:
        self._how = how
        self._seen: NDArray[np.bool_] | None = None
        if how.repetition_penalty != 1.0:
            self._seen = np.zeros(vocabulary, dtype=bool)
            self._seen[list(prompt)] = True
        key = ((how.seed & (2**64 - 1)) << 64) | place
        self._draw = np.random.Generator(np.random.Philox(key=key))

    def of(self, logits_V: Floats) -> int:
        """The next token; each call takes one random number."""
        if self._seen is not None:
            by = self._how.repetition_penalty
            punished = np.where(logits_V > 0, logits_V / by, logits_V * by)
            logits_V = np.where(self._seen, punished, logits_V)
        token = int(logits_V.argmax()) if self._how.temperature <= 0 else self._sampled(logits_V)
        if self._seen is not None:
            self._seen[token] = True
        return token

    def _sampled(self, logits_V: Floats) -> int:
        scaled = logits_V.astype(np.float64) / self._how.temperature
        weight = np.exp(scaled - scaled.max())
        uniform = self._draw.random()
        if self._how.top_k <= 0 and self._how.top_p >= 1.0:
            return _inverse(weight, uniform)
        order = _best_first(weight, self._how.top_k or len(weight))
        if self._how.top_p < 1.0:
            share = weight[order] / (weight[order].sum() if self._how.top_k > 0 else weight.sum())
            before = np.cumsum(share) - share
            order = order[: max(1, int((before < max(self._how.top_p, 1e-9)).sum()))]
        return int(order[_inverse(weight[order], uniform)])


def _best_first(weight: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    count = min(count, len(weight))
    best = np.argpartition(-weight, count - 1)[:count] if count < len(weight) else np.arange(count)
    return best[np.argsort(-weight[best], kind="stable")]


def _inverse(weight: NDArray[np.float64], uniform: float) -> int:
    """Place at which the running sum passes a random number in [0, 1) of the whole."""
    edge = np.cumsum(weight)
    return min(int(np.searchsorted(edge, uniform * edge[-1], side="right")), int(np.flatnonzero(weight)[-1]))


def logprob_of(logits_V: Floats, token: int) -> float:
    """Natural log-probability."""
    most = float(logits_V.max())
    return float(logits_V[token]) - most - float(np.log(np.exp((logits_V - most).astype(np.float64)).sum()))
