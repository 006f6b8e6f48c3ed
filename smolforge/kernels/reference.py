"""Every operation in plain PyTorch: what the C path must equal, and what runs where there is none.

Nothing here is an `autograd.Function`, so `torch.compile` and every device take it as it is; the one
exception is that logits are recomputed in the backward pass (`checkpoint`) instead of being kept.

Shapes: B batch, T query time, S key time, D width, H query heads, K key/value heads, E head width,
V vocabulary, F feed-forward, N tokens flat, P rotary table length, R = E / 2.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK_TOKENS = 1024
"""Rows of logits alive at a time; chosen so that 1024 x 49152 in bf16 stays near 100 MB."""
LEAST_ROWS = 512
"""Of logits alive at a time: each such part is added to the whole gradient of the output matrix, which is slow."""


def row_parts(rows: int, row_bytes: int, most_bytes: int, multiple: int = 1) -> list[slice]:
    """Even parts of the rows, each of `most_bytes` at most, but of `LEAST_ROWS` at least; a `multiple` but for the last."""
    parts = max(1, -(-rows // max(LEAST_ROWS, most_bytes // row_bytes)))
    step = max(1, -(-rows // (parts * multiple))) * multiple
    return [slice(at, min(at + step, rows)) for at in range(0, rows, step)]


def rms_norm(x_ND: Tensor, weight_D: Tensor, eps: float) -> Tensor:
    """Root-mean-square norm, computed in fp32 (float64 stays)."""
    wide = x_ND if x_ND.dtype == torch.float64 else x_ND.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return (wide * scale * weight_D.to(wide.dtype)).to(x_ND.dtype)


def add_rms_norm(x_ND: Tensor, residual_ND: Tensor, weight_D: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """(norm of the sum, the sum)."""
    total_ND = x_ND + residual_ND
    return rms_norm(total_ND, weight_D, eps), total_ND


def swiglu(gate_up_N2F: Tensor) -> Tensor:
    """silu(gate) * up; the first half of the last dimension is the gate."""
    gate_NF, up_NF = gate_up_N2F.chunk(2, dim=-1)
    return F.silu(gate_NF) * up_NF


def relu_squared(x_NF: Tensor) -> Tensor:
    """relu(x)^2."""
    return F.relu(x_NF).square()


def soft_capped(logits_NV: Tensor, soft_cap: float) -> Tensor:
    """cap * tanh(logits / cap); 0 leaves them alone."""
    return soft_cap * torch.tanh(logits_NV / soft_cap) if soft_cap else logits_NV


def _rotate(x_BTHE: Tensor, cos_T1R: Tensor, sin_T1R: Tensor) -> Tensor:
    wide = x_BTHE if x_BTHE.dtype == torch.float64 else x_BTHE.float()
    first, second = wide.chunk(2, dim=-1)
    turned = (first * cos_T1R - second * sin_T1R, second * cos_T1R + first * sin_T1R)
    return torch.cat(turned, dim=-1).to(x_BTHE.dtype)


def rotary(
    q_BTHE: Tensor, k_BTKE: Tensor, cos_PR: Tensor, sin_PR: Tensor, positions_BT: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Queries and keys turned by their positions, half-split layout."""
    if positions_BT is None:
        cos, sin = cos_PR[None, : q_BTHE.shape[1]], sin_PR[None, : q_BTHE.shape[1]]
    else:
        cos, sin = cos_PR[positions_BT], sin_PR[positions_BT]
    cos, sin = cos.unsqueeze(2), sin.unsqueeze(2)
    return _rotate(q_BTHE, cos, sin), _rotate(k_BTKE, cos, sin)


def attention(q_BTHE: Tensor, k_BSKE: Tensor, v_BSKE: Tensor, starts_BT: Tensor | None) -> Tensor:
    """Causal attention within documents."""
    length, keys = q_BTHE.shape[1], k_BSKE.shape[1]
    groups = q_BTHE.shape[2] // k_BSKE.shape[2]
    q, k, v = (x.transpose(1, 2) for x in (q_BTHE, k_BSKE, v_BSKE))
    if groups > 1 and not q.is_cuda:  # the CPU path of `enable_gqa` is slower than copying
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    gqa = groups > 1 and q.is_cuda
    if starts_BT is None and length == keys:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=gqa).transpose(1, 2)
    at_S = torch.arange(keys, device=q.device)
    seen = at_S[None, None, :] <= at_S[None, keys - length :, None]
    if starts_BT is not None:
        seen = seen & (at_S[None, None, :] >= starts_BT[:, :, None])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None], enable_gqa=gqa).transpose(1, 2)


