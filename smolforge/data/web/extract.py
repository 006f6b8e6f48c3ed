"""HTML to text: the main content of a page, with headings, lists, code, tables and formulas kept.

Two ways. *Main content* is found by trafilatura, the best of those measured; pages that are content through
and through, laid out in tables as `pydoc` and old sites do, are rendered as they stand (`render`), because
trafilatura drops definition lists and flattens such tables. Formulas are put aside before and put back
after, which trafilatura would lose.

Hostile pages: over `MAX_PAGE_CHARS` are refused; libxml2 bounds depth and entities; `MAX_PAGE_SECONDS`
bounds time.
"""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import lxml.etree
import lxml.html

from smolforge.data.web.code_blocks import straighten_code
from smolforge.data.web.formulas import put_back, set_formulas_aside
from smolforge.data.web.render import FURNITURE, is_data_table, render

MAX_PAGE_CHARS = 4_000_000
MAX_ELEMENTS = 60_000
MAX_PAGE_SECONDS = 20.0
LAYOUT_SHARE = 0.8
WRAPPER_SHARE = 0.5
KNOWN_BY_CHARS = 500
"""So much must stand in paragraphs for a page's language to be told by them."""
NO_BREAK_SHARE = 0.05
"""Beyond these a page is laid out by hand. Measured on news pages: 0.5 and 0 cost 0.009 of token F1."""

DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
ESCAPED = re.compile(r"(\\*)\\([_*\[\]#~`<>()!+.\-])")
"""trafilatura doubles the backslashes before a mark, and adds one."""
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])(?![0-9a-f])|0*(?:[0-8]|1[124-9]|2\d|3[01])(?!\d));?",
    re.IGNORECASE,
)
"""As they are, or named by number."""

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs every page it finds empty
logging.getLogger("htmldate").setLevel(logging.CRITICAL)


class ExtractionError(Exception):
    """A page that cannot be turned into text; the message says why in few words."""


class StrangeLanguage(ExtractionError):
    """A page whose paragraphs are in a language that is not wanted; `text` is what they say."""

    def __init__(self, text: str) -> None:
        super().__init__("another language")
        self.text = text


def extract_html(html: str, is_wanted: Callable[[str], bool] | None = None) -> str:
    """The main text of a page; empty where there is none. `ExtractionError` for a page beyond the bounds.

    `is_wanted` is asked about the paragraphs before the main content is sought, which takes most of the time; where it says
    no, `StrangeLanguage` is raised.
    """
    if len(html) > MAX_PAGE_CHARS:
        raise ExtractionError("page too long")
    # No tree may hold them, and a formula's text would bring them back into one.
    html = CONTROL.sub(" ", html)
    with _time_limit(MAX_PAGE_SECONDS):
        tree = parse(html, lxml.html.HTMLParser)
        if tree is None:
            return ""
        if tree.xpath("count(//*)") > MAX_ELEMENTS:
            raise ExtractionError("too many elements")
        if is_wanted is not None and len(said := paragraphs(tree)) >= KNOWN_BY_CHARS and not is_wanted(said):
            raise StrangeLanguage(said)
        if not is_laid_out_by_hand(tree):
            return tidy(main_content(tree))
        tree = parse(html)
        open_wrappers(tree)
        return tidy(render(tree))


def paragraphs(tree: Any) -> str:
    """What stands in paragraphs, as a sample of what the page says."""
    return " ".join(" ".join(tree.xpath("//p//text()")).split())


def parse(html: str, parser: Any = lxml.etree.HTMLParser) -> Any | None:
    """The page's tree, or None for a page without one. lxml's plain elements are the faster ones."""
    how = parser(encoding="utf-8", huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        return lxml.etree.fromstring(DECLARATION.sub("", html).encode("utf-8", "replace"), parser=how)
    except (lxml.etree.ParserError, lxml.etree.XMLSyntaxError, ValueError):
        return None


def main_content(tree: Any) -> str:
    """What trafilatura takes for the main content, formulas included. The tree is used up."""
    import trafilatura

    open_wrappers(tree)
    straighten_code(tree)
    formulas = set_formulas_aside(tree)
    try:
        text = trafilatura.extract(
            tree,
            output_format="markdown",
            include_comments=False,
            include_tables=True,
            include_formatting=True,
            fast=True,
            deduplicate=False,
        )
    except (RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise ExtractionError(f"extractor failed: {type(error).__name__}") from None
    return put_back(_unescape(text or ""), formulas)


def open_wrappers(tree: Any) -> None:
    """A form, or a part named as furniture, that holds most of the page's text is the page: its name is taken from it."""
    body = tree.find("body")
    if body is None:
        return
    whole = 0
    small: set[Any] = set()
    for node in body.iter("form", "div", "section", "table", "main", "aside"):
        if not _names_furniture(node) or (small and not small.isdisjoint(node.iterancestors())):
            continue
        whole = whole or _text_chars(body)
        is_small = (
            node.xpath("string-length(string())") <= WRAPPER_SHARE * whole
        )  # scripts too: a bound from above
        if is_small or _text_chars(node) <= WRAPPER_SHARE * whole:
            small.add(node)  # nothing in it can hold most of the page
            continue
        node.tag = "table" if node.tag == "table" else "div"
        for name in ("class", "id", "role"):
            node.attrib.pop(name, None)


def _names_furniture(node: Any) -> bool:
    marks = f"{node.get('class') or ''} {node.get('id') or ''}"
    return node.tag in ("form", "aside") or (len(marks) < 200 and bool(FURNITURE.search(marks)))


def _text_chars(node: Any) -> int:
    """Without scripts and styles."""
    return sum(map(len, node.xpath(".//text()[not(parent::script or parent::style)]", smart_strings=False)))


def _unescape(text: str) -> str:
    """Markdown's backslashes undone outside of code, which has its own: the text is for reading, not for a renderer."""
    parts = CODE.split(text)
    return "".join(_code(part) if part.startswith("`") else ESCAPED.sub(_plain_mark, part) for part in parts)


def _code(part: str) -> str:
    return f"{part[:-3].rstrip()}\n```" if part.startswith("```") else part


def _plain_mark(match: re.Match[str]) -> str:
    return match[1][: len(match[1]) // 2] + match[2]


def is_laid_out_by_hand(tree: Any) -> bool:
    """Whether the page uses tables or no-break spaces for its layout, as `pydoc` does."""
    text = tree.xpath("string()", smart_strings=False)
    return text.count("\xa0") > NO_BREAK_SHARE * len(text) or layout_share(tree) > LAYOUT_SHARE


def layout_share(tree: Any) -> float:
    """Share of the page's text that stands in outermost layout tables."""
    body = tree.find("body")
    if body is None:
        return 0.0
    inside = 0
    tables = [t for t in body.iter("table") if next(t.iterancestors("table"), None) is None]
    if not tables:
        return 0.0
    total = len(body.xpath("string()")) or 1
    for table in tables:
        if not is_data_table(table):
            inside += len(table.xpath("string()"))
    return inside / total


def tidy(text: str) -> str:
    """Lines without trailing space, at most one empty line in a row, no control characters."""
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\ufeff]", "", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `ExtractionError` after `seconds`; only where signals can be had (main thread, POSIX)."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_signal: int, _frame: Any) -> None:
        raise ExtractionError("took too long")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
