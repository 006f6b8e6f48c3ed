"""Writing GGUF: one file with weights, tokenizer and chat template, as llama.cpp reads it.

Architecture `llama`, output matrix tied to the embedding (so it is left out), vocabulary `gpt2` with
the pre-tokenizer `smollm` (digits one by one, then the GPT-2 pattern, which is how smolforge cuts).

Source: the GGUF specification (ggml, docs/gguf.md) and the key names of the `gguf` package.
Shapes: R rows, C columns of a matrix; H heads, E head width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from smolforge.errors import InputError
from smolforge.model.config import ModelConfig
from smolforge.text.tokenizer import Tok

Quantisation = Literal["f32", "f16", "bf16", "q8_0", "q4_0"]
BLOCK_COLUMNS = 32
"""Columns that share one scale in Q8_0 and Q4_0; rows must be a multiple of it."""

TYPES = {"f32": Type.F32, "f16": Type.F16, "bf16": Type.BF16, "q8_0": Type.Q8_0, "q4_0": Type.Q4_0}
FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}
EMBEDDING_AS: dict[Quantisation, Quantisation] = {"q4_0": "q8_0"}
"""The tied embedding is the output matrix too, where four bits hurt most. Chosen, untested."""
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
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
    template: str,
    name: str,
) -> None:
    """One GGUF file from fp32 weights under public Llama names; the same input gives the same bytes."""
    writer = gguf.GGUFWriter(file, "llama")
    _add_shape(writer, shape, quantisation, name)
    _add_tokenizer(writer, tok, template)
    for tensor, data in tensors(shape, weights):
        packed, kind = pack(
            data, EMBEDDING_AS.get(quantisation, quantisation) if "embd" in tensor else quantisation
        )
        writer.add_tensor(tensor, packed, raw_dtype=kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def tensors(shape: ModelConfig, weights: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """(GGUF name, fp32 array) in the file's order."""
    yield "token_embd.weight", _weight(weights, "model.embed_tokens.weight")
    for layer in range(shape.num_hidden_layers):
        for theirs, ours in LAYER_NAMES.items():
            data_RC = _weight(weights, f"model.layers.{layer}.{theirs}.weight")
            if ours == "attn_q":
                data_RC = interleave(data_RC, shape.num_attention_heads)
            if ours == "attn_k":
                data_RC = interleave(data_RC, shape.num_key_value_heads)
            yield f"blk.{layer}.{ours}.weight", data_RC
    yield "output_norm.weight", _weight(weights, "model.norm.weight")


def interleave(data_RC: Array, heads: int) -> Array:
    """Rows of a query or key projection in llama.cpp's order.

    The public checkpoint turns feature i together with i + E/2; llama.cpp's `llama` turns 2i with 2i + 1.
    """
    rows, columns = data_RC.shape
    halves_H2EC = data_RC.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves_H2EC.swapaxes(1, 2).reshape(rows, columns))


def pack(data: Array, quantisation: Quantisation) -> tuple[Array, Type]:
    """An fp32 array in the wanted type; vectors (norms) always stay fp32.

    Rows that do not divide into blocks are kept in half precision, as llama.cpp's own tool does.
    """
    if data.ndim == 1 or quantisation == "f32":
        return np.ascontiguousarray(data, dtype=np.float32), Type.F32
    kind = TYPES[quantisation]
    if quantisation in ("q8_0", "q4_0") and data.shape[-1] % BLOCK_COLUMNS:
        kind = Type.F16
    if kind == Type.F16:
        return _half(data), kind
    return gguf.quantize(data, kind), kind


def unpack(packed: Array, kind: Type) -> Array:
    """fp32 values of a packed array; what a device computes with."""
    return gguf.dequantize(packed, kind).astype(np.float32)


def token_types(tok: Tok) -> list[int]:
    """Per token: control (never shown), user-defined (markup that stays in the answer), or normal."""
    types = [int(gguf.TokenType.NORMAL)] * tok.vocab_size
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
    if quantisation in ("q8_0", "q4_0"):
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_tokenizer(writer: gguf.GGUFWriter, tok: Tok, template: str) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(sorted(tok.vocab, key=tok.vocab.__getitem__))
    writer.add_token_types(token_types(tok))
    writer.add_token_merges([f"{left} {right}" for left, right in tok.merges])
    writer.add_bos_token_id(tok.eot_id)
    writer.add_eos_token_id(tok.im_end_id)
    writer.add_eot_token_id(tok.im_end_id)
    writer.add_pad_token_id(tok.eot_id)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    for key, token in FIM_KEYS.items():
        if token in tok.specials:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", tok.specials[token])
    writer.add_chat_template(template)