def rotary_attention(
    qkv_BTP: Tensor,
    heads: int,
    kv_heads: int,
    cos_PR: Tensor,
    sin_PR: Tensor,
    positions_BT: Tensor | None,
    starts_BT: Tensor | None,
) -> Tensor:
    """`rotary` and `attention` of packed query, key and value heads; gives B x T x (H E)."""
    batch, length, width = qkv_BTP.shape
    head = width // (heads + 2 * kv_heads)
    q, k, v = qkv_BTP.view(batch, length, -1, head).split((heads, kv_heads, kv_heads), dim=2)
    q, k = rotary(q, k, cos_PR, sin_PR, positions_BT)
    return attention(q, k, v, starts_BT).reshape(batch, length, heads * head)


def linear(x_ND: Tensor, *weights_MD: Tensor) -> Tensor:
    """x times each weight transposed, side by side; weights are brought to x's type first."""
    ready = [w.to(x_ND.dtype) for w in weights_MD]
    return F.linear(x_ND, ready[0] if len(ready) == 1 else torch.cat(ready))


def embedding(tokens_BT: Tensor, weight_VD: Tensor, dtype: torch.dtype) -> Tensor:
    """Rows of the table, in `dtype`."""
    return F.embedding(tokens_BT, weight_VD).to(dtype)


def _logits(hidden_ND: Tensor, weight_VD: Tensor, soft_cap: float) -> Tensor:
    logits_NV = F.linear(hidden_ND, weight_VD)
    return soft_capped(logits_NV if logits_NV.dtype == torch.float64 else logits_NV.float(), soft_cap)


def _chunk_loss(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    weights_N: Tensor,
    z_loss: float,
    soft_cap: float,
) -> Tensor:
    logits_NV = _logits(hidden_ND, weight_VD, soft_cap)
    loss_N = F.cross_entropy(logits_NV, targets_N.clamp(min=0), reduction="none")
    if z_loss:
        loss_N = loss_N + z_loss * logits_NV.logsumexp(-1).square()
    return torch.where(weights_N != 0, loss_N * weights_N, 0.0).sum()


def linear_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    weights_N: Tensor,
    z_loss: float,
    soft_cap: float,
) -> Tensor:
    """Weighted sum of the tokens' losses."""
    ready_VD = weight_VD.to(hidden_ND.dtype)
    total = hidden_ND.new_zeros((), dtype=weights_N.dtype)
    for at in range(0, hidden_ND.shape[0], CHUNK_TOKENS):
        part = slice(at, at + CHUNK_TOKENS)
        total = total + checkpoint(
            _chunk_loss,
            hidden_ND[part],
            ready_VD,
            targets_N[part],
            weights_N[part],
            z_loss,
            soft_cap,
            use_reentrant=False,
        )
    return total


def _chunk_logprobs(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, soft_cap: float) -> Tensor:
    return -F.cross_entropy(_logits(hidden_ND, weight_VD, soft_cap), targets_N, reduction="none")


def token_logprobs(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, soft_cap: float) -> Tensor:
    """Log-probability of each target, fp32."""
    ready_VD = weight_VD.to(hidden_ND.dtype)
    parts = [
        checkpoint(
            _chunk_logprobs,
            hidden_ND[at : at + CHUNK_TOKENS],
            ready_VD,
            targets_N[at : at + CHUNK_TOKENS],
            soft_cap,
            use_reentrant=False,
        )
        for at in range(0, hidden_ND.shape[0], CHUNK_TOKENS)
    ]
    return torch.cat(parts) if parts else hidden_ND.new_zeros(0, dtype=torch.float32)


@torch.no_grad()
def square_norm(tensor: Tensor) -> Tensor:
    """Sum of squares, float64 scalar."""
    return tensor.double().square().sum()


