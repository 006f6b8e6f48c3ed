"""GGUF: what is written can be read by the reference reader; what is hostile is refused."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf as reference
import numpy as np
import pytest
from families import FAMILIES
from hypothesis import given, settings
from hypothesis import strategies as st

from smolforge.device import gguf
from smolforge.device.gguf_in import READABLE, read_weights, shape_of, stored_as, tokenizer_of
from smolforge.device.header import read_header
from smolforge.errors import InputError
from smolforge.model.config import ModelConfig, weight_shapes
from smolforge.text import tokenizer as text
from smolforge.text.chat import CHAT_TEMPLATE
from smolforge.text.tokenizer import Tok, load_tokenizer

SHAPE = ModelConfig(
    vocab_size=320,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=32,
    max_position_embeddings=64,
)


def random_weights(shape: ModelConfig) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.normal(size=size).astype(np.float32) for name, size in weight_shapes(shape).items()}


@pytest.fixture(scope="module")
def tok(tmp_path_factory: pytest.TempPathFactory) -> Tok:
    folder = tmp_path_factory.mktemp("tokenizer")
    text.save(text.train(["the cat sat on the mat and the dog ran\n"] * 9, SHAPE.vocab_size), folder)
    return load_tokenizer(folder)


def write(file: Path, kind: gguf.Quantisation, tok: Tok) -> Path:
    gguf.write(file, kind, SHAPE, random_weights(SHAPE), tok, template=CHAT_TEMPLATE, name="test")
    return file


@pytest.fixture(scope="module")
def file(tok: Tok, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "model.gguf", "f32", tok)


def test_the_reference_reader_finds_every_tensor(file: Path) -> None:
    found = {tensor.name: tensor for tensor in reference.GGUFReader(file).tensors}
    expected = dict(gguf.tensors(SHAPE, random_weights(SHAPE)))
    assert found.keys() == expected.keys()
    for name, data in expected.items():
        np.testing.assert_array_equal(found[name].data.reshape(data.shape), data)


def test_our_header_reader_agrees_with_the_reference_reader(file: Path) -> None:
    header = read_header(file)
    fields = reference.GGUFReader(file).fields
    assert header.architecture == "llama"
    assert shape_of(header) == SHAPE
    for name, value in header.keys.items():
        assert fields[name].contents() == value, name


def test_the_tokenizer_comes_back(file: Path, tok: Tok) -> None:
    got = tokenizer_of(read_header(file))
    sample = "the cat 12 é <|im_end|>\x04"
    assert got.encode(sample) == tok.encode(sample)
    assert got.encode(sample, allow_special=True) == tok.encode(sample, allow_special=True)
    assert (got.specials, got.control, got.vocab_size) == (tok.specials, tok.control, tok.vocab_size)
    assert (got.end_ids, got.turn_end_id, got.start_id) == (tok.end_ids, tok.turn_end_id, tok.start_id)
    assert (got.bos_id, got.eos_id, got.pad_id, got.eot_id) == (
        tok.bos_id,
        tok.eos_id,
        tok.pad_id,
        tok.eot_id,
    )
    assert got.template is None and got.can_chat


def test_ids_and_flags_in_the_file(file: Path, tok: Tok) -> None:
    keys = read_header(file).keys
    assert keys["tokenizer.ggml.pre"] == "smollm"
    assert keys["tokenizer.ggml.add_bos_token"] is False
    assert keys["tokenizer.ggml.eos_token_id"] == keys["tokenizer.ggml.eot_token_id"] == tok.turn_end_id
    assert keys["tokenizer.ggml.bos_token_id"] == tok.eot_id
    assert keys["tokenizer.ggml.fim_mid_token_id"] == tok.specials["<fim_middle>"]
    assert keys["tokenizer.chat_template"] == CHAT_TEMPLATE
    types = keys["tokenizer.ggml.token_type"]
    assert types[tok.turn_end_id] == reference.TokenType.CONTROL
    assert types[tok.specials["<tool_call>"]] == reference.TokenType.USER_DEFINED
    assert types[tok.vocab["A"]] == reference.TokenType.NORMAL


@pytest.mark.parametrize("kind", ["f32", "q8_0", "q4_0"])
def test_the_same_input_gives_the_same_bytes(kind: gguf.Quantisation, tok: Tok, tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, kind, tok).read_bytes() for name in ("one.gguf", "two.gguf"))
    assert one == two


@given(st.integers(1, 4), st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_interleaved_rows_make_neighbouring_pairs_of_what_were_halves(heads: int, pairs: int) -> None:
    """Rotating neighbours after the reordering equals reordering after rotating halves."""
    width = 2 * pairs
    vector_HE = np.random.default_rng(1).normal(size=(heads, width))
    angles = np.linspace(0.1, 2.0, pairs)
    cos, sin = np.cos(angles), np.sin(angles)
    first, second = vector_HE[:, :pairs], vector_HE[:, pairs:]
    halves = np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=1)
    ours = gguf.interleave(vector_HE.reshape(-1, 1), heads).reshape(heads, width)
    even, odd = ours[:, 0::2], ours[:, 1::2]
    turned = np.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1).reshape(heads, width)
    np.testing.assert_allclose(turned, gguf.interleave(halves.reshape(-1, 1), heads).reshape(heads, width))


@pytest.mark.parametrize(
    ("kind", "relative"), [("f16", 1e-3), ("bf16", 8e-3), ("q8_0", 1e-2), ("q4_0", 0.15)]
)
def test_packing_loses_no_more_than_its_bits(kind: gguf.Quantisation, relative: float) -> None:
    data = np.random.default_rng(2).normal(size=(16, 64)).astype(np.float32)
    packed, stored = gguf.pack(data, kind)
    error = np.abs(gguf.unpack(packed, stored) - data).max(-1) / np.abs(data).max(-1)
    assert error.max() < relative
    assert packed.nbytes < data.nbytes


def test_vectors_and_odd_rows_are_not_packed_in_blocks() -> None:
    vector, kind = gguf.pack(np.ones(64, np.float32), "q8_0")
    assert (vector.dtype, kind) == (np.float32, reference.GGMLQuantizationType.F32)
    odd, kind = gguf.pack(np.ones((2, 40), np.float32), "q4_0")
    assert (odd.dtype, kind) == (np.float16, reference.GGMLQuantizationType.F16)


def test_a_weight_too_large_for_half_precision_is_named() -> None:
    with pytest.raises(InputError):
        gguf.pack(np.full((1, 32), 1e6, np.float32), "f16")


def test_a_missing_tensor_is_named(tok: Tok, tmp_path: Path) -> None:
    weights = random_weights(SHAPE)
    del weights["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(InputError, match=r"layers\.1\.mlp\.up_proj"):
        gguf.write(tmp_path / "m.gguf", "f32", SHAPE, weights, tok, template="", name="test")


def _prefix(tensors: int, keys: int, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def _text(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(value) if length is None else length) + value


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "other magic": b"PK\x03\x04" + bytes(100),
    "version": _prefix(0, 0, version=99),
    "many tensors": _prefix(2**60, 0),
    "many keys": _prefix(0, 2**60),
    "long text": _prefix(0, 1) + _text(b"x", 2**50),
    "text past the end": _prefix(0, 1) + _text(b"x", 1000),
    "not UTF-8": _prefix(0, 1) + _text(b"\xff") + struct.pack("<I", 4) + bytes(4),
    "unknown type": _prefix(0, 1) + _text(b"a") + struct.pack("<I", 77),
    "huge list": _prefix(0, 1) + _text(b"a") + struct.pack("<IIQ", 9, 4, 2**40),
    "nested lists": _prefix(0, 1) + _text(b"a") + struct.pack("<IIQ", 9, 9, 1) * 50,
    "dimensions": _prefix(1, 0) + _text(b"a") + struct.pack("<I", 2**30),
    "tensor past the end": _prefix(1, 0) + _text(b"a") + struct.pack("<IQIQ", 1, 8, 0, 2**50),
    "alignment": _prefix(0, 1) + _text(b"general.alignment") + struct.pack("<II", 4, 0),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers_are_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(HOSTILE[case])
    with pytest.raises(InputError):
        read_header(tmp_path / "bad.gguf")


def test_a_file_cut_anywhere_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for share in (0.001, 0.01, 0.05, 0.2, 0.5, 0.9):
        (tmp_path / "cut.gguf").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError):
            read_header(tmp_path / "cut.gguf")


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.ggml.pre": "deepseek-llm"},
        {"tokenizer.ggml.eos_token_id": 10**6},
        {"tokenizer.ggml.eos_token_id": None},
        {"tokenizer.ggml.model": "llama"},
        {"tokenizer.ggml.tokens": None},
        {"tokenizer.ggml.tokens": ["a", "a"]},
        {"tokenizer.ggml.token_type": [1]},
        {"tokenizer.ggml.merges": ["never seen"]},
        {"tokenizer.ggml.merges": ["onepart"]},
    ],
)
def test_a_foreign_or_broken_tokenizer_is_refused(file: Path, change: dict[str, Any]) -> None:
    header = read_header(file)
    with pytest.raises(InputError):
        tokenizer_of(replace(header, keys={**header.keys, **change}))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_comes_back_exactly(name: str, tok: Tok, tmp_path: Path) -> None:
    shape = replace(FAMILIES[name], vocab_size=tok.vocab_size + 3)  # three rows without a token
    weights, file = random_weights(shape), tmp_path / "m.gguf"
    gguf.write(file, "f32", shape, weights, tok, template=CHAT_TEMPLATE, name="test")
    header = read_header(file)
    assert shape_of(header) == replace(shape, initializer_range=0.02)
    assert tokenizer_of(header).vocab == tok.vocab
    found = read_weights(header, shape_of(header))
    assert found.keys() == weights.keys()
    for public, data in weights.items():
        np.testing.assert_array_equal(found[public], data, public)


QUANTISERS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1")


@pytest.mark.parametrize("kind", sorted(READABLE.values(), key=int), ids=lambda kind: kind.name)
def test_numbers_are_unpacked_as_the_reference_does(
    kind: reference.GGMLQuantizationType, tok: Tok, tmp_path: Path
) -> None:
    """K-quants have no quantiser in Python: their blocks are random bytes, which are as good as any."""
    shape = replace(SHAPE, hidden_size=256, intermediate_size=512, num_attention_heads=8)
    writer = reference.GGUFWriter(tmp_path / "m.gguf", "llama")
    gguf._add_shape(writer, shape, "f32", "test")
    gguf._add_tokenizer(writer, tok, CHAT_TEMPLATE, shape.vocab_size)
    for name, data in gguf.tensors(shape, random_weights(shape)):
        if data.ndim == 1:
            writer.add_tensor(name, data)
            continue
        block, size = reference.GGML_QUANT_SIZES[kind]
        if kind.name in QUANTISERS:
            packed = reference.quantize(data, kind)
        else:
            packed = np.random.default_rng(3).integers(
                0, 60, (len(data), data.shape[1] // block * size), np.uint8
            )
        writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(tmp_path / "m.gguf")
    found = read_weights(header, shape_of(header))
    assert stored_as(header) == kind.name
    theirs = {t.name: t for t in reference.GGUFReader(tmp_path / "m.gguf").tensors}["blk.1.ffn_down.weight"]
    wanted = reference.dequantize(theirs.data, kind).reshape(
        found["model.layers.1.mlp.down_proj.weight"].shape
    )
    np.testing.assert_array_equal(found["model.layers.1.mlp.down_proj.weight"], wanted)


CLAIMS = {
    **{f"layers {n}": {"llama.block_count": n} for n in (0, 1, 3, 2**31 - 1, 2**32 - 1)},
    **{f"heads {n}": {"llama.attention.head_count": n} for n in (0, 3, 4, 2**31)},
    "key heads": {"llama.attention.head_count_kv": 2},
    "key heads by layer": {"llama.attention.head_count_kv": [1, 1]},
    "width": {"llama.embedding_length": 2**30},
    "forward": {"llama.feed_forward_length": 95},
    "head": {"llama.attention.key_length": 30},
    "turned": {"llama.rope.dimension_count": 16},
    "context": {"llama.context_length": 0},
    "context of text": {"llama.context_length": "many"},
    "epsilon": {"llama.attention.layer_norm_rms_epsilon": float("nan")},
    "base": {"llama.rope.freq_base": -1.0},
    "stretched": {"llama.rope.scaling.type": "yarn"},
    "experts": {"llama.expert_count": 8},
    "another architecture": {"general.architecture": "gemma3"},
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_header_that_does_not_fit_its_tensors_is_refused(case: str, file: Path) -> None:
    """Any of these would end the process inside llama.cpp, or be read as another model than it is."""
    header = read_header(file)
    with pytest.raises(InputError):
        shape_of(replace(header, keys={**header.keys, **CLAIMS[case]}))


def test_tensors_that_do_not_fit_their_header_are_refused(file: Path) -> None:
    header = read_header(file)
    first, *rest = header.tensors
    wrong = {
        "missing": tuple(rest),
        "twice": (first, *header.tensors),
        "another shape": (replace(first, shape=(first.shape[0], first.shape[1] + 1)), *rest),
        "another type": (replace(first, kind=99), *rest),
        "a larger type": (*rest, replace(first, offset=header.tensors[-1].offset + 10**6)),
        "one too many": (*header.tensors, replace(first, name="blk.0.attn_sinks.weight")),
    }
    for case, tensors in wrong.items():
        with pytest.raises(InputError):
            shape_of(replace(header, tensors=tensors))
            pytest.fail(case)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_header(tmp_path / "none.gguf")
