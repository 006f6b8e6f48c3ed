"""PDF files as text. A page holds lines, not paragraphs: they are put together again, without what repeats on every page."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from smolforge.data.read import pdf_worker
from smolforge.errors import InputError

WALL_SECONDS = 2.0 * pdf_worker.SECONDS
EDGE_LINES = 2
"""So many lines at the head and foot of a page may be furniture."""
REPEATED_SHARE = 0.3
SHORT_SHARE = 0.75
"""A line shorter than this share of a full one ends its paragraph. Chosen by reading two manuals."""
BULLET = re.compile(r"(?:[•‣◦▪●∙–—-]|\(?\d{1,2}[.)]|\[\d{1,3}\])\s")
NUMBERED_HEADING = re.compile(r"\d{1,2}(?:\.\d{1,2}){0,3}\.? +[A-Z][^.!?]{2,80}$")
RUNNING_HEAD = re.compile(r"(?:chapter|section|appendix)\b.{0,80}\s\d{1,4}$", re.IGNORECASE)
CONTENTS = re.compile(r"(?:\.\s?){4,}")
PAGE_NUMBER = re.compile(r"(?:page\s*)?[\divxlc#]{1,6}(?:\s*(?:of|/)\s*[\d#]{1,5})?$", re.IGNORECASE)
BROKEN_WORD = re.compile(r"(?<=\w)[-\u00ad\u2010\ufffe\x02]$")
ODD_HYPHEN = re.compile("[\ufffe\x02]")
"""What the library puts for a hyphen at a line's end and the end itself."""
REPAIR = "make it text by other means"


def read_pdf(path: Path, where: str) -> str:
    """The text of a PDF in paragraphs; empty where its pages are pictures.

    Raises InputError for one that is damaged, locked or too large.
    """
    command = [sys.executable, "-P", "-s", "-B", pdf_worker.__file__, str(path.resolve())]
    with tempfile.TemporaryFile() as out:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, timeout=WALL_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise InputError("this PDF takes too long to read", where=where, fix=REPAIR) from None
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = lines[-1][:200] if lines else "it takes too much time or memory"
            raise InputError(f"this PDF cannot be read: {why}", where=where, fix=REPAIR)
        out.seek(0)
        pages = out.read().decode("utf-8", "replace").split("\f")
    return paragraphs(pages)


def paragraphs(pages: Sequence[str]) -> str:
    """The pages' lines as paragraphs, over page breaks too."""
    lines = [[line.strip() for line in page.splitlines() if line.strip()] for page in pages]
    lines = [page for page in lines if page]
    furniture = _furniture(lines)
    kept = [line for page in lines for line in _without(page, furniture)]
    text, was_item = "", False
    for one in _joined(kept):
        is_item = bool(BULLET.match(one))
        text += ("\n" if is_item and was_item else "\n\n") + one if text else one
        was_item = is_item
    return ODD_HYPHEN.sub("", text)


def _furniture(pages: Sequence[Sequence[str]]) -> frozenset[str]:
    """What stands at the edge of many pages, numbers aside."""
    seen = Counter(mark for page in pages for mark in {_mark(line) for line in _edges(page)})
    least = max(3.0, REPEATED_SHARE * len(pages))
    return frozenset(mark for mark, count in seen.items() if count >= least)


def _edges(page: Sequence[str]) -> list[str]:
    return [*page[:EDGE_LINES], *page[max(EDGE_LINES, len(page) - EDGE_LINES) :]]


def _mark(line: str) -> str:
    return re.sub(r"\d+", "#", line).casefold()


def _without(page: Sequence[str], furniture: frozenset[str]) -> Iterator[str]:
    for number, line in enumerate(page):
        is_edge = number < EDGE_LINES or number >= len(page) - EDGE_LINES
        if is_edge and (_mark(line) in furniture or PAGE_NUMBER.match(line) or RUNNING_HEAD.match(line)):
            continue
        if not CONTENTS.search(line):
            yield line


def _joined(lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    lengths = [len(part) for line in lines for part in ODD_HYPHEN.split(line)]
    full = statistics.quantiles(lengths, n=10)[7] if len(lengths) > 1 else lengths[0]
    text, last = "", ""
    for line in lines:
        is_short = len(ODD_HYPHEN.split(last)[-1]) < SHORT_SHARE * full
        is_new = not text or is_short or BULLET.match(line) or NUMBERED_HEADING.match(line)
        if is_new and not BROKEN_WORD.search(last):
            if text:
                yield text
            text = line
        elif BROKEN_WORD.search(last) and line[:1].islower():
            text = BROKEN_WORD.sub("", text) + line
        else:
            text = f"{text} {line}"
        last = line
    yield text
