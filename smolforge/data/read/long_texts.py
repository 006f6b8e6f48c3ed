"""Books and other long texts, read to their end in bounded memory and cut into documents where a reader would pause.

A text that would fill a training row hundreds of times over is better many documents than one: some can be held out,
duplicates are found, one bad chapter drops alone, and no rule against dumps drops a book.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import IO

BLOCK_BYTES = 1 << 20
WHOLE_CHARS = 100_000
"""A text up to here stays one document: some forty printed pages. Chosen, untested."""
PART_CHARS = 50_000
"""About as long is each part of a longer one. Chosen, untested."""
HEADING = re.compile(
    r"^(?=#{1,3} \S|(?:chapter|part|book|section|act|scene|letter|volume|canto|kapitel|teil|chapitre|partie|cap[ií]tulo|parte|"
    r"глава|часть)\b[^\n]{0,80}$)",
    re.IGNORECASE | re.MULTILINE,
)
PAUSES = (
    HEADING,
    re.compile(r"(?<=\n)[ \t]*\n+"),
    re.compile(r"(?<=\n)"),
    re.compile(r"(?<=[.!?。！？]) "),
    re.compile(r"(?<=\s)"),
)
"""Where a text is cut: before a heading, else between paragraphs, lines, sentences, words."""


def read_parts(head: bytes, file: IO[bytes], encoding: str) -> Iterator[str]:
    """A file of which the `head` is read already, part by part; together the parts are its text."""
    return parts(_decoded(head, file, encoding))


def parts(blocks: Iterable[str]) -> Iterator[str]:
    """A text that comes in blocks, as one part where it is short, else as parts of about `PART_CHARS`."""
    rest = ""
    for block in blocks:
        rest, start = rest + block, 0
        while len(rest) - start > WHOLE_CHARS:
            end = _pause(rest, start)
            yield rest[start:end]
            start = end
        rest = rest[start:]
    if rest:
        yield rest


def _decoded(head: bytes, file: IO[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(head)
    while block := file.read(BLOCK_BYTES):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _pause(text: str, start: int) -> int:
    """The best place to end a part: the strongest pause, of these the nearest to the length that is wanted."""
    least, wanted, most = (start + chars for chars in (PART_CHARS // 2, PART_CHARS, WHOLE_CHARS))
    for mark in PAUSES:
        places = [found.end() for found in mark.finditer(text, least, most) if found.end() < most]
        if places:
            return min(places, key=lambda place: abs(place - wanted))
    return wanted
