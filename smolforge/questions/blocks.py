"""Runs of lines as what they are: paragraphs, entries of lists, fields of records, cells of tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from smolforge.questions.inline import plain, tidy

MAX_BLOCK_CHARS = 12_000
MAX_VALUE_CHARS = 300
MAX_CELL_LINE_CHARS = 4_000
MAX_ROWS = 400
MIN_PROSE_CHARS = 20
MIN_SENTENCE_WORDS = 8
MAX_LABEL_WORDS = 8
MAX_ENTRY_CHARS = 600

ITEM = re.compile(r"[ \t]{0,8}(?:[-*+•]|\d{1,3}[.)])[ \t]+(?=\S)")
RULE_ROW = re.compile(r"[|:\- \t]+$")
FIELD = re.compile(r"([A-Z0-9][^:\n|`*]{0,70}?) ?: +(\S.*)$")
ENTRY = re.compile(
    r"(?:\*\*|__)?([^:*_\n]{2,60}?)(?:\*\*|__)? ?(?::|[–—]| - )(?:\*\*|__)? *(\S.*)$", re.DOTALL
)
CODE_ENTRY = re.compile(r"(`[^`\n]{2,60}`) ?(?: [-–—] |: )(\S.*)$", re.DOTALL)
GLOSSARY = re.compile(r"(?:glossary|(?:key )?terms|definitions|terminology|vocabulary)\W*$", re.IGNORECASE)

Kind = Literal["prose", "field", "entry", "cell", "symbol", "declared"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document that can be asked about.

    heading  the nearest heading above it, or nothing
    label    field: its name; entry: the term; cell: the column; symbol: the function or class;
             declared: what of it
    subject  cell: what its row is about; declared: the function or class
    marked   prose: what stands in bold or italics
    """

    kind: Kind
    heading: str
    text: str
    label: str = ""
    subject: str = ""
    marked: frozenset[str] = frozenset()


def blocks_of(lines: list[str], heading: str) -> list[Block]:
    """A run of lines without a gap: fields, one entry of a list, or a paragraph."""
    item = ITEM.match(lines[0])
    if item:
        first = lines[0][item.end() :]
        return _item_blocks(" ".join([first, *map(str.strip, lines[1:])])[:MAX_BLOCK_CHARS], heading)
    fields = [FIELD.match(line.strip()) for line in lines]
    if sum(f is not None for f in fields) * 2 > len(lines) and all(map(_is_label, fields)):
        return [block for found in fields if found is not None for block in _field_blocks(found, heading)]
    return _prose_blocks(" ".join(map(str.strip, lines))[:MAX_BLOCK_CHARS], heading)


def _is_label(found: re.Match[str] | None) -> bool:
    """Whether what stands before a colon may name a field, or there is no colon."""
    return found is None or len(found.group(1).split()) <= MAX_LABEL_WORDS


def _field_blocks(found: re.Match[str], heading: str) -> list[Block]:
    """A field; where its value is sentences, these as a paragraph."""
    text = found.group(2)[:MAX_BLOCK_CHARS]
    if text.endswith((".", ".”", '."')) and len(text.split()) >= MIN_SENTENCE_WORDS:
        return _prose_blocks(text, heading)
    return [
        Block("field", heading, tidy(plain(text[: MAX_VALUE_CHARS + 1])[0]), tidy(plain(found.group(1))[0]))
    ]


def _item_blocks(text: str, heading: str) -> list[Block]:
    entry = ENTRY.match(text[:MAX_ENTRY_CHARS])
    code = CODE_ENTRY.match(text)
    if code:
        return [Block("entry", heading, tidy(plain(code.group(2))[0]), code.group(1))]
    if entry and (GLOSSARY.match(heading) or text.startswith(("**", "__"))):
        label, value = tidy(plain(entry.group(1))[0]), tidy(plain(entry.group(2) + text[MAX_ENTRY_CHARS:])[0])
        return [Block("entry", heading, value, label)]
    return _prose_blocks(text, heading)


def _prose_blocks(text: str, heading: str) -> list[Block]:
    words, marked = plain(text.removeprefix("> "))
    words = tidy(words)
    return [Block("prose", heading, words, marked=marked)] if len(words) > MIN_PROSE_CHARS else []


def cells_of(line: str) -> list[str]:
    return [tidy(plain(cell)[0]) for cell in line.strip()[:MAX_CELL_LINE_CHARS].strip("|").split("|")]


def _is_column_name(text: str) -> bool:
    return "`" not in text and any(c.isalpha() for c in text)


def table_blocks(rows: list[list[str]], heading: str) -> list[Block]:
    """The cells of a table with a head, each with its column and the first cell of its row."""
    rows = [row for row in rows[:MAX_ROWS] if not RULE_ROW.fullmatch("|".join(row) or "|")]
    caption = ""
    if rows and len(rows[0]) > 1 and not any(rows[0][1:]):
        caption = rows.pop(0)[0]
    if len(rows) < 3 or len(rows[0]) < 2 or not all(map(_is_column_name, rows[0][1:])):
        return []
    head = rows[0]
    return [
        Block("cell", caption or heading, value, label, row[0])
        for row in rows[1:]
        # A row without a last cell is most likely one whose first cell spans several, and its cells are shifted.
        if len(row) == len(head) and row[0] and row[-1]
        for label, value in zip(head[1:], row[1:], strict=True)
        if value
    ]
