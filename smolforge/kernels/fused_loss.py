"""The C path of the output layer: cross-entropy and log-probabilities without keeping logits.

Every function here is called by `ops` once `fused.serves` said yes. Shapes: see the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from smolforge.errors import InputError
from smolforge.kernels import products
from smolforge.kernels.fused import address, run_kernel
from smolforge.kernels.reference import row_parts

LEAST_LOGIT_BYTES, MOST_LOGIT_BYTES = 8 << 20, 128 << 20
"""Logits alive at a time: as much as the output matrix takes, within these limits. Every part of the rows reads the matrix and
its gradient once; at 49,152 rows that costs more than logits that leave the cache (968 against 757 ms for 2,048 tokens)."""
ROUND_ROWS = 64
"""Rows come in multiples of it. PyTorch's products keep a program for every number of rows they met, a megabyte each and
lying between the activations: tuning on chats, where it is never the same twice, grew by 0.15 GiB a step."""


def _parts(rows: int, weight: Sequence[int], dtype: torch.dtype) -> list[slice]:
    vocab, width = weight
    wanted = vocab * width * dtype.itemsize
    most = min(MOST_LOGIT_BYTES, max(LEAST_LOGIT_BYTES, wanted))
    return row_parts(rows, vocab * dtype.itemsize, most, multiple=ROUND_ROWS)


def _rounded(at: Tensor) -> Tensor:
    """Places of rows, the last one repeated up to a round number of rows."""
    return torch.cat([at, at[-1:].expand(-len(at) % ROUND_ROWS)])


class _CrossEntropy(Function):
    """The gradients of both factors are made on the way forward, while the logits are there."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        weights: Tensor,
        z_loss: float,
        soft_cap: float,
        gradient: bool,
        of_weight: bool,
    ) -> Tensor:
        ready = products.pack([weight], hidden.dtype)
        vocab, threads = weight.shape[0], torch.get_num_threads()
        dhidden = torch.empty_like(hidden) if gradient else None
        dweight = torch.zeros(weight.shape) if gradient and of_weight else None
        scratch, rows = torch.empty(threads, vocab), hidden.shape[0]
        lse, picked = torch.empty(rows), torch.empty(rows)
        for part in _parts(rows, weight.shape, hidden.dtype):
            logits = products.times(hidden[part], ready)
            wrong = run_kernel(
                "cross_entropy", hidden.dtype, address(logits), address(targets[part]), address(weights[part]), z_loss, soft_cap,
                logits.shape[0], vocab, int(gradient), address(scratch), address(lse[part]), address(picked[part]), threads,
            )  # fmt: skip
            _known_target(wrong, vocab)
            if dhidden is not None:
                products.times_back(logits, ready, out=dhidden[part])
            if dweight is not None:
                products.add_outer(dweight, logits, hidden[part])
        ctx.gradients = (dhidden, dweight)
        losses = (lse - picked).double() + z_loss * lse.double().square()
        return torch.where(weights != 0, losses * weights, 0.0).sum().float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dloss: Tensor) -> tuple[Tensor | None, ...]:
        dhidden, dweight = ctx.gradients
        if dloss != 1:  # a copy of the output matrix's gradient is 100 MB at SmolLM2's vocabulary
            dhidden = dhidden * dloss
            dweight = None if dweight is None else dweight * dloss
        return dhidden, dweight, None, None, None, None, None, None


def _known_target(wrong: int, vocab: int) -> None:
    if wrong:
        raise InputError(
            f"a target token is not in the vocabulary of {vocab}",
            where="cross-entropy targets",
            fix="give ignored tokens the weight 0, and check that tokenizer and model belong together",
        )


def linear_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    weights_N: Tensor,
    z_loss: float,
    soft_cap: float,
) -> Tensor:
    """See `ops.linear_cross_entropy`; rows of weight 0 cost nothing."""
    counted = weights_N != 0
    if not bool(counted.all()):
        places = counted.nonzero().squeeze(-1)
        at = _rounded(places)
        hidden_ND, targets_N, weights_N = hidden_ND[at], targets_N[at], weights_N[at]
        weights_N[len(places) :] = 0.0
    gradient = torch.is_grad_enabled() and (hidden_ND.requires_grad or weight_VD.requires_grad)
    return _CrossEntropy.apply(
        hidden_ND.contiguous(),
        weight_VD,
        targets_N.long().contiguous(),
        weights_N.float().contiguous(),
        z_loss,
        soft_cap,
        gradient,
        weight_VD.requires_grad,  # a frozen output matrix of 49,152 rows would cost as much again
    )


class _Logprobs(Function):
    """The logits are made again on the way back, when the slope of each token is known."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, soft_cap: float) -> Tensor:
        ready = products.pack([weight], hidden.dtype)
        vocab, threads = weight.shape[0], torch.get_num_threads()
        scratch, rows = torch.empty(threads, vocab), hidden.shape[0]
        lse, picked = torch.empty(rows), torch.empty(rows)
        for part in _parts(rows, weight.shape, hidden.dtype):
            logits = products.times(hidden[part], ready)
            wrong = run_kernel(
                "cross_entropy", hidden.dtype, address(logits), address(targets[part]), None, 0.0, soft_cap, logits.shape[0], vocab,
                0, address(scratch), address(lse[part]), address(picked[part]), threads,
            )  # fmt: skip
            _known_target(wrong, vocab)
        ctx.save_for_backward(hidden, ready.across, ready.along, targets, lse)
        ctx.shape = weight.shape
        ctx.weight_dtype, ctx.soft_cap = weight.dtype, soft_cap
        return picked - lse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dlogprobs: Tensor) -> tuple[Tensor | None, ...]:
        hidden, across, along, targets, lse = ctx.saved_tensors
        ready, vocab = products.Packed(across, along, *ctx.shape), ctx.shape[0]
        dlogprobs = dlogprobs.float().contiguous()
        dhidden = torch.empty_like(hidden)
        dweight = torch.zeros(ctx.shape) if ctx.needs_input_grad[1] else None
        for part in _parts(len(hidden), ctx.shape, hidden.dtype):
            logits = products.times(hidden[part], ready)
            run_kernel(
                "logprob_backward", hidden.dtype, address(logits), address(targets[part]), address(lse[part]),
                address(dlogprobs[part]), ctx.soft_cap, logits.shape[0], vocab, torch.get_num_threads(),
            )  # fmt: skip
            products.times_back(logits, ready, out=dhidden[part])
            if dweight is not None:
                products.add_outer(dweight, logits, hidden[part])
        return dhidden, None if dweight is None else dweight.to(ctx.weight_dtype), None, None


def token_logprobs(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, soft_cap: float) -> Tensor:
    """See `ops.token_logprobs`."""
    rows = len(hidden_ND)
    if rows % ROUND_ROWS:
        at = _rounded(torch.arange(rows))
        hidden_ND, targets_N = hidden_ND[at], targets_N[at]
    found = _Logprobs.apply(hidden_ND.contiguous(), weight_VD, targets_N.long().contiguous(), soft_cap)
    return found[:rows]
