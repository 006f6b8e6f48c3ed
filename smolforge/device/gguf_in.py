"""A GGUF file as model and tokenizer: its shape held against its tensors, its numbers as `gguf` itself unpacks them.

Every number that the header claims is checked against the tensors that are there before any engine opens the
file: a header that lies makes llama.cpp end the whole process.
Source: the GGUF specification (ggml, docs/gguf.md) and llama.cpp's names of settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import gguf
import numpy as np
from tokenizers import AddedToken

from smolforge.device.gguf_names import (
    ARCHITECTURES,
    NO_ROPE_EVERY,
    ROPE_DIVISORS,
    Array,
    gguf_name,
    part,
    turned_heads,
)
from smolforge.device.header import Header, Tensor
from smolforge.errors import ConfigError, InputError
from smolforge.model.config import Family, ModelConfig, RopeScaling, weight_shapes
from smolforge.model.public_config import MOST_LAYERS
from smolforge.text.roles import Roles
from smolforge.text.splits import KNOWN, by_gguf_name
from smolforge.text.tokenizer import Tok
from smolforge.text.tokenizer_file import Parts

LARGEST_SIZE = 1 << 24
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
PADDING = re.compile(r"\[PAD\d+\]")
LLAMA3_POSITIONS = 8192
TYPES = (
    "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
)  # fmt: skip
"""Number types that are read; others (i-quants, ternary ones) are refused by name."""
READABLE = {int(gguf.GGMLQuantizationType[name]): gguf.GGMLQuantizationType[name] for name in TYPES}


def shape_of(header: Header) -> ModelConfig:
    """The model that the file holds; `InputError` where its header and its tensors do not agree."""
    config = _claimed_shape(header)
    tensors = {tensor.name: tensor for tensor in header.tensors}
    if len(tensors) != len(header.tensors):
        raise header.damaged("two tensors have one name")
    expected = {gguf_name(public): shape for public, shape in weight_shapes(config).items()}
    for name, shape in expected.items():
        if name not in tensors:
            raise header.damaged(f"its tensor `{name}` is missing")
        if tensors[name].shape != shape[::-1]:
            raise header.damaged(
                f"its tensor `{name}` is {tensors[name].shape}, its header says {shape[::-1]}"
            )
    extra = sorted(set(tensors) - set(expected) - {ROPE_DIVISORS})
    if extra:
        raise InputError(
            f"the file has a tensor `{extra[0]}` that no model of its kind has",
            where=str(header.file),
            fix="use a plain model of that family",
        )
    size = header.file.stat().st_size
    for tensor in header.tensors:
        if header.data_start + tensor.offset + _stored_bytes(header, tensor) > size:
            raise header.damaged(f"it ends within its tensor `{tensor.name}`")
    return config


def stored_as(header: Header) -> str:
    """The number type of most of its weights, `Q4_1` say."""
    counts: dict[int, int] = {}
    for tensor in header.tensors:
        if len(tensor.shape) > 1:
            counts[tensor.kind] = counts.get(tensor.kind, 0) + int(np.prod(tensor.shape))
    kind = max(counts, key=lambda k: counts[k], default=0)
    return READABLE[kind].name if kind in READABLE else str(kind)


def read_weights(
    header: Header, config: ModelConfig, tick: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Array]:
    """Every weight in fp32 under its public name, exactly as `gguf` dequantises it; `tick(done, total)` after each."""
    tensors = {tensor.name: tensor for tensor in header.tensors}
    shapes = weight_shapes(config)
    found = {}
    for done, (public, shape) in enumerate(shapes.items(), start=1):
        data = _unpacked(header, tensors[gguf_name(public)]).reshape(shape)
        heads = turned_heads(public, config)
        found[public] = part(data, heads) if heads else np.ascontiguousarray(data)
        tick(done, len(shapes))
    return found


def tokenizer_of(header: Header) -> Tok:
    """The tokenizer in the file; `InputError` when its text is cut in a way that is not known here."""
    keys = header.keys
    splits = by_gguf_name(keys.get("tokenizer.ggml.pre"))
    if keys.get("tokenizer.ggml.model") != "gpt2" or splits is None:
        kind = f"{keys.get('tokenizer.ggml.model')}/{keys.get('tokenizer.ggml.pre')}"
        known = ", ".join(f"gpt2/{name}" for one in KNOWN for name in one.gguf)
        raise InputError(
            f"the file's tokenizer is `{kind}`", where=str(header.file), fix=f"tokenizers known here: {known}"
        )
    tokens = _texts(header, "tokenizer.ggml.tokens")
    types = keys.get("tokenizer.ggml.token_type")
    if not isinstance(types, list) or len(types) != len(tokens):
        raise header.damaged("its vocabulary does not fit together")
    while tokens and types[len(tokens) - 1] == UNUSED and PADDING.fullmatch(tokens[-1]):
        tokens.pop()  # rows of the model that have no token
    vocab = {token: index for index, token in enumerate(tokens)}
    merges = [tuple(merge.split(" ")) for merge in _texts(header, "tokenizer.ggml.merges")]
    if len(vocab) != len(tokens) or not all(
        len(pair) == 2 and {*pair, "".join(pair)} <= vocab.keys() for pair in merges
    ):
        raise header.damaged("its vocabulary does not fit together")
    added = [
        AddedToken(token, special=kind != USER_DEFINED, normalized=False)
        for token, kind in zip(tokens, types, strict=False)
        if kind in (CONTROL, USER_DEFINED, UNUSED) and token
    ]
    template = keys.get("tokenizer.chat_template")
    return Tok(
        Parts(
            vocab=vocab,
            merges=[(pair[0], pair[1]) for pair in merges],
            added=added,
            splits=splits,
            roles=_roles(header, tokens, {token.content for token in added}),
            ignore_merges=splits.name == "llama3",
            template=template if isinstance(template, str) else None,
        )
    )


def _roles(header: Header, tokens: list[str], known: set[str]) -> Roles:
    def named(key: str) -> str | None:
        index = header.keys.get(f"tokenizer.ggml.{key}_token_id")
        if not isinstance(index, int) or isinstance(index, bool):
            return None
        if not 0 <= index < len(tokens):
            raise header.damaged(f"its `{key}` token is {index}, beyond its vocabulary")
        return tokens[index] if tokens[index] in known else None

    eos = named("eos")
    if eos is None:
        raise InputError("nothing in the file says which token ends a text", where=str(header.file))
    ends = tuple(token for token in (named("eot"), named("eom")) if token is not None)
    bos = named("bos")
    adds = header.keys.get("tokenizer.ggml.add_bos_token")
    by_default = header.keys.get("tokenizer.ggml.pre") in ("llama-bpe", "llama3", "llama-v3")
    return Roles(
        bos=bos,
        eos=eos,
        pad=named("padding"),
        unk=named("unknown"),
        add_bos=bos is not None and bool(by_default if adds is None else adds),
        ends=tuple(dict.fromkeys((eos, *ends))),
    )


# -- the shape -----------------------------------------------------------------------------------------


def _claimed_shape(header: Header) -> ModelConfig:
    family = next((f for f, name in ARCHITECTURES.items() if name == header.architecture), None)
    if family is None:
        raise InputError(
            f"the file holds a `{header.architecture[:40]}` model",
            where=str(header.file),
            fix=f"run here: {', '.join(ARCHITECTURES.values())}",
        )
    names = {tensor.name for tensor in header.tensors}
    heads, width = _whole(header, "attention.head_count"), _whole(header, "embedding_length")
    head_dim = _whole(header, "attention.key_length", max(1, width // heads))
    _refuse_variants(header, head_dim)
    theta = _number(header, "rope.freq_base", 10_000.0)
    try:
        return ModelConfig(
            vocab_size=_rows_of_embedding(header),
            hidden_size=width,
            intermediate_size=_whole(header, "feed_forward_length"),
            num_hidden_layers=_whole(header, "block_count", largest=MOST_LAYERS),
            num_attention_heads=heads,
            num_key_value_heads=_whole(header, "attention.head_count_kv", heads),
            head_dim=head_dim,
            max_position_embeddings=_whole(header, "context_length"),
            rope_theta=theta,
            rms_norm_eps=_number(header, "attention.layer_norm_rms_epsilon", None),
            family=family,
            tie_word_embeddings="output.weight" not in names,
            attention_bias=family != "qwen2" and "blk.0.attn_q.bias" in names,
            mlp_bias="blk.0.ffn_up.bias" in names,
            rope_scaling=_scaling(header, head_dim, theta),
            no_rope_every=_no_rope(header, family),
        )
    except ConfigError as error:
        raise header.damaged(error.what) from None


def _no_rope(header: Header, family: Family) -> int:
    every = NO_ROPE_EVERY.get(family, 0)
    return every if every <= _whole(header, "block_count", largest=MOST_LAYERS) else 0


def _refuse_variants(header: Header, head_dim: int) -> None:
    """What a file of a known architecture can ask for and this program does not do."""
    said = header.keys.get(f"{header.architecture}.rope.scaling.type")
    if said not in (None, "none"):
        raise InputError(
            f"rotary positions are stretched by `{said}`",
            where=str(header.file),
            fix="models with plain positions or with Llama 3's stretching are run here",
        )
    turned = _whole(header, "rope.dimension_count", head_dim)
    values = _whole(header, "attention.value_length", head_dim)
    if (turned, values) != (head_dim, head_dim):
        raise InputError(
            f"of a head's {head_dim} features {turned} turn, and values have {values}",
            where=str(header.file),
            fix="models that turn all features of a head are run here",
        )
    if header.keys.get(f"{header.architecture}.expert_count"):
        raise InputError("the model has experts", where=str(header.file), fix="dense models are run here")


def _scaling(header: Header, head_dim: int, theta: float) -> RopeScaling | None:
    """Llama 3's stretching from the table of divisors in the file; `InputError` for a table of another kind."""
    tensor = next((t for t in header.tensors if t.name == ROPE_DIVISORS), None)
    if tensor is None:
        return None
    if tensor.shape != (head_dim // 2,) or tensor.kind not in READABLE:
        raise header.damaged(f"its tensor `{ROPE_DIVISORS}` is {tensor.shape}")
    found_R = _unpacked(header, tensor)
    factor = float(found_R.max()) if np.isfinite(found_R).all() else 0.0
    for positions in (LLAMA3_POSITIONS, *(2**power for power in range(5, 18))):
        if factor < 1:
            break
        scaling = RopeScaling(factor=factor, original_max_position_embeddings=positions)
        if np.allclose(_divisors(scaling, head_dim, theta), found_R, rtol=1e-5):
            return scaling
    raise InputError(
        "rotary positions are stretched in a way that is not known here",
        where=str(header.file),
        fix="models with plain positions or with Llama 3's stretching are run here",
    )


def _divisors(scaling: RopeScaling, head_dim: int, theta: float) -> Array:
    from smolforge.model.transformer import rope_divisors

    shape = ModelConfig(
        vocab_size=1, hidden_size=1, intermediate_size=1, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, head_dim=head_dim, rope_theta=theta, rope_scaling=scaling,
    )  # fmt: skip
    return np.asarray(rope_divisors(shape))


def _rows_of_embedding(header: Header) -> int:
    shape = next((t.shape for t in header.tensors if t.name == "token_embd.weight"), ())
    if len(shape) != 2:
        raise header.damaged("its tensor `token_embd.weight` is missing")
    rows = int(shape[1])
    tokens = header.keys.get("tokenizer.ggml.tokens")
    said = header.keys.get(f"{header.architecture}.vocab_size", rows)
    if said != rows or (isinstance(tokens, list) and len(tokens) != rows):
        raise header.damaged(f"its embedding has {rows} rows, its vocabulary another number")
    return rows


def _whole(header: Header, name: str, default: int | None = None, largest: int = LARGEST_SIZE) -> int:
    value = header.keys.get(f"{header.architecture}.{name}")
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= largest:
        raise header.damaged(f"its `{name}` is {str(value)[:40]}")
    return value


def _number(header: Header, name: str, default: float | None) -> float:
    """A setting as a person wrote it: files keep floats, in which 1e-5 is 9.999999747e-06."""
    value = header.keys.get(f"{header.architecture}.{name}")
    value = default if value is None else value
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e12:
        raise header.damaged(f"its `{name}` is {str(value)[:40]}")
    return float(f"{value:.7g}")


# -- tensors -------------------------------------------------------------------------------------------


def _stored_bytes(header: Header, tensor: Tensor) -> int:
    kind = READABLE.get(tensor.kind)
    if kind is None:
        raise InputError(
            f"the tensor `{tensor.name}` is stored in a type (number {tensor.kind}) that is not read here",
            where=str(header.file),
            fix=f"use a file in one of {', '.join(TYPES)}",
        )
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    if tensor.shape[0] % block:
        raise header.damaged(f"the rows of its tensor `{tensor.name}` are no whole blocks of {block}")
    return int(np.prod(tensor.shape, dtype=object)) // block * block_bytes


def _unpacked(header: Header, tensor: Tensor) -> Array:
    """The tensor in fp32, rows first."""
    kind = READABLE[tensor.kind]
    size = _stored_bytes(header, tensor)
    raw = np.memmap(header.file, np.uint8, "r", offset=header.data_start + tensor.offset, shape=(size,))
    rows = raw.reshape(*tensor.shape[:0:-1], -1)
    return np.array(gguf.dequantize(np.asarray(rows), kind), dtype=np.float32)  # a copy: the file may go


def _texts(header: Header, name: str) -> list[str]:
    value = header.keys.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise header.damaged("its vocabulary is missing")
    return list(value)
