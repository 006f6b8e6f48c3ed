"""Facts that say what something is: glossary entries, sentences of the form "X is a …", comments of code."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from smolforge.data.clean.hashing import normal_words
from smolforge.questions import sentences
from smolforge.questions.blocks import Block
from smolforge.questions.fact import Fact, Tally, fact_id
from smolforge.questions.gaps import passage_around
from smolforge.questions.spans import code_class
from smolforge.questions.wordlists import NO_NAMES, SMALL_FIRST

MIN_WORDS, MAX_WORDS = 4, 30
DEFINED = re.compile(
    r"(?:The (?:term |word |concept of )|An? |The )?[“\"]?(?P<subject>[\w`][\w’'`()./ -]{1,50}?)[”\"]?"
    r" (?P<verb>is defined as|are defined as|refers to|refer to|is called|means|is|are|was|were) (?P<rest>\S.*)$"
)
NOUN_PHRASE = re.compile(r"(?:an?|the|any|one of|those|when|how|people|anything) ", re.IGNORECASE)
WEAK_REST = re.compile(
    r"(?:an? )?(?:the (?:most|first|best|only|same)|good|great|useful|important|common|popular|example|key|lot|major)\b|one of the (?:most|best)",
    re.IGNORECASE,
)
LENGTH_STEP = 1.4
"""Definitions whose lengths differ by less than this factor are alike."""


def entry_facts(block: Block, source: str, title: str, dropped: Tally) -> Iterator[Fact]:
    """The definition in a glossary entry, or in a list item that begins with its term in bold."""
    meaning = _meaning(sentences.split(block.text)[0] if block.text else "")
    reason = definition_trouble(block.label, meaning)
    if reason:
        dropped[f"definition: {reason}"] += 1
        return
    yield _fact(
        block, source, title, block.label, meaning, f"{block.label}: {block.text}"[:600], "definition"
    )


def symbol_facts(block: Block, source: str, title: str, dropped: Tally) -> Iterator[Fact]:
    """What a function or class does, in the first sentence of its comment."""
    meaning = (sentences.split(block.text)[0] if block.text else "").rstrip(".: ")
    if block.label.split(".")[-1].startswith("test_"):
        dropped["comment: of a test"] += 1
        return
    reason = (
        "not a description" if sentences.STRANGE.search(meaning) else definition_trouble(block.label, meaning)
    )
    if reason:
        dropped[f"comment: {reason}"] += 1
        return
    yield _fact(
        block, source, title, f"`{block.label}`", meaning, f"`{block.label}`: {block.text}"[:600], "symbol"
    )


def sentence_definitions(block: Block, source: str, title: str, dropped: Tally) -> Iterator[Fact]:
    """Definitions in running text, of what stands in bold or in a heading."""
    known = {m.casefold() for m in block.marked} | {block.heading.casefold(), title.casefold()}
    lines = sentences.split(block.text)
    for place, sentence in enumerate(lines):
        found = DEFINED.match(sentence) if len(sentence) <= sentences.MAX_CHARS else None
        if found is None or found.group("subject").casefold() not in known:
            continue
        reason = sentences.trouble(sentence) or sentence_trouble(found)
        meaning = _meaning(found.group("rest"))
        reason = reason or definition_trouble(found.group("subject"), meaning)
        if reason:
            dropped[f"definition: {reason}"] += 1
            continue
        yield _fact(
            block,
            source,
            title,
            found.group("subject"),
            meaning,
            sentence,
            "definition",
            passage_around(lines, place),
        )


def sentence_trouble(found: re.Match[str]) -> str:
    """Why "X is …" defines nothing."""
    verb, rest = found.group("verb"), found.group("rest")
    if verb in ("is", "are", "was", "were") and not NOUN_PHRASE.match(rest):
        return "no definition"
    return "no definition" if WEAK_REST.match(rest) else ""


def definition_trouble(subject: str, meaning: str) -> str:
    """Why a meaning cannot be set beside others."""
    if subject.startswith("`") and not code_class(subject):
        return "no term"
    if not 2 <= len(subject) <= 50 or len(subject.split()) > 5:
        return "no term"
    if not MIN_WORDS <= len(meaning.split()) <= MAX_WORDS or len(meaning) > 220:
        return "length"
    if sentences.POINTING.search(meaning) or meaning.count("(") != meaning.count(")"):
        return "leans on its surroundings"
    if subject.strip("`").casefold() in meaning.casefold():
        return "given away by the term"
    own = {w[:4] for w in parts_of(subject) if len(w) > 2 and w not in NO_NAMES}
    given = {w[:4] for w in normal_words(meaning)}
    return "given away by the term" if own & given else ""


def parts_of(text: str) -> list[str]:
    """The words of a term, those inside camelCase and snake_case too."""
    apart = (
        re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text).replace("_", " ").replace(".", " ")
    )
    return normal_words(apart)


def _meaning(text: str) -> str:
    """A definition without its full stop, a remark before it and, where it is a common word, its first capital."""
    text = re.sub(r"^\([^()]{1,40}\),? ", "", text.strip()).rstrip(".").strip()
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first.lower() in SMALL_FIRST else text


def _fact(
    block: Block,
    source: str,
    title: str,
    subject: str,
    meaning: str,
    sentence: str,
    form: str,
    passage: str = "",
) -> Fact:
    return Fact(
        fact_id("definition", subject, meaning), source, title, block.heading, "definition", sentence, meaning,
        sentence.find(meaning), meaning_class(form, meaning), subject=subject, passage=passage,
    )  # fmt: skip


def meaning_class(form: str, meaning: str) -> tuple[str, ...]:
    """Definitions alike in how they begin and how long they are."""
    size = str(int(math.log(len(meaning), LENGTH_STEP)))
    first = meaning.split(" ", 1)[0]
    begins = (
        first.lower() if first.lower() in ("a", "an", "the") else "capital" if first[0].isupper() else "small"
    )
    return (form, size, "article" if begins in ("a", "an") else begins)
