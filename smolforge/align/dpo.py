"""Direct preference optimisation: pairs of answers in, a sigmoid loss on the difference of log-ratios.

Shapes: B rows (a chosen answer, then its rejected one), P pairs = B / 2, N counted targets flat.

Source: Rafailov and others, arXiv:2305.18290, equation 7. The term on the chosen answer's own
likelihood is that of RPO, arXiv:2404.19733, equation 1; it keeps both answers from sinking together. The two forms of APO,
arXiv:2408.06266, section 4, say what becomes of each answer: `apo_zero` makes the chosen one likelier and the rejected one
less likely than the reference has them (for chosen answers better than the model's own), `apo_down` makes both less likely,
the rejected one more (for worse ones).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from smolforge.align.rows import counted_logprobs, logprobs_of, rows_of, sum_rows
from smolforge.data.tokens.batches import Batch, Example, shuffled
from smolforge.errors import InputError
from smolforge.model.transformer import Llama
from smolforge.train.loss import Loss, LossSum, MicroBatch
from smolforge.train.team import Team

REFERENCE = "reference_B"
Form = Literal["sigmoid", "apo_zero", "apo_down"]
SORT_BATCHES = 8
"""Pairs are sorted by length within this many batches, so that little of a row is padding."""


@dataclass(frozen=True)
class TokenPair:
    """The two answers as examples, and their summed log-probabilities under the reference model."""

    chosen: Example
    rejected: Example
    reference: tuple[float, float] = (0.0, 0.0)

    @property
    def longest(self) -> int:
        return max(len(self.chosen.tokens), len(self.rejected.tokens))


def usable_pairs(pairs: Sequence[TokenPair], length: int) -> list[TokenPair]:
    """Pairs whose answers both have words within `length` positions and differ there."""
    kept = []
    for pair in pairs:
        seen = [(e.tokens[: length + 1], e.weights[1 : length + 1]) for e in (pair.chosen, pair.rejected)]
        if all(weights.any() for _, weights in seen) and not np.array_equal(seen[0][0], seen[1][0]):
            kept.append(pair)
    return kept


def with_reference(
    model: Llama,
    pairs: Sequence[TokenPair],
    *,
    length: int,
    rows: int,
    micro_tokens: int,
    team: Team | None = None,
) -> list[TokenPair]:
    """The pairs with the log-probabilities that `model`, as it stands now, gives their answers.

    The processes of a `team` each do some of the work and tell each other; all give the same.
    """
    order = sorted(range(len(pairs)), key=lambda i: (pairs[i].longest, i))
    parts = [order[start : start + rows] for start in range(0, len(order), rows)]
    sums: dict[int, tuple[float, float]] = {}
    for part in parts if team is None else parts[team.rank :: team.ranks]:
        batch = rows_of([e for i in part for e in (pairs[i].chosen, pairs[i].rejected)], length, group=2)
        sums_B = logprobs_of(model, batch, micro_tokens).sum(1, dtype=np.float64).tolist()
        sums |= {i: (sums_B[2 * place], sums_B[2 * place + 1]) for place, i in enumerate(part)}
    for others in [] if team is None else team.everyones(sums):
        sums |= others
    return [replace(pair, reference=sums[i]) for i, pair in enumerate(pairs)]


class PairBatches:
    """Batches of `pairs_per_step` pairs, two rows a pair, in a new order every epoch; ends after `epochs`."""

    def __init__(
        self, pairs: Sequence[TokenPair], *, length: int, pairs_per_step: int, seed: int, epochs: int = 1
    ) -> None:
        if not pairs:
            raise InputError("there is no pair to learn from", fix="lower the margin or sample more answers")
        self._pairs = pairs
        self._length = length
        self._per_step = pairs_per_step
        self._seed = seed
        self._epochs = epochs
        self._epoch = 0
        self._place = 0

    def count_batches(self) -> int:
        """How many batches all epochs give."""
        return self._epochs * -(-len(self._pairs) // self._per_step)

    def next(self) -> Batch | None:
        """The next pairs; None when all epochs are over."""
        if self._epoch >= self._epochs:
            return None
        parts = self._epoch_parts()
        pairs = [self._pairs[i] for i in parts[self._place]]
        self._place += 1
        if self._place == len(parts):
            self._epoch, self._place = self._epoch + 1, 0
        batch = rows_of([e for pair in pairs for e in (pair.chosen, pair.rejected)], self._length, group=2)
        reference = np.array([value for pair in pairs for value in pair.reference], dtype=np.float64)
        return replace(batch, extra={REFERENCE: reference})

    def _epoch_parts(self) -> list[list[int]]:
        order = shuffled(len(self._pairs), self._seed, "pairs", self._epoch).tolist()
        parts: list[list[int]] = []
        window = SORT_BATCHES * self._per_step
        for start in range(0, len(order), window):
            near = sorted(order[start : start + window], key=lambda i: (self._pairs[i].longest, i))
            parts += [near[i : i + self._per_step] for i in range(0, len(near), self._per_step)]
        mixed = shuffled(len(parts), self._seed, "pair batches", self._epoch)
        return [parts[i] for i in mixed.tolist()]

    def state(self) -> dict[str, Any]:
        """JSON-ready position."""
        return {"epoch": self._epoch, "place": self._place}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of a source over the same pairs."""
        self._epoch, self._place = state["epoch"], state["place"]


