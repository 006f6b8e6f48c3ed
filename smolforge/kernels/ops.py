"""The operations users call: each picks the C path or the PyTorch path. Shapes: see the package."""

from __future__ import annotations

import torch
from torch import Tensor

from smolforge.kernels import build, fused, fused_loss, reference
from smolforge.kernels.reference import newton_schulz, rotary_tables

__all__ = ["newton_schulz", "rotary_tables"]


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
) -> Tensor:
    """`rotary` then `attention` of packed heads (q then k then v, as `linear(x, q, k, v)` gives): B x T x (H E)."""
    path = fused if fused.serves(qkv_BTP) else reference
    return path.rotary_attention(qkv_BTP, heads, kv_heads, cos_PR, sin_PR, positions_BT, starts_BT)


def linear(x_ND: Tensor, *weights_MD: Tensor) -> Tensor:
    """x @ weight.T for each weight, side by side in the last dimension; no bias.

    Weights are cast to x's type; their gradients come back in their own (fp32 for fp32 masters).
    """
    path = fused if fused.serves(x_ND) else reference
    return path.linear(x_ND, *weights_MD)


def embedding(tokens_BT: Tensor, weight_VD: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows of the table in `dtype`, the type of all activations that follow."""
    path = fused if fused.serves(weight_VD) and dtype in (torch.float32, torch.bfloat16) else reference
    return path.embedding(tokens_BT, weight_VD, dtype)


def linear_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    weights_N: Tensor | None = None,
    z_loss: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """(weighted sum of token losses in nats, sum of weights); logits are made in chunks and never kept.

    Tokens of weight 0 are ignored, whatever their target; without weights, those of target < 0 are.
    Each loss is -log p(target) + z_loss * log(sum exp logits)^2. Divide the two for the mean.
    """
    if weights_N is None:
        weights_N = (targets_N >= 0).float()
    path = fused_loss if fused.serves(hidden_ND) else reference
    total = path.linear_cross_entropy(hidden_ND, weight_VD, targets_N, weights_N, z_loss)
    return total, weights_N.sum()


def token_logprobs(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor) -> Tensor:
    """log p(target) of every token, fp32, N; differentiable (for DPO and GRPO), logits never kept."""
    path = fused_loss if fused.serves(hidden_ND) else reference
    return path.token_logprobs(hidden_ND, weight_VD, targets_N)


def square_norm(tensor: Tensor) -> Tensor:
    """Sum of squares as a float64 scalar; the same bits every time for a fixed number of threads."""
    path = fused if fused.serves(tensor) and tensor.dtype == torch.float32 else reference
    return path.square_norm(tensor)


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


def describe() -> dict[str, str]:
    """Which path runs and why: for events and records."""
    return build.describe()
