"""Reading the files of a tokenizer, ours or another's, checked part by part before the library sees them.

The library reports a damaged `tokenizer.json` as a bare `Exception`, or not at all; and what it does not know of
(which token ends a turn, how a conversation is written) stands in the settings beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from smolforge.errors import InputError
from smolforge.text import roles as token_roles
from smolforge.text.roles import Roles
from smolforge.text.splits import KNOWN, Splits, recognised

MAX_FILE_BYTES = 64 * 2**20
MAX_SETTINGS_BYTES = 4 * 2**20
TOKENIZER_FILE = "tokenizer.json"
SETTINGS_FILE = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"
GENERATION_FILE = "generation_config.json"


@dataclass(frozen=True)
class Parts:
    """All that a tokenizer is made of.

    added          tokens that are found before text is cut, special ones and markup
    ignore_merges  a cut that is in the vocabulary is taken whole
    template       the chat template's text; None where there is none
    """

    vocab: Mapping[str, int]
    merges: Sequence[tuple[str, str]]
    added: Sequence[AddedToken]
    splits: Splits
    roles: Roles
    ignore_merges: bool = False
    template: str | None = None


def read_parts(path: Path) -> Parts:
    """The tokenizer in a folder, or in a `tokenizer.json` alone; `InputError` for what cannot be used exactly."""
    file = path / TOKENIZER_FILE if path.is_dir() else path
    plain = _read_json(file, MAX_FILE_BYTES)
    model = plain.get("model")
    if (
        not isinstance(model, dict)
        or not isinstance(model.get("vocab"), dict)
        or not isinstance(model.get("merges"), list)
        or model.get("type", "BPE") != "BPE"
    ):
        raise foreign(file, "it holds no byte-pair vocabulary")
    splits = recognised(plain.get("normalizer"), plain.get("pre_tokenizer"))
    if splits is None or model.get("byte_fallback"):
        raise foreign(
            file, f"it cuts text in another way; known here: {', '.join(one.name for one in KNOWN)}"
        )
    vocab = dict(model["vocab"])
    added = _read_added(file, plain.get("added_tokens"), vocab)
    if not all(type(index) is int for index in vocab.values()) or sorted(vocab.values()) != list(
        range(len(vocab))
    ):
        raise foreign(file, "its ids have holes or repeat")
    beside = file.parent
    settings = _settings(beside / SETTINGS_FILE)
    begin = _begins_with(file, plain.get("post_processor"))
    if begin is not None:
        settings = {**settings, "bos_token": begin, "add_bos_token": True}
    tokens = sorted(vocab, key=vocab.__getitem__)
    roles = token_roles.from_settings(
        settings, _settings(beside / GENERATION_FILE), tokens, {token.content for token in added}
    )
    if roles is None:
        raise foreign(file, "nothing says which token ends a text")
    return Parts(
        vocab=vocab,
        merges=[_read_merge(file, merge, vocab) for merge in model["merges"]],
        added=added,
        splits=splits,
        roles=roles,
        ignore_merges=model.get("ignore_merges") is True,
        template=_template(beside, settings),
    )


def _settings(file: Path) -> dict[str, Any]:
    return _read_json(file, MAX_SETTINGS_BYTES) if file.is_file() else {}


def _template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """The chat template: in a file of its own, or in the settings, where it may be one of several."""
    file = folder / TEMPLATE_FILE
    if file.is_file():
        if file.stat().st_size > MAX_SETTINGS_BYTES:
            raise InputError("the chat template is too large", where=str(file))
        return file.read_text(encoding="utf-8", errors="replace")
    found = settings.get("chat_template")
    if isinstance(found, list):
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, Mapping)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _begins_with(file: Path, plain: Any) -> str | None:
    """The token that the post-processor puts before every text; InputError where it does more than that."""
    if not isinstance(plain, Mapping):
        return None
    if plain.get("type") == "Sequence" and isinstance(plain.get("processors"), list):
        found = [token for one in plain["processors"] if (token := _begins_with(file, one)) is not None]
        return found[0] if found else None
    if plain.get("type") != "TemplateProcessing":
        return None
    single = plain.get("single")
    pieces = [piece for piece in single if isinstance(piece, Mapping)] if isinstance(single, list) else []
    tokens = [piece["SpecialToken"].get("id") for piece in pieces if "SpecialToken" in piece]
    if not tokens:
        return None
    if len(tokens) > 1 or "SpecialToken" not in pieces[0] or not isinstance(tokens[0], str):
        raise foreign(file, "it puts tokens around every text")
    return tokens[0]


def _read_json(file: Path, most_bytes: int) -> dict[str, Any]:
    try:
        if file.stat().st_size > most_bytes:
            raise InputError(
                "the tokenizer file is too large", where=str(file), fix=f"at most {most_bytes} bytes"
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
        raise foreign(file, "it holds no table")
    return plain


def _read_added(file: Path, plain: Any, vocab: dict[str, int]) -> list[AddedToken]:
    added = []
    for entry in plain if isinstance(plain, list) else []:
        content, index = (entry.get("content"), entry.get("id")) if isinstance(entry, dict) else (None, None)
        if not isinstance(content, str) or not content or not isinstance(index, int):
            raise foreign(file, "an added token has no text or no id")
        if vocab.setdefault(content, index) != index:
            raise foreign(file, "an added token does not fit the vocabulary")
        if entry.get("lstrip") or entry.get("rstrip") or entry.get("single_word"):
            raise foreign(file, f"`{content}` swallows the text around it")
        added.append(AddedToken(content, special=bool(entry.get("special")), normalized=False))
    return added


def _read_merge(file: Path, merge: Any, vocab: Mapping[str, int]) -> tuple[str, str]:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise foreign(file, "a merge is not a pair")
    left, right = parts
    if left not in vocab or right not in vocab or left + right not in vocab:
        raise foreign(file, f"the merge of `{left}` and `{right}` is not in the vocabulary")
    return left, right


def foreign(file: Path, why: str) -> InputError:
    """A tokenizer that cannot be used, and why."""
    return InputError(
        f"not a tokenizer that smolforge can use: {why}", where=str(file), fix="train one with smolforge"
    )
