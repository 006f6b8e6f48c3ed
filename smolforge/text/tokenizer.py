"""Byte-level BPE: training, encoding, decoding; of tokenizers made here and of those that came with a model.

Of ours, digits stand alone, the rest is cut by the GPT-2 pattern, every byte has a symbol: any text and any
byte string comes back as it went in (the published SmolLM2 vocabulary silently drops six control
bytes). Special-token strings in ordinary text stay text unless asked otherwise.

Source: pre-tokenization and ids 0 to 2 as in the published SmolLM2 tokenizer, arXiv:2502.02737; others: `splits`.
"""

from __future__ import annotations

import codecs
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from smolforge.errors import ConfigError, InputError
from smolforge.plain_json import whole_text
from smolforge.text import chat
from smolforge.text.roles import Roles
from smolforge.text.splits import SMOLLM
from smolforge.text.template import ForeignTemplate, marked
from smolforge.text.tokenizer_file import Parts, read_parts

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
MAX_TEXT_CHARACTERS = 64 * 2**20
OUR_ROLES = Roles(bos=chat.END_OF_TEXT, eos=chat.IM_END, pad=chat.END_OF_TEXT)
ANY_LENGTH = 1_000_000
"""Longest text that a tokenizer by itself announces: it does not know its model's positions."""


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
    raw.pre_tokenizer = SMOLLM.cuts
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
    added = [_added(token) for token in (*SPECIAL_TOKENS, *padding)]
    return _assemble(Parts(vocab, merges, added, SMOLLM, OUR_ROLES), added)


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write `tokenizer.json` and the three small files `transformers` reads beside it."""
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True) + "\n", encoding="utf-8")
    save_settings(folder, OUR_ROLES, chat.CHAT_TEMPLATE)


def save_parts(tok: Tok, folder: Path) -> None:
    """Write a tokenizer that came with a model, so that it is read the same from this folder, here and elsewhere."""
    engine = Tokenizer.from_str(tok._special.to_str())
    if tok.begin_ids and tok.roles.bos is not None:
        bos = tok.roles.bos
        engine.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B:1", special_tokens=[(bos, tok.begin_ids[0])]
        )
    (folder / "tokenizer.json").write_text(engine.to_str(pretty=True) + "\n", encoding="utf-8")
    save_settings(folder, tok.roles, tok.template_source)
    ends = [tok.specials[end] for end in tok.roles.public_ends(tok.specials)]
    _write_json(folder / "generation_config.json", {"eos_token_id": ends})


def save_settings(folder: Path, roles: Roles, template: str | None, *, positions: int = ANY_LENGTH) -> None:
    """Write the files beside `tokenizer.json`: what is special, and how a conversation is written.

    The class named is the one that takes `tokenizer.json` as it is: others, GPT-2's among them, cut text anew.
    """
    settings = {
        "add_bos_token": roles.add_bos,
        "add_prefix_space": False,
        "additional_special_tokens": [chat.IM_START, chat.IM_END] if roles == OUR_ROLES else [],
        "bos_token": roles.bos,
        "clean_up_tokenization_spaces": False,
        "eos_token": roles.eos,
        "model_max_length": positions,
        "pad_token": roles.pad,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": roles.unk,
    }
    _write_json(folder / "tokenizer_config.json", settings)
    names = ("bos_token", "eos_token", "pad_token", "additional_special_tokens")
    _write_json(folder / "special_tokens_map.json", {name: settings[name] for name in names})
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def load_tokenizer(path: Path) -> Tok:
    """The tokenizer in `path` (a folder or a `tokenizer.json`); `InputError` for one that cannot be used exactly."""
    return Tok(read_parts(path))


class Tok:
    """A tokenizer ready for use. Ids are plain lists of int; safe to share between threads.

    vocab_size               entries; a model's table may have a few rows more
    vocab, merges, specials  token → id, merge rules in order, special token → id
    control                  ids that `skip_special` leaves out
    roles                    which tokens begin and end things
    eot_id                   closes a document
    begin_ids                what the model wants before every text: nothing, or one token
    start_id                 stands before a text that has nothing before it: that token, or a document's end
    turn_end_id              what the assistant says to end its turn
    end_ids                  everything an answer ends at
    template                 how another's model writes a conversation; None: as `text.chat` does, or not at all
    """

    def __init__(self, parts: Parts):
        self.parts = parts
        self.vocab, self.merges, self.roles, self.splits = (
            parts.vocab,
            parts.merges,
            parts.roles,
            parts.splits,
        )
        self.vocab_size = len(parts.vocab)
        self.specials = {token.content: parts.vocab[token.content] for token in parts.added}
        self.control = frozenset(parts.vocab[token.content] for token in parts.added if token.special)
        self.eot_id = parts.vocab[self.roles.text_end(self.specials)]
        self.end_ids = tuple(parts.vocab[token] for token in self.roles.answer_ends(self.specials))
        self.bos_id, self.pad_id = (parts.vocab.get(name or "") for name in (self.roles.bos, self.roles.pad))
        self.eos_id = parts.vocab[self.roles.eos]
        begins = self.roles.add_bos and self.bos_id is not None
        self.begin_ids: tuple[int, ...] = (parts.vocab[self.roles.bos or ""],) if begins else ()
        self.start_id = self.begin_ids[0] if self.begin_ids else self.eot_id
        self.template = _template_of(parts)
        self._bytes = _token_bytes(parts.vocab, self.specials)
        self._byte_ids = [parts.vocab.get(symbol) for symbol in BYTE_SYMBOLS]

    @cached_property
    def _plain(self) -> Tokenizer:
        return _assemble(self.parts, [])

    @cached_property
    def _special(self) -> Tokenizer:
        return _assemble(self.parts, self.parts.added)

    @cached_property
    def _markup(self) -> Tokenizer:
        """Finds what is markup, not what is control: words of a conversation that a foreign template has written."""
        return _assemble(self.parts, [token for token in self.parts.added if not token.special])

    @property
    def can_chat(self) -> bool:
        """Whether a conversation can be written: by a template that came along, or with ChatML's tokens."""
        return self.template is not None or {chat.IM_START, chat.IM_END} <= self.specials.keys()

    @property
    def template_source(self) -> str | None:
        """The chat template's text, for those who read it elsewhere."""
        if self.template is not None:
            return self.template.source
        return chat.CHAT_TEMPLATE if self.can_chat else None

    @cached_property
    def turn_end_id(self) -> int:
        """The token the assistant ends its turn with: the first end token after an answer as the template writes it."""
        if self.template is None:
            return self.specials.get(chat.IM_END, self.eos_id)
        asked = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        written = self._special.encode(self.render(asked).rpartition("b")[2], add_special_tokens=False).ids
        return next((index for index in written if index in self.end_ids), self.eos_id)

    @property
    def is_lossless(self) -> bool:
        """Whether any text comes back as it went in; false for some tokenizers of others."""
        return None not in self._byte_ids and not self.splits.normal_form

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
        today: datetime.date | None = None,
    ) -> tuple[list[int], list[bool]]:
        """Ids of a conversation, and for each whether the loss counts it.

        Counted: the assistant's words, its calls, and the token that ends its turn. Of a foreign template only turns
        are counted that it writes alike while they are the last and when others follow; with a generation prompt none.
        """
        self._check_chat(messages)
        if self.template is None:
            return self.encode_pieces(chat.pieces(messages, tools, add_generation_prompt))
        return self._encode_foreign(messages, tools, add_generation_prompt, today)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
        today: datetime.date | None = None,
    ) -> str:
        """The conversation as one text, as programs that render first and tokenize afterwards see it."""
        self._check_chat(messages)
        if self.template is None:
            return chat.render(messages, tools, add_generation_prompt)
        return self.template.render(messages, tools, add_generation_prompt, today=today)

    def _check_chat(self, messages: Sequence[Mapping[str, Any]]) -> None:
        if not self.can_chat:
            raise InputError(
                "this model has no chat template: it continues texts and was not taught to answer",
                fix="use its instruct version, tune it on conversations, or ask for plain text",
            )
        if self.template is not None and not messages:
            raise InputError("a conversation without messages", fix="say something")
        chat.check(messages, chat.ROLES if self.template is None else None)

    def _encode_foreign(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None,
        add_generation_prompt: bool,
        today: datetime.date | None,
    ) -> tuple[list[int], list[bool]]:
        assert self.template is not None
        controls = [token for token, index in self.specials.items() if index in self.control]
        safe = marked(messages, tools, controls)
        turns = (
            [] if add_generation_prompt else [n for n, m in enumerate(messages) if m["role"] == "assistant"]
        )
        wanted = [(safe.messages, add_generation_prompt)]
        wanted += [
            part for n in turns for part in ((safe.messages[:n], True), (safe.messages[: n + 1], False)) if n
        ]
        text, *prefixes = self.template.render_all(wanted, safe.tools, today=today)
        ids: list[int] = []
        learn: list[bool] = []

        def add(part: str, learned: bool) -> None:
            found = self._encode_marked(safe.parts(part, controls))
            ends = [place for place, index in enumerate(found) if index in self.end_ids]
            last = (ends[-1] if ends else len(found) - 1) if learned else -1
            ids.extend(found)
            learn.extend(place <= last for place in range(len(found)))

        done = 0
        for before, after in zip(prefixes[::2], prefixes[1::2], strict=True):
            if done <= len(before) and after.startswith(before) and text.startswith(after):
                add(text[done : len(before)], False)
                add(text[len(before) : len(after)], True)
                done = len(after)
        add(text[done:], False)
        return ids, learn

    def _encode_marked(self, parts: Iterable[tuple[str, bool]]) -> list[int]:
        ids: list[int] = []
        for text, is_control in parts:
            if is_control:
                ids.append(self.specials[text])
            else:
                ids += self._markup.encode(_sound(text), add_special_tokens=False).ids
        return ids

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


def _added(token: str) -> AddedToken:
    return AddedToken(token, special=token not in MARKUP_TOKENS, normalized=False)


def _assemble(parts: Parts, added: Sequence[AddedToken]) -> Tokenizer:
    model = models.BPE(vocab=dict(parts.vocab), merges=list(parts.merges), ignore_merges=parts.ignore_merges)
    tokenizer = Tokenizer(model)
    if parts.splits.normalizer is not None:
        tokenizer.normalizer = parts.splits.normalizer
    tokenizer.pre_tokenizer = parts.splits.cuts
    tokenizer.decoder = decoders.ByteLevel()
    if added:
        tokenizer.add_tokens(list(added))
    return tokenizer


def _template_of(parts: Parts) -> ForeignTemplate | None:
    if parts.template is None or parts.template == chat.CHAT_TEMPLATE:
        return None
    roles = parts.roles
    names = {"bos": roles.bos, "eos": roles.eos, "pad": roles.pad, "unk": roles.unk}
    return ForeignTemplate(parts.template, {f"{name}_token": text for name, text in names.items() if text})


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
    return whole_text(text)


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
