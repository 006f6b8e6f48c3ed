"""The C path: autograd functions over the library of `build`, fp32, bf16 and fp16 on the CPU.

Every function here is called by `ops` once `serves` said yes. Shapes: see the package.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from smolforge.errors import InputError
from smolforge.kernels import products
from smolforge.kernels.build import AttentionCall, built

NORM_BLOCKS = 64
SUM_BLOCK = 16384
_SUFFIX = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


def serves(tensor: Tensor) -> bool:
    """Whether the C path can take this tensor."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling() and knows(tensor.dtype)


def knows(dtype: torch.dtype) -> bool:
    """Whether the C path has this type: fp16 only where the processor multiplies it."""
    library = built().library
    if library is None:
        return False
    return bool(library.f16_instructions()) if dtype == torch.float16 else dtype in _SUFFIX


def run_kernel(name: str, dtype: torch.dtype, *arguments: Any) -> int:
    """Run the C function of that name for `dtype`; gives what it returns."""
    return int(getattr(built().library, f"{name}_{_SUFFIX[dtype]}")(*arguments))


def address(tensor: Tensor | None) -> int | None:
    """Where the numbers lie, for C; None is NULL."""
    return None if tensor is None else tensor.data_ptr()


def _rows(x: Tensor) -> int:
    return x.numel() // x.shape[-1] if x.shape[-1] else 0


