"""What a document is made of: its title, headings, paragraphs, fields, glossary entries and table cells.

Reads Markdown, plain text, records of "Field: value" lines, and the comments of code (`code_text`). Nothing
is guessed of structure that is not plain to see; what is no text to ask about (code, captions, formulas,
lists of references) is left out. Work and memory are bounded by the length of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from smolforge.questions import code_text
from smolforge.questions.blocks import ITEM, Block, blocks_of, cells_of, table_blocks
from smolforge.questions.declaring import declared_blocks
from smolforge.questions.inline import plain, tidy
from smolforge.questions.wordlists import phrases

MAX_CHARS = 4 << 20
"""Of a longer document only this much is read. Chosen, untested."""
MAX_LINE_CHARS = 20_000
WRAPPED_CHARS = 100
"""A longer line is a paragraph of its own: hard-wrapped text has shorter ones."""
MAX_TITLE_CHARS = 90
BOLD_LEVEL, NOTHING_SKIPPED = 7, 8
"""Levels of a line in bold, and of no heading at all: a skipped section goes on under headings below its own."""

HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.{0,200}?)[ \t]*#*[ \t]*$")
BOLD_LINE = re.compile(r" {0,3}(?:\*\*|__)([^*_\n]{1,90})(?:\*\*|__):?[ \t]*$")
UNDERLINE = re.compile(r" {0,3}(=|-|~|\^|\*)\1{2,}[ \t]*$")
FENCE = re.compile(r" {0,8}(?:[-*] +)?(`{3,}|~{3,})")
ROW = re.compile(r" {0,3}\|.*\|[ \t]*$")
NO_PROSE = re.compile(
    r"\s*(?:\*\*(?:Problem|Solution|Exercise|Question|Answer|Try It)s?\b|!!!|:::|\.\. |@param|@return|%|\\[a-z]+[{\[]"
    r"|\*?(?:Figure|Table|Fig\.)\b[^.]{0,12}[:.])"
)
"""Lines that are no sentences of the text: exercises, directives, LaTeX, captions."""
FRONT_TITLE = re.compile(r"^title: *[\"']?(.{1,90}?)[\"']? *$", re.MULTILINE)
SKIPPED_SECTIONS = re.compile(
    "(?:"
    + phrases(
        "references?, bibliography, further reading, for further reading, further exploration, "
        "for further exploration, further resources, learning objectives, learning outcomes, exercises?, "
        "review questions, critical thinking questions, thought questions, problems?, licen[cs]e, "
        "table of contents, contents, index, acknowledge?ments, try it, try it now, homework, practice, "
        "worked examples?, check your learning, check your understanding, websites, videos, works cited, notes, "
        "see also, external links, footnotes, collaborative group activities, figuring for yourself, answer key, "
        "suggested reading, changelog"
    )
    + r")\W*$",
    re.IGNORECASE,
)
GENERIC_STEMS = frozenset(
    ["index", "readme", "main", "introduction", "text", "document", "__init__", "chapter"]
)


@dataclass(slots=True)
class Outline:
    """A document in blocks, and how much of it was too long to be read, by reason."""

    title: str
    blocks: list[Block]
    cut: Counter[str]


def outline(id: str, text: str) -> Outline:
    """The outline of the document; a text in which nothing is found gives no blocks."""
    cut = Counter({"document: longer than is read": int(len(text) > MAX_CHARS)})
    text = text[:MAX_CHARS]
    symbols = code_text.symbols_of(id, text)
    if symbols is not None:
        title = "/".join(PurePosixPath(id).parts[-2:])
        declared = (
            block for one in code_text.declarations_of(id, text) for block in declared_blocks(one, title)
        )
        return Outline(title, [*_symbol_blocks(symbols), *declared], cut)
    reader = _Reader()
    body = _without_front_matter(text, reader)
    for line in body.splitlines():
        cut["line: longer than is read"] += len(line) > MAX_LINE_CHARS
        reader.take(line if len(line) <= MAX_LINE_CHARS else "")
    reader.end_block()
    return Outline(reader.title or path_title(id), reader.blocks, cut)


def _symbol_blocks(symbols: list[code_text.Symbol]) -> Iterator[Block]:
    for symbol in symbols:
        summary, _, rest = symbol.text.partition("\n\n")
        yield Block("symbol", "", tidy(plain(summary)[0]), symbol.name)
        reader = _Reader()
        for line in rest.splitlines():
            reader.take(line)
        reader.end_block()
        for block in reader.blocks:
            if block.kind == "prose":
                yield Block("prose", symbol.name, block.text, marked=block.marked)


def _without_front_matter(text: str, reader: _Reader) -> str:
    """The text after a YAML head, whose title is kept."""
    if not text.startswith("---\n"):
        return text
    head, end, rest = text[4:4004].partition("\n---")
    if not end:
        return text
    found = FRONT_TITLE.search(head)
    reader.title = tidy(found.group(1)) if found else ""
    return rest.partition("\n")[2] + text[4004:]


def path_title(id: str, parts: int = 1) -> str:
    """A title made of the document's name; nothing where the name says nothing (a number, a hash)."""
    names = PurePosixPath(id.replace("\\", "/")).parts[-2:]
    if not names or re.search(r"\.(?:jsonl|parquet|json)(?:\.gz)?:\d+$|#\d+$", id):
        return ""
    stem = re.sub(r"\.[A-Za-z]\w{0,8}$", "", names[-1])
    is_word = len(re.findall(r"[^\W\d_]", stem)) >= 3 and not re.fullmatch(r"[0-9a-f-]{8,}", stem)
    if parts == 2:
        return "/".join([*names[:-1], stem]) if is_word else ""
    if len(names) == 2 and (stem.lower() in GENERIC_STEMS or stem.isdigit()):
        return f"{names[0]}/{stem}"
    return stem.replace("_", " ").strip() if is_word and len(stem) <= MAX_TITLE_CHARS else ""


