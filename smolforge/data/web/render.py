"""A page as text, block by block, as it stands: headings, lists, definitions, code, tables, formulas.

It takes the page whole but for what is marked as furniture (navigation, footers, forms, link lists), and is
right where a page *is* its content: documentation, old pages laid out in tables. `extract` decides.
Output is Markdown in its plainest form. No-break spaces count as deliberate indentation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from smolforge.data.web.mathml import formula_of, local_name

Element = Any

REMOVED = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "footer",
        "aside",
        "form",
        "button",
        "select",
        "iframe",
        "svg",
        "canvas",
        "object",
        "video",
        "audio",
        "head",
        "link",
        "meta",
        "input",
        "label",
        "dialog",
    ]
)
BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "main",
        "body",
        "html",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "tfoot",
        "caption",
        "blockquote",
        "pre",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "header",
        "figure",
        "figcaption",
        "address",
        "center",
        "details",
        "summary",
        "fieldset",
        "para",
        "title",
        "note",
        "example",
        "exercise",
        "problem",
        "solution",
        "item",
        "list",
        "equation",
    ]
)
HEADINGS = {f"h{i}": "#" * i for i in range(1, 7)}
CELL_BLOCKS = frozenset(["table", "p", "div", "dl", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6"])
FURNITURE = re.compile(
    r"(^|[\s_-])(nav|navbar|navigation|menu|sidebar|footer|cookie|consent|breadcrumbs?|share|sharing|social|advert|ads?"
    r"|related|newsletter|subscribe|pagination|skip|popup|modal|toc)($|[\s_-])",
    re.IGNORECASE,
)
SPACES = re.compile(r"[ \t\r\n\f\v]+")
BREAK = "\ue000"  # where a line was broken on purpose; a private character, so never in a page's own words
MAX_DEPTH = 180
REPEAT_CHARS = 30


@dataclass
class _Page:
    """Lines written so far, and the line being written."""

    lines: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    indent: str = ""
    bullet: str = ""

    def end_line(self) -> None:
        text = SPACES.sub(" ", "".join(self.inline)).replace(f"{BREAK} ", BREAK).strip(" ")
        self.inline.clear()
        for line in text.split(BREAK):
            line = line.replace("\xa0", " ").rstrip()
            if not line.strip():
                self.gap()
                continue
            lead, self.bullet = self.bullet, " " * len(self.bullet) if self.bullet else ""
            self.lines.append(f"{self.indent}{lead}{line}")
        self.bullet = ""

    def gap(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")


def render(root: Element) -> str:
    """The text of a parsed page."""
    page = _Page()
    _walk(root, page, 0)
    page.end_line()
    return without_repeats("\n".join(page.lines))


def without_repeats(text: str) -> str:
    """The text without blocks (lines up to an empty one) that stood before: inherited members, notices.

    Blocks under `REPEAT_CHARS` stay, because short ones (`Returns`) carry the structure.
    """
    seen, kept = set(), []
    for block in re.split(r"\n\s*\n", text):
        known = block.strip()
        if not known or known in seen:
            continue
        if len(known) >= REPEAT_CHARS:
            seen.add(known)
        kept.append(block)
    return "\n\n".join(kept).strip("\n")


def is_furniture(node: Element, name: str) -> bool:
    """Whether an element is navigation, a footer, a form, or little but links."""
    if name in REMOVED:
        return True
    if node.get("aria-hidden") == "true" or node.get("role") in (
        "navigation",
        "banner",
        "contentinfo",
        "search",
    ):
        return True
    if name in ("div", "section", "ul", "ol", "header", "table"):
        marks = f"{node.get('class') or ''} {node.get('id') or ''}"
        if len(marks) < 200 and FURNITURE.search(marks):
            return True
    if name in ("td", "p", "div") and len(node) <= 8 and _is_only_links(node):
        return True
    return name in ("ul", "ol", "table") and _is_link_list(node)


def _is_only_links(node: Element) -> bool:
    """Whether a small block says nothing but two or more links."""
    if sum(1 for child in node if child.tag == "a") < 2:
        return False
    own = (node.text or "") + "".join((child.tail or "") for child in node)
    return not re.search(r"\w", own) and all(child.tag in ("a", "br") for child in node)


def _is_link_list(node: Element) -> bool:
    links = node.findall(".//a")
    if len(links) < 4:
        return False
    total = len("".join(node.itertext()).strip())
    linked = sum(len("".join(a.itertext()).strip()) for a in links)
    return total == 0 or linked > 0.7 * total


def _walk(node: Element, page: _Page, depth: int) -> None:
    name = local_name(node)
    formula = formula_of(node)
    if formula is not None:
        _formula(formula, page)
    elif name and depth < MAX_DEPTH and not is_furniture(node, name):
        _element(node, name, page, depth)
    if node.tail:
        page.inline.append(_soften(node.tail))


def _soften(text: str) -> str:
    return SPACES.sub(" ", text)


def _formula(formula: str, page: _Page) -> None:
    if formula.startswith("$$"):
        page.end_line()
        page.lines.append(formula)
    else:
        page.inline.append(formula)


def _element(node: Element, name: str, page: _Page, depth: int) -> None:
    if name == "br":
        page.inline.append(BREAK)
        return
    if name == "pre":
        _code(node, page)
        return
    if name == "table" and is_data_table(node):
        _table(node, page)
        return
    if name not in BLOCKS:
        if name in ("code", "tt", "kbd") and node.text and len(node) == 0 and "\n" not in node.text:
            page.inline.append(f"`{node.text}`")
            return
        _inside(node, page, depth)
        return
    page.end_line()
    if name in HEADINGS:
        page.gap()
        page.bullet = HEADINGS[name] + " "
        _inside(node, page, depth)
        page.end_line()
        page.gap()
        return
    saved = page.indent
    if name == "dd":
        page.indent += "    "
    elif name == "li":
        page.bullet = _bullet(node)
        if next(node.iterancestors("li"), None) is not None:
            page.indent += "  "
    elif name in ("p", "table", "pre", "blockquote", "ul", "ol", "dl", "section"):
        page.gap()
    _inside(node, page, depth)
    page.end_line()
    page.indent = saved
    if name in ("p", "table", "blockquote", "dl", "ul", "ol"):
        page.gap()


def _bullet(node: Element) -> str:
    parent = node.getparent()
    if parent is not None and local_name(parent) == "ol":
        before = sum(1 for _ in node.itersiblings("li", preceding=True))
        return f"{before + 1}. "
    return "- "


def _inside(node: Element, page: _Page, depth: int) -> None:
    if node.text:
        page.inline.append(_soften(node.text))
    for child in node:
        _walk(child, page, depth + 1)


def _code(node: Element, page: _Page) -> None:
    page.end_line()
    text = "".join(node.itertext()).strip("\n")
    if text.strip():
        page.gap()
        page.lines += ["```", *(line.rstrip().replace("\xa0", " ") for line in text.split("\n")), "```", ""]


def is_data_table(node: Element) -> bool:
    """Whether a table holds data, not layout: several rows and columns, no blocks inside its cells."""
    if any(local_name(inner) in CELL_BLOCKS for inner in node.iterdescendants()):
        return False
    rows = node.findall(".//tr")
    if len(node.findall(".//br")) > len(rows):
        return False
    return len(rows) >= 2 and max((len(row) for row in rows), default=0) >= 2


def _table(node: Element, page: _Page) -> None:
    page.end_line()
    page.gap()
    for number, row in enumerate(node.iter("tr")):
        cells = [SPACES.sub(" ", "".join(cell.itertext())).replace("\xa0", " ").strip() for cell in row]
        if not any(cells):
            continue
        page.lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
        if number == 0:
            page.lines.append("|" + " --- |" * len(cells))
    page.gap()
