"""Tokenizer: lossless, deterministic, safe against special tokens in ordinary text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolforge.artifacts import ChatData, Corpus, Sizing
from smolforge.errors import ConfigError, InputError
from smolforge.log import Log
from smolforge.stage import Job
from smolforge.text import tokenizer as engine
from smolforge.text.chat import IM_START
from smolforge.text.sample import divide, spread
from smolforge.text.stages import TokenizerConfig, train_tokenizer
from smolforge.text.tokenizer import SPECIAL_TOKENS, Tok, load_tokenizer

TEXTS = [
    f"def add_{n}(x, y):\n    return x + y  # sum of {n} and more\nThe river runs to the sea.\n"
    for n in range(50)
]
VOCABULARY = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    engine.save(engine.train(TEXTS, VOCABULARY), folder)
    return folder


@pytest.fixture(scope="module")
def tok(folder: Path) -> Tok:
    return load_tokenizer(folder)


def test_special_tokens_have_the_agreed_ids(tok: Tok) -> None:
    assert [tok.specials[token] for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert (tok.eot_id, tok.specials[IM_START], tok.turn_end_id) == (0, 1, 2)
    assert tok.end_ids == (2, 0, 1)
    assert tok.start_id == 0 and tok.begin_ids == ()
    assert tok.vocab_size == VOCABULARY
    assert sorted(tok.vocab.values()) == list(range(VOCABULARY))


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_come_back(tok: Tok, data: bytes) -> None:
    assert tok.decode_bytes(tok.encode_bytes(data)) == data


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back(tok: Tok, text: str) -> None:
    ids = tok.encode(text)
    assert tok.decode(ids) == text
    assert tok.encode_bytes(text.encode()) == ids


def test_each_single_byte_and_control_character_comes_back(tok: Tok) -> None:
    for byte in range(256):
        assert tok.decode_bytes(tok.encode_bytes(bytes([byte]))) == bytes([byte])
    assert tok.decode(tok.encode("\x04\x06\x13\x14\x16\x1d")) == "\x04\x06\x13\x14\x16\x1d"


def test_half_a_surrogate_pair_becomes_a_replacement_character(tok: Tok) -> None:
    assert tok.decode(tok.encode("a\ud800b")) == "a\ufffdb"


@given(st.lists(st.one_of(st.text(max_size=10), st.sampled_from(SPECIAL_TOKENS)), max_size=8))
@settings(max_examples=100, deadline=None)
def test_ordinary_text_never_yields_special_ids(tok: Tok, parts: list[str]) -> None:
    text = "".join(parts)
    assert not set(tok.encode(text)) & set(tok.specials.values())
    assert not set(tok.encode_batch([text])[0]) & set(tok.specials.values())


def test_special_tokens_are_taken_where_allowed(tok: Tok) -> None:
    ids = tok.encode("<|im_start|>x<tool_call><|im_end|>", allow_special=True)
    assert ids == [1, *tok.encode("x"), 3, 2]
    assert tok.decode(ids) == "<|im_start|>x<tool_call><|im_end|>"
    assert tok.decode(ids, skip_special=True) == "x<tool_call>"


def test_digits_stand_alone(tok: Tok) -> None:
    assert len(tok.encode("1234567")) == 7


def test_batch_equals_one_by_one(tok: Tok) -> None:
    texts = [*TEXTS[:5], "", "\x00é🙂"]
    assert tok.encode_batch(texts) == [tok.encode(text) for text in texts]


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_streamed_text_equals_whole_text(tok: Tok, text: str) -> None:
    stream = tok.stream()
    got = [stream.push(token) for token in tok.encode(text)]
    assert "".join(got) + stream.finish() == text
    assert "\ufffd" not in "".join(got) or "\ufffd" in text


def test_streaming_marks_a_character_that_never_ends(tok: Tok) -> None:
    stream = tok.stream()
    assert "".join(map(stream.push, tok.encode_bytes("🙂".encode()[:3]))) == ""
    assert stream.finish() == "\ufffd"


def test_bytes_per_token(tok: Tok) -> None:
    assert tok.bytes_per_token(["12é"]) == pytest.approx(4 / len(tok.encode("12é")))
    assert tok.bytes_per_token([]) == 0.0


def test_training_gives_the_same_file_in_another_process(folder: Path, tmp_path: Path) -> None:
    script = (
        "import sys, json, pathlib; from smolforge.text import tokenizer as t;"
        "t.save(t.train(json.loads(sys.stdin.read()), int(sys.argv[1])), pathlib.Path(sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "RAYON_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, str(VOCABULARY), str(tmp_path)]
    subprocess.run(command, input=json.dumps(TEXTS), text=True, check=True, env=environment)
    for file in sorted(folder.iterdir()):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_too_little_text_is_filled_with_reserved_tokens(tmp_path: Path) -> None:
    engine.save(engine.train(["ab"], 300), tmp_path)
    tok = load_tokenizer(tmp_path)
    assert tok.vocab_size == 300
    assert tok.decode(tok.encode("hello")) == "hello"


@pytest.mark.parametrize("vocabulary", [0, 271, 10**7])
def test_impossible_vocabulary(vocabulary: int) -> None:
    with pytest.raises(ConfigError):
        engine.train(["text"], vocabulary)


def test_ids_outside_the_vocabulary(tok: Tok) -> None:
    with pytest.raises(InputError):
        tok.decode([VOCABULARY])


def _damage(plain: dict, how: str) -> object:
    model = plain["model"]
    match how:
        case "list":
            return [1, 2]
        case "no model":
            del plain["model"]
        case "hole":
            model["vocab"]["hello there"] = 10_000
        case "text id":
            model["vocab"]["!"] = "16"
        case "merge":
            model["merges"].append(["never", "seen"])
        case "merge shape":
            model["merges"].append(7)
        case "splits":
            plain["pre_tokenizer"] = {"type": "Whitespace"}
        case "normalizer":
            plain["normalizer"] = {"type": "Lowercase"}
        case "no controls":
            plain["added_tokens"] = []
        case "moved control":
            plain["added_tokens"][0]["id"] = 5
    return plain


@pytest.mark.parametrize(
    "how",
    [
        "list",
        "no model",
        "hole",
        "text id",
        "merge",
        "merge shape",
        "splits",
        "normalizer",
        "no controls",
        "moved control",
    ],
)
def test_a_damaged_or_foreign_file_is_an_input_error(folder: Path, tmp_path: Path, how: str) -> None:
    plain = _damage(json.loads((folder / "tokenizer.json").read_text()), how)
    (tmp_path / "tokenizer.json").write_text(json.dumps(plain))
    with pytest.raises(InputError):
        load_tokenizer(tmp_path)


def test_a_cut_or_missing_file_is_an_input_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes()[:1000])
    with pytest.raises(InputError):
        load_tokenizer(tmp_path)


def test_text_without_measure_is_refused(tok: Tok, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_TEXT_CHARACTERS", 10)
    with pytest.raises(InputError):
        tok.encode("x" * 11)


shares_and_sizes = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.floats(0, 1), st.integers(0, 10_000)), min_size=1, max_size=4
)


@given(st.integers(1, 20_000), shares_and_sizes)
@settings(max_examples=200, deadline=None)
def test_bytes_are_divided_by_share_within_what_there_is(
    total: int, domains: dict[str, tuple[float, int]]
) -> None:
    shares = {name: share for name, (share, _) in domains.items()}
    available = {name: size for name, (_, size) in domains.items()}
    wanted = divide(total, shares, available)
    assert wanted.keys() == domains.keys()
    assert all(0 <= wanted[name] <= available[name] for name in wanted)
    usable = sum(available[name] for name in wanted if shares[name] > 0)
    assert min(total, usable) - len(wanted) <= sum(wanted.values()) <= total + 1e-6
    hungry = [name for name in wanted if shares[name] > 0 and wanted[name] < available[name]]
    if len(hungry) > 1:
        rates = [(wanted[name] + 0.5) / shares[name] for name in hungry if shares[name] > 1e-2]
        assert all(abs(a - b) <= 1 / 1e-2 for a in rates for b in rates)


def test_a_sample_is_spread_over_the_whole_source() -> None:
    source = [(f"document-{n}", f"{n:05d}" * 20) for n in range(2000)]
    taken = list(spread(iter(source), 20_000, 200_000))
    places = [int(text[:5]) for text in taken]
    assert 150 <= len(taken) <= 201
    assert min(places) < 200 and max(places) > 1700
    assert list(spread(iter(source), 0, 200_000)) == []


def corpus(folder: Path, texts: list[str]) -> Corpus:
    folder.mkdir()
    table = pa.table({"id": [str(n) for n in range(len(texts))], "text": texts})
    pq.write_table(table, folder / "documents-00000.parquet")
    return Corpus(folder, "", "", {"bytes": sum(len(text.encode()) for text in texts)})


def job(folder: Path) -> Job:
    (folder / "out").mkdir(parents=True)
    (folder / "work").mkdir()
    return Job(out=folder / "out", work=folder / "work", log=Log())


def test_the_stage_writes_what_transformers_reads(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    corpora = {"web": corpus(tmp_path / "web", TEXTS), "code": corpus(tmp_path / "code", TEXTS[:3])}
    (tmp_path / "chat").mkdir()
    line = {
        "id": "1",
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Zanzibar " * 9}],
    }
    (tmp_path / "chat" / "conversations.jsonl").write_text(json.dumps(line) + "\n")
    chat = ChatData(tmp_path / "chat", "", "")
    place = job(tmp_path / "job")
    facts = train_tokenizer(
        TokenizerConfig(vocabulary=380, chat_share=0.5), place, corpora=corpora, chat=chat
    )
    tok = load_tokenizer(place.out)
    assert facts["vocabulary"] == tok.vocab_size == 380
    assert float(facts["bytes_per_token"]) > 1.5
    assert "ĠZanzibar" in tok.vocab
    theirs = AutoTokenizer.from_pretrained(str(place.out))
    assert (theirs.eos_token_id, theirs.bos_token_id, theirs.pad_token_id) == (2, 0, 0)
    for text in [*TEXTS[:3], "\x04\x06\x13é🙂 12", "<|im_start|>x<tool_call>"]:
        assert theirs.encode(text) == tok.encode(text, allow_special=True)
        assert theirs.decode(theirs.encode(text)) == text
    assert theirs.decode([3, 2], skip_special_tokens=True) == "<tool_call>"


def test_sizing_decides_the_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "sizing.json").write_text('{"vocabulary": 300}')
    place = job(tmp_path / "job")
    corpora = {"web": corpus(tmp_path / "web", TEXTS)}
    facts = train_tokenizer(TokenizerConfig(), place, corpora=corpora, sizing=Sizing(tmp_path, "", ""))
    assert facts["vocabulary"] == 300


def test_a_role_is_one_token_in_any_tokenizer(tmp_path: Path) -> None:
    place = job(tmp_path)
    prose = [f"Sentence {n} of a long and plain text about nothing.\n" * 50 for n in range(40)]
    train_tokenizer(TokenizerConfig(vocabulary=400), place, corpora={"web": corpus(tmp_path / "web", prose)})
    tok = load_tokenizer(place.out)
    assert [len(tok.encode(role)) for role in ("system", "user", "assistant", "tool")] == [1, 1, 1, 1]


def test_no_text_and_unknown_names_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        train_tokenizer(
            TokenizerConfig(), job(tmp_path / "a"), corpora={"web": corpus(tmp_path / "empty", [])}
        )
    with pytest.raises(ConfigError):
        train_tokenizer(
            TokenizerConfig(shares={"books": 0.5}),
            job(tmp_path / "b"),
            corpora={"web": corpus(tmp_path / "web", TEXTS)},
        )
    with pytest.raises(ConfigError):
        TokenizerConfig(shares={"a": 0.8, "b": 0.3})


def test_a_damaged_corpus_or_chat_file_is_an_input_error(tmp_path: Path) -> None:
    damaged = corpus(tmp_path / "web", TEXTS)
    (tmp_path / "web" / "documents-00000.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError):
        train_tokenizer(TokenizerConfig(), job(tmp_path / "a"), corpora={"web": damaged})
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "conversations.jsonl").write_text('{"messages": 7}\n')
    good = corpus(tmp_path / "good", TEXTS)
    with pytest.raises(InputError):
        train_tokenizer(
            TokenizerConfig(),
            job(tmp_path / "b"),
            corpora={"web": good},
            chat=ChatData(tmp_path / "chat", "", ""),
        )
