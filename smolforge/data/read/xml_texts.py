"""Articles, books and encyclopaedias in XML: JATS, TEI, and dumps of MediaWiki, page by page in bounded memory.

They become the elements of a web page, so that headings, lists, tables and formulas are written as a page's are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

from lxml import etree

from smolforge.data.web.mathml import local_name
from smolforge.data.web.render import render
from smolforge.errors import InputError

Element = Any

ROOT = re.compile(rb"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")
AS_HTML = {
    "sec": "section", "list": "ul", "list-item": "li", "item": "li", "disp-quote": "blockquote", "quote": "blockquote",
    "code": "pre", "preformat": "pre", "table-wrap": "div", "row": "tr", "cell": "td", "lb": "br", "break": "br",
    "ab": "p", "sp": "p", "lg": "p", "boxed-text": "div", "def-list": "dl", "def": "dd", "term": "dt",
}  # fmt: skip
LEFT_OUT = frozenset(
    [
        "ref-list", "journal-meta", "permissions", "contrib-group", "aff", "pub-date", "history", "author-notes", "kwd-group",
        "article-id", "article-categories", "fn-group", "ack", "xref", "graphic", "object-id", "counts", "funding-group",
        "teiheader", "listbibl", "fw", "facsimile", "note", "supplementary-material", "custom-meta-group", "volume", "issue",
        "fpage", "lpage", "elocation-id", "alternatives-graphic", "pb", "isbn",
    ]
)  # fmt: skip
"""What is about a text, not of it."""
KINDS = {"article": "jats", "tei": "tei", "teicorpus": "tei", "mediawiki": "mediawiki"}
HEADING = "\ue000"  # "#" is a list to MediaWiki; a private character, so never in a page's own words
LISTED = re.compile(r"^[*#]+ *", re.MULTILINE)
INDENTED = re.compile(r"^[:;]+ *", re.MULTILINE)
ARTICLES = "0"
"""MediaWiki's name space of articles."""


def xml_kind(head: bytes) -> str:
    """`jats`, `tei`, `mediawiki`, `html`, or nothing for another kind of XML; by the outermost element."""
    found = ROOT.search(head)
    name = found.group(1).decode("ascii", "replace").lower() if found else ""
    return "html" if name == "html" else KINDS.get(name, "")


def read_xml(file: IO[bytes], kind: str, relative: str) -> Iterator[tuple[str, str]]:
    """(title, Markdown) of each text in the file. Raises InputError where it is damaged, or a library is missing."""
    try:
        if kind == "mediawiki":
            yield from _wiki_pages(file)
        else:
            how = etree.XMLParser(
                resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
            )
            yield "", _as_page(etree.parse(file, parser=how).getroot())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(
            f"damaged XML: {str(error)[:200]}", where=relative, fix="repair it, or remove it"
        ) from None


def _as_page(root: Element) -> str:
    depth = {root: 0}
    for node in [one for one in root.iter() if isinstance(one.tag, str)]:
        name = local_name(node)
        parent = node.getparent()
        depth[node] = depth.get(parent, 0) + (name in ("sec", "div", "div1", "div2", "div3"))
        if name in LEFT_OUT and parent is not None:
            _drop(node, parent)
        elif name in ("title", "head", "article-title"):
            node.tag = "h1" if name == "article-title" else f"h{min(6, depth[node] + 1)}"
        elif name == "l":  # a line of verse
            node.tag, node.tail = "span", "\n"
            node.append(etree.Element("br"))
        elif name == "tex-math":
            node.tag = "script"
            node.set("type", "math/tex")
        elif name in AS_HTML:
            node.tag = AS_HTML[name]
        elif "MathML" not in node.tag:
            node.tag = name
    return render(root)


def _drop(node: Element, parent: Element) -> None:
    before = node.getprevious()
    if node.tail and before is not None:
        before.tail = (before.tail or "") + node.tail
    elif node.tail:
        parent.text = (parent.text or "") + node.tail
    parent.remove(node)


def _wiki_pages(file: IO[bytes]) -> Iterator[tuple[str, str]]:
    for _, page in etree.iterparse(file, tag="{*}page", resolve_entities=False, no_network=True):
        title, space, text = (page.findtext(f".//{{*}}{name}") or "" for name in ("title", "ns", "text"))
        is_redirect = page.find("{*}redirect") is not None
        page.clear()
        while page.getprevious() is not None:
            del page.getparent()[0]
        if space in ("", ARTICLES) and not is_redirect and (plain := wiki_text(text)):
            yield title, f"# {title}\n\n{plain}" if title else plain


def wiki_text(text: str) -> str:
    """Wikitext as Markdown: headings, lists and formulas stay; templates, references, tables and pictures go."""
    try:
        import mwparserfromhell
    except ImportError:
        raise InputError(
            "wikitext needs the library mwparserfromhell",
            where="a dump of MediaWiki",
            fix='`pip install "smolforge[wiki]"`',
        ) from None
    text = LISTED.sub("- ", INDENTED.sub("", text))
    code = mwparserfromhell.parse(text, skip_style_tags=False)
    for tag in code.filter_tags(recursive=True):
        name = str(tag.tag).lower()
        formula = str(tag.contents).strip() if name == "math" and tag.contents else ""
        if formula or name in ("ref", "gallery", "table", "timeline", "score"):
            _replace(code, tag, f"${formula}$" if formula else "")
    for link in code.filter_wikilinks(recursive=True):
        if str(link.title).lstrip(":").partition(":")[1]:  # a picture, a category, another language
            _replace(code, link, "")
    for heading in code.filter_headings():
        _replace(code, heading, f"\n{HEADING * heading.level} {heading.title.strip_code().strip()}\n")
    plain = code.strip_code(normalize=True, collapse=True).replace(HEADING, "#")
    lines = [line.rstrip() for line in plain.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _replace(code: Any, node: Any, text: str) -> None:
    try:
        code.replace(node, text)
    except ValueError:  # it stood in one that is gone already
        return
