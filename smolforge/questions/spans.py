"""Spans of a sentence that can be asked for: dates, numbers, names, terms; and which of them are alike.

The *class* of a span says what may stand in its place without being told apart by its form. Answers are only
offered beside others of their class: what tells them apart is then what the documents say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from smolforge.questions import name_kinds
from smolforge.questions.wordlists import NO_NAMES, phrases, words

Kind = Literal["number", "date", "name", "term"]

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
EARLY = phrases(
    "first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh, twelfth, thirteenth, "
    "fourteenth, fifteenth"
)
LATE = phrases("sixteenth, seventeenth, eighteenth, nineteenth, twentieth, twenty-first")
DATE = re.compile(
    rf"\b(?:(?P<day>(?:{MONTHS}) \d{{1,2}}, \d{{4}}|\d{{1,2}} (?:{MONTHS}) \d{{4}})"
    rf"|(?P<month>(?:{MONTHS}),? \d{{4}})"
    r"|(?P<decade>(?:1[5-9]|20)\d0s)"
    rf"|(?P<century>(?:{EARLY}|{LATE}|\d{{1,2}}(?:st|nd|rd|th)) century)"
    r"|(?P<year>1[0-9]{3}|20[0-4][0-9]))\b(?![\d,-]*\d|%|\.\d)"
)
YEAR_BEFORE = words(
    "in since by from of until till before after between during to and early late mid around about circa year "
    "the through spring summer fall winter autumn"
)
NUMBER = re.compile(
    r"(?<![\w.,/:–-])(?P<sign>[$€£] ?)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<scale> ?%| percent\b| per cent\b| (?:hundred|thousand|million|billion|trillion)\b)?(?![\w/]|[.,:–-]\d|-)"
)
SMALL_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TENS = ("fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORD = re.compile(
    rf"(?<![\w-])(?:{'|'.join(SMALL_NUMBERS + TENS)})(?! (?:hundred|thousand|million|billion|trillion|or|to|and)\b|[\w-])"
)
COUNTED_THINGS = phrases(
    r"chapter, section, figure, fig\., table, no\., number, page, p\., pp\., part, article, title, version, python, "
    r"step, item, question, problem, exercise, class, type, phase, volume, vol\., grade, level, http, rfc, pep, "
    r"amendment, act, day, route, apollo, luna, room, bill, unit, lesson, channel, highway, interstate"
)
NO_COUNT_BEFORE = re.compile(rf"(?:\b(?i:{COUNTED_THINGS})|\b[A-Z]\w*) $")
"""What makes the number behind it a name: "Chapter 3", "Apollo 11"."""
NAME_WORD = r"[A-Z][\w’'-]*"
NAME = re.compile(
    rf"(?<![\w`]){NAME_WORD}\.?(?: (?:of the |of |de |de la |van |von |der |al-)?(?:{NAME_WORD}|[A-Z]\.(?= [A-Z])))*"
    r"(?: \d{1,2}(?![\w,.%]\d))?"
)
CODE_TERM = re.compile(r"`[^`\s]{2,40}`")
CALLED = re.compile(
    r"(?:\b(?:is|are|was|were|be|been|being|often|also|commonly|sometimes|usually|collectively|generally|then|now)|,) called"
    r"(?: the| an?)? (?P<term>TERM)|\b(?:known as|termed|referred to as|dubbed)(?: the| an?)? (?P<other>TERM)".replace(
        "TERM", r"(?:[“\"][^”\"]{3,40}[”\"]|[A-Za-z][\w’'-]*(?: [A-Za-z][\w’'-]*){0,3})(?=[.”\"]*$)"
    )
)
NO_TERM = NO_NAMES | words(
    "me him her it us them back inside outside again once twice if unless out up home off down"
)
CODE_FORMS = (
    ("literal", r"True|False|None|null|true|false|undefined|nil"),
    ("call", r"[\w.:]+\(.*\)"),
    ("option", r"--?[\w-]+"),
    ("constant", r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"),
    ("class", r"(?:[A-Z]+[a-z0-9]+)+"),
    ("header", r"[A-Z][a-z]+(?:-[A-Z][a-z]+)+"),
    ("file", r"[\w./-]+\.(?:py|js|ts|rs|c|h|toml|md|txt|json|ya?ml|cfg|ini|sh|pem|lock|html|css)"),
    ("path", r"[\w.-]*/[\w./-]*"),
    ("member", r"\.\w+"),
    ("class of a module", r"\w+(?:\.|::)(?:\w+(?:\.|::))*[A-Z]\w*"),
    ("attribute", r"[A-Za-z_]\w*(?:(?:\.|::)\w+)+"),
    ("snake", r"_?[a-z]+(?:_[a-z0-9]+)+"),
    ("camel", r"[a-z]+(?:[A-Z][a-z0-9]*)+"),
    ("dashed", r"[a-z0-9]+(?:-[a-z0-9]+)+"),
    ("word", r"[a-z]+\d*"),
    ("setting", r"\w+=.*"),
)
"""Looks of a piece of code; what has none of them is not asked for."""
MAX_TERM_WORDS, MAX_TERM_CHARS = 4, 40
LAST_WORD = re.compile(r"([\w’'.,$-]+)[\s\"“‘'(]*$")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a sentence. `alike` is its class, coarse to fine."""

    kind: Kind
    start: int
    end: int
    alike: tuple[str, ...]


