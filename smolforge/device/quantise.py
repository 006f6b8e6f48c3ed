"""Four-bit weights chosen by what they are multiplied with: less is lost than by rounding each to the nearest.

Layer by layer, inputs are collected on texts (the sum of x x^T for each product). Then columns are rounded from left to
right, and what rounding one does to the product's output is taken back by the columns that follow. Each block of 32
takes the scale that costs the output least. Layers see the inputs that the rounded layers before them give.

Source: GPTQ, arXiv:2210.17323, on the blocks of GGUF's Q4_0 and Q4_1; their bytes are those of the `gguf` package.
Shapes: N positions, M outputs and K inputs of a product, C columns of a block (32).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smolforge import kernels
from smolforge.model.transformer import Block, Llama, Where, project

FourBits = Literal["q4_0", "q4_1"]
BLOCK_COLUMNS = 32
SHRINKINGS = 16
"""Scales tried for a block, from the one that clips nothing down to `SMALLEST` of it."""
SMALLEST = 0.68
DAMPING = 0.01
"""Of the mean of the diagonal, added to it: texts never show every direction. GPTQ's own value."""
DRAWN_TOGETHER = 4
"""Rows of texts that go through a layer at a time."""


@dataclass(frozen=True)
class Packed:
    """A rounded matrix: `rows_MB` bytes a row as GGUF has them, and the values they stand for (M, K)."""

    rows_MB: NDArray[np.uint8]
    values_MK: Tensor


def quantised(
    model: Llama, kind: FourBits, texts: Sequence[Sequence[int]], tick: Callable[[int, int], None]
) -> tuple[Llama, dict[str, Packed]]:
    """A copy of the model with all products of its layers rounded, and their bytes by public name.

    texts  token ids to look at, each at least one; `tick(done, of)` is called for every layer.
    """
    rounded = copy.deepcopy(model).eval()
    packed: dict[str, Packed] = {}
    with torch.no_grad():
        rows = [_embedded(rounded, ids) for ids in _batches(texts)]
        blocks = [block for block in rounded.model.layers if isinstance(block, Block)]
        for number, block in enumerate(blocks):
            tick(number, len(blocks))
            for name, layer, values in _round_block(block, rows, kind):
                packed[f"model.layers.{number}.{name}.weight"] = values
                layer.weight.copy_(values.values_MK)
            for row in rows:
                row.x_BTD, row.residual_BTD = block(row.x_BTD, row.residual_BTD, row.where)
    return rounded, packed


@dataclass
class _Row:
    """Texts of one length on their way through the layers."""

    x_BTD: Tensor
    residual_BTD: Tensor | None
    where: Where


def _batches(texts: Sequence[Sequence[int]]) -> Iterator[Tensor]:
    """(B, T) of texts of equal length, a few at a time."""
    by_length: dict[int, list[Sequence[int]]] = {}
    for ids in texts:
        by_length.setdefault(len(ids), []).append(ids)
    for group in by_length.values():
        for start in range(0, len(group), DRAWN_TOGETHER):
            yield torch.tensor(group[start : start + DRAWN_TOGETHER])


def _embedded(model: Llama, tokens_BT: Tensor) -> _Row:
    tables = model.rotary_tables(tokens_BT.shape[1], tokens_BT.device)
    still = kernels.still_tables(tables[0]) if model.config.no_rope_every else None
    x_BTD = kernels.embedding(tokens_BT, model.embedding_VD, model.compute)
    return _Row(x_BTD, None, Where(*tables, None, None, tokens_BT, still))


def _round_block(
    block: Block, rows: Sequence[_Row], kind: FourBits
) -> Iterator[tuple[str, nn.Linear, Packed]]:
    """Each product of a layer, rounded on inputs that the ones before it, already rounded, give.

    The caller puts a product's values in place before it asks for the next.
    """
    attention, mlp, eps = block.self_attn, block.mlp, block.eps
    into = [_joined(row.x_BTD, row.residual_BTD, block.input_layernorm.weight, eps) for row in rows]
    yield from _rounded_each(
        {f"self_attn.{n}": getattr(attention, n) for n in ("q_proj", "k_proj", "v_proj")},
        (normed for normed, _ in into),
        kind,
    )
    mixed = [attention.mix(normed, row.where) for (normed, _), row in zip(into, rows, strict=True)]
    yield from _rounded_each({"self_attn.o_proj": attention.o_proj}, iter(mixed), kind)
    between = [
        _joined(project(heads, attention.o_proj), residual, block.post_attention_layernorm.weight, eps)[0]
        for heads, (_, residual) in zip(mixed, into, strict=True)
    ]
    first = ("gate_proj", "up_proj") if mlp.gated else ("up_proj",)
    yield from _rounded_each({f"mlp.{n}": getattr(mlp, n) for n in first}, iter(between), kind)
    inner = (mlp.inner(normed) for normed in between)
    yield from _rounded_each({"mlp.down_proj": mlp.down_proj}, inner, kind)


