"""A GGUF file's weights, taken into the engine as they are stored; what it cannot read becomes eight bits, and is told."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from smolforge.device.engine.build import Shape, library
from smolforge.device.gguf_in import READABLE, shape_of
from smolforge.device.gguf_names import ROPE_DIVISORS, gguf_name, part, turned_heads
from smolforge.device.header import Header, Tensor
from smolforge.errors import InputError
from smolforge.model.config import ModelConfig, weight_shapes

MATRICES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip
VECTORS = ("input_layernorm.weight", "post_attention_layernorm.weight", "self_attn.q_norm.weight",
           "self_attn.k_norm.weight", "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias")  # fmt: skip
AS_STORED = {Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q8_0}
COLUMNS = 32
"""The engine's blocks: every row of a matrix is a multiple of it, and every head of half of it."""

Bytes = NDArray[np.uint8]


class Unfit(InputError):
    """A file that is whole but that the engine has no path for; something else must run it."""


@dataclass
class Loaded:
    """An engine with its weights. `kept` is what it still reads from: the file's embedding.

    told  what had to be changed on the way in, in words; empty where nothing was
    """

    handle: int
    config: ModelConfig
    kept: Bytes
    told: str


def load(header: Header, *, threads: int, slots: int, capacity: int, room: int) -> Loaded:
    """The file's weights in a new engine that holds `slots` sequences of `capacity` positions.

    Raises InputError for a damaged file, Unfit for one that the engine has no path for.
    """
    config = shape_of(header)
    check(header, config)
    shape = Shape(
        config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.num_key_value_heads,
        config.head_dim, config.intermediate_size, config.vocab_size, slots, capacity, config.rms_norm_eps,
    )  # fmt: skip
    handle = library().engine_new(ctypes.byref(shape), threads, room)
    if not handle:
        raise InputError(
            "there is not enough memory for this model", where=str(header.file), fix="use a smaller one"
        )
    try:
        return _filled(handle, header, config, capacity)
    except BaseException:
        library().engine_free(handle)
        raise


