"""What a loss is: rows of a batch in, a sum to differentiate and its count out; and the usual one, of next tokens.

Shapes: B rows, T positions, C documents + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from smolforge import kernels
from smolforge.data.tokens.batches import Batch
from smolforge.model.transformer import Llama
from smolforge.train.feed import placed, placed_documents


@dataclass(frozen=True)
class MicroBatch:
    """Some rows of a `Batch` as tensors; `extra` holds whatever else the loss needs, a row each.

    On CUDA, rows of one document have no `starts_BT`, and others have `bounds_C` beside it.
    """

    tokens_BT: Tensor
    targets_BT: Tensor
    weights_BT: Tensor
    starts_BT: Tensor | None
    extra: Mapping[str, Tensor]
    bounds_C: Tensor | None = None


class LossSum(NamedTuple):
    """What a loss gives: a sum to differentiate, how many things were summed, and figures to log.

    total    differentiable scalar: a sum over tokens (or pairs, or answers), never a mean
    count    what to divide the sum by, over the whole batch: tokens, pairs, answers
    figures  sums over the micro-batch, divided by the same count for the log

    Rows without any weight count for nothing: they fill up the part of a process that got fewer rows.
    Numbers may stay tensors: the loop reads them once a step, so that a GPU is not waited for before.
    """

    total: Tensor
    count: Tensor | float  # type: ignore[assignment]  # a tuple has a method of that name, which nobody needs
    figures: Mapping[str, Tensor | float] = {}


Loss = Callable[[Llama, MicroBatch], LossSum]


def micro_batches(batch: Batch, micro_tokens: int, device: torch.device) -> Iterator[MicroBatch]:
    """The rows of `batch` in order, at most `micro_tokens` positions at a time, whole groups only."""
    rows, length = batch.tokens_BT.shape
    step = max(1, micro_tokens // (length * batch.group)) * batch.group
    for start in range(0, rows, step):
        part = slice(start, start + step)
        starts_BT, bounds_C = placed_documents(batch.starts_BT[part], batch.weights_BT[part], device)
        yield MicroBatch(
            tokens_BT=placed(batch.tokens_BT[part], device),
            targets_BT=placed(batch.targets_BT[part], device),
            weights_BT=placed(batch.weights_BT[part], device),
            starts_BT=starts_BT,
            extra={name: placed(array[part], device) for name, array in batch.extra.items()},
            bounds_C=bounds_C,
        )


def next_token_loss(z_loss: float = 0.0) -> Loss:
    """Cross-entropy of every weighted target; counts the weights. For pre-training and SFT."""

    def loss(model: Llama, batch: MicroBatch) -> LossSum:
        hidden_BTD = model.hidden(batch.tokens_BT, batch.starts_BT, batch.bounds_C)
        total, count = kernels.linear_cross_entropy(
            hidden_BTD.flatten(0, 1),
            model.output_weight_VD,
            batch.targets_BT.flatten(),
            batch.weights_BT.flatten(),
            z_loss,
            model.compiled,
            model.config.soft_cap,
        )
        return LossSum(total, count)

    return loss
