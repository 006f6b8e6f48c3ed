"""Answers of competition mathematics written in TeX, brought to one form so that equal ones are equal texts.

Two published normalisers, which disagree on a few answers in a hundred; a score says which it used. Texts are
compared, not values: `1/2` and `0.5` agree under the first only because its authors named that pair.
"""

from __future__ import annotations

import re

MAX_CHARACTERS = 400
"""A longer answer is nobody's final expression; the patterns below then have a bound."""
BOXES = ("\\boxed", "\\fbox")
FINAL_ANSWER = re.compile(r"Final Answer: The final answer is(.*?). I hope it is correct\.")
HOPE = "I hope it is correct."

SLASH = re.compile(r"(-?\d+)/(-?\d+)")
FRACTION_OF_TWO = re.compile(r"\\frac([^{])(?:([^{])|(?={))")
BARE_ROOT = re.compile(r"\\sqrt([^{])")
LABEL = re.compile(r"[^=]{0,2}=([^=]*)")
THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+")
COMMAND = re.compile(r"(\\[a-zA-Z]+)")


def last_boxed(text: str) -> str | None:
    """What the last `\\boxed{…}` holds, braces matched; None where there is none or it never closes."""
    start = next((found for box in BOXES if (found := text.rfind(box)) >= 0), -1)
    if start < 0:
        return None
    rest = re.sub(r"^\\[a-z]+", "", text[start:])
    if rest.startswith(" "):  # `\boxed 3$` is TeX too
        return rest[1:].partition("$")[0]
    return _in_braces(rest)


def _in_braces(text: str) -> str | None:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return text[1:place] if letter == "}" else None
    return None


def final_answer(text: str) -> str | None:
    """What stands between "Final Answer: The final answer is" and ". I hope it is correct."."""
    found = FINAL_ANSWER.search(text + HOPE)
    return found.group(1).strip() if found else None


# -- the MATH paper's ----------------------------------------------------------------------------------

HENDRYCKS_REPLACED = (
    ("\n", ""), ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""), ("\\right", ""),
    ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""),
)  # fmt: skip


def hendrycks(text: str) -> str:
    """The normal form of the MATH paper: units, degrees, percents and spaces go, fractions and roots get braces.

    Source: Hendrycks et al., arXiv:2103.03874, and the equivalence check published with it.
    """
    text = text[:MAX_CHARACTERS]
    for old, new in HENDRYCKS_REPLACED:
        text = text.replace(old, new)
    text = text.partition("\\text{ ")[0]  # what begins so is a unit
    text = text.replace("\\%", "").replace(" .", " 0.").replace("{.", "{0.")
    text = re.sub(r"^\.", "0.", text)
    if label := LABEL.fullmatch(text):
        text = label.group(1)
    text = BARE_ROOT.sub(r"\\sqrt{\1}", text).replace(" ", "")
    text = FRACTION_OF_TWO.sub(_braced, text)
    return (
        "\\frac{1}{2}" if text == "0.5" else SLASH.sub(r"\\frac{\1}{\2}", text) if _is_slash(text) else text
    )


def _braced(found: re.Match[str]) -> str:
    above, below = found.groups()
    return f"\\frac{{{above}}}" + (f"{{{below}}}" if below else "")


def _is_slash(text: str) -> bool:
    """Two whole numbers as they are printed: `1/2`, not `01/2`."""
    found = SLASH.fullmatch(text)
    return found is not None and all(str(int(part)) == part for part in found.groups())


# -- Minerva's -----------------------------------------------------------------------------------------

MINERVA_REPLACED = (
    ("an ", ""), ("a ", ""), (".$", "$"), ("\\$", ""), ("\\ ", ""), (" ", ""), ("mbox", "text"),
    (",\\text{and}", ","), ("\\text{and}", ","), ("\\text{m}", "\\text{}"),
)  # fmt: skip
MINERVA_UNITS = (
    "square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units", "sue", "points", "feet",
    "minutes", "digits", "cents", "degrees", "cm", "gm", "pounds", "meters", "meals", "edges", "students",
    "childrentickets", "multiples",
)  # fmt: skip
MINERVA_MARKS = (
    "\\ldots", "\\text{s}", "\\text{.}", "\\text{\ns}", "\\text{}^2", "\\text{}^3", "\\text{\n}", "\\text{}",
    "\\mathrm{th}", "^\\circ", "^{\\circ}", "\\;", ",\\!", "{,}", '"', "\\dots",
)  # fmt: skip
MINERVA_UNIT_WORDS = re.compile(rf"(?<!\\)\b(?:{'|'.join(MINERVA_UNITS)})\b")


def minerva(text: str) -> str:
    """The normal form of the Minerva paper: what follows the last `=`, without units, marks and dollars.

    Units go as words first and, once there are no spaces, wherever they stand, but never inside a TeX command:
    `\\left` keeps its `ft`.
    Source: Lewkowycz et al., arXiv:2206.14858, appendix D.1.
    """
    text = MINERVA_UNIT_WORDS.sub("", text[:MAX_CHARACTERS].split("=")[-1])
    for old, new in MINERVA_REPLACED:
        text = text.replace(old, new)
    text = "".join(part if part.startswith("\\") else _without_units(part) for part in COMMAND.split(text))
    for mark in MINERVA_MARKS:
        text = text.replace(mark, "")
    return _tidy(text)


def _without_units(text: str) -> str:
    for unit in MINERVA_UNITS:
        text = text.replace(unit, "")
    return text


def _tidy(text: str) -> str:
    """The formula alone where dollars mark it, without wrappers, shorthand spelled out, thousands without commas."""
    text = re.sub(r"(.*?)(\$)(.*?)(\$)(.*)", r"$\3$", text)
    for wrapper in ("text", "textbf", "overline"):
        text = re.sub(rf"\\{wrapper}{{(.*?)}}", r"\1", text)
    text = re.sub(r"\\boxed{(.*)}", r"\1", text)
    text = re.sub(r"frac([^{])(.)", r"frac{\1}{\2}", text)
    text = re.sub(r"sqrt(\[[^\]]*\])(\w)", r"sqrt\1{\2}", text)
    text = re.sub(r"sqrt(?!\[)([^{])", r"sqrt{\1}", text).replace("$", "")
    return text.replace(",", "") if THOUSANDS.fullmatch(text) else text
