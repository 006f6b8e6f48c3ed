"""Byte-level BPE: training, encoding, decoding.

Digits stand alone, the rest is cut by the GPT-2 pattern, every byte has a symbol: any text and any
byte string comes back as it went in (the published SmolLM2 vocabulary silently drops six control
bytes). Special-token strings in ordinary text stay text unless asked otherwise.

Source: pre-tokenization and ids 0 to 2 as in the published SmolLM2 tokenizer, arXiv:2502.02737.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from smolforge.errors import ConfigError, InputError
from smolforge.text import chat

CONTROL_TOKENS = (chat.END_OF_TEXT, chat.IM_START, chat.IM_END)
MARKUP_TOKENS = (
    chat.TOOL_CALL,
    chat.END_TOOL_CALL,
    chat.TOOL_RESPONSE,
    chat.END_TOOL_RESPONSE,
    chat.TOOLS,
    chat.END_TOOLS,
)
"""Not marked special, so that `skip_special` decoders, ours and others', keep what a tool parser reads."""
FILE_TOKENS = (chat.FIM_PREFIX, chat.FIM_MIDDLE, chat.FIM_SUFFIX, "<repo_name>", "<file_sep>", "<filename>")
SPECIAL_TOKENS = (*CONTROL_TOKENS, *MARKUP_TOKENS, *FILE_TOKENS, "<|reserved_0|>")
BYTES = 256
MIN_VOCABULARY = len(SPECIAL_TOKENS) + BYTES
MAX_VOCABULARY = 262_144
MAX_FILE_BYTES = 64 * 2**20
MAX_TEXT_CHARACTERS = 64 * 2**20


