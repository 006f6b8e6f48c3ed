"""Answers as rows of a batch, one a row, and their log-probabilities under a model.

Shapes: B rows, T positions, N counted targets flat, V vocabulary, D model width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from smolforge import kernels
from smolforge.data.tokens.batches import START_TOKEN, Batch, Example
from smolforge.errors import ConfigError
from smolforge.model.transformer import Llama
from smolforge.train.loss import MicroBatch, micro_batches

ROUND_POSITIONS = 16


def rows_of(examples: Sequence[Example], length: int, group: int = 1) -> Batch:
    """One example a row, as wide as the longest, never wider than `length`: longer ones lose their end.

    Padding follows each example; every padded position is a document of its own with weight 0.
    """
    longest = max(len(example.tokens) for example in examples) - 1
    width = min(length, -(-longest // ROUND_POSITIONS) * ROUND_POSITIONS)
    shape = (len(examples), width)
    tokens_BT = np.full(shape, START_TOKEN, dtype=np.int64)
    targets_BT = np.full(shape, START_TOKEN, dtype=np.int64)
    weights_BT = np.zeros(shape, dtype=np.float32)
    starts_BT = np.tile(np.arange(width, dtype=np.int32), (len(examples), 1))
    for row, example in enumerate(examples):
        used = min(width, len(example.tokens) - 1)
        tokens_BT[row, :used] = example.tokens[:used]
        targets_BT[row, :used] = example.tokens[1 : used + 1]
        weights_BT[row, :used] = example.weights[1 : used + 1]
        starts_BT[row, :used] = 0
    return Batch(tokens_BT, targets_BT, weights_BT, starts_BT, group=group)


def counted_logprobs(
    model: Llama, batch: MicroBatch, temperature: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probability of every counted target (N, fp32), with its row and its place (N, int64).

    At another `temperature` than 1, that of the distribution which answers were sampled from: logits divided by it.
    """
    hidden_BTD = model.hidden(batch.tokens_BT, batch.starts_BT, batch.bounds_C)
    row_N, place_N = batch.weights_BT.nonzero(as_tuple=True)
    if not len(row_N):  # nothing to count, but still something to differentiate
        return hidden_BTD[row_N, place_N].float().sum(1), row_N, place_N
    hidden_ND = hidden_BTD[row_N, place_N]
    if temperature != 1.0:
        if model.config.soft_cap:
            raise ConfigError(
                f"`temperature` is {temperature:g}, and this model caps its logits", fix="sample it at 1"
            )
        hidden_ND = hidden_ND / temperature  # as good as dividing the logits, which are never kept
    logprob_N = kernels.token_logprobs(
        hidden_ND,
        model.output_weight_VD,
        batch.targets_BT[row_N, place_N],
        model.config.soft_cap,
    )
    return logprob_N, row_N, place_N


def sum_rows(values_N: Tensor, row_N: Tensor, rows: int) -> Tensor:
    """Sums by row (B); the same order of addition every time."""
    return torch.zeros(rows, dtype=values_N.dtype, device=values_N.device).index_add(0, row_N, values_N)


@torch.no_grad()
def logprobs_of(model: Llama, batch: Batch, micro_tokens: int, temperature: float = 1.0) -> np.ndarray:
    """Log-probability of every counted target (B, T, float32), 0 elsewhere, without gradients."""
    found = []
    for micro in micro_batches(batch, micro_tokens, model.output_weight_VD.device):
        logprob_N, row_N, place_N = counted_logprobs(model, micro, temperature)
        out_BT = torch.zeros(micro.weights_BT.shape, device=logprob_N.device)
        out_BT[row_N, place_N] = logprob_N.float()
        found.append(out_BT.cpu().numpy())
    return np.concatenate(found)
