"""Formulas in web pages as LaTeX: MathJax scripts, annotations, alternative texts, and MathML itself."""

from __future__ import annotations

import functools
import re
from typing import Any
from urllib.parse import unquote_plus

from lxml import etree

Element = Any  # lxml's element

SYMBOLS = {
    "×": r"\times", "÷": r"\div", "±": r"\pm", "∓": r"\mp", "⋅": r"\cdot", "·": r"\cdot", "−": "-", "≤": r"\le",
    "≥": r"\ge", "≠": r"\ne", "≈": r"\approx", "∞": r"\infty", "π": r"\pi", "θ": r"\theta", "α": r"\alpha",
    "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "λ": r"\lambda", "μ": r"\mu", "σ": r"\sigma", "φ": r"\phi",
    "ω": r"\omega", "Δ": r"\Delta", "Σ": r"\Sigma", "Ω": r"\Omega", "∑": r"\sum", "∏": r"\prod", "∫": r"\int",
    "√": r"\sqrt", "∈": r"\in", "∉": r"\notin", "⊂": r"\subset", "∪": r"\cup", "∩": r"\cap", "→": r"\to",
    "⇒": r"\Rightarrow", "∀": r"\forall", "∃": r"\exists", "°": r"^\circ", "…": r"\dots", "\u2061": "",
    "\u2062": "", "\u2063": "", "\u2064": "",
}  # fmt: skip
NAMED = re.compile(r"^(sin|cos|tan|log|ln|exp|lim|max|min|sec|csc|cot)$")
MAX_DEPTH = 60
MOST_SOURCE = 100_000
IMAGE_CLASS = re.compile(r"latex|\btex\b|\bmath|\bmwe-math|\bql-img")
IMAGE_ADDRESS = (
    re.compile(r"codecogs\.com/[\w.]+\?(.+)"),
    re.compile(r"/latex\.php\?(?:[^#]*&)?latex=([^&#]+)"),
    re.compile(r"/(?:mathtex|mimetex)\.cgi\?(.+)"),
    re.compile(r"chart\.apis\.google\.com/chart\?(?:[^#]*&)?chl=([^&#]+)"),
)
"""Services that draw a formula named in the address."""
DISPLAYSTYLE = re.compile(r"\{\\displaystyle (.+)\}", re.DOTALL)


def local_name(node: Element) -> str:
    """The tag without namespace or prefix, lower case; nothing for comments."""
    tag = node.tag
    return _local(tag) if isinstance(tag, str) else ""


@functools.lru_cache(maxsize=4096)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2].rpartition(":")[2].lower()


def formula_of(node: Element) -> str | None:
    """The formula that an element of a page stands for, between dollar signs, or None if it is none."""
    name = local_name(node)
    if name == "script":
        kind = (node.get("type") or "").lower()
        if kind.startswith("math/tex"):
            return wrap(node.text or "", "display" in kind)
        return None
    if name == "math":
        return _math(node)
    if name == "img":
        return _image(node)
    for spelled in ("data-latex", "data-tex", "data-formula"):
        if node.get(spelled):
            return wrap(node.get(spelled), "display" in (node.get("class") or ""))
    if name == "span" and node.get("data-mathml"):  # what MathJax drew from, where no script is beside it
        return _from_source(node.get("data-mathml"))
    return None


def _image(node: Element) -> str | None:
    """A formula drawn by a service: its LaTeX is the alternative text, or stands in the address."""
    alt, source = (node.get("alt") or "").strip(), node.get("src") or ""
    for mark in IMAGE_ADDRESS:
        if match := mark.search(source):
            return wrap(alt if "\\" in alt or "^" in alt else unquote_plus(match[1]), False) or None
    if alt and IMAGE_CLASS.search(node.get("class") or ""):
        shown = DISPLAYSTYLE.fullmatch(alt)
        return wrap(shown[1] if shown else alt, False)
    return None


def _from_source(source: str) -> str | None:
    try:
        tree = parse_xml(source[:MOST_SOURCE].encode("utf-8", "replace"), recover=True)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return _math(tree) or None if tree is not None and local_name(tree) == "math" else None


def parse_xml(data: bytes, *, recover: bool = False) -> Element:
    """A stranger's XML as a tree: no entity is resolved, nothing is fetched, depth and size are bounded."""
    how = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )
    return etree.fromstring(data, parser=how)


def wrap(latex: str, display: bool) -> str:
    """LaTeX between dollar signs: two of them where it stands on a line of its own."""
    latex = latex.strip().removeprefix("% <![CDATA[").removesuffix("%]]>").strip()
    if not latex:
        return ""
    return f"$${latex}$$" if display else f"${' '.join(latex.split())}$"


def _math(node: Element) -> str:
    display = node.get("display") == "block"
    for inner in node.iter():
        encoding = inner.get("encoding") or "" if local_name(inner) == "annotation" else ""
        if "tex" in encoding.lower():
            return wrap(inner.text or "", display)
    if node.get("alttext"):
        return wrap(node.get("alttext"), display)
    return wrap(re.sub(r"\s+", " ", to_latex(node)), display)


def to_latex(node: Element, depth: int = 0) -> str:
    """MathML as LaTeX: the elements that school and first-year mathematics uses."""
    if depth > MAX_DEPTH:
        return ""
    name = local_name(node)
    parts = [to_latex(child, depth + 1) for child in node if isinstance(child.tag, str)]
    if name in ("mi", "mn", "mo", "mtext", "ms"):
        return _token(name, "".join(node.itertext()).strip())
    if name in ("annotation", "annotation-xml", "mspace"):
        return " " if name == "mspace" else ""
    if name == "mfrac" and len(parts) == 2:
        return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
    if name == "msqrt":
        return rf"\sqrt{{{''.join(parts)}}}"
    if name == "mroot" and len(parts) == 2:
        return rf"\sqrt[{parts[1]}]{{{parts[0]}}}"
    if name in ("msup", "mover") and len(parts) == 2:
        return f"{parts[0]}^{{{parts[1]}}}"
    if name in ("msub", "munder") and len(parts) == 2:
        return f"{parts[0]}_{{{parts[1]}}}"
    if name in ("msubsup", "munderover") and len(parts) == 3:
        return f"{parts[0]}_{{{parts[1]}}}^{{{parts[2]}}}"
    if name == "mfenced":
        return f"{node.get('open', '(')}{','.join(parts)}{node.get('close', ')')}"
    if name == "mtable":
        return r"\begin{matrix}" + r" \\ ".join(parts) + r"\end{matrix}"
    if name == "mtr":
        return " & ".join(parts)
    return "".join(parts)


def _token(name: str, text: str) -> str:
    if name in ("mtext", "ms"):
        return rf"\text{{{text}}}" if text else " "
    if text in SYMBOLS:
        return f"{SYMBOLS[text]} " if SYMBOLS[text] else ""
    if NAMED.match(text):
        return rf"\{text} "
    if name == "mo" and text in ("{", "}", "%", "&", "#"):
        return rf"\{text}"
    return "".join(f"{SYMBOLS[c]} " if SYMBOLS.get(c) else c for c in text)
