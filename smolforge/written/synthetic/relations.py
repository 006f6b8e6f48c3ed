"""What a fact is: a relation between subjects and answers, with the wordings it is told and asked in.

Wordings are templates over one fact: `{s}` the subject, `{an_s}` with its article, `{the_s}` with "the", `{pl_s}` its plural, `{pos_s}`
its possessive, `{a}` the answer, `{an_a}` with its article, `{he}`, `{his}` and `{him}` for persons.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from smolforge.written.synthetic import wording

HELD_OUT_SHARE = 0.15
"""Share of content keys kept for evaluation. Chosen, untested."""


def is_held_out(key: str) -> bool:
    """Whether the item with this content key is kept for evaluation and never asked in training data.

    Depends on the key alone, so that every generator, seed and process agrees. Keys: `knowledge/<relation>/
    <subject>`, `mathematics/<operation>/<operands>`, `code/<composition>`.
    """
    first = hashlib.sha256(key.encode()).digest()[:8]
    return int.from_bytes(first, "big") < HELD_OUT_SHARE * 2**64


@dataclass(frozen=True, kw_only=True, eq=False)
class Relation:
    """One kind of fact.

    pairs     (subject, answer), one right answer each; what is taught and asked
    also      further right answers of a subject, never offered as wrong ones
    pool      where wrong answers come from
    askable   whether it makes good questions with four choices
    """

    name: str
    kind: str
    questions: tuple[str, ...]
    statements: tuple[str, ...]
    follow_ups: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...]
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pool: tuple[str, ...] = ()
    askable: bool = True

    @property
    def answers(self) -> dict[str, str]:
        """Subject → taught answer."""
        return dict(self.pairs)

    def key(self, subject: str) -> str:
        """The content key that decides whether this fact's question is held out."""
        return f"knowledge/{self.name}/{subject}"


@cache
def fields(subject: str, answer: str) -> dict[str, str]:
    """What a template may name."""
    is_name = subject[:1].isupper() or subject.startswith("the ")
    woman = subject in WOMEN
    return {
        "s": subject,
        "an_s": subject if is_name else wording.article(subject),
        "the_s": subject if is_name or subject in MASS_NOUNS else f"the {subject}",
        "pl_s": subject if is_name else wording.plural(subject),
        "pos_s": wording.possessive(subject),
        "a": answer,
        "an_a": wording.article(answer),
        "he": "she" if woman else "he",
        "his": "her" if woman else "his",
        "him": "her" if woman else "him",
    }


@cache
def told(template: str, subject: str, answer: str) -> str:
    """The template filled in, as a sentence with a capital first letter."""
    return wording.sentence(template.format_map(fields(subject, answer)))


MASS_NOUNS = frozenset(("wheat", "rice", "maize", "barley", "garlic", "celery", "broccoli", "spinach"))
WOMEN = frozenset(("Marie Curie", "Ada Lovelace", "Grace Hopper", "Rosalind Franklin", "Jane Goodall"))


def wrong_answers(rng: random.Random, relation: Relation, subject: str, count: int = 3) -> list[str]:
    """`count` different answers that are wrong for `subject`."""
    right = {subject, relation.answers[subject], *relation.also.get(subject, ())}
    pool = [answer for answer in relation.pool if answer not in right]
    return rng.sample(pool, count)
