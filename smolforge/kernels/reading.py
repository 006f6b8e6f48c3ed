"""What a model that only reads and writes needs beside its products; nothing here has gradients.

    placed = Places(rows, length, first_R, *tables)                # once a pass
    y_ND = stream_norm(stream_ND, delta_ND, weight_D, eps, dtype)  # stream += delta, then its norm
    mixed = cached_attention(qkv_RTP, heads, placed, cache)        # heads turned, put in the cache, attended

CPU tensors go through reading.c, everything else through the same in PyTorch.

Shapes: R rows, T new positions, S cached positions, D width, H query heads, K key/value heads, E head width,
P = (H + 2K) E, N positions flat.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from smolforge.kernels import fused
from smolforge.kernels.build import ReadingCall


@dataclass(frozen=True)
class Heads:
    """How packed queries, keys and values are to be read. `norms`: weights (E) for queries and for keys."""

    queries: int
    keys: int
    width: int
    has_rope: bool = True
    norms: tuple[Tensor, Tensor] | None = None
    eps: float = 0.0


@dataclass(frozen=True)
class Places:
    """Where new positions go: index `first_R` of the cache and on; None: 0. `cos_PE`, `sin_PE` hold half a head's angles."""

    rows: int
    length: int
    first_R: Tensor | None
    cos_PE: Tensor
    sin_PE: Tensor

    @cached_property
    def index_RT(self) -> Tensor:
        """Cache index of every new position."""
        steps = torch.arange(self.length, device=self.cos_PE.device)
        return steps[None] if self.first_R is None else self.first_R.to(steps.device)[:, None] + steps

    @cached_property
    def reach(self) -> int:
        """Cached positions that are looked at."""
        return self.length if self.first_R is None else int(self.first_R.max()) + self.length

    @cached_property
    def hidden_RTS(self) -> Tensor:
        """Which cached positions a new one must not see."""
        return torch.arange(self.reach, device=self.cos_PE.device) > self.index_RT[:, :, None]

    @cached_property
    def angles(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines (R or 1, T, 1, E / 2); beyond the table its last, which is never looked at."""
        within = self.index_RT.clamp_max(len(self.cos_PE) - 1)
        return self.cos_PE[within][:, :, None], self.sin_PE[within][:, :, None]


def stream_norm(
    stream_ND: Tensor, delta_ND: Tensor | None, weight_D: Tensor, eps: float, dtype: torch.dtype
) -> Tensor:
    """stream += delta in place, then rms_norm(stream) * weight in `dtype`; the stream and weight are fp32."""
    if not fused.serves(stream_ND) or (delta_ND is not None and delta_ND.dtype != dtype):
        if delta_ND is not None:
            stream_ND.add_(delta_ND)
        return functional.rms_norm(stream_ND, weight_D.shape, weight_D, eps).to(dtype)
    delta_ND = None if delta_ND is None else delta_ND.contiguous()
    out_ND = torch.empty_like(stream_ND, dtype=dtype)
    width = stream_ND.shape[-1]
    fused.run_kernel(
        "stream_norm", dtype, stream_ND.data_ptr(), fused.address(delta_ND), weight_D.data_ptr(), eps,
        stream_ND.numel() // width, width, out_ND.data_ptr(), torch.get_num_threads(),
    )  # fmt: skip
    return out_ND


def cached_attention(
    qkv_RTP: Tensor, heads: Heads, places: Places, cache: tuple[Tensor, Tensor] | None
) -> Tensor:
    """Causal attention of new positions, R x T x (H E); `cache`: keys and values (R, K, S, E), filled as it goes.

    `qkv_RTP` is overwritten. Without a cache, or at its beginning, the new positions see each other alone.
    """
    serves = fused.serves(qkv_RTP) and heads.width % 2 == 0
    return (_in_c if serves else _in_torch)(qkv_RTP, heads, places, cache)


def _in_c(qkv_RTP: Tensor, heads: Heads, places: Places, cache: tuple[Tensor, Tensor] | None) -> Tensor:
    keys, values = cache or (None, None)
    first = None if places.first_R is None else places.first_R.long().contiguous()
    q_norm, k_norm = heads.norms or (None, None)
    call = ReadingCall(
        rows=places.rows, length=places.length, heads=heads.queries, kv_heads=heads.keys, width=heads.width,
        capacity=0 if keys is None else keys.shape[2], table=len(places.cos_PE), packed=qkv_RTP.data_ptr(),
        cosines=places.cos_PE.data_ptr() if heads.has_rope else None, sines=places.sin_PE.data_ptr(),
        q_norm=fused.address(q_norm), k_norm=fused.address(k_norm), first=fused.address(first),
        keys=fused.address(keys), values=fused.address(values), eps=heads.eps, threads=torch.get_num_threads(),
    )  # fmt: skip
    fused.run_kernel("place_heads", qkv_RTP.dtype, ctypes.addressof(call))
    if first is None:
        split = qkv_RTP.view(places.rows, places.length, -1, heads.width)
        parts = split.split((heads.queries, heads.keys, heads.keys), dim=2)
        return fused.attention_alone(*parts).flatten(2)
    mixed = qkv_RTP.new_empty(places.rows, places.length, heads.queries * heads.width)
    call.out = mixed.data_ptr()
    if fused.run_kernel("cached_attention", qkv_RTP.dtype, ctypes.addressof(call)):
        raise MemoryError("attention could not get its scratch memory")
    return mixed


def _in_torch(qkv_RTP: Tensor, heads: Heads, places: Places, cache: tuple[Tensor, Tensor] | None) -> Tensor:
    q_RHTE, k_RKTE, v_RKTE = _heads_of(qkv_RTP, heads, places)
    if cache is not None and places.first_R is None:
        for kept, new in zip(cache, (k_RKTE, v_RKTE), strict=True):
            kept[:, :, : places.length] = new
    elif cache is not None:
        row_R1 = torch.arange(places.rows, device=qkv_RTP.device)[:, None]
        for kept, new in zip(cache, (k_RKTE, v_RKTE), strict=True):
            kept[row_R1, :, places.index_RT] = new.transpose(1, 2)
        k_RKTE, v_RKTE = (kept[:, :, : places.reach] for kept in cache)
    mixed_RHTE = functional.scaled_dot_product_attention(
        q_RHTE,
        k_RKTE,
        v_RKTE,
        attn_mask=None if places.first_R is None else ~places.hidden_RTS[:, None],
        is_causal=places.first_R is None,
        enable_gqa=heads.queries != heads.keys,
    )
    return mixed_RHTE.transpose(1, 2).flatten(2)


def _heads_of(qkv_RTP: Tensor, heads: Heads, places: Places) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (R, H, T, E), keys and values (R, K, T, E), normed and turned in fp32."""
    split = qkv_RTP.view(places.rows, places.length, -1, heads.width)
    turning = heads.queries + heads.keys
    qk = split[:, :, :turning].float()
    if heads.norms is not None:
        parts = zip(qk.split((heads.queries, heads.keys), dim=2), heads.norms, strict=True)
        qk = torch.cat([functional.rms_norm(x, x.shape[-1:], norm, heads.eps) for x, norm in parts], 2)
    if heads.has_rope:
        cos, sin = places.angles
        first, second = qk.chunk(2, -1)  # half-split; arXiv:2104.09864
        qk = torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
    q_RHTE, k_RKTE = qk.to(qkv_RTP.dtype).transpose(1, 2).split((heads.queries, heads.keys), dim=1)
    return q_RHTE, k_RKTE, split[:, :, turning:].transpose(1, 2)
