"""Books and word processors' files as text: EPUB, DOCX, ODT. Headings, lists and tables stay, in plain Markdown.

All three are ZIP archives of XML. They may come from anywhere: every member's size is bounded before it is unpacked,
and no entity is resolved.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any
from urllib.parse import unquote

import lxml.etree

from smolforge.data.web.extract import parse, tidy
from smolforge.data.web.mathml import local_name, parse_xml
from smolforge.data.web.render import render
from smolforge.errors import InputError

Element = Any

MEMBER_BYTES = 64 << 20
MOST_CHAPTERS = 10_000
HEADING_STYLE = re.compile(r"(?:heading|title|überschrift|titre|título)\s*(\d?)", re.IGNORECASE)
DEEPEST_HEADING = 6
LEFT_OUT = frozenset(["fallback", "instrtext", "deltext", "tracked-changes", "note", "annotation", "forms"])
"""The second telling of a text box, field codes, what was deleted, notes, remarks."""
REPAIR = "save it again, or as text"


def read_office(file: IO[bytes], suffix: str, where: str) -> tuple[str, list[str]]:
    """The text of an EPUB, DOCX or ODT file, and the names of chapters that are missing in it.

    Raises InputError for one that is damaged, locked or too large.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            missing: list[str] = []
            return tidy(READERS[suffix](archive, missing)), missing
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, KeyError, IndexError) as error:
        raise InputError(f"this {suffix[1:]} file is damaged: {error}", where=where, fix=REPAIR) from None
    except (lxml.etree.XMLSyntaxError, ValueError, RecursionError) as error:
        raise InputError(f"this {suffix[1:]} file cannot be read: {error}", where=where, fix=REPAIR) from None
    except RuntimeError as error:  # what zipfile raises for a password
        raise InputError(f"this {suffix[1:]} file is locked: {error}", where=where, fix=REPAIR) from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        data = file.read(MEMBER_BYTES + 1)
    if len(data) > MEMBER_BYTES:
        raise ValueError(f"{name} is too large")
    return data


def _xml(archive: zipfile.ZipFile, name: str) -> Element:
    return parse_xml(_member(archive, name))


# -- EPUB ----------------------------------------------------------------------------------------------


def _epub(archive: zipfile.ZipFile, missing: list[str]) -> str:
    """The chapters in the order in which they are read; adds to `missing` those that are not there."""
    container = _xml(archive, "META-INF/container.xml")
    package_name = next(str(one.get("full-path")) for one in _named(container, "rootfile"))
    package = _xml(archive, package_name)
    places = {str(one.get("id")): str(one.get("href")) for one in _named(package, "item")}
    chapters = [places[str(one.get("idref"))] for one in _named(package, "itemref")][:MOST_CHAPTERS]
    folder, texts, there = posixpath.dirname(package_name), [], frozenset(archive.namelist())
    for place in chapters:
        name = posixpath.normpath(posixpath.join(folder, unquote(place.partition("#")[0])))
        if name not in there:
            missing.append(name)
            continue
        tree = parse(_member(archive, name).decode("utf-8", "replace"))
        if tree is not None:
            texts.append(render(tree))
    return "\n\n".join(texts)


# -- DOCX ----------------------------------------------------------------------------------------------


def _docx(archive: zipfile.ZipFile, _missing: list[str]) -> str:
    headings = _docx_headings(archive) if "word/styles.xml" in archive.namelist() else {}
    body = next(_named(_xml(archive, "word/document.xml"), "body"))
    return "\n\n".join(_blocks(body, lambda paragraph: _docx_mark(paragraph, headings)))


def _docx_headings(archive: zipfile.ZipFile) -> dict[str, int]:
    """The depth of every style that is a heading; its id may be in any language, its name seldom is."""
    found = {}
    for style in _named(_xml(archive, "word/styles.xml"), "style"):
        name = next((_attribute(one, "val") for one in _named(style, "name")), "")
        if match := HEADING_STYLE.match(name):
            found[_attribute(style, "styleId")] = int(match[1] or 1)
    return found


def _docx_mark(paragraph: Element, headings: Mapping[str, int]) -> str:
    for properties in _children(paragraph, "ppr"):
        for style in _children(properties, "pstyle"):
            if depth := headings.get(_attribute(style, "val")):
                return "#" * min(depth, DEEPEST_HEADING) + " "
        if next(_children(properties, "numpr"), None) is not None:
            return "- "
    return ""


# -- ODT -----------------------------------------------------------------------------------------------


def _odt(archive: zipfile.ZipFile, _missing: list[str]) -> str:
    body = next(_named(_xml(archive, "content.xml"), "body"))
    return "\n\n".join(_blocks(body, _odt_mark))


def _odt_mark(paragraph: Element) -> str:
    if local_name(paragraph) == "h":
        depth = _attribute(paragraph, "outline-level")
        return "#" * min(int(depth) if depth.isdigit() else 1, DEEPEST_HEADING) + " "
    parent = paragraph.getparent()
    return "- " if parent is not None and local_name(parent) == "list-item" else ""


READERS: Mapping[str, Callable[[zipfile.ZipFile, list[str]], str]] = {
    ".epub": _epub,
    ".docx": _docx,
    ".odt": _odt,
}


# -- paragraphs and tables of both ---------------------------------------------------------------------


def _blocks(node: Element, mark: Callable[[Element], str]) -> Iterator[str]:
    """Paragraphs, headings and tables in order; the items of a list hang together."""
    items: list[str] = []
    for child in _flow(node):
        if local_name(child) in ("tbl", "table"):
            text = _table(child)
        else:
            written = " ".join(_words(child).split())
            text = mark(child) + written if written else ""
        if text.startswith("- "):
            items.append(text)
            continue
        if items:
            yield "\n".join(items)
            items = []
        if text:
            yield text
    if items:
        yield "\n".join(items)


def _flow(node: Element) -> Iterator[Element]:
    """Paragraphs and tables below a node, outermost first."""
    for child in node:
        name = local_name(child)
        if name in ("p", "h", "tbl", "table"):
            yield child
        elif name not in LEFT_OUT:
            yield from _flow(child)


def _table(node: Element) -> str:
    rows = []
    for row in _named(node, "tr", "table-row"):
        cells = [" ".join(_words(cell).split()) for cell in row if local_name(cell) in ("tc", "table-cell")]
        if any(cells):
            rows.append(" | ".join(cells))
    return "\n".join(rows)


def _words(node: Element) -> str:
    """The text of a paragraph or cell."""
    parts: list[str] = []
    _gather(node, parts, is_odt="opendocument" in str(node.tag))
    return "".join(parts)


def _gather(node: Element, parts: list[str], *, is_odt: bool) -> None:
    name = local_name(node)
    if name in LEFT_OUT:
        return
    if name in ("tab", "br", "cr", "line-break", "s"):
        parts.append(" ")
    if node.text and (is_odt or name == "t"):  # other elements of a DOCX hold no words
        parts.append(node.text)
    for child in node:
        _gather(child, parts, is_odt=is_odt)
        if child.tail and is_odt:
            parts.append(child.tail)
    if name in ("p", "h"):
        parts.append(" ")  # paragraphs of one cell stand apart


def _named(node: Element, *names: str) -> Iterator[Element]:
    return (one for one in node.iter() if local_name(one) in names)


def _children(node: Element, name: str) -> Iterator[Element]:
    return (one for one in node if local_name(one) == name)


def _attribute(node: Element, name: str) -> str:
    """An attribute by its local name."""
    found = (value for key, value in node.attrib.items() if str(key).rpartition("}")[2] == name)
    return str(next(found, ""))
