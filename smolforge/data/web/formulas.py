"""Formulas set aside while a page's main content is found: extraction would lose or damage them.

A formula stands on a page as an element (a script, MathML, an image with LaTeX in its alternative text or address), as an
element beside drawings of the same formula (MathJax, KaTeX), or spelled out between delimiters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from smolforge.data.web.mathml import formula_of, local_name, wrap

Element = Any

PLACE = re.compile(r"XFORMULAX(\d+)X")
BACKSLASH = "XBACKSLASHX"
"""Stands for that of an opening without an end, over which trafilatura takes time in the square of their number."""
WIDE_BEFORE = re.compile(r" {2,}(?=XFORMULAX)")
WIDE_AFTER = re.compile(r"(?<=\dX) {2,}")
HOLDERS = (
    "//script[starts-with(@type, 'math/')] | //*[local-name() = 'math' or contains(name(), ':math')]"
    " | //img[@src or @alt] | //span[@data-mathml] | //*[@data-latex or @data-tex or @data-formula]"
)
"""Elements that may stand for a formula (`formula_of`)."""
DRAWN = "//*[contains(@class, 'katex') or contains(@class, 'mjx') or contains(@class, 'MathJax') or contains(@class, 'MJX')]"
DELIMITED_TEXTS = (
    "//text()[contains(., '$') or contains(., '\\(') or contains(., '\\[') or contains(., '\\begin{')]"
    "[not(parent::script or parent::style)]"
)
DRAWINGS = re.compile(
    r"(?:^|\s)(?:katex-html|MathJax_Preview|MathJax_SVG|MathJax_CHTML|MathJax_Display|MathJax|mjx-chtml|mjx-svg|MJXc-display)(?:\s|$)"
)
"""What MathJax and KaTeX draw for eyes, beside the formula itself."""
VERBATIM = frozenset(["script", "style", "code", "pre", "textarea", "kbd", "samp", "tt"])
OPENING = re.compile(r"\\(?=[(\[])")
LONGEST_FORMULA = 2000
_ANY = rf"[^\x00]{{1,{LONGEST_FORMULA}}}?"
# Up to the next opening at the most, or a page of nothing but openings takes time in the square of its length.
_INLINE = rf"(?:(?!\\\()[^\x00]){{1,{LONGEST_FORMULA}}}?"
_DISPLAY = rf"(?:(?!(?<!\\)\\\[)[^\x00]){{1,{LONGEST_FORMULA}}}?"
DELIMITED = re.compile(
    rf"\\\((?P<inline>{_INLINE})\\\)|\\\[(?P<display>{_DISPLAY})\\\]|\$\$(?P<dollars>{_ANY})\$\$"
    rf"|(?P<block>\\begin\{{(?P<name>equation|align|gather|eqnarray|multline)\*?\}}{_ANY}\\end\{{(?P=name)\*?\}})"
    r"|(?<![\\$\w])\$(?P<dollar>(?=[^$\n]{0,300}[\\^_{}])[^\s$][^$\n]{0,300}?(?<![\s\\])|[A-Za-z])\$(?![\w$])"
)
"""One dollar is a price as often: what it holds must look like LaTeX, or be one letter."""


def set_formulas_aside(tree: Element) -> list[str]:
    """Replace each formula by a word that survives extraction; gives the formulas by number."""
    formulas: list[str] = []

    def word(formula: str) -> str:
        formulas.append(formula)
        return f" XFORMULAX{len(formulas) - 1}X "

    _drop_drawings(tree)
    for node in tree.xpath(HOLDERS):
        if node.getparent() is not None and (formula := formula_of(node)):
            replace_by_text(node, word(formula))
    _take_delimited(tree, word)
    return formulas


def put_back(text: str, formulas: list[str]) -> str:
    """The text with its formulas again."""
    text = WIDE_BEFORE.sub(" ", WIDE_AFTER.sub(" ", text)).replace(BACKSLASH, "\\")
    return PLACE.sub(lambda match: formulas[int(match.group(1))], text)


def _drop_drawings(tree: Element) -> None:
    """Without what repeats a formula for the eye. Where nothing else holds the formula, the drawing's own source does."""
    drawn = [one for one in tree.xpath(DRAWN) if DRAWINGS.search(one.get("class"))]
    for node in drawn:
        is_source = formula_of(node) or _holds_formula(node)
        if node.getparent() is not None and (_is_before_script(node) or not is_source):
            replace_by_text(node, "")


def _holds_formula(node: Element) -> bool:
    return any(local_name(one) in ("math", "script", "mjx-container") for one in node.iterdescendants())


def _is_before_script(node: Element) -> bool:
    """Whether the next element, or the one after, is the script that the drawing was made from."""
    for after in list(node.itersiblings())[:2]:
        if local_name(after) == "script" and (after.get("type") or "").startswith("math/"):
            return True
    return False


def replace_by_text(node: Element, text: str) -> None:
    """Words take the element's place: into the text before it, so that the paragraph stays whole."""
    parent, before = node.getparent(), node.getprevious()
    tail = text + (node.tail or "")
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(node)


def _take_delimited(tree: Element, word: Callable[[str], str]) -> None:
    """Formulas between delimiters, in every text that is not code."""

    def taken(match: re.Match[str]) -> str:
        found = match.groupdict()
        display = found["display"] or found["dollars"] or found["block"]
        formula = wrap(display or found["inline"] or found["dollar"], bool(display))
        return word(formula) if formula else match[0]

    for text in tree.xpath(DELIMITED_TEXTS):
        node = text.getparent()
        around = node if text.is_text else node.getparent()
        if around is not None and local_name(around) in VERBATIM:
            continue
        left = OPENING.sub(BACKSLASH, DELIMITED.sub(taken, str(text)))
        if text.is_text:
            node.text = left
        else:
            node.tail = left
