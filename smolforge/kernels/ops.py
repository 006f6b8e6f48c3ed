"""The operations users call: each picks the C path or the PyTorch path. Shapes: see the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from smolforge.kernels import build, fused, fused_loss, gpu, products, reference
from smolforge.kernels.products import Packed, times_wide
from smolforge.kernels.reference import rotary_tables, still_tables

__all__ = ["Packed", "rotary_tables", "still_tables", "times_wide"]

NEWTON_SCHULZ_NUMBERS = 1 << 20
"""Of the matrices that are orthogonalised together on a CPU."""


def rms_norm(x_ND: Tensor, weight_D: Tensor, eps: float) -> Tensor:
    """x / rms(x) * weight over the last dimension, in x's type; any leading dimensions."""
    path = fused if fused.serves(x_ND) else reference
    return path.rms_norm(x_ND, weight_D, eps)


def add_rms_norm(x_ND: Tensor, residual_ND: Tensor, weight_D: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """(rms_norm(x + residual), x + residual): the second is the residual stream to carry on."""
    path = fused if fused.serves(x_ND) and residual_ND.dtype == x_ND.dtype else reference
    return path.add_rms_norm(x_ND, residual_ND, weight_D, eps)


def swiglu(gate_up_N2F: Tensor) -> Tensor:
    """silu(gate) * up of packed N x 2F (gate first, as `linear(x, gate, up)` gives): N x F."""
    path = fused if fused.serves(gate_up_N2F) else reference
    return path.swiglu(gate_up_N2F)


def relu_squared(x_NF: Tensor) -> Tensor:
    """relu(x)^2, for models of `Research`."""
    return reference.relu_squared(x_NF)


def soft_capped(logits_NV: Tensor, soft_cap: float) -> Tensor:
    """cap * tanh(logits / cap); 0 leaves them alone."""
    return reference.soft_capped(logits_NV, soft_cap)


def rotary(
    q_BTHE: Tensor, k_BTKE: Tensor, cos_PR: Tensor, sin_PR: Tensor, positions_BT: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Queries and keys turned by their positions (0, 1, … when None); half-split layout of Llama."""
    return reference.rotary(q_BTHE, k_BTKE, cos_PR, sin_PR, positions_BT)


def attention(q_BTHE: Tensor, k_BSKE: Tensor, v_BSKE: Tensor, starts_BT: Tensor | None = None) -> Tensor:
    """Causal grouped-query attention, scaled by 1 / sqrt(E): B x T x H x E.

    Query t sees the keys starts[b, t] <= s <= t, so the documents of a packed row never meet; None means
    one document. With more keys than queries (a cache), the queries are the last T of the S positions.
    """
    same = q_BTHE.shape[1] == k_BSKE.shape[1] and q_BTHE.dtype == k_BSKE.dtype == v_BSKE.dtype
    path = fused if same and q_BTHE.shape[3] % 2 == 0 and fused.serves(q_BTHE) else reference
    return path.attention(q_BTHE, k_BSKE, v_BSKE, starts_BT)


def rotary_attention(
    qkv_BTP: Tensor,
    heads: int,
    kv_heads: int,
    cos_PR: Tensor,
    sin_PR: Tensor,
    positions_BT: Tensor | None = None,
    starts_BT: Tensor | None = None,
    bounds_C: Tensor | None = None,
) -> Tensor:
    """`rotary` then `attention` of packed heads (q then k then v, as `linear(x, q, k, v)` gives): B x T x (H E).

    `bounds_C` says the same as `starts_BT` in the form that FlashAttention reads (`gpu.rotary_attention`);
    it is used where it can be.
    """
    if bounds_C is not None and gpu.serves_documents(qkv_BTP, heads, kv_heads):
        return gpu.rotary_attention(qkv_BTP, heads, kv_heads, cos_PR, sin_PR, bounds_C)
    path = fused if fused.serves(qkv_BTP) else reference
    return path.rotary_attention(qkv_BTP, heads, kv_heads, cos_PR, sin_PR, positions_BT, starts_BT)


def linear(x_ND: Tensor, *weights_MD: Tensor) -> Tensor:
    """x @ weight.T for each weight, side by side in the last dimension; no bias.

    Weights are cast to x's type; their gradients come back in their own (fp32 for fp32 masters).
    """
    path = fused if fused.serves(x_ND) else reference
    return path.linear(x_ND, *weights_MD)


def pack(weights: Sequence[Tensor], dtype: torch.dtype) -> Packed:
    """A copy of weights, one above the other, laid out for `times` in `dtype`: what a model that only reads keeps."""
    alone = len(weights) == 1 and weights[0].dtype == dtype
    return products.pack([w.detach().clone() if alone else w.detach() for w in weights], dtype, reading=True)


def times(x_ND: Tensor, weight: Packed) -> Tensor:
    """x @ W.T in x's type, without gradients; any leading dimensions."""
    return products.times(x_ND.reshape(-1, weight.width), weight).view(*x_ND.shape[:-1], weight.rows)


def embedding(tokens_BT: Tensor, weight_VD: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows of the table in `dtype`, the type of all activations that follow."""
    path = fused if fused.serves(weight_VD) and fused.knows(dtype) else reference
    return path.embedding(tokens_BT, weight_VD, dtype)


def linear_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    weights_N: Tensor | None = None,
    z_loss: float = 0.0,
    compiled: bool = False,
    soft_cap: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """(weighted sum of token losses in nats, sum of weights); logits are made in chunks and never kept.

    Tokens of weight 0 are ignored, whatever their target; without weights, those of target < 0 are.
    Each loss is -log p(target) + z_loss * log(sum exp logits)^2. Divide the two for the mean.
    `compiled` lets torch compile what happens between the products (CUDA); `soft_cap` see `soft_capped`.
    """
    if weights_N is None:
        weights_N = (targets_N >= 0).float()
    if hidden_ND.is_cuda:
        total = gpu.linear_cross_entropy(
            hidden_ND, weight_VD, targets_N, weights_N, z_loss, soft_cap, compiled
        )
        return total, weights_N.sum()
    path = fused_loss if fused.serves(hidden_ND) else reference
    total = path.linear_cross_entropy(hidden_ND, weight_VD, targets_N, weights_N, z_loss, soft_cap)
    return total, weights_N.sum()


def token_logprobs(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, soft_cap: float = 0.0) -> Tensor:
    """log p(target) of every token, fp32, N; differentiable (for DPO and GRPO), logits never kept."""
    path = fused_loss if fused.serves(hidden_ND) else reference
    return path.token_logprobs(hidden_ND, weight_VD, targets_N, soft_cap)


def square_norm(tensor: Tensor) -> Tensor:
    """Sum of squares as a float64 scalar; the same bits every time for a fixed number of threads."""
    path = fused if fused.serves(tensor) and tensor.dtype == torch.float32 else reference
    return path.square_norm(tensor)


def square_norms(tensors: Sequence[Tensor]) -> Tensor:
    """`square_norm` of all tensors together; zero for none."""
    if tensors and tensors[0].is_cuda:
        return gpu.square_norms(tensors)
    squares = [square_norm(tensor) for tensor in tensors]
    return torch.stack(squares).sum() if squares else torch.zeros((), dtype=torch.float64)


def newton_schulz(matrix_LMN: Tensor, compute: torch.dtype = torch.float32) -> Tensor:
    """The nearest half-orthogonal matrices, roughly; see `reference.newton_schulz`.

    In bf16 where training computes in it, and on CUDA; else in fp32. On the CPU a few at a time, so that what lies between
    two products stays in the cache.
    """
    if matrix_LMN.is_cuda:
        return reference.newton_schulz_bf16(matrix_LMN)
    made = reference.newton_schulz_bf16 if compute == torch.bfloat16 else reference.newton_schulz
    count, numbers = max(1, len(matrix_LMN)), matrix_LMN.numel()
    parts = matrix_LMN.split(max(1, NEWTON_SCHULZ_NUMBERS * count // max(1, numbers)))
    return torch.cat([made(part) for part in parts])


def adamw_step(
    weight: Tensor,
    grad: Tensor,
    mean: Tensor,
    square: Tensor,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    grad_scale: float = 1.0,
) -> None:
    """One AdamW update of one tensor in place; `step` counts from 1, decay is decoupled (lr * decay).

    `grad_scale` multiplies the gradient on the way in (1 / tokens, and clipping).
    Source: arXiv:1711.05101.
    """
    tensors = (weight, grad, mean, square)
    plain = all(x.dtype == torch.float32 and x.is_contiguous() for x in tensors)
    path = fused if plain and fused.serves(weight) else reference
    path.adamw_step(
        weight,
        grad,
        mean,
        square,
        step=step,
        lr=lr,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        weight_decay=weight_decay,
        grad_scale=grad_scale,
    )


def adamw_steps(
    weights: Sequence[Tensor],
    grads: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    **settings: Any,
) -> None:
    """`adamw_step` of many tensors with the same settings; on CUDA in a few launches, scaling the gradients in place."""
    if weights and weights[0].is_cuda:
        gpu.adamw_steps(weights, grads, means, squares, **settings)
        return
    for tensors in zip(weights, grads, means, squares, strict=True):
        adamw_step(*tensors, **settings)


def knows(dtype: torch.dtype) -> bool:
    """Whether the C path computes in this type on this machine; fp16 only where the processor multiplies it."""
    return fused.knows(dtype)


def describe() -> dict[str, str]:
    """Which path runs and why: for events and records."""
    return build.describe()


def slowdown() -> str:
    """Why training here is slower than this machine could be; empty where nothing is wrong."""
    return build.slowdown()
