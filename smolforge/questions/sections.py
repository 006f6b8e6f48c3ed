"""Facts about whole sections: a heading, and how the section under it begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from smolforge.questions import sentences
from smolforge.questions.blocks import Block
from smolforge.questions.fact import Fact, Tally, fact_id

GENERIC = re.compile(
    r"(?:$|(?:key (?:concepts|terms|points|takeaways)|summary|conclusions?|introduction|overview|description|examples?|"
    r"background|abstract|details|usage|about|preface|remarks|solution|discussion|results)\b)",
    re.IGNORECASE,
)
"""Headings that do not say what a section is about."""
MIN_WORDS, GOOD_WORDS, MAX_WORDS = 40, 60, 120


def section_facts(blocks: list[Block], source: str, title: str, dropped: Tally) -> Iterator[Fact]:
    """One fact a section with a name and enough text; its answer is the section's first whole sentences."""
    prose = (block for block in blocks if block.kind == "prose")
    for heading, members in groupby(prose, key=lambda block: block.heading):
        name = title if GENERIC.match(heading) else heading
        if not name:
            dropped["section: no name"] += 1
            continue
        beginning, reason = first_sentences(list(members))
        if reason:
            dropped[f"section: {reason}"] += 1
            continue
        yield Fact(
            fact_id("section", name, beginning), source, title, heading, "section", beginning, beginning, 0,
            ("section",), subject=name, passage=beginning,
        )  # fmt: skip


def first_sentences(blocks: list[Block]) -> tuple[str, str]:
    """The first whole sentences, 60 to 120 words together (40 where no more fit), and why there are none."""
    kept: list[str] = []
    count = 0
    for block in blocks:
        for sentence in sentences.split(block.text):
            words = len(sentence.split())
            if sentence[-1:] not in '.!?”"' or sentences.STRANGE.search(
                sentences.CODE_SPAN.sub("code", sentence)
            ):
                return (" ".join(kept), "") if count >= MIN_WORDS else ("", "no plain text")
            if (
                not kept
                and sentences.leans(sentence)
                and not sentence.lower().startswith(("one ", "most ", "many ", "some "))
            ):
                return "", "leans on its surroundings"
            if count + words > MAX_WORDS:
                return (" ".join(kept), "") if count >= MIN_WORDS else ("", "length")
            kept.append(sentence)
            count += words
            if count >= GOOD_WORDS:
                return " ".join(kept), ""
    return (" ".join(kept), "") if count >= MIN_WORDS else ("", "length")
