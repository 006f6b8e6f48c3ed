"""Products with a weight and its gradient, in the type of the activations: PyTorch's, or our own in fp16.

    ready = pack((q, k, v), torch.float16)     # weights one above the other, cast and laid out once
    y_NM = times(x_ND, ready)                  # x @ W.T
    logits_NM = times_wide(x_ND, ready)        # the same, written in fp32
    dx_ND = times_back(dy_NM, ready)           # dy @ W
    add_outer(dweight_MD, dy_NM, x_ND)         # dweight += dy.T @ x

Shapes: N tokens, D width of the input, M width of the output. Source of fp16: measured, docs/LOG.md 2026-11-23.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from smolforge.kernels.build import built


@dataclass(frozen=True)
class Packed:
    """Weights side by side: `across` serves x @ W.T, `along` dy @ W; one and the same (M, D) but in fp16.

    Packed for reading alone, an fp16 `along` is empty.
    """

    across: Tensor
    along: Tensor
    rows: int
    width: int


def pack(weights: Sequence[Tensor], dtype: torch.dtype, *, reading: bool = False) -> Packed:
    """The weights one above the other in `dtype`, each (rows, D); `reading`: for x @ W.T alone."""
    rows, width = sum(w.shape[0] for w in weights), weights[0].shape[1]
    if dtype == torch.float16 and weights[0].device.type == "cpu":
        return _pack_halves(weights, rows, width, reading)
    if len(weights) == 1:
        ready = weights[0].to(dtype)
        return Packed(ready, ready, rows, width)
    packed = torch.empty(rows, width, dtype=dtype)
    row = 0
    for weight in weights:
        packed[row : row + weight.shape[0]] = weight
        row += weight.shape[0]
    return Packed(packed, packed, rows, width)


def times(x_ND: Tensor, weight: Packed) -> Tensor:
    """x @ W.T"""
    if x_ND.dtype != torch.float16:
        return torch.mm(x_ND, weight.across.T)
    return _product(x_ND, weight.across, weight.rows, None)


def times_wide(x_ND: Tensor, weight: Packed) -> Tensor:
    """x @ W.T in fp32; `weight` is packed in fp16, or holds fp32 for factors of bf16 or fp32.

    For bf16 the factors are rounded inside the product and its sums are not: written in bf16 a logit of 20 is off by up
    to 0.06.
    """
    if weight.across.dtype == torch.float16 and x_ND.device.type == "cpu":
        return _product(
            x_ND.half(),
            weight.across,
            weight.rows,
            x_ND.new_empty(len(x_ND), weight.rows, dtype=torch.float32),
        )
    if x_ND.dtype != torch.bfloat16 or x_ND.device.type != "cpu":
        return torch.mm(x_ND.float(), weight.across.float().T)
    precision = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = precision.fp32_precision
    precision.fp32_precision = "bf16"
    try:
        return torch.mm(x_ND.float(), weight.across.T)
    finally:
        precision.fp32_precision = before


def times_back(dy_NM: Tensor, weight: Packed, out: Tensor | None = None) -> Tensor:
    """dy @ W"""
    if dy_NM.dtype != torch.float16:
        return torch.mm(dy_NM, weight.along, out=out)
    return _product(dy_NM, weight.along, weight.width, out)


def add_outer(total_MD: Tensor, dy_NM: Tensor, x_ND: Tensor) -> None:
    """total += dy.T @ x, summed in fp32."""
    if dy_NM.dtype == torch.float32:
        total_MD.addmm_(dy_NM.T, x_ND)
    elif dy_NM.dtype != torch.float16:
        total_MD.add_(torch.mm(dy_NM.T, x_ND))
    else:
        dy_NM, x_ND = dy_NM.contiguous(), x_ND.contiguous()
        tokens, rows = dy_NM.shape
        _run(
            "outer_product", dy_NM.data_ptr(), x_ND.data_ptr(), tokens, rows, x_ND.shape[1], total_MD.data_ptr(),
            torch.get_num_threads(),
        )  # fmt: skip


def outer(dy_NM: Tensor, x_ND: Tensor) -> Tensor:
    """dy.T @ x, (M, D)."""
    if dy_NM.dtype != torch.float16:
        return torch.mm(dy_NM.T, x_ND)
    total = torch.zeros(dy_NM.shape[1], x_ND.shape[1])
    add_outer(total, dy_NM, x_ND)
    return total


def _pack_halves(weights: Sequence[Tensor], rows: int, width: int, reading: bool) -> Packed:
    library = built().library
    assert library is not None
    panel = 4 * library.lanes()
    across = torch.zeros(-(-rows // panel), width, panel, dtype=torch.float16)
    along = torch.zeros(0 if reading else -(-width // panel), rows, panel, dtype=torch.float16)
    row = 0
    for weight in weights:
        weight = weight.detach().float().contiguous()
        _run(
            "pack_weight", weight.data_ptr(), weight.shape[0], width, row, rows, across.data_ptr(),
            None if reading else along.data_ptr(), torch.get_num_threads(),
        )  # fmt: skip
        row += weight.shape[0]
    return Packed(across, along, rows, width)


def _product(left_NK: Tensor, panels: Tensor, columns: int, out: Tensor | None) -> Tensor:
    left_NK = left_NK.contiguous()
    tokens, depth = left_NK.shape
    out = left_NK.new_empty(tokens, columns) if out is None else out
    places = (out.data_ptr(), None) if out.dtype == torch.float16 else (None, out.data_ptr())
    _run(
        "product", left_NK.data_ptr(), panels.data_ptr(), tokens, depth, columns, *places, torch.get_num_threads()
    )  # fmt: skip
    return out


def _run(name: str, *arguments: Any) -> None:
    if getattr(built().library, name)(*arguments):
        raise MemoryError("a matrix product could not get its scratch memory")