def _byte_symbols() -> tuple[str, ...]:
    """The printable character that stands for each byte. Source: GPT-2's byte encoder."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    symbols = {byte: chr(byte) for byte in plain}
    for shift, byte in enumerate(byte for byte in range(BYTES) if byte not in symbols):
        symbols[byte] = chr(BYTES + shift)
    return tuple(symbols[byte] for byte in range(BYTES))


BYTE_SYMBOLS = _byte_symbols()
SYMBOL_BYTES = {symbol: byte for byte, symbol in enumerate(BYTE_SYMBOLS)}


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A tokenizer of exactly `vocabulary` entries; the same texts in the same order give the same file.

    Where the texts hold too few repeated pairs, reserved entries fill the end.
    """
    if not MIN_VOCABULARY <= vocabulary <= MAX_VOCABULARY:
        raise ConfigError(f"a vocabulary of {vocabulary}", fix=f"use {MIN_VOCABULARY} to {MAX_VOCABULARY}")
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = _pre_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    raw.train_from_iterator((_sound(text) for text in texts), trainer)
    model = json.loads(raw.to_str())["model"]
    vocab: dict[str, int] = model["vocab"]
    padding = [f"<|reserved_{n}|>" for n in range(1, vocabulary - len(vocab) + 1)]
    vocab |= {token: len(vocab) + n for n, token in enumerate(padding)}
    merges = [(left, right) for left, right in model["merges"]]
    return _assemble(vocab, merges, [_added(token) for token in (*SPECIAL_TOKENS, *padding)])


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write `tokenizer.json` and the three small files `transformers` reads beside it."""
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
    save_settings(folder)


def save_settings(folder: Path) -> None:
    """Write the three files beside `tokenizer.json`: what is special, and how a conversation is written."""
    settings = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "additional_special_tokens": [chat.IM_START, chat.IM_END],
        "bos_token": chat.END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
        "eos_token": chat.IM_END,
        "model_max_length": 1_000_000,
        "pad_token": chat.END_OF_TEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": None,
    }
    _write_json(folder / "tokenizer_config.json", settings)
    names = ("bos_token", "eos_token", "pad_token", "additional_special_tokens")
    _write_json(folder / "special_tokens_map.json", {name: settings[name] for name in names})
    (folder / "chat_template.jinja").write_text(chat.CHAT_TEMPLATE, encoding="utf-8")


def load_tokenizer(path: Path) -> Tok:
    """The tokenizer in `path` (a folder or a `tokenizer.json`); `InputError` for anything else."""
    file = path / "tokenizer.json" if path.is_dir() else path
    return Tok(*_read(file))


class Tok:
    """A tokenizer ready for use. Ids are plain lists of int; safe to share between threads.

    vocab_size, eot_id, im_start_id, im_end_id   what models and samplers need
    vocab, merges, specials                      token → id, merge rules in order, special token → id
    control                                      ids that `skip_special` leaves out
    """

    def __init__(
        self, vocab: Mapping[str, int], merges: Sequence[tuple[str, str]], added: Sequence[AddedToken]
    ):
        self.vocab = vocab
        self.merges = merges
        self.vocab_size = len(vocab)
        self.specials = {token.content: vocab[token.content] for token in added}
        self.control = frozenset(vocab[token.content] for token in added if token.special)
        self.eot_id = self.specials[chat.END_OF_TEXT]
        self.im_start_id = self.specials[chat.IM_START]
        self.im_end_id = self.specials[chat.IM_END]
        self._plain = _assemble(vocab, merges, [])
        self._special = _assemble(vocab, merges, added)
        self._bytes = _token_bytes(vocab, self.specials)
        self._byte_ids = [vocab.get(symbol) for symbol in BYTE_SYMBOLS]

    @property
    def is_lossless(self) -> bool:
        """Whether every byte has a token; false for some tokenizers of others."""
        return None not in self._byte_ids

    def encode(self, text: str, allow_special: bool = False) -> list[int]:
        """Token ids of a text. Only `allow_special` turns special-token strings into their ids."""
        return self._engine(allow_special).encode(_sound(text), add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str], allow_special: bool = False) -> list[list[int]]:
        """`encode` of many texts, on all processor cores."""
        sound = [_sound(text) for text in texts]
        encodings = self._engine(allow_special).encode_batch_fast(sound, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def encode_bytes(self, data: bytes) -> list[int]:
        """Token ids of any bytes; what is not UTF-8 is written byte by byte, so nothing is lost."""
        ids: list[int] = []
        while data:
            try:
                return ids + self.encode(data.decode("utf-8"))
            except UnicodeDecodeError as error:
                ids += self.encode(data[: error.start].decode("utf-8"))
                broken = data[error.start : error.end]
                ids += [self._byte_id(byte) for byte in broken]
                data = data[error.end :]
        return ids

    def encode_pieces(self, pieces: Sequence[chat.Piece]) -> tuple[list[int], list[bool]]:
        """Ids and loss mask; neighbouring words are tokenized together, as one text would be."""
        ids: list[int] = []
        learn: list[bool] = []
        run, run_learn = "", False
        for piece in (*pieces, chat.Piece("", "control")):
            is_control = piece.kind == "control" and piece.text in self.specials
            if run and (is_control or not piece.text or piece.learn != run_learn):
                words = self.encode(run)
                ids += words
                learn += [run_learn] * len(words)
                run = ""
            if is_control:
                ids.append(self.specials[piece.text])
                learn.append(piece.learn)
            else:
                run, run_learn = run + piece.text, piece.learn
                if piece.kind == "start":
                    words = self.encode(run)
                    ids += words
                    learn += [run_learn] * len(words)
                    run = ""
        return ids, learn

    def encode_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
    ) -> tuple[list[int], list[bool]]:
        """Ids of a conversation, and for each whether the loss counts it.

        Counted: the assistant's words, its calls, and the `<|im_end|>` that ends its turn.
        """
        return self.encode_pieces(chat.pieces(messages, tools, add_generation_prompt))

    def encode_fim(self, prefix: str, suffix: str) -> list[int]:
        """Ids of a fill-in-the-middle prompt; the model continues with the middle."""
        return self.encode_pieces(chat.fim_pieces(prefix, suffix))[0]

    def decode_bytes(self, ids: Iterable[int], skip_special: bool = False) -> bytes:
        """The exact bytes that the ids stand for."""
        skip = self.control if skip_special else frozenset()
        try:
            return b"".join(self._bytes[i] for i in ids if i not in skip)
        except IndexError:
            raise InputError(
                "a token id outside the vocabulary", fix=f"ids go from 0 to {self.vocab_size - 1}"
            ) from None

    def decode(self, ids: Iterable[int], skip_special: bool = False) -> str:
        """The text that the ids stand for; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids, skip_special).decode("utf-8", errors="replace")

    def stream(self, skip_special: bool = True) -> StreamDecoder:
        """A decoder that is given one id at a time."""
        return StreamDecoder(self, skip_special)

    def bytes_per_token(self, texts: Sequence[str]) -> float:
        """UTF-8 bytes divided by tokens over all texts; 0 without text."""
        tokens = sum(map(len, self.encode_batch(texts)))
        return sum(len(text.encode("utf-8", "replace")) for text in texts) / tokens if tokens else 0.0

    def _engine(self, allow_special: bool) -> Tokenizer:
        return self._special if allow_special else self._plain

    def _byte_id(self, byte: int) -> int:
        found = self._byte_ids[byte]
        if found is None:
            raise InputError(
                f"this tokenizer has no token for byte {byte:#04x}", fix="train one with smolforge"
            )
        return found


