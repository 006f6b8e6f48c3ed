"""Writing GGUF: one file with weights, tokenizer and chat template, as llama.cpp reads it.

A tied output matrix is left out; the vocabulary is `gpt2` with the pre-tokenizer that the tokenizer's way of
cutting has there (`text.splits`).

Source: the GGUF specification (ggml, docs/gguf.md) and the key names of the `gguf` package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from smolforge.device.gguf_names import (
    ARCHITECTURES,
    NO_ROPE_EVERY,
    ROPE_DIVISORS,
    gguf_name,
    interleave,
    turned_heads,
)
from smolforge.errors import InputError
from smolforge.model.config import ModelConfig, weight_shapes
from smolforge.model.transformer import rope_divisors
from smolforge.model.weights import load_config
from smolforge.text.tokenizer import Tok, load_tokenizer

Quantisation = Literal["f32", "f16", "bf16", "q8_0", "q4_1", "q4_0"]
BLOCK_COLUMNS = 32
"""Columns that share one scale; rows must be a multiple of it."""
IN_BLOCKS = ("q8_0", "q4_1", "q4_0")

TYPES = {
    "f32": Type.F32,
    "f16": Type.F16,
    "bf16": Type.BF16,
    "q8_0": Type.Q8_0,
    "q4_1": Type.Q4_1,
    "q4_0": Type.Q4_0,
}
FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_1": gguf.LlamaFileType.MOSTLY_Q4_1,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}
EMBEDDING_AS: dict[Quantisation, Quantisation] = {"q4_0": "q8_0", "q4_1": "q8_0"}
"""The tied embedding is the output matrix too, where four bits hurt most. Chosen, untested."""
FIM_KEYS = {"fim_pre": "<fim_prefix>", "fim_suf": "<fim_suffix>", "fim_mid": "<fim_middle>"}
"""The repository and file separators are left out: llama.cpp would end every answer at them."""

Array = NDArray[Any]


def write(
    file: Path,
    quantisation: Quantisation,
    shape: ModelConfig,
    weights: Mapping[str, Array],
    tok: Tok,
    *,
    template: str | None,
    name: str,
    rounded: Mapping[str, Array] | None = None,
) -> None:
    """One GGUF file from fp32 weights under their public names; the same input gives the same bytes.

    rounded  bytes of matrices that are in `quantisation` already, (rows, bytes a row), in place of rounding to the nearest

    Raises InputError for what a GGUF file has no place for.
    """
    if shape.no_rope_every != NO_ROPE_EVERY.get(shape.family, 0):
        raise InputError(
            f"every {shape.no_rope_every} layers one has no positions; GGUF knows {NO_ROPE_EVERY} alone",
            fix="export the Hugging Face folder alone (`quantisations` empty)",
        )
    if shape.family == "qwen2" and shape.num_attention_heads * shape.head_dim != shape.hidden_size:
        raise InputError(
            f"llama.cpp runs Qwen2 models only where the heads together are as wide as the model ({shape.hidden_size})",
            fix="export the Hugging Face folder alone (`quantisations` empty)",
        )
    writer = gguf.GGUFWriter(file, ARCHITECTURES[shape.family])
    _add_shape(writer, shape, quantisation, name)
    _add_tokenizer(writer, tok, template, shape.vocab_size)
    done = {gguf_name(public): _in_order(public, rows, shape) for public, rows in (rounded or {}).items()}
    for tensor, data in tensors(shape, weights):
        if tensor in done:
            writer.add_tensor(tensor, done[tensor], raw_dtype=TYPES[quantisation])
            continue
        is_output = tensor in ("output.weight", "token_embd.weight")
        packed, kind = pack(data, EMBEDDING_AS.get(quantisation, quantisation) if is_output else quantisation)
        writer.add_tensor(tensor, packed, raw_dtype=kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def tensors(shape: ModelConfig, weights: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """(GGUF name, fp32 array) in the file's order."""
    for public in weight_shapes(shape):
        yield gguf_name(public), _in_order(public, _weight(weights, public), shape)
    if shape.rope_scaling is not None:
        yield ROPE_DIVISORS, np.asarray(rope_divisors(shape), dtype=np.float32)


def sizes_of(model: Path, tokenizer: Path, kinds: Sequence[Quantisation]) -> dict[Quantisation, int]:
    """About how large a checkpoint's file of each kind will be."""
    shape, tok = load_config(model), load_tokenizer(tokenizer)
    return {kind: file_bytes(shape, kind, tok) for kind in kinds}


