"""What the page's script needs to know of a GGUF file: where everything lies, checked here so that it need not be there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from smolforge.device.browser.frames import chat_plan
from smolforge.device.engine.weights import AS_STORED, MATRICES, VECTORS, Unfit, place_of
from smolforge.device.engine.weights import check as check_shape
from smolforge.device.gguf_in import shape_of, tokenizer_of
from smolforge.device.gguf_names import ROPE_DIVISORS, gguf_name, turned_heads
from smolforge.device.header import Header, Tensor, read_header
from smolforge.model.config import ModelConfig, weight_shapes

MOST_POSITIONS = 2048
"""Phones end pages that take much memory; keys and values of this many positions take 47 MB at 135M."""


def plan_of(file: Path, name: str) -> dict[str, Any]:
    """The plan as JSON values; raises InputError for a file or a chat template that the page cannot run."""
    header = read_header(file)
    config = shape_of(header)
    check_shape(header, config)
    tok = tokenizer_of(header)
    tensors = {tensor.name: tensor for tensor in header.tensors}
    table = tensors[gguf_name("model.embed_tokens.weight")]
    divisors = tensors.get(ROPE_DIVISORS)
    capacity = min(config.max_position_embeddings, MOST_POSITIONS)
    return {
        "name": name,
        "bytes": file.stat().st_size,
        "digest": _digest(file),
        "headerBytes": header.data_start,
        "vocabulary": config.vocab_size,
        "capacity": capacity,
        "shape": [config.num_hidden_layers, config.hidden_size, config.num_attention_heads,
                  config.num_key_value_heads, config.head_dim, config.intermediate_size, config.vocab_size],
        "eps": config.rms_norm_eps,
        "matrices": _matrices(header, config, tensors),
        "vectors": _vectors(header, config, tensors),
        "table": {"type": table.kind, "bytes": _bytes(header, table)},
        "rope": {"theta": config.rope_theta, "headWidth": config.head_dim,
                 "divisors": _floats(header, divisors) if divisors else None},
        "still": [n for n in range(config.num_hidden_layers) if not config.has_rope(n)],
        "ends": list(tok.end_ids),
        "tokenizer": {
            "splits": tok.splits.name, "size": tok.vocab_size, "ignoreMerges": tok.parts.ignore_merges,
            "added": [[token.content, tok.specials[token.content] in tok.control] for token in tok.parts.added],
        },
        "chat": chat_plan(tok),
    }  # fmt: skip


def _matrices(header: Header, config: ModelConfig, tensors: dict[str, Tensor]) -> list[dict[str, Any]]:
    found = []
    for public, size in weight_shapes(config).items():
        if len(size) == 2 and public != "model.embed_tokens.weight":
            found.append(_matrix(header, config, public, size, tensors[gguf_name(public)]))
    if config.tie_word_embeddings:
        size = (config.vocab_size, config.hidden_size)
        table = tensors[gguf_name("model.embed_tokens.weight")]
        found.append(_matrix(header, config, "lm_head.weight", size, table))
    return found


def _matrix(
    header: Header, config: ModelConfig, public: str, size: tuple[int, ...], tensor: Tensor
) -> dict[str, Any]:
    layer, name = place_of(public)
    if tensor.kind not in {int(kind) for kind in AS_STORED}:
        raise Unfit(
            f"numbers of type {Type(tensor.kind).name} are not read in a browser",
            where=str(header.file),
            fix="use a file in q8_0 or q4_0",
        )
    part = MATRICES.index(name.removesuffix(".weight")) if layer >= 0 else 0
    heads = turned_heads(public, config)
    return {"layer": layer, "part": part, "type": tensor.kind, "rows": size[0], "width": size[1],
            "heads": heads, "bytes": _bytes(header, tensor)}  # fmt: skip


def _vectors(header: Header, config: ModelConfig, tensors: dict[str, Tensor]) -> list[dict[str, Any]]:
    found = []
    for public, size in weight_shapes(config).items():
        if len(size) == 1:
            layer, name = place_of(public)
            found.append({
                "layer": layer, "part": VECTORS.index(name) if layer >= 0 else 0, "heads": turned_heads(public, config),
                "bytes": _floats(header, tensors[gguf_name(public)]),
            })  # fmt: skip
    return found


def _floats(header: Header, tensor: Tensor) -> list[int]:
    if tensor.kind != int(Type.F32):
        raise Unfit(f"the tensor `{tensor.name}` is not in floats", where=str(header.file))
    return _bytes(header, tensor)


def _bytes(header: Header, tensor: Tensor) -> list[int]:
    """Where a tensor lies in the file: its first byte, and how many."""
    columns, block_bytes = gguf.GGML_QUANT_SIZES[Type(tensor.kind)]
    return [header.data_start + tensor.offset, int(np.prod(tensor.shape)) // columns * block_bytes]


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:32]
