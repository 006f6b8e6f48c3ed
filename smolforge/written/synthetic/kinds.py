"""What surrounds the facts of a textbook: for each kind of subject its name, and true sentences that introduce,
explain and close a lesson on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smolforge.written.files import lines, texts


@dataclass(frozen=True, kw_only=True)
class KindText:
    """`noun` and `nouns` name the kind; `opening` starts a lesson, `ideas` are general truths, `closing` ends it;
    `setting` is a place where two people could talk about it; `is_name` says that subjects are names."""

    noun: str
    nouns: str
    opening: tuple[str, ...]
    ideas: tuple[str, ...]
    closing: tuple[str, ...]
    setting: tuple[str, ...]
    is_name: bool = True


def _kind(text: Mapping[str, Any]) -> KindText:
    wordings = {name: lines(text[name]) for name in ("opening", "ideas", "closing", "setting")}
    return KindText(**{**text, **wordings})


KINDS = {kind: _kind(text) for kind, text in texts("kinds").items()}