@torch.no_grad()
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
    grad_scale: float,
) -> None:
    """One AdamW update in place."""
    grad = grad * grad_scale
    mean.lerp_(grad, 1 - beta1)
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    weight.mul_(1 - lr * weight_decay)
    below = (square / (1 - beta2**step)).sqrt_().add_(eps)
    weight.addcdiv_(mean, below, value=-lr / (1 - beta1**step))


NEWTON_SCHULZ = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
"""Quintic coefficients, one row an iteration, for singular values from about 0.001 up.
Source: You Jiacheng's optimised coefficients for Muon, as used by Modded-NanoGPT (2025)."""


@torch.no_grad()
def newton_schulz(
    matrix_LMN: Tensor, coefficients: tuple[tuple[float, float, float], ...] = NEWTON_SCHULZ
) -> Tensor:
    """The nearest half-orthogonal matrices, roughly: singular values brought near 1, same shape.

    Works on a stack of equal shapes. Long matrices take the Gram form: the polynomials P_k are evaluated
    on the small A = X X^T alone (A <- P A P), so that only the first and last product have the long side.
    Source: Muon (Jordan et al. 2024); the Gram form follows from X_{k+1} = P_k(A_k) X_k.
    """
    wide = matrix_LMN if matrix_LMN.dtype == torch.float64 else matrix_LMN.float()
    tall = wide.shape[-2] > wide.shape[-1]
    x = wide.mT if tall else wide
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) * 1.02 + 1e-7)
    x = (
        _long_newton_schulz(x, coefficients)
        if x.shape[-1] >= 2 * x.shape[-2]
        else _newton_schulz(x, coefficients)
    )
    return (x.mT if tall else x).to(matrix_LMN.dtype)


@torch.no_grad()
def newton_schulz_bf16(
    matrix_LMN: Tensor, coefficients: tuple[tuple[float, float, float], ...] = NEWTON_SCHULZ
) -> Tensor:
    """`newton_schulz` in bf16, without its Gram form.

    The Gram form adds up polynomials of values as far apart as 1 and 500, which bf16 cannot hold; the plain
    iteration keeps small singular values in X itself. Source: Muon, Jordan et al. 2024.
    """
    tall = matrix_LMN.shape[-2] > matrix_LMN.shape[-1]
    x = matrix_LMN.reshape(-1, *matrix_LMN.shape[-2:])
    x = x.mT if tall else x
    x = (x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) * 1.02 + 1e-7)).bfloat16()
    for a, b, c in coefficients:
        gram = torch.bmm(x, x.mT)
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return (x.mT if tall else x).to(matrix_LMN.dtype).reshape(matrix_LMN.shape)


def _newton_schulz(x: Tensor, coefficients: tuple[tuple[float, float, float], ...]) -> Tensor:
    for a, b, c in coefficients:
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x


def _long_newton_schulz(x: Tensor, coefficients: tuple[tuple[float, float, float], ...]) -> Tensor:
    gram, product = x @ x.mT, None
    for k, (a, b, c) in enumerate(coefficients):
        polynomial = b * gram + c * (gram @ gram)
        polynomial.diagonal(dim1=-2, dim2=-1).add_(a)
        product = polynomial if product is None else polynomial @ product
        if k + 1 < len(coefficients):
            gram = polynomial @ gram @ polynomial
            gram = (gram + gram.mT) / 2  # rounding would drive it off symmetric
    return x if product is None else product @ x


def rotary_tables(
    length: int, head: int, theta: float, divisor_R: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """cos and sin of every position, fp32, P x R; computed in float64. Each pair turns `divisor_R` times slower."""
    rate_R = torch.exp(-math.log(theta) * torch.arange(0, head, 2, dtype=torch.float64) / head)
    if divisor_R is not None:
        rate_R = rate_R / divisor_R.double()
    angle_PR = torch.arange(length, dtype=torch.float64)[:, None] * rate_R
    return angle_PR.cos().float(), angle_PR.sin().float()


def still_tables(table_PR: Tensor) -> tuple[Tensor, Tensor]:
    """Tables of the same shape by which nothing turns, for layers without positions."""
    return torch.ones_like(table_PR), torch.zeros_like(table_PR)