class _Reader:
    """Takes a document line by line and gathers its blocks."""

    def __init__(self) -> None:
        self.title = ""
        self.blocks: list[Block] = []
        self._heading = ""
        self._lines: list[str] = []
        self._fence = ""
        self._rows: list[list[str]] = []
        self._skipped_level = NOTHING_SKIPPED
        self._seen_text = False

    def take(self, line: str) -> None:
        """One more line."""
        if self._fence:
            if line.strip().startswith(self._fence):
                self._fence = ""
            return
        fence = FENCE.match(line)
        if fence:
            self.end_block()
            self._fence = fence.group(1)
            return
        if not line.strip():
            self._take_blank()
        elif ROW.match(line):
            self._end_lines()
            self._rows.append(cells_of(line))
        else:
            self._end_table()
            self._take_text(line)

    def _take_blank(self) -> None:
        only = self._lines[0].strip() if len(self._lines) == 1 else ""
        if only and not self._seen_text and not self.title and _looks_like_title(only):
            self.title, self._lines = tidy(plain(only)[0]), []
        self.end_block()

    def _take_text(self, line: str) -> None:
        heading = HEADING.match(line)
        bold = None if heading else BOLD_LINE.match(line)
        if heading:
            self.end_block()
            self._enter(tidy(plain(heading.group(2))[0]), level=len(heading.group(1)))
        elif bold:
            self.end_block()
            self._enter(tidy(plain(bold.group(1))[0]), level=BOLD_LEVEL)
        elif UNDERLINE.match(line):
            self._take_underline(line)
        elif NO_PROSE.match(line):
            self.end_block()
        elif ITEM.match(line) or len(line) > WRAPPED_CHARS:
            self._end_lines()
            self._lines.append(line)
            if len(line) > WRAPPED_CHARS and not ITEM.match(line) and line.rstrip()[-1:] in '.!?:”"':
                self._end_lines()
        else:
            self._lines.append(line)

    def _take_underline(self, line: str) -> None:
        """A line of dashes or the like: what stands above it alone is a heading."""
        if len(self._lines) == 1 and len(self._lines[0]) <= MAX_TITLE_CHARS:
            heading, self._lines = tidy(plain(self._lines[0])[0]), []
            self._enter(heading, level=1 if line.strip()[0] == "=" else 2)
        else:
            self.end_block()

    def _enter(self, heading: str, *, level: int) -> None:
        if not heading:
            return
        if not self.title and (level == 1 or not self._seen_text) and not self.blocks:
            self.title, self._heading = heading, ""
        else:
            self._heading = heading
        if level <= self._skipped_level:
            self._skipped_level = level if SKIPPED_SECTIONS.match(heading) else NOTHING_SKIPPED

    def end_block(self) -> None:
        """Whatever was begun is whole now."""
        self._end_lines()
        self._end_table()

    def _end_lines(self) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        self._seen_text = True
        if self._skipped_level == NOTHING_SKIPPED:
            self.blocks += blocks_of(lines, self._heading)

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        if rows and self._skipped_level == NOTHING_SKIPPED:
            self.blocks += table_blocks(rows, self._heading)


def _looks_like_title(line: str) -> bool:
    return (
        len(line) <= MAX_TITLE_CHARS
        and line[-1] not in ".:;,!?-"
        and len(line.split()) >= 2
        and not line.startswith(("<", "[", "!", "(", "`"))
    )
