"""Facts from records and tables: the value of a field of a document, of a column in a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from smolforge.data.clean.hashing import normal_words
from smolforge.questions.blocks import Block
from smolforge.questions.fact import Fact, Tally, fact_id
from smolforge.questions.wordlists import words

MAX_VALUE_CHARS = 60
MAX_VALUE_WORDS = 8
EMPTY = re.compile(
    r"(?:none|no|yes|n/?a|nil|unknown|-+|—+|tbd|true|false|other|not applicable|same as .*|see .*|0\D*|100 ?%.*)$",
    re.IGNORECASE,
)
NO_LABEL = re.compile(
    r"(?:.*\bnotes?|p\.?s|warning|tip|important|caution|q|a|question|answer|https?|url|link|e-?mail|fax|(?:tele)?phone|tel|isbn|doi|web ?sites?|site|home ?page|web page|sources?|references?|example)$",
    re.IGNORECASE,
)
VAGUE_LABELS = words(
    "total name male female other others number value type rate share average note amount size date at"
)
"""Names of fields that say nothing without the heading above them."""
ASIDE = re.compile(r" ?\([^()]{0,80}\)$")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
STRANGE = re.compile(r"https?:|[<>{}\\|]|@|\$\\|;")


def field_facts(blocks: list[Block], source: str, title: str, dropped: Tally) -> Iterator[Fact]:
    """One fact for each field and table cell with a short value that stands once under its name."""
    often = Counter(_place(block) for block in blocks)
    labels = Counter(block.label.casefold() for block in blocks if block.kind == "field")
    for block in blocks:
        value = short_value(block.text)
        reason = field_trouble(block, value, title)
        if not reason and often[_place(block)] > 1:
            reason = "named twice"
        if reason:
            dropped[f"field: {reason}"] += 1
            continue
        label = block.label.casefold()
        is_vague = block.kind == "cell" or labels[label] > 1 or label in VAGUE_LABELS
        heading = block.heading if is_vague else ""
        yield _fact(block, source, title, heading, value)


def _place(block: Block) -> tuple[str, ...]:
    return (block.kind, block.heading.casefold(), block.label.casefold(), block.subject.casefold())


def _fact(block: Block, source: str, title: str, heading: str, value: str) -> Fact:
    name = f"{block.heading} | {block.label}"
    return Fact(
        id=fact_id("field", source, title, block.subject, name, value),
        source=source,
        title=title,
        heading=heading,
        kind="field",
        sentence=f"{block.label}: {block.text}",
        answer=value,
        start=len(block.label) + 2,
        alike=("field", name.casefold(), *value_class(value)),
        subject=block.subject,
        label=block.label,
    )


def short_value(text: str) -> str:
    """A value without the remark in brackets behind it."""
    return ASIDE.sub("", text).strip().rstrip(".")


def field_trouble(block: Block, value: str, title: str) -> str:
    """Why a field cannot be asked for; nothing where it can."""
    if not title and not block.subject:
        return "no title"
    if (
        not re.search(r"[^\W\d_]{2}", block.label)
        or NO_LABEL.match(block.label)
        or len(block.label.split()) > 8
    ):
        return "no name"
    if block.subject and not re.search(r"[^\W\d_]{2}", block.subject):
        return "no name"
    if EMPTY.match(value) or not value:
        return "empty or yes and no"
    if len(value) > MAX_VALUE_CHARS or len(value.split()) > MAX_VALUE_WORDS or STRANGE.search(value):
        return "long value"
    known = f"{title} {block.subject} {block.label}".casefold()
    shared = {w for w in normal_words(value) if len(w) > 3} & set(normal_words(known))
    return "given away by its name" if shared or value.casefold() in known else ""


def value_class(value: str) -> tuple[str, ...]:
    """Values alike: numbers with the same unit and as many digits; texts with as many words."""
    numbers = NUMBER.findall(value)
    if numbers:
        digits = len(numbers[0].partition(".")[0].replace(",", ""))
        return (re.sub(r"\s+", " ", NUMBER.sub("#", value)), str(digits))
    words = len(value.split())
    return (
        "capital" if value[0].isupper() else "small",
        str(words if words <= 2 else 3 if words <= 4 else 5),
    )