def file_bytes(shape: ModelConfig, quantisation: Quantisation, tok: Tok) -> int:
    """About how large the file will be, its vocabulary included."""
    words = sum(len(token.encode()) + 12 for token in tok.vocab) + sum(
        len(f"{a} {b}".encode()) + 8 for a, b in tok.merges
    )
    return words + sum(_tensor_bytes(name, size, quantisation) for name, size in weight_shapes(shape).items())


def _tensor_bytes(public: str, size: tuple[int, ...], quantisation: Quantisation) -> int:
    if len(size) == 1:
        return size[0] * 4
    is_output = gguf_name(public) in ("output.weight", "token_embd.weight")
    kind = TYPES[EMBEDDING_AS.get(quantisation, quantisation) if is_output else quantisation]
    columns, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    if size[-1] % columns:
        columns, block_bytes = gguf.GGML_QUANT_SIZES[Type.F16]
    return size[0] * size[1] // columns * block_bytes


def _in_order(public: str, data: Array, shape: ModelConfig) -> Array:
    """The rows as llama.cpp wants them."""
    heads = turned_heads(public, shape)
    return interleave(data, heads) if heads else data


def pack(data: Array, quantisation: Quantisation) -> tuple[Array, Type]:
    """An fp32 array in the wanted type; vectors (norms) always stay fp32.

    Rows that do not divide into blocks are kept in half precision, as llama.cpp's own tool does.
    """
    if data.ndim == 1 or quantisation == "f32":
        return np.ascontiguousarray(data, dtype=np.float32), Type.F32
    kind = TYPES[quantisation]
    if quantisation in IN_BLOCKS and data.shape[-1] % BLOCK_COLUMNS:
        kind = Type.F16
    if kind == Type.F16:
        return _half(data), kind
    return gguf.quantize(data, kind), kind


def unpack(packed: Array, kind: Type) -> Array:
    """fp32 values of a packed array; what a device computes with."""
    return gguf.dequantize(packed, kind).astype(np.float32)


def token_types(tok: Tok, rows: int) -> list[int]:
    """Per row of the model: control (never shown), user-defined (markup that stays in the answer), normal, or unused."""
    types = [int(gguf.TokenType.NORMAL)] * tok.vocab_size
    types += [int(gguf.TokenType.UNUSED)] * (rows - tok.vocab_size)
    for index in tok.specials.values():
        is_control = index in tok.control
        types[index] = int(gguf.TokenType.CONTROL if is_control else gguf.TokenType.USER_DEFINED)
    return types


def _half(data: Array) -> Array:
    with np.errstate(over="ignore"):
        half = data.astype(np.float16)
    if not np.isfinite(half).all():
        raise InputError("a weight is too large for half precision", fix="export bf16 or f32 instead of f16")
    return half


def _weight(weights: Mapping[str, Array], name: str) -> Array:
    if name not in weights:
        raise InputError(f"the checkpoint has no tensor `{name}`", fix="export a whole Llama checkpoint")
    return np.asarray(weights[name], dtype=np.float32)


def _add_shape(writer: gguf.GGUFWriter, shape: ModelConfig, quantisation: Quantisation, name: str) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.num_key_value_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_file_type(FILE_TYPES[quantisation])
    if quantisation in IN_BLOCKS:
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_tokenizer(writer: gguf.GGUFWriter, tok: Tok, template: str | None, rows: int) -> None:
    """The tokenizer; rows of the model beyond it are named `[PAD…]`, as llama.cpp's own converter does."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(tok.splits.gguf[0])
    tokens = sorted(tok.vocab, key=tok.vocab.__getitem__)
    writer.add_token_list([*tokens, *(f"[PAD{index}]" for index in range(len(tokens), rows))])
    writer.add_token_types(token_types(tok, rows))
    writer.add_token_merges([f"{left} {right}" for left, right in tok.merges])
    if tok.bos_id is not None:
        writer.add_bos_token_id(tok.bos_id)
    writer.add_eos_token_id(tok.eos_id)
    writer.add_eot_token_id(tok.turn_end_id)
    if tok.pad_id is not None:
        writer.add_pad_token_id(tok.pad_id)
    if tok.roles.unk in tok.specials:
        writer.add_unk_token_id(tok.specials[tok.roles.unk])
    writer.add_add_bos_token(tok.roles.add_bos)
    writer.add_add_eos_token(False)
    for key, token in FIM_KEYS.items():
        if token in tok.specials:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", tok.specials[token])
    if template is not None:
        writer.add_chat_template(template)
