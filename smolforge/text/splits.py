"""How text is cut before bytes are merged: what every family of tokenizers does in its own way.

A `tokenizer.json` spells the cutting out, a GGUF file names it. Only the ways in this table are run, since ids
that are nearly right are wrong: a model read with other cuts still writes fluent sentences, only worse ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenizers import Regex, normalizers, pre_tokenizers


@dataclass(frozen=True)
class Splits:
    """One way to cut text.

    pattern       what stays together, as a regular expression; empty: GPT-2's, which the library has built in
    digits_alone  every digit is cut off first
    normal_form   Unicode form that text is brought into beforehand; empty: none
    gguf          the names under which GGUF files know it, the usual one first
    """

    name: str
    gguf: tuple[str, ...]
    pattern: str = ""
    digits_alone: bool = False
    normal_form: str = ""

    @property
    def cuts(self) -> pre_tokenizers.PreTokenizer:
        """The library's object for it."""
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not self.pattern)
        if self.digits_alone:
            return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])
        if self.pattern:
            return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(self.pattern), "isolated"), level])
        return level

    @property
    def normalizer(self) -> normalizers.Normalizer | None:
        """The library's object for the Unicode form."""
        return normalizers.NFC() if self.normal_form == "NFC" else None


ENGLISH_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

SMOLLM = Splits("smollm", ("smollm",), digits_alone=True)
"""SmolLM2's, and that of tokenizers made here: arXiv:2502.02737 and the published `tokenizer.json`."""
GPT2 = Splits("gpt2", ("gpt-2",))
LLAMA3 = Splits(
    "llama3",
    ("llama-bpe", "llama3", "llama-v3"),
    rf"{ENGLISH_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}{REST}",
)
"""Llama 3's and SmolLM3's. Source: the published `tokenizer.json`, arXiv:2407.21783."""
QWEN2 = Splits(
    "qwen2",
    ("qwen2",),
    rf"{ENGLISH_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{REST}",
    normal_form="NFC",
)
"""Qwen2.5's and Qwen3's; llama.cpp leaves the Unicode form alone. Source: the published `tokenizer.json`."""

KNOWN = (SMOLLM, GPT2, LLAMA3, QWEN2)


def by_gguf_name(name: Any) -> Splits | None:
    """The way that a GGUF file's `tokenizer.ggml.pre` names; None for an unknown one."""
    return next((splits for splits in KNOWN if name in splits.gguf), None)


def recognised(normalizer: Any, pre_tokenizer: Any) -> Splits | None:
    """The way that a `tokenizer.json` spells out; None for any other."""
    form = _normal_form(normalizer)
    return next((s for s in KNOWN if _same_cuts(s, pre_tokenizer) and s.normal_form == form), None)


def _normal_form(plain: Any) -> str:
    if plain is None:
        return ""
    return str(plain.get("type")) if isinstance(plain, Mapping) and len(plain) == 1 else "another"


def _same_cuts(splits: Splits, plain: Any) -> bool:
    parts = [plain] if splits is GPT2 else _parts(plain)
    if not parts or not all(isinstance(part, Mapping) for part in parts) or not _is_level(splits, parts[-1]):
        return False
    before = parts[:-1]
    if splits.digits_alone:
        return len(before) == 1 and _has(before[0], type="Digits", individual_digits=True)
    if splits.pattern:
        wanted = {"type": "Split", "pattern": {"Regex": splits.pattern}, "behavior": "Isolated"}
        return len(before) == 1 and _has(before[0], **wanted) and not before[0].get("invert")
    return not before


def _parts(plain: Any) -> list[Any]:
    found = plain.get("pretokenizers") if _has(plain, type="Sequence") else None
    return found if isinstance(found, list) else []


def _is_level(splits: Splits, plain: Mapping[str, Any]) -> bool:
    wanted = {"type": "ByteLevel", "add_prefix_space": False}
    return _has(plain, **wanted) and plain.get("use_regex", True) is not bool(splits.pattern)


def _has(plain: Any, **wanted: Any) -> bool:
    return isinstance(plain, Mapping) and all(plain.get(name) == value for name, value in wanted.items())