class StreamDecoder:
    """Text from ids as they come; holds back the first bytes of an unfinished character."""

    def __init__(self, tok: Tok, skip_special: bool) -> None:
        self._tok = tok
        self._skip = skip_special
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that became certain with this token; may be empty."""
        return self._utf8.decode(self._tok.decode_bytes([token], self._skip))

    def finish(self) -> str:
        """What was held back, with U+FFFD for a character that never ended."""
        return self._utf8.decode(b"", final=True)


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _added(token: str) -> AddedToken:
    return AddedToken(token, special=token not in MARKUP_TOKENS, normalized=False)


def _assemble(
    vocab: Mapping[str, int], merges: Sequence[tuple[str, str]], added: Sequence[AddedToken]
) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocab=dict(vocab), merges=list(merges)))
    tokenizer.pre_tokenizer = _pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    if added:
        tokenizer.add_tokens(list(added))
    return tokenizer


def _token_bytes(vocab: Mapping[str, int], specials: Mapping[str, int]) -> list[bytes]:
    table = [b""] * len(vocab)
    for token, index in vocab.items():
        if token in specials or any(symbol not in SYMBOL_BYTES for symbol in token):
            table[index] = token.encode("utf-8", "replace")
        else:
            table[index] = bytes(SYMBOL_BYTES[symbol] for symbol in token)
    return table


def _sound(text: str) -> str:
    """The text if UTF-8 can hold it; half surrogate pairs, which it cannot, become U+FFFD."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InputError(f"one text of {len(text)} characters", fix=f"cut it below {MAX_TEXT_CHARACTERS}")
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _read(file: Path) -> tuple[dict[str, int], list[tuple[str, str]], list[AddedToken]]:
    """Vocabulary, merges and added tokens of a `tokenizer.json`, checked part by part.

    The library reports a damaged file as a bare `Exception`, or not at all; so nothing unchecked reaches it.
    """
    plain = _read_json(file)
    model = plain.get("model")
    if (
        not isinstance(model, dict)
        or not isinstance(model.get("vocab"), dict)
        or not isinstance(model.get("merges"), list)
    ):
        raise _foreign(file, "it holds no byte-pair vocabulary")
    if plain.get("normalizer") or not _same_splits(plain.get("pre_tokenizer")) or model.get("byte_fallback"):
        raise _foreign(file, "it cuts text in another way")
    vocab = dict(model["vocab"])
    added = _read_added(file, plain.get("added_tokens"), vocab)
    if not all(type(index) is int for index in vocab.values()) or sorted(vocab.values()) != list(
        range(len(vocab))
    ):
        raise _foreign(file, "its ids have holes or repeat")
    merges = [_read_merge(file, merge, vocab) for merge in model["merges"]]
    return vocab, merges, added


def _read_json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InputError(
                "the tokenizer file is too large", where=str(file), fix=f"at most {MAX_FILE_BYTES} bytes"
            )
        plain = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"no tokenizer: {error.strerror}", where=str(file), fix="name a tokenizer's folder"
        ) from None
    except (ValueError, RecursionError):
        raise InputError(
            "the tokenizer file is damaged", where=str(file), fix="make or fetch it again"
        ) from None
    if not isinstance(plain, dict):
        raise _foreign(file, "it holds no table")
    return plain


def _read_added(file: Path, plain: Any, vocab: dict[str, int]) -> list[AddedToken]:
    added = []
    for entry in plain if isinstance(plain, list) else []:
        content, index = (entry.get("content"), entry.get("id")) if isinstance(entry, dict) else (None, None)
        if not isinstance(content, str) or not content or not isinstance(index, int):
            raise _foreign(file, "an added token has no text or no id")
        if vocab.setdefault(content, index) != index:
            raise _foreign(file, "an added token does not fit the vocabulary")
        if entry.get("lstrip") or entry.get("rstrip") or entry.get("single_word"):
            raise _foreign(file, f"`{content}` swallows the text around it")
        added.append(AddedToken(content, special=bool(entry.get("special")), normalized=False))
    names = {token.content for token in added}
    for token in CONTROL_TOKENS:
        if token not in names:
            raise _foreign(file, f"it has no `{token}`")
    return added


def _read_merge(file: Path, merge: Any, vocab: Mapping[str, int]) -> tuple[str, str]:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise _foreign(file, "a merge is not a pair")
    left, right = parts
    if left not in vocab or right not in vocab or left + right not in vocab:
        raise _foreign(file, f"the merge of `{left}` and `{right}` is not in the vocabulary")
    return left, right


def _same_splits(plain: Any) -> bool:
    """Whether text is cut as here: digits one by one, then the GPT-2 pattern, no space put in front."""
    parts = (
        plain.get("pretokenizers") if isinstance(plain, dict) and plain.get("type") == "Sequence" else None
    )
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, dict) for part in parts):
        return False
    digits, level = parts
    return (
        digits.get("type") == "Digits"
        and digits.get("individual_digits") is True
        and level.get("type") == "ByteLevel"
        and level.get("add_prefix_space") is False
        and level.get("use_regex", True) is True
    )


def _foreign(file: Path, why: str) -> InputError:
    return InputError(
        f"not a tokenizer that smolforge can use: {why}", where=str(file), fix="train one with smolforge"
    )


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
