"""What a file can hold: documents, chats, preference pairs, and what had to be skipped; and a document's domain.

The domain of a document, decided here (chosen, untested):
  code         a source file, or a folder named code or src, but for texts, Markdown and pages in it
  mathematics  a folder named math, maths or mathematics, alone or before a mark, or more than four LaTeX marks in a thousand
               characters; a dollar is one where it stands at a formula's end, not at a price
  web          HTML, captures (WARC, ARC, WET), rows with an http address
  prose        everything else: plain text, Markdown, books, stories
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from smolforge.data.read.documents import Document, Kind

LATEX = re.compile(
    r"\\(?:frac|sqrt|sum|int|begin|end|left|right|cdot|times|alpha|beta|pi|theta|le|ge|in)\b"
    r"|(?<![\\$\w])\$(?=[^\s$])[^$\n]{0,300}?(?<=[^\s$\\])(?=\$(?!\d))|(?<=[^\s$\\])\$(?![\d$])|\$\$"
)
"""Commands, and both ends of a formula between dollars, as pandoc tells them from prices."""
MATHEMATICS = re.compile(r"math(s|ematics)?([\W_\d].*)?")
TEXT_NAME = re.compile(
    r"\.(txt|text|log|srt|md|markdown|mdx|rst|pdf|epub|docx|odt|html?)(\.\w{2,3})?(#\d+)?$"
)


@dataclass(frozen=True)
class Limits:
    """Bounds on what one file may ask for. Longer pages, sources and records are skipped and counted; texts have none."""

    text_bytes: int = 4 << 20
    record_bytes: int = 32 << 20
    file_records: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or record that could not be used. `reason` is one of few words, to be counted; `why` says more."""

    where: str
    reason: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Chat:
    """One conversation: `row` has id, skill, messages, tools."""

    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """One preference pair: `row` has id, skill, messages, chosen, rejected, margin."""

    row: dict[str, Any]


Found = Document | Chat | Pair | Skipped


def make_document(id: str, kind: Kind, url: str, text: str, meta: Mapping[str, str]) -> Document:
    """A document with its domain decided."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return Document(id, kind, url, text, {**meta, "domain": domain_of(id, kind, url, text)})


def domain_of(id: str, kind: Kind, url: str, text: str) -> str:
    """The domain of a document; the rule stands at the head of this file."""
    folders = PurePosixPath(id.lower()).parts[:-1]
    if any(MATHEMATICS.fullmatch(part) for part in folders):
        return "mathematics"
    in_code = any(part in ("code", "src") for part in folders) and kind in ("text", "code")
    if kind == "code" or (in_code and not TEXT_NAME.search(id.lower())):
        return "code"
    sample = text[:20_000]
    if kind != "html" and len(LATEX.findall(sample)) * 250 > max(1000, len(sample)):
        return "mathematics"
    if kind == "html" or url.startswith(("http://", "https://")):
        return "web"
    return "prose"
