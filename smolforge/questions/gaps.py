"""Facts from sentences: dates, numbers, names and terms that a reader of the document could fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smolforge.data.clean.hashing import normal_words
from smolforge.questions import sentences
from smolforge.questions.blocks import Block
from smolforge.questions.fact import Fact, Tally, fact_id
from smolforge.questions.spans import Span, spans
from smolforge.questions.wordlists import DIRECTIONS, FUNCTION_WORDS

MIN_WORDS_BEFORE = 5
MAX_WORDS_AFTER = 16
MAX_PASSAGE_CHARS = 700
MAX_OF_SENTENCE = 2
LIST_BEFORE = re.compile(
    r"(?:,|;|:| and| or| nor| as well as|&|/| such as| including| like| e\.g\.| as| than| versus| vs\.|—|–|-)"
    r" ?[\"“‘(]?(?:the |a |an )?$"
)
LIST_AFTER = re.compile(
    r"[\"”’)]?(?:,? (?:and|or|nor|as well as|to|through)\b"
    r"|, (?!which|who|where|when|but|so|because|while|a |an |the |in |with )|/|–|—|-\w|’s|'s|’|'\w| [A-Z&])"
)
NAME_AFTER = re.compile(rf"[.,;:)”\"?!]|$| (?:{FUNCTION_WORDS})\b")
NAME_BEFORE = re.compile(
    rf"\b[A-Z][\w’'.-]* (?:with|for|and|on|of|to)(?: the)? $|\b(?:{'|'.join(sorted(DIRECTIONS))}) $"
)
NUMBER_BEFORE = re.compile(r"(?:,|;| and| or|/|–|-|×|\(|between \S+ and|\bto) ?$")
NUMBER_AFTER = re.compile(r" (?:or|to|and) (?:\d|[a-z]+ (?:percent|million|billion))|[–/×()]")


def gap_facts(block: Block, source: str, title: str, dropped: Tally) -> Iterator[Fact]:
    """At most two facts a sentence, those nearest to its end first."""
    lines = sentences.split(block.text)
    for place, sentence in enumerate(lines):
        reason = sentences.trouble(sentence)
        if reason:
            dropped[f"sentence: {reason}"] += 1
            continue
        chosen = choose_spans(sentence, block.marked, f"{title} {block.heading}", dropped)
        passage = passage_around(lines, place) if chosen else ""
        for span in chosen:
            answer = sentence[span.start : span.end]
            yield Fact(
                id=fact_id(span.kind, sentence, answer),
                source=source,
                title=title,
                heading=block.heading,
                kind=span.kind,
                sentence=sentence,
                answer=answer,
                start=span.start,
                alike=span.alike,
                passage=passage,
            )


def choose_spans(sentence: str, marked: frozenset[str], known: str, dropped: Tally) -> list[Span]:
    """The spans to ask for; what `known` (title and heading) gives away is none."""
    reasons = Tally()
    chosen: list[Span] = []
    for span in sorted(spans(sentence, marked), key=lambda span: (-span.end, span.start)):
        reason = span_trouble(sentence, span, known)
        if reason:
            reasons[reason] += 1
        elif len(chosen) < MAX_OF_SENTENCE and all(span.end <= other.start for other in chosen):
            chosen.append(span)
    if not chosen:
        dropped[f"span: {reasons.most_common(1)[0][0]}" if reasons else "sentence: nothing to ask for"] += 1
    return chosen


def span_trouble(sentence: str, span: Span, known: str) -> str:
    """Why a span cannot be asked for; nothing where it can."""
    before, answer, after = sentence[: span.start], sentence[span.start : span.end], sentence[span.end :]
    words_before, words_after = len(before.split()), len(re.findall(r"\w+", after))
    if words_before < MIN_WORDS_BEFORE and not 0 < words_before <= words_after:
        return "too near to the beginning"
    if words_after > MAX_WORDS_AFTER:
        return "too far from the end"
    if _is_inside_marks(before):
        return "inside brackets, a quotation or code"
    if not before.endswith(" "):
        return "part of a longer word"
    if span.kind == "name" and (not NAME_AFTER.match(after) or NAME_BEFORE.search(before)):
        return "part of a longer name"
    given = _given_away(answer, f"{before} {after}", known if span.kind in ("name", "term") else "")
    if given:
        return given
    in_list = _in_number_list(before, after) if span.kind in ("number", "date") else _in_list(before, after)
    return "one of several" if in_list else ""


def _is_inside_marks(before: str) -> bool:
    return (
        before.count("(") > before.count(")")
        or before.count("“") > before.count("”")
        or before.count('"') % 2 == 1
        or before.count("`") % 2 == 1
    )


def _given_away(answer: str, rest: str, known: str) -> str:
    """Whether the rest of the sentence, or its title, holds a word of the answer."""
    words = set(normal_words(answer))
    heads = {word[:5] for word in words if len(word) > 3}
    if heads & {w[:5] for w in normal_words(rest) if len(w) > 3}:
        return "given away by the sentence"
    return "given away by the title" if words & {w for w in normal_words(known) if len(w) > 3} else ""


def _in_list(before: str, after: str) -> bool:
    return LIST_BEFORE.search(before[-24:]) is not None or LIST_AFTER.match(after) is not None


def _in_number_list(before: str, after: str) -> bool:
    return NUMBER_BEFORE.search(before[-24:]) is not None or NUMBER_AFTER.match(after) is not None


def passage_around(lines: list[str], place: int) -> str:
    """The sentences around one, those before it first, as far as they fit."""
    first = last = place
    length = len(lines[place])
    grew = True
    while grew:
        grew = False
        for nearer in (first - 1, last + 1):
            if 0 <= nearer < len(lines) and length + len(lines[nearer]) + 1 <= MAX_PASSAGE_CHARS:
                first, last = min(first, nearer), max(last, nearer)
                length += len(lines[nearer]) + 1
                grew = True
    return " ".join(lines[first : last + 1])
