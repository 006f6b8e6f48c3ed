"""Marks inside a line of text: Markdown and HTML taken off, what they set apart remembered."""

from __future__ import annotations

import html
import re

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff\ud800-\udfff]")
IMAGE = re.compile(r"!\[[^\]\n]{0,300}\]\([^)\n]{0,500}\)")
LINK = re.compile(r"\[([^\[\]\n]{1,300})\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,100}\])")
CODE_LINK = re.compile(r"\[(`[^`\n]{1,100}`)\](?![(\[])")
TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,300}>")
FOOTNOTE = re.compile(r"\[\^?\d{1,3}(?:[,–-] ?\d{1,3}){0,5}\]")
BOLD = re.compile(r"\*\*(?=\S)([^*\n]{1,120}?)(?<=\S)\*\*|(?<!\w)__(?=\S)([^_\n]{1,120}?)(?<=\S)__(?!\w)")
ITALIC = re.compile(
    r"(?<![*\w])\*(?=\S)([^*\n]{1,120}?)(?<=\S)\*(?![*\w])|(?<!\w)_(?=\S)([^_\n]{1,120}?)(?<=\S)_(?!\w)"
)
CODE = re.compile(r"`[^`\n]{1,120}`")
REFERENCE = re.compile(
    r" ?\((?:see |cf\. |e\.g\., )?(?:the |in the )?(?:figures?|tables?|another section|this (?:section|chapter)|chapter|section"
    r"|fig\.|appendix)[^()]{0,60}\)|"
    r" ?\([^()\d]{2,120},? (?:1[6-9]|20)\d\d[a-z]?(?:; ?[^()]{2,120})?\)",
    re.IGNORECASE,
)
NAMING = re.compile(
    r"(?:\b(?:called|known as|termed|terms?|named|concept of|referred to as)|^|[.!?])(?: the| an?)? ?$",
    re.IGNORECASE,
)
SPACE = re.compile(r"\s+")


def plain(text: str) -> tuple[str, frozenset[str]]:
    """The text without marks, and what stood in bold, or in italics as a term. Code keeps its back-ticks."""
    marked: set[str] = set()

    def unbold(found: re.Match[str]) -> str:
        inner = found.group(1) or found.group(2)
        marked.add(tidy(inner).strip(".,;:"))
        return inner

    def unslant(found: re.Match[str]) -> str:
        # Italics set terms apart, and also stress, titles and foreign words: the words before them tell.
        before = found.string[max(0, found.start() - 30) : found.start()]
        return unbold(found) if NAMING.search(before) else found.group(1) or found.group(2)

    if "[`" in text:
        text = CODE_LINK.sub(r"\1", text)
    if "[" in text:
        text = FOOTNOTE.sub("", LINK.sub(r"\1", IMAGE.sub("", text)))
    pieces, codes = _set_aside_code(text)
    if "*" in pieces or "_" in pieces:
        pieces = ITALIC.sub(unslant, BOLD.sub(unbold, pieces))
    if "<" in pieces:
        pieces = TAG.sub("", pieces)
    if "&" in pieces:
        pieces = html.unescape(pieces)
    if "(" in pieces:
        pieces = REFERENCE.sub("", pieces)
    return _put_back(pieces, codes), frozenset(m for m in marked if m)


def _set_aside_code(text: str) -> tuple[str, list[str]]:
    """The text with a sign in place of each piece of code, and the pieces."""
    text = CONTROL.sub(" ", text)
    if "`" not in text:
        return text, []
    text = text.replace("``", "`")
    codes = CODE.findall(text)
    return CODE.sub("\x00", text), codes


def _put_back(text: str, codes: list[str]) -> str:
    parts = text.split("\x00")
    if len(parts) != len(codes) + 1:  # a mark swallowed a piece
        return ""
    return "".join(part + code for part, code in zip(parts, [*codes, ""], strict=True))


def tidy(text: str) -> str:
    """The text on one line, single spaces, plain apostrophes kept as they are."""
    return SPACE.sub(" ", CONTROL.sub(" ", text)).strip()
