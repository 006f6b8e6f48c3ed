"""The real tokenizer and chat template: the ids and prompts of llama.cpp and of `transformers`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smolforge.device.runtime import GgufModel
from smolforge.released import foreign
from smolforge.text.tokenizer import BYTE_SYMBOLS, Tok

transformers = pytest.importorskip("transformers")

FUZZED = 2000
WITHOUT_A_TOKEN = "\x04\x06\x13\x14\x16\x1d"
"""Bytes for which the published vocabulary has no token: everybody loses them."""
CONTROLS = tuple(map(chr, range(32)))
PIECES = (
    *("the quick brown fox", " doesn't", " I'LL", "'ve", "ing", " Straße", " naïve", "e\u0301", "ﬁ", "𝒳"),
    *("Привет", " мир", "Ωμέγα", "שלום", " مرحبا", "नमस्ते", "你好世界", "こんにちは", "안녕하세요", "ไทย"),
    *("0", "7", " 42", "1234567890", "3.14", "½", "²", "٣", "Ⅷ", "七"),
    *(" ", "  ", "       ", "\t", "\n", "\n\n", "\r\n", " \n ", "\u00a0", "\u2003", "\u3000", "\u200b"),
    *("🙂", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "\ufffd", "\uffff", "\U0010ffff", "\x7f", "\x85", "\x9f"),
    *("def f(x):\n    return x**2", "for (int i=0;i<n;++i){", '{"a": [1, null]}', r"$\frac{a}{b}$", "</div>"),
    *("https://a.org/?q=%20", "!!!", "...", "—", "_", "<|", "|>", "<|im_start", "<|im_end| >"),
)
HELLO = {"role": "user", "content": "Hello"}
CONVERSATIONS: dict[str, list[dict[str, str]]] = {
    "without system turn": [HELLO],
    "with system turn": [{"role": "system", "content": "Be brief."}, HELLO],
    "with empty system turn": [{"role": "system", "content": ""}, HELLO],
    "several turns": [
        {"role": "system", "content": "You are a cook.\nYou rhyme."},
        {"role": "user", "content": " Soup?\n"},
        {"role": "assistant", "content": "A bowl for the soul."},
        {"role": "user", "content": "And for 12 people, in Zürich? 🙂"},
    ],
    "two questions in a row": [HELLO, {"role": "user", "content": "Are you there?"}],
    "with markup": [{"role": "user", "content": "{{ 7 * 7 }} {% if x %} <b> & 'é' \"q\" <|im_start"}],
}


@pytest.fixture(scope="module")
def tok(real_model: Path) -> Tok:
    return foreign.tokenizer_of(real_model)


@pytest.fixture(scope="module")
def llama_cpp(gguf_file: Path) -> GgufModel:
    return GgufModel(gguf_file, context=512)


@pytest.fixture(scope="module")
def theirs(exported: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(exported / "hf")


def fuzzed(tok: Tok) -> Iterator[str]:
    """The same texts every time; one in seven or so has a byte without a token."""
    draw = random.Random(2)
    pieces = (*PIECES, *tok.specials, *CONTROLS)
    weights = [8] * len(PIECES) + [2] * len(tok.specials) + [1] * len(CONTROLS)
    for _ in range(FUZZED):
        yield "".join(draw.choices(pieces, weights, k=draw.randint(1, 30)))


def kept(text: str) -> str:
    """The text without the bytes that have no token."""
    return text.translate(dict.fromkeys(map(ord, WITHOUT_A_TOKEN)))


def test_six_control_bytes_have_no_token(tok: Tok) -> None:
    missing = [chr(byte) for byte, symbol in enumerate(BYTE_SYMBOLS[:128]) if symbol not in tok.vocab]
    assert "".join(missing) == WITHOUT_A_TOKEN


def test_fuzzed_texts_get_the_ids_of_transformers(tok: Tok, theirs: Any) -> None:
    for text in fuzzed(tok):
        assert tok.encode(text, allow_special=True) == theirs.encode(text, add_special_tokens=False), text


def test_fuzzed_texts_get_the_ids_of_llama_cpp(tok: Tok, llama_cpp: GgufModel) -> None:
    """Around a byte without a token it may merge otherwise, but it loses that byte and nothing else, as we do."""
    losing = 0
    for text in fuzzed(tok):
        ids, there = tok.encode(text, allow_special=True), llama_cpp.tokenize(text)
        if kept(text) == text:
            assert ids == there, text
        losing += kept(text) != text
        assert tok.decode(ids) == tok.decode(there) == kept(text), text
    assert 0 < losing < FUZZED // 4


@pytest.mark.parametrize("prompt", [False, True], ids=["whole", "to be answered"])
@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_conversations_are_written_alike(
    tok: Tok, llama_cpp: GgufModel, theirs: Any, messages: list[dict[str, str]], prompt: bool
) -> None:
    text = tok.render(messages, None, prompt)
    assert text.endswith("<|im_start|>assistant\n") == prompt
    assert text == llama_cpp.render(messages, None, prompt)
    assert text == theirs.apply_chat_template(messages, add_generation_prompt=prompt, tokenize=False)
    ids, _ = tok.encode_chat(messages, None, prompt)
    assert ids == llama_cpp.tokenize(text) == theirs.encode(text, add_special_tokens=False)


def test_an_answered_conversation_is_written_alike(tok: Tok, theirs: Any) -> None:
    """llama.cpp is not asked: it leaves the end of a last answer out, to go on with it."""
    messages = [HELLO, {"role": "assistant", "content": "Hi! How can I help?"}]
    text = tok.render(messages)
    assert text.endswith("<|im_start|>assistant\nHi! How can I help?<|im_end|>\n")
    assert text == theirs.apply_chat_template(messages, tokenize=False)
    assert tok.encode_chat(messages)[0] == theirs.encode(text, add_special_tokens=False)