def _joined(x_BTD: Tensor, residual_BTD: Tensor | None, norm_D: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """(normed, residual) as a layer makes them."""
    if residual_BTD is None:
        return kernels.rms_norm(x_BTD, norm_D, eps), x_BTD
    normed, residual = kernels.add_rms_norm(x_BTD, residual_BTD, norm_D, eps)
    return normed, residual


def _rounded_each(
    layers: dict[str, nn.Linear], inputs: Iterator[Tensor], kind: FourBits
) -> Iterator[tuple[str, nn.Linear, Packed]]:
    """Products that read the same inputs; rows of K that do not divide into blocks stay as they are."""
    width = next(iter(layers.values())).in_features
    if width % BLOCK_COLUMNS:
        return
    moment_KK = torch.zeros(width, width, dtype=torch.float64)
    for x in inputs:
        x_NK = x.reshape(-1, width).float()
        moment_KK += (x_NK.T @ x_NK).double()
    for name, layer in layers.items():
        yield name, layer, round_matrix(layer.weight.detach().float(), moment_KK, kind)


def round_matrix(weight_MK: Tensor, moment_KK: Tensor, kind: FourBits) -> Packed:
    """One matrix on the grid of `kind`, nearest in what x W^T gives for inputs with the sum of squares `moment_KK`."""
    left_MK = weight_MK.clone()
    feedback_KK = _feedback(moment_KK)
    importance_K = moment_KK.diagonal().float() + float(moment_KK.diagonal().mean()) * DAMPING
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for start in range(0, weight_MK.shape[1], BLOCK_COLUMNS):
        end = start + BLOCK_COLUMNS
        block_MC = left_MK[:, start:end]
        scale_M, offset_M = _best_grid(block_MC, importance_K[start:end], kind)
        codes_MC, errors_MC = _round_columns(block_MC, scale_M, offset_M, feedback_KK[start:end, start:end])
        left_MK[:, end:] -= errors_MC @ feedback_KK[start:end, end:]
        parts.append((codes_MC, scale_M, offset_M))
    values = [codes * scale[:, None] + offset[:, None] for codes, scale, offset in parts]
    return Packed(np.concatenate([_bytes(*part, kind) for part in parts], 1), torch.cat(values, 1))


def _feedback(moment_KK: Tensor) -> Tensor:
    """The upper Cholesky factor of the inverse: row k says what a column's error costs, and who takes it over."""
    damped = moment_KK.clone()
    size = float(damped.diagonal().mean())
    damped.diagonal().add_(size * DAMPING if size else 1.0)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True).float()


def _round_columns(
    block_MC: Tensor, scale_M: Tensor, offset_M: Tensor, feedback_CC: Tensor
) -> tuple[Tensor, Tensor]:
    """Codes 0 to 15 as floats, and each column's error by its own feedback, for the columns behind the block."""
    left_MC, codes_MC, errors_MC = block_MC.clone(), torch.empty_like(block_MC), torch.empty_like(block_MC)
    safe_M = torch.where(scale_M == 0, torch.ones_like(scale_M), scale_M)
    for c in range(block_MC.shape[1]):
        codes_MC[:, c] = ((left_MC[:, c] - offset_M) / safe_M).round().clamp_(0, 15)
        error_M = left_MC[:, c] - (codes_MC[:, c] * scale_M + offset_M)
        errors_MC[:, c] = error_M / feedback_CC[c, c]
        left_MC[:, c + 1 :] -= errors_MC[:, c : c + 1] * feedback_CC[c, c + 1 :]
    return codes_MC, errors_MC


def _best_grid(block_MC: Tensor, importance_C: Tensor, kind: FourBits) -> tuple[Tensor, Tensor]:
    """Scale and offset (M, M), as halves hold them, whose rounding costs least by importance."""
    best_M = torch.full((len(block_MC),), torch.inf)
    scale_M, offset_M = torch.zeros_like(best_M), torch.zeros_like(best_M)
    for scale, offset in _grids(block_MC, kind):
        safe = torch.where(scale == 0, torch.ones_like(scale), scale)[:, None]
        codes = ((block_MC - offset[:, None]) / safe).round_().clamp_(0, 15)
        miss = block_MC - (codes * scale[:, None] + offset[:, None])
        cost_M = miss.square_() @ importance_C
        better = cost_M < best_M
        best_M = torch.where(better, cost_M, best_M)
        scale_M, offset_M = torch.where(better, scale, scale_M), torch.where(better, offset, offset_M)
    return scale_M, offset_M


def _grids(block_MC: Tensor, kind: FourBits) -> Iterator[tuple[Tensor, Tensor]]:
    """Grids to try: Q4_0 has d (code - 8), with d of either sign; Q4_1 has d code + m."""
    low_M, high_M = block_MC.amin(1), block_MC.amax(1)
    for share in torch.linspace(1.0, SMALLEST, SHRINKINGS):
        if kind == "q4_1":
            spare_M = (high_M - low_M) * (1 - share) / 2
            offset = _half(low_M + spare_M)
            yield _half((high_M - low_M) * share / 15), offset
            continue
        for scale in (torch.maximum(-low_M / 8, high_M / 7), -torch.maximum(high_M / 8, -low_M / 7)):
            d = _half(scale * share)
            yield d, -8 * d


def _half(x: Tensor) -> Tensor:
    return x.half().float()


def _bytes(codes_MC: Tensor, scale_M: Tensor, offset_M: Tensor, kind: FourBits) -> NDArray[np.uint8]:
    """One block of every row: its scale (and offset, in Q4_1), then codes k and k + 16 in one byte."""
    codes = codes_MC.to(torch.uint8).numpy()
    half = BLOCK_COLUMNS // 2
    nibbles = codes[:, :half] | (codes[:, half:] << 4)
    heads = [scale_M, offset_M] if kind == "q4_1" else [scale_M]
    columns = [head.half().numpy()[:, None].view(np.uint8) for head in heads]
    return np.concatenate([*columns, nibbles], 1)