def check(header: Header, config: ModelConfig) -> None:
    widths = (config.hidden_size, config.intermediate_size, config.num_attention_heads * config.head_dim)
    if any(width % COLUMNS for width in widths) or config.head_dim % (COLUMNS // 2):
        raise Unfit("its rows do not divide into blocks of 32", where=str(header.file), fix="use llama.cpp")
    if config.mlp_bias or config.attention_bias:
        raise Unfit(
            "its layers have biases that no known family has", where=str(header.file), fix="use llama.cpp"
        )


def _filled(handle: int, header: Header, config: ModelConfig, capacity: int) -> Loaded:
    file = np.memmap(header.file, np.uint8, "r")
    tensors = {tensor.name: tensor for tensor in header.tensors}
    changed: set[str] = set()

    def matrix(public: str) -> tuple[Bytes, Type]:
        return _stored(header, file, tensors[gguf_name(public)], changed)

    for public, size in weight_shapes(config).items():
        if len(size) == 2 and public != "model.embed_tokens.weight":
            _put_matrix(handle, public, size, *matrix(public), config)
        elif len(size) == 1:
            _put_vector(handle, public, _floats(header, file, tensors[gguf_name(public)]), config)
    table, kind = matrix("model.embed_tokens.weight")
    if config.tie_word_embeddings:
        _put_matrix(handle, "lm_head.weight", (config.vocab_size, config.hidden_size), table, kind, config)
    library().engine_table(handle, int(kind), table.ctypes.data)
    _put_positions(handle, header, file, tensors, config, capacity)
    told = f"weights of {', '.join(sorted(changed))} run as eight bits" if changed else ""
    return Loaded(handle, config, table, told)


def _stored(header: Header, file: Bytes, tensor: Tensor, changed: set[str]) -> tuple[Bytes, Type]:
    """A matrix's bytes in a type that the engine reads."""
    kind = READABLE.get(tensor.kind)
    if kind is None:
        raise Unfit(
            f"numbers of type {tensor.kind} are not read", where=str(header.file), fix="use another file"
        )
    data = _bytes_of(header, file, tensor, kind)
    if kind in AS_STORED:
        return data, kind
    changed.add(kind.name)
    rows = tensor.shape[1] if len(tensor.shape) > 1 else 1
    floats = gguf.dequantize(np.asarray(data).reshape(rows, -1), kind)
    return np.ascontiguousarray(gguf.quantize(floats, Type.Q8_0)).reshape(-1).view(np.uint8), Type.Q8_0


def _bytes_of(header: Header, file: Bytes, tensor: Tensor, kind: Type) -> Bytes:
    """The tensor's part of the file; `shape_of` has seen that it is there."""
    columns, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    start = header.data_start + tensor.offset
    return file[start : start + int(np.prod(tensor.shape)) // columns * block_bytes]


def _floats(header: Header, file: Bytes, tensor: Tensor) -> NDArray[np.float32]:
    kind = READABLE[tensor.kind]
    data = np.ascontiguousarray(_bytes_of(header, file, tensor, kind))
    return np.ascontiguousarray(gguf.dequantize(data, kind).reshape(-1), dtype=np.float32)


def _put_matrix(
    handle: int, public: str, size: tuple[int, ...], data: Bytes, kind: Type, config: ModelConfig
) -> None:
    layer, name = place_of(public)
    heads = turned_heads(public, config)
    order = part(np.arange(size[0], dtype=np.int32), heads) if heads else None
    index = MATRICES.index(name.removesuffix(".weight")) if layer >= 0 else 0
    failed = library().engine_matrix(
        handle, layer, index, int(kind), size[0], size[1], data.ctypes.data,
        order.ctypes.data if order is not None else None,
    )  # fmt: skip
    if failed:
        raise InputError("there is not enough memory for this model", fix="use a smaller one or fewer bits")
    if hasattr(os, "posix_madvise") or isinstance(data, np.memmap):
        _forget(data)


def _forget(data: Bytes) -> None:
    """Pages of the file that have been repacked need not stay in memory."""
    import mmap

    base: Any = data
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is None or not hasattr(base, "madvise"):
        return
    page = mmap.PAGESIZE
    start = data.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
    first, end = -(-start // page) * page, (start + data.nbytes) // page * page
    if end > first:
        base.madvise(mmap.MADV_DONTNEED, first, end - first)


def _put_vector(handle: int, public: str, values: NDArray[np.float32], config: ModelConfig) -> None:
    layer, name = place_of(public)
    heads = turned_heads(public, config)
    values = part(values, heads) if heads else values
    index = VECTORS.index(name) if layer >= 0 else 0
    library().engine_vector(handle, layer, index, values.ctypes.data, len(values))


def place_of(public: str) -> tuple[int, str]:
    """`model.layers.3.mlp.up_proj.weight` → (3, `mlp.up_proj.weight`); layer -1 for what stands outside."""
    if not public.startswith("model.layers."):
        return -1, public
    layer, _, name = public.removeprefix("model.layers.").partition(".")
    return int(layer), name


def _put_positions(
    handle: int, header: Header, file: Bytes, tensors: dict[str, Tensor], config: ModelConfig, capacity: int
) -> None:
    """Cosines and sines of every position, in double precision first, and the layers that do not turn."""
    pair_R = np.arange(0, config.head_dim, 2, dtype=np.float64)
    rate_R = np.exp(-np.log(config.rope_theta) * pair_R / config.head_dim)
    if ROPE_DIVISORS in tensors:
        rate_R = rate_R / _floats(header, file, tensors[ROPE_DIVISORS])
    angle_SR = np.arange(capacity, dtype=np.float64)[:, None] * rate_R
    for index, table in enumerate((np.cos(angle_SR), np.sin(angle_SR)), start=1):
        values = np.ascontiguousarray(table, dtype=np.float32)
        library().engine_vector(handle, -1, index, values.ctypes.data, values.size)
    for layer in range(config.num_hidden_layers):
        if not config.has_rope(layer):
            library().engine_still(handle, layer)
