"""A fact: what a document says at one place, with the piece of it that can be asked for."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from smolforge.data.clean.hashing import normal_words

Kind = Literal["number", "date", "name", "term", "definition", "field", "section"]
KINDS: tuple[Kind, ...] = ("date", "definition", "field", "name", "number", "section", "term")
CLOZE_KINDS: tuple[Kind, ...] = ("date", "name", "number", "term")
Tally = Counter[str]
"""What was dropped, by reason."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What one document says at one place.

    id        16 hex digits that depend on the content alone
    source    the document's id; title, heading: where in it, nothing where there is no telling name
    sentence  date, name, number, term: the sentence that holds the answer; definition: the sentence or entry;
              field: "label: value"; section: its beginning
    answer    what is asked for; start: its place in the sentence, -1 where it does not stand there word for word
    alike     class of the answer, coarse to fine: answers of one class are not told apart by their form
    subject   definition: what is defined; field: the row of a table, nothing for a field of the whole document
    label     field: its name
    passage   the paragraph around the sentence, where there is one
    """

    id: str
    source: str
    title: str
    heading: str
    kind: Kind
    sentence: str
    answer: str
    start: int = -1
    alike: tuple[str, ...] = ()
    subject: str = ""
    label: str = ""
    passage: str = ""

    @property
    def before(self) -> str:
        """The sentence up to the answer."""
        return self.sentence[: self.start]

    @property
    def after(self) -> str:
        """The sentence from the answer on."""
        return self.sentence[self.start + len(self.answer) :]

    @property
    def ends_sentence(self) -> bool:
        """Whether nothing but marks follows the answer."""
        return not any(c.isalnum() for c in self.after)


def fact_id(*parts: str) -> str:
    """16 hex digits for the words of a fact."""
    words = "\x00".join(" ".join(normal_words(part)) or part for part in parts)
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=8).hexdigest()


def describe(facts: Sequence[Fact], dropped: Tally) -> dict[str, int]:
    """Numbers for the facts of a stage: facts by kind, documents with any, and what was dropped by reason."""
    kinds = Counter(fact.kind for fact in facts)
    found = {f"facts_{kind}": kinds[kind] for kind in KINDS}
    lost = {
        f"dropped_{re.sub(r'[^a-z]+', '_', reason)}": dropped[reason]
        for reason in sorted(dropped)
        if dropped[reason]
    }
    return {
        "facts": len(facts),
        "documents_with_facts": len({fact.source for fact in facts}),
        **found,
        **lost,
    }
