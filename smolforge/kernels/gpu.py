"""What a GPU wants instead of the plain PyTorch path: few launches, large products, nothing that waits.

`ops` calls these for CUDA tensors. None asks the device for a number, so the host runs ahead of it; all of
them also run on the CPU, which is where their mathematics is tested. Shapes: see the package, and
C documents + 1, L matrices of one shape.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from smolforge.kernels import reference

LOGIT_BYTES = 512 << 20
"""Logits alive at a time: some 5,000 rows of 49,152, enough for full-rate products; chosen, untested."""

HALF = (torch.bfloat16, torch.float16)


def serves_documents(qkv_BTP: Tensor, heads: int, kv_heads: int) -> bool:
    """Whether FlashAttention can take these heads: half precision, a head width of whole eights up to 256."""
    width = qkv_BTP.shape[-1] // (heads + 2 * kv_heads)
    return qkv_BTP.dtype in HALF and width % 8 == 0 and width <= 256


def rotary_attention(
    qkv_BTP: Tensor, heads: int, kv_heads: int, cos_PR: Tensor, sin_PR: Tensor, bounds_C: Tensor
) -> Tensor:
    """`reference.rotary_attention` of documents laid end to end: FlashAttention, no mask in memory.

    `bounds_C` holds the first position of each document in the flattened rows, and the end of the last
    (int32). Each document attends to itself, causally. Source: FlashAttention-2, arXiv:2307.08691.
    """
    from torch.nn.attention.varlen import varlen_attn  # brings the whole compiler with it

    batch, length, width = qkv_BTP.shape
    head = width // (heads + 2 * kv_heads)
    q, k, v = qkv_BTP.view(batch, length, -1, head).split((heads, kv_heads, kv_heads), dim=2)
    q, k = reference.rotary(q, k, cos_PR, sin_PR, None)
    mixed = varlen_attn(
        q.flatten(0, 1),
        k.flatten(0, 1),
        v.flatten(0, 1),
        bounds_C,
        bounds_C,
        length,  # no document is longer than a row; a fixed number keeps one compiled graph
        length,
        window_size=(-1, 0),
        enable_gqa=heads != kv_heads,
    )
    assert isinstance(mixed, Tensor)
    return mixed.view(batch, length, heads * head)


def _slopes(
    logits_NV: Tensor, targets_N: Tensor, weights_N: Tensor, z_loss: float, soft_cap: float
) -> tuple[Tensor, Tensor]:
    """(weighted losses in the wide type, gradient by the logits in their own type): one pass when compiled."""
    wide_NV = logits_NV if logits_NV.dtype == torch.float64 else logits_NV.float()
    wide_NV = reference.soft_capped(wide_NV, soft_cap)
    weights_N = weights_N.to(wide_NV.dtype)
    targets_N = targets_N.clamp(min=0)
    lse_N = wide_NV.logsumexp(-1)
    picked_N = wide_NV.gather(1, targets_N[:, None]).squeeze(1)
    losses_N = torch.where(weights_N != 0, (lse_N - picked_N + z_loss * lse_N.square()) * weights_N, 0.0)
    chance_NV = (wide_NV - lse_N[:, None]).exp()
    hit_NV = torch.arange(wide_NV.shape[1], device=wide_NV.device)[None] == targets_N[:, None]
    slope_NV = chance_NV * (1 + 2 * z_loss * lse_N)[:, None] - hit_NV.to(wide_NV.dtype)
    if soft_cap:
        slope_NV = slope_NV * (1 - (wide_NV / soft_cap).square())
    slope_NV = torch.where(weights_N[:, None] != 0, slope_NV * weights_N[:, None], 0.0)
    return losses_N, slope_NV.to(logits_NV.dtype)


@functools.cache
def _compiled_slopes() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(_slopes, fullgraph=True, dynamic=False)


class _CrossEntropy(Function):
    """Both gradients are made on the way forward, while the logits are there: no product is made twice."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        weights: Tensor,
        z_loss: float,
        soft_cap: float,
        compiled: bool,
    ) -> Tensor:
        slopes_of = _compiled_slopes() if compiled else _slopes
        ready, dhidden, dweight = weight.to(hidden.dtype), torch.empty_like(hidden), torch.zeros_like(weight)
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for part in reference.row_parts(hidden.shape[0], weight.shape[0] * hidden.itemsize, LOGIT_BYTES):
            logits = torch.mm(hidden[part], ready.T)
            given = (logits, targets[part], weights[part])
            for tensor in given if compiled else ():
                torch._dynamo.maybe_mark_dynamic(tensor, 0)  # any number of rows, one compiled graph
            losses, slopes = slopes_of(*given, z_loss, soft_cap)
            total += losses.sum(dtype=torch.float64)
            torch.mm(slopes, ready, out=dhidden[part])
            dweight.add_(torch.mm(slopes.T, hidden[part]))
        ctx.save_for_backward(dhidden, dweight)
        return total.to(dweight.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dloss: Tensor) -> tuple[Tensor | None, ...]:
        dhidden, dweight = ctx.saved_tensors
        return dhidden * dloss.to(dhidden.dtype), dweight * dloss, None, None, None, None, None


def linear_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    weights_N: Tensor,
    z_loss: float,
    soft_cap: float = 0.0,
    compiled: bool = False,
) -> Tensor:
    """Weighted sum of the tokens' losses, without keeping logits.

    Without gradients wanted, `reference` is cheaper. Source of making gradients forward: Liger Kernel,
    arXiv:2410.10989, section 3.2.
    """
    if not torch.is_grad_enabled() or not (hidden_ND.requires_grad or weight_VD.requires_grad):
        return reference.linear_cross_entropy(hidden_ND, weight_VD, targets_N, weights_N, z_loss, soft_cap)
    return _CrossEntropy.apply(
        hidden_ND.contiguous(), weight_VD, targets_N.long(), weights_N, z_loss, soft_cap, compiled
    )


def square_norms(tensors: Sequence[Tensor]) -> Tensor:
    """Sum of squares of all tensors together, a float64 scalar, in a few launches."""
    norms = torch._foreach_norm([tensor.detach() for tensor in tensors], 2)
    return torch.stack(norms).double().square().sum()


@torch.no_grad()
def adamw_steps(
    weights: Sequence[Tensor],
    grads: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    grad_scale: float,
) -> None:
    """`reference.adamw_step` of many tensors in a few launches; the gradients are scaled in place."""
    device = weights[0].device
    count = torch.full((), float(step), device=device)
    torch._fused_adamw_(
        list(weights), list(grads), list(means), list(squares), [], [count] * len(weights),
        lr=lr, beta1=beta1, beta2=beta2, weight_decay=weight_decay, eps=eps, amsgrad=False, maximize=False,
        grad_scale=torch.full((), 1.0 / grad_scale, device=device), found_inf=None,
    )  # fmt: skip