def spans(sentence: str, marked: frozenset[str] = frozenset()) -> Iterator[Span]:
    """What can be asked for, in no order; spans may overlap."""
    yield from _dates(sentence)
    yield from _numbers(sentence)
    yield from _names(sentence)
    yield from _terms(sentence, marked)


def _dates(sentence: str) -> Iterator[Span]:
    for found in DATE.finditer(sentence):
        form, text = str(found.lastgroup), found.group()
        if form == "year" and _word_before(sentence, found.start()) not in YEAR_BEFORE:
            continue
        yield Span("date", found.start(), found.end(), ("date", form, *_age(form, text)))


def _age(form: str, text: str) -> tuple[str, ...]:
    """The stretch of time in which dates are alike: fifty years, better twenty-five."""
    if form == "century":
        return (_century_age(text),)
    year = int(re.findall(r"\d{4}", text)[-1])
    return (str(year // 50), str(year // 25))


def _century_age(text: str) -> str:
    word = text.split()[0]
    is_late = int(re.sub(r"\D", "", word)) >= 16 if word[0].isdigit() else word in LATE.split("|")
    return f"{'late' if is_late else 'early'} {'digits' if word[0].isdigit() else 'words'}"


def _numbers(sentence: str) -> Iterator[Span]:
    dates = [found.span() for found in DATE.finditer(sentence)]
    for found in NUMBER.finditer(sentence):
        start, end = found.span()
        is_name = NO_COUNT_BEFORE.search(sentence[max(0, start - 24) : start])
        # What follows "1" is singular, and would give it away.
        if not is_name and found.group("digits") != "1" and all(end <= a or b <= start for a, b in dates):
            yield Span("number", start, end, number_class(found))
    for found in NUMBER_WORD.finditer(sentence):
        if re.match(r" [a-z]", sentence[found.end() :]):
            size = "small" if found.group() in SMALL_NUMBERS else "tens"
            yield Span("number", found.start(), found.end(), ("number", "word", size))


def number_class(found: re.Match[str]) -> tuple[str, ...]:
    """Numbers with the same sign, scale, places and roundness are alike."""
    digits = found.group("digits").replace(",", "")
    whole, _, part = digits.partition(".")
    form = f"{(found.group('sign') or '').strip()}#{(found.group('scale') or '').strip()}"
    is_round = len(whole) > 1 and not part and whole.endswith("0" * max(1, len(whole) - 2))
    return ("number", form, f"{len(whole)}.{min(len(part), 2)}", "round" if is_round else "exact")


def _names(sentence: str) -> Iterator[Span]:
    for found in NAME.finditer(sentence):
        text = found.group().rstrip(".")
        if found.start() == 0:
            text = _without_small_words(text)
        start = found.start() + found.group().index(text)
        if start == 0 or "’" in text or "'" in text or not name_kinds.is_name(text):
            continue
        alike = name_kinds.classify(text, _word_before(sentence, start))
        yield Span("name", start, start + len(text), ("name", *alike))


def _without_small_words(text: str) -> str:
    """A run of capitalised words without those at its head that only begin a sentence: "In Paris"."""
    first, space, rest = text.partition(" ")
    while space and rest[:1].isupper() and first.lower() in NO_NAMES:
        text = rest
        first, space, rest = text.partition(" ")
    return text


def _terms(sentence: str, marked: frozenset[str]) -> Iterator[Span]:
    for found in CODE_TERM.finditer(sentence):
        if form := code_class(found.group()):
            yield Span("term", found.start(), found.end(), ("code", form))
    called = CALLED.search(sentence)
    group = "term" if called and called.group("term") else "other"
    if called and not _is_no_term(called.group(group)):
        yield _term(sentence, called.start(group), called.end(group))
    for text in sorted(marked):
        place = sentence.find(text)
        if place > 0 and "`" not in text and not _is_no_term(text) and sentence.find(text, place + 1) < 0:
            yield _term(sentence, place, place + len(text))


def _is_no_term(text: str) -> bool:
    """Whether a phrase is more, or other, than a term of one to four words."""
    parts = text.lower().split()
    return (
        len(parts) > MAX_TERM_WORDS
        or len(text) > MAX_TERM_CHARS
        or parts[0] in NO_TERM
        or (len(parts) == 1 and parts[0].endswith("ly"))
        or any(part in ("or", "and", "than", "is", "are", "to") or part[0].isdigit() for part in parts)
    )


def _term(sentence: str, start: int, end: int) -> Span:
    return Span("term", start, end, term_class(sentence[start:end]))


def term_class(text: str) -> tuple[str, ...]:
    """Terms of as many words, alike in capitals, quotes and number."""
    bare = text.strip("“”\"'")
    form = "quoted" if bare != text else "capital" if bare[:1].isupper() else "small"
    plural = "plural" if re.search(r"[^suai]s$|[^i]es$", bare) else "single"
    return ("term", form, plural, str(min(3, len(bare.split()))))


def code_class(text: str) -> str:
    """The look of a piece of code: a call, an option, a class …; nothing where it has none of these."""
    bare = text.strip("`")
    return next((name for name, form in CODE_FORMS if re.fullmatch(form, bare)), "")


def _word_before(sentence: str, place: int) -> str:
    found = LAST_WORD.search(sentence[max(0, place - 40) : place])
    return found.group(1).lower().strip(".,'’") if found else ""
