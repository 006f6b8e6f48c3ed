"""Sentences of a paragraph, and which of them can be understood alone."""

from __future__ import annotations

import re

from smolforge.questions.wordlists import (
    ABBREVIATIONS,
    ENDING,
    LEANING,
    LEANING_PHRASES,
    POINTING_PHRASES,
    words,
)

BOUNDARY = re.compile(r"[.!?][\"”’')\]]{0,2} +(?=[\"“‘(\[]?[A-Z0-9`])")
STARTER = re.compile(
    r"[\"“(]?(?:The|In|It|This|These|He|She|They|We|After|Before|But|And|By|As|For|When|While|However|Although"
    r"|An?|On|At|Its|His|Her|Their)\b"
)
"""A word that begins a sentence: an abbreviation before it ended one."""
MIN_WORDS, MAX_WORDS, MAX_CHARS = 8, 42, 320
LEANING_START = re.compile(rf"(?:{LEANING_PHRASES})\b", re.IGNORECASE)
POINTING = re.compile(
    rf"\b(?:{POINTING_PHRASES}"
    r"|(?:figure|table|fig\.|eq\.|chapter|section) (?:\d|[A-Z]\b)|see (?:[A-Z]|`)|below(?=[.,;:)])"
    r"|(?:this|next|previous|last|another|later|earlier|following) (?:section|chapter|figure|table|page|module|unit"
    r"|lesson|paragraph|example|point|book|text|case)"
    r"|(?:we|you) (?:will|shall|have|just|can) (?:see|saw|seen|learn|learned|discuss|discussed|look|explore|examine)"
    r")\b",
    re.IGNORECASE,
)
DEMONSTRATIVE = re.compile(
    r"\b(?:this|these|those|such (?:a|an|\w+s))\b"
    r"(?! (?:is|are|was|country|nation|year|century|congress|land|republic|union|continent))",
    re.IGNORECASE,
)
PRONOUN = re.compile(
    r"\b(?:it|its|he|she|they|their|his|her|him|them|himself|herself|themselves|itself|theirs)\b",
    re.IGNORECASE,
)
STRANGE = re.compile(
    r"[\\{}<>|=^~@#\ufffd]|https?:|www\.|\.\.\.|…|--+|\$[^\d\s]|\s_|___|\*|::|\d\s*[×+]\s*\d|;.*;.*;"
)
OF_PERSONS = words("he she his her him himself herself")
OPENING = words("in on at when if as by for with after before although")
MIN_LETTERS_SHARE = 0.75
CODE_SPAN = re.compile(r"`[^`]*`")


def split(text: str) -> list[str]:
    """The sentences of a paragraph, in order."""
    found, start = [], 0
    for end in BOUNDARY.finditer(text):
        before = text[start : end.start()].rsplit(None, 1)
        last = before[-1].lstrip("(\"“'‘[").lower() if before else ""
        goes_on = last not in ENDING or not STARTER.match(text, end.end())
        if text[end.start()] == "." and _is_abbreviation(last) and goes_on:
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    rest = text[start:].strip()
    return [*found, rest] if rest else found


def _is_abbreviation(word: str) -> bool:
    return word in ABBREVIATIONS or re.fullmatch(r"(?:[a-z]\.)*[a-z]|\d{1,2}", word) is not None


def trouble(sentence: str) -> str:
    """Why a sentence cannot be asked about by itself, in a word or two; nothing where it can."""
    parts = sentence.split()
    if not MIN_WORDS <= len(parts) <= MAX_WORDS or len(sentence) > MAX_CHARS:
        return "length"
    if sentence[-1] != "." and not sentence.endswith((".”", '."', ".)", ".’")):
        return "no statement"
    if not sentence[0].isupper() and sentence[0] not in '`“"':
        return "no statement"
    bare = CODE_SPAN.sub("Code", sentence)
    if STRANGE.search(bare) or not _is_balanced(sentence) or _letters_share(bare) < MIN_LETTERS_SHARE:
        return "marks and formulas"
    if sum(word[0].isupper() for word in parts) * 2 > len(parts):
        return "a title or a list of names"
    return "leans on its surroundings" if leans(bare) else ""


def leans(sentence: str) -> bool:
    """Whether a sentence refers to something outside it, as far as words show."""
    first = re.match(r"[\"“‘'(]*([\w’'-]+)", sentence)
    if first is None or first.group(1).lower() in LEANING or LEANING_START.match(sentence.lstrip("\"“‘'(")):
        return True
    if POINTING.search(sentence) or DEMONSTRATIVE.search(sentence):
        return True
    pronoun = PRONOUN.search(sentence)
    return pronoun is not None and not _has_antecedent(sentence[: pronoun.start()], pronoun.group().lower())


def _has_antecedent(before: str, pronoun: str) -> bool:
    """Whether enough stands before a pronoun for it to mean something in the same sentence."""
    parts = before.split()
    if any(part[0].isupper() for part in parts[1:]):
        return True
    if pronoun in OF_PERSONS:
        return False
    return len(parts) >= 6 or (len(parts) >= 3 and parts[0].lower() not in OPENING)


def _is_balanced(text: str) -> bool:
    return (
        text.count("(") == text.count(")")
        and text.count("“") == text.count("”")
        and text.count('"') % 2 == 0
        and text.count("`") % 2 == 0
        and text.count("[") == text.count("]")
    )


def _letters_share(text: str) -> float:
    return (sum(map(str.isalpha, text)) + text.count(" ")) / len(text)
