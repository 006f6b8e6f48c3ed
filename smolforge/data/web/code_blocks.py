"""Code on web pages, brought into the one form that extraction keeps: lines of text within `pre`."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from smolforge.data.web.formulas import replace_by_text
from smolforge.data.web.mathml import local_name

Element = Any

LINE_NUMBERS = re.compile(
    r"(?:^|[\s_-])(?:gutter|gl|lineno|linenos|linenumber|linenumbers|line-number|line-numbers|hljs-ln-numbers|blob-num|rouge-gutter)(?:\s|$)"
)
CODE_TABLE = re.compile(
    r"(?:highlight|rouge-table|hljs-ln|CodeRay|syntaxhighlighter|codehilite|js-file-line-container)"
)
ONLY_NUMBERS = re.compile(r"[\d\s]*$")


def straighten_code(tree: Element) -> None:
    """Line breaks of `pre` become ends of lines, line numbers go, tables of code become `pre`."""
    for node in [one for one in tree.iter("td", "th", "span", "pre", "div") if _is_line_number(one)]:
        if node.getparent() is not None:
            replace_by_text(node, "")
    for table in [one for one in tree.iter("table") if _is_code(one)]:
        _as_pre(table)
    for pre in tree.iter("pre"):
        for line_break in list(pre.iter("br")):
            replace_by_text(line_break, "\n")
        if next(pre.iter("code"), None) is None:  # without it, a `pre` is taken for a quotation
            _as_code(pre)
        if "\n" not in "".join(pre.itertext()).strip("\n"):  # a `pre` of one line is a block too
            _end_with_line(pre)


def _as_code(pre: Element) -> None:
    code = etree.Element("code")
    code.text, pre.text = pre.text, None
    code.extend(list(pre))
    pre.append(code)


def _end_with_line(pre: Element) -> None:
    last = list(pre.iter("code"))[-1]
    while len(last):
        last = last[-1]
    if last.tag == "code":
        last.text = (last.text or "") + "\n "
    else:
        last.tail = (last.tail or "") + "\n "


def _is_line_number(node: Element) -> bool:
    return bool(LINE_NUMBERS.search(node.get("class") or "")) and bool(
        ONLY_NUMBERS.match("".join(node.itertext()))
    )


def _is_code(table: Element) -> bool:
    around = [table, *list(table.iterancestors())[:2]]
    is_named = any(CODE_TABLE.search(one.get("class") or "") for one in around)
    return is_named and all(len(_cells(row)) <= 2 for row in table.iter("tr"))


def _cells(row: Element) -> list[Element]:
    return [cell for cell in row if local_name(cell) in ("td", "th")]


def _as_pre(table: Element) -> None:
    """The table's text, a row a line; what stands in a `pre` of one of its cells stays as it is."""
    inside = list(table.iter("pre"))
    rows = ["".join(row.itertext()).strip("\n") for row in table.iter("tr")]
    text = "\n".join(_text_of(pre) for pre in inside) if inside else "\n".join(rows)
    made = etree.Element("pre")
    made.text, made.tail = text, table.tail
    parent = table.getparent()
    if parent is not None and text.strip():
        parent.replace(table, made)


def _text_of(pre: Element) -> str:
    for line_break in list(pre.iter("br")):
        replace_by_text(line_break, "\n")
    return "".join(pre.itertext()).strip("\n")