class _RmsNorm(Function):
    """With a residual: gives (normed, total); without: (normed, x)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, residual: Tensor | None, weight: Tensor, eps: float
    ) -> tuple[Tensor, Tensor]:
        out, rows = torch.empty_like(x), _rows(x)
        total = x if residual is None else torch.empty_like(x)
        inverse = torch.empty(rows)
        run_kernel(
            "rms_norm", x.dtype, address(x), address(residual), address(weight), eps, rows, x.shape[-1], address(total), address(out),
            address(inverse), torch.get_num_threads(),
        )  # fmt: skip
        ctx.save_for_backward(total, weight, inverse)
        ctx.added = residual is not None
        ctx.set_materialize_grads(False)
        if residual is None:
            return out, out.new_empty(0)
        return out, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor | None, dtotal: Tensor | None) -> tuple[Tensor | None, ...]:
        total, weight, inverse = ctx.saved_tensors
        if dout is None:
            return dtotal, dtotal if ctx.added else None, None, None
        dout = dout.contiguous()
        dtotal = dtotal.contiguous() if ctx.added and dtotal is not None else None
        width = total.shape[-1]
        dx, dweight, blocks = torch.empty_like(total), torch.empty(width), torch.empty(NORM_BLOCKS, width)
        run_kernel(
            "rms_norm_backward", total.dtype, address(total), address(weight), address(inverse), address(dout), address(dtotal),
            _rows(total), width, address(dx), address(blocks), address(dweight), torch.get_num_threads(),
        )  # fmt: skip
        return dx, dx if ctx.added else None, dweight, None


def rms_norm(x_ND: Tensor, weight_D: Tensor, eps: float) -> Tensor:
    """See `ops.rms_norm`."""
    return _RmsNorm.apply(x_ND.contiguous(), None, weight_D.float().contiguous(), eps)[0]


def add_rms_norm(x_ND: Tensor, residual_ND: Tensor, weight_D: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """See `ops.add_rms_norm`."""
    return _RmsNorm.apply(x_ND.contiguous(), residual_ND.contiguous(), weight_D.float().contiguous(), eps)


class _Swiglu(Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        width = gate_up.shape[-1] // 2
        out = gate_up.new_empty(*gate_up.shape[:-1], width)
        run_kernel(
            "swiglu",
            gate_up.dtype,
            address(gate_up),
            _rows(gate_up),
            width,
            address(out),
            torch.get_num_threads(),
        )
        ctx.save_for_backward(gate_up)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        dout, dgate_up = dout.contiguous(), torch.empty_like(gate_up)
        run_kernel(
            "swiglu_backward", gate_up.dtype, address(gate_up), address(dout), _rows(gate_up), dout.shape[-1],
            address(dgate_up), torch.get_num_threads(),
        )  # fmt: skip
        return dgate_up


def swiglu(gate_up_N2F: Tensor) -> Tensor:
    """See `ops.swiglu`."""
    return _Swiglu.apply(gate_up_N2F.contiguous())


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        packed = products.pack(weights, x.dtype)
        ctx.save_for_backward(x, packed.across, packed.along)
        ctx.weights = [(w.shape[0], w.dtype) for w in weights]
        return products.times(x.reshape(-1, packed.width), packed).view(*x.shape[:-1], packed.rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        x, across, along = ctx.saved_tensors
        packed = products.Packed(across, along, dout.shape[-1], x.shape[-1])
        dout_NM = dout.reshape(-1, packed.rows)
        dx = products.times_back(dout_NM, packed).view(x.shape) if ctx.needs_input_grad[0] else None
        if not any(ctx.needs_input_grad[1:]):
            return dx, *(None for _ in ctx.weights)
        dpacked = products.outer(dout_NM, x.reshape(-1, packed.width))
        parts = dpacked.split([rows for rows, _ in ctx.weights])
        return dx, *(part.to(dtype) for part, (_, dtype) in zip(parts, ctx.weights, strict=True))


def linear(x_ND: Tensor, *weights_MD: Tensor) -> Tensor:
    """See `ops.linear`."""
    return _Linear.apply(x_ND, *weights_MD)


class _Embedding(Function):
    @staticmethod
    def forward(ctx: Any, tokens: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.save_for_backward(tokens)
        ctx.shape = weight.shape
        picked = weight.index_select(0, tokens.reshape(-1))
        return picked.to(dtype).view(*tokens.shape, weight.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[None, Tensor, None]:
        (tokens,) = ctx.saved_tensors
        dout, dweight = dout.contiguous(), torch.zeros(ctx.shape)
        run_kernel(
            "embedding_backward", dout.dtype, address(tokens), address(dout), tokens.numel(), ctx.shape[1], address(dweight),
            torch.get_num_threads(),
        )  # fmt: skip
        return None, dweight, None


def embedding(tokens_BT: Tensor, weight_VD: Tensor, dtype: torch.dtype) -> Tensor:
    """See `ops.embedding`."""
    return _Embedding.apply(tokens_BT.long().contiguous(), weight_VD.float().contiguous(), dtype)


def _strides(x_BTHE: Tensor) -> tuple[int, int]:
    """Elements from sequence to sequence and from position to position."""
    return x_BTHE.stride(0), x_BTHE.stride(1)


def _dense_heads(x_BTHE: Tensor) -> Tensor:
    """x with heads side by side at each position, copied only if they are not."""
    width = x_BTHE.shape[3]
    return x_BTHE if x_BTHE.stride(3) == 1 and x_BTHE.stride(2) == width else x_BTHE.contiguous()


def _attention_call(q: Tensor, k: Tensor, v: Tensor, extra: tuple[Tensor | None, ...]) -> AttentionCall:
    cos, sin, positions, starts = extra
    call = AttentionCall(
        batch=q.shape[0], length=q.shape[1], heads=q.shape[2], kv_heads=k.shape[2], width=q.shape[3],
        q=address(q), k=address(k), v=address(v), cosines=address(cos), sines=address(sin), positions=address(positions),
        starts=address(starts), threads=torch.get_num_threads(),
    )  # fmt: skip
    for name, x in (("q", q), ("k", k), ("v", v)):
        between_sequences, between_positions = _strides(x)
        setattr(call, f"{name}_batch", between_sequences)
        setattr(call, f"{name}_row", between_positions)
    return call


def _attend(q: Tensor, k: Tensor, v: Tensor, extra: tuple[Tensor | None, ...]) -> tuple[Tensor, Tensor]:
    batch, length, heads, _ = q.shape
    out, lse = q.new_empty(q.shape), torch.empty(batch, heads, length)
    call = _attention_call(q, k, v, extra)
    call.out, call.lse = address(out), address(lse)
    _enough_memory(run_kernel("attention", q.dtype, ctypes.addressof(call)))
    return out, lse


def _attend_backward(
    saved: tuple[Tensor, ...], extra: tuple[Tensor | None, ...], dout: Tensor, grads: tuple[Tensor, ...]
) -> None:
    q, k, v, out, lse = saved
    call = _attention_call(q, k, v, extra)
    call.out, call.lse, call.dout = address(out), address(lse), address(dout)
    call.dq, call.dk, call.dv = (address(x) for x in grads)
    _enough_memory(run_kernel("attention_backward", q.dtype, ctypes.addressof(call)))


def _enough_memory(failed: int) -> None:
    if failed:
        raise MemoryError("attention could not get its scratch memory")


def _heads(packed: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Views of packed B x T x (H + 2K) E as q, k, v."""
    batch, length, width = packed.shape
    split = packed.view(batch, length, heads + 2 * kv_heads, width // (heads + 2 * kv_heads))
    q, k, v = split.split((heads, kv_heads, kv_heads), dim=2)
    return q, k, v


class _PackedAttention(Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int, kv_heads: int, extra: tuple[Tensor | None, ...]) -> Tensor:
        q, k, v = _heads(qkv, heads, kv_heads)
        out, lse = _attend(q, k, v, extra)
        ctx.save_for_backward(qkv, out, lse, *extra)
        ctx.heads = (heads, kv_heads)
        return out.view(*qkv.shape[:2], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        qkv, out, lse, *extra = ctx.saved_tensors
        dqkv = torch.empty_like(qkv)
        saved = (*_heads(qkv, *ctx.heads), out, lse)
        _attend_backward(saved, tuple(extra), dout.contiguous(), _heads(dqkv, *ctx.heads))
        return dqkv, None, None, None


class _Attention(Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, extra: tuple[Tensor | None, ...]) -> Tensor:
        out, lse = _attend(q, k, v, extra)
        ctx.save_for_backward(q, k, v, out, lse, *extra)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse, *extra = ctx.saved_tensors
        dq, dk, dv = (torch.empty_strided(x.shape, x.stride(), dtype=x.dtype) for x in (q, k, v))
        _attend_backward((q, k, v, out, lse), tuple(extra), dout.contiguous(), (dq, dk, dv))
        return dq, dk, dv, None


def _whole(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.long().contiguous()


def _check(starts: Tensor | None, positions: Tensor | None, batch: int, length: int, table: int) -> None:
    library = built().library
    assert library is not None
    wrong = library.attention_check(address(starts), address(positions), batch, length, table)
    if wrong == 1:
        raise InputError(
            "a document start lies after its own token or before the row", where="attention starts"
        )
    if wrong == 2 or (positions is None and table < length):
        raise InputError(
            f"a position lies outside the rotary table of {table}",
            where="attention positions",
            fix="make the table as long as the longest sequence (`max_position_embeddings`)",
        )


def attention(q_BTHE: Tensor, k_BTKE: Tensor, v_BTKE: Tensor, starts_BT: Tensor | None) -> Tensor:
    """See `ops.attention`; as many keys as queries."""
    starts = _whole(starts_BT)
    batch, length = q_BTHE.shape[:2]
    _check(starts, None, batch, length, length)
    return _Attention.apply(*(x.contiguous() for x in (q_BTHE, k_BTKE, v_BTKE)), (None, None, None, starts))


def attention_alone(q_BTHE: Tensor, k_BTKE: Tensor, v_BTKE: Tensor) -> Tensor:
    """`attention` of one document a row without anything kept for a way back; views of packed heads are taken as they are."""
    return _attend(q_BTHE, k_BTKE, v_BTKE, (None, None, None, None))[0]


def rotary_attention(
    qkv_BTP: Tensor,
    heads: int,
    kv_heads: int,
    cos_PR: Tensor,
    sin_PR: Tensor,
    positions_BT: Tensor | None,
    starts_BT: Tensor | None,
) -> Tensor:
    """See `ops.rotary_attention`."""
    positions, starts = _whole(positions_BT), _whole(starts_BT)
    batch, length, _ = qkv_BTP.shape
    _check(starts, positions, batch, length, cos_PR.shape[0])
    extra = (cos_PR.float().contiguous(), sin_PR.float().contiguous(), positions, starts)
    return _PackedAttention.apply(qkv_BTP.contiguous(), heads, kv_heads, extra)


def square_norm(tensor: Tensor) -> Tensor:
    """See `ops.square_norm`."""
    tensor = tensor.detach().contiguous()
    sums = torch.empty(-(-tensor.numel() // SUM_BLOCK), dtype=torch.float64)
    library = built().library
    assert library is not None
    library.square_sums(address(tensor), tensor.numel(), address(sums), torch.get_num_threads())
    return sums.sum()


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
    """See `ops.adamw_step`; all four fp32 and contiguous."""
    library = built().library
    assert library is not None
    rate, root = lr / (1 - beta1**step), (1 - beta2**step) ** -0.5
    library.adamw(
        address(weight), address(grad), address(mean), address(square), weight.numel(), grad_scale, beta1, beta2, eps,
        1 - lr * weight_decay, rate, root, torch.get_num_threads(),
    )  # fmt: skip