def dpo_loss(
    beta: float,
    *,
    by_length: bool = False,
    nll_weight: float = 0.0,
    smoothing: float = 0.0,
    form: Form = "sigmoid",
) -> Loss:
    """Loss over pairs.

    beta        how strongly the reference holds
    by_length   log-probabilities a token instead of their sums
    nll_weight  weight of the chosen answer's own loss a token
    smoothing   share of pairs that may be ranked the wrong way round
    form        sigmoid, as published for DPO; apo_zero, apo_down
    """

    def loss(model: Llama, batch: MicroBatch) -> LossSum:
        logprob_N, row_N, _ = counted_logprobs(model, batch)
        rows = batch.tokens_BT.shape[0]
        policy_B = sum_rows(logprob_N.double(), row_N, rows)
        counts_B = (batch.weights_BT > 0).sum(1)
        return preference_loss(
            policy_B, batch.extra[REFERENCE], counts_B, beta, by_length, nll_weight, smoothing, form
        )

    return loss


def preference_loss(
    policy_B: Tensor,
    reference_B: Tensor,
    counts_B: Tensor,
    beta: float,
    by_length: bool = False,
    nll_weight: float = 0.0,
    smoothing: float = 0.0,
    form: Form = "sigmoid",
) -> LossSum:
    """The loss from summed log-probabilities of chosen and rejected rows in turn; pairs of blank rows do not count."""
    real_P = counts_B[0::2] > 0
    counts_B = counts_B.clamp_min(1)
    nll_P = -policy_B[0::2] / counts_B[0::2]
    ratio_B = policy_B - reference_B
    if by_length:
        ratio_B = ratio_B / counts_B
    chosen_P, rejected_P = beta * ratio_B[0::2], beta * ratio_B[1::2]
    margin_P = chosen_P - rejected_P
    if form == "apo_zero":
        loss_P = torch.sigmoid(-chosen_P) + torch.sigmoid(rejected_P)
    elif form == "apo_down":
        loss_P = torch.sigmoid(chosen_P) + torch.sigmoid(-margin_P)
    else:
        wrong_P = functional.logsigmoid(-margin_P)
        loss_P = -(1 - smoothing) * functional.logsigmoid(margin_P) - smoothing * wrong_P
    total = torch.where(real_P, loss_P + nll_weight * nll_P, 0.0).sum()
    with torch.no_grad():
        ranked_P = ((margin_P > 0) + 0.5 * (margin_P == 0)) * real_P  # a tie is half right
        figures = {
            "accuracy": float(ranked_P.sum()),
            "margin": float(margin_P.sum()),
            "chosen_reward": float(chosen_P.sum()),
            "rejected_reward": float(rejected_P.sum()),
            "chosen_nll": float(nll_P.sum()),
        }
    return LossSum(total, real_P.sum(), figures)
