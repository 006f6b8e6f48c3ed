"""Wrong answers: what other places of the folder say, of the same class as the right one.

Wrong answers are drawn from the answers of other facts of the same class, so that each answer is as often
wrong as it is right, and none stands out by its form: whoever knows only the choices can but guess.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from smolforge.data.clean.hashing import normal_words
from smolforge.questions.fact import CLOZE_KINDS, Fact

WRONG = 3
MOST_OF_ANSWER = 2
TRIES_NEAR, TRIES_FAR = 24, 60
YEAR = re.compile(r"\b(?:1[0-9]{3}|20[0-4][0-9])\b")
LENGTH_RATIO = {"field": 1.8, "term": 1.9, "name": 1.9, "number": 2.0, "date": 1.6}


@dataclass
class Pool:
    """Facts by the class of what is asked for, and by source and class.

    asked  what of a fact is asked for: its answer, or its subject
    """

    asked: Callable[[Fact], str]
    alike: Callable[[Fact], tuple[str, ...]]
    _far: dict[tuple[str, ...], list[Fact]] = field(default_factory=dict)
    _near: dict[tuple[str, tuple[str, ...]], list[Fact]] = field(default_factory=dict)

    def add(self, facts: Iterable[Fact]) -> Pool:
        """This pool with more facts, in the order of their ids."""
        taken: Counter[tuple[tuple[str, ...], str]] = Counter()
        for fact in sorted(facts, key=lambda fact: fact.id):
            whole = self.alike(fact)
            taken[whole, self.asked(fact).casefold()] += 1
            # An answer is asked for so often at most, and so it must not be offered more often either.
            if taken[whole, self.asked(fact).casefold()] > MOST_OF_ANSWER:
                continue
            for alike in (whole, whole[:-1]):
                self._far.setdefault(alike, []).append(fact)
                for place in (fact.source, shelf_of(fact)):
                    self._near.setdefault((place, alike), []).append(fact)
        return self

    def candidates(self, fact: Fact, seed: int) -> list[str]:
        """Possible wrong answers, those from the same document first, then from its folder, then the rest.

        Of the finer class where it has three that go together, else of the coarser one; else none.
        """
        draw = Random(f"{seed}/{fact.id}/{self.asked(fact)}")
        whole = self.alike(fact)
        for alike in (whole,) if len(whole) <= 2 or is_exact(whole) else (whole, whole[:-1]):
            others = [
                *_sampled(draw, self._near.get((fact.source, alike), ()), TRIES_NEAR),
                *_sampled(draw, self._near.get((shelf_of(fact), alike), ()), TRIES_NEAR),
                *_sampled(draw, self._far.get(alike, ()), TRIES_FAR),
            ]
            found = self._wrong(fact, others)
            if len(apart(found)) == WRONG:
                return found
        return []

    def _wrong(self, fact: Fact, others: Sequence[Fact]) -> list[str]:
        right = self.asked(fact)
        found: dict[str, str] = {}
        for other in others:
            answer = self.asked(other)
            if answer.casefold() not in found and not trouble(fact, right, other, answer):
                found[answer.casefold()] = answer
        return list(found.values())


def apart(answers: Iterable[str]) -> list[str]:
    """The first three answers of which none is part of another."""
    taken: list[str] = []
    for answer in answers:
        if len(taken) < WRONG and not any(_overlaps(answer, other) for other in taken):
            taken.append(answer)
    return taken


class Balance:
    """How often each answer is right and was offered as wrong: three times as often, where that can be.

    Without it, answers that are rarely offered would be right more often than not: measured, a guesser who
    takes the rarest choice had 34% instead of 25%.
    """

    def __init__(self, right: Iterable[str]) -> None:
        self._right = Counter(answer.casefold() for answer in right)
        self._offered: Counter[str] = Counter()

    def choose(self, candidates: Sequence[str]) -> list[str]:
        """Three of the candidates, those that are still owed an offer first, in their order."""
        chosen = apart(sorted(candidates, key=self._excess))
        if len(chosen) < WRONG:  # in that order one stands in the way of two
            chosen = apart(candidates)
        self._offered.update(answer.casefold() for answer in chosen)
        return chosen

    def _excess(self, answer: str) -> int:
        key = answer.casefold()
        return max(0, self._offered[key] + 1 - WRONG * self._right[key])


def is_exact(alike: tuple[str, ...]) -> bool:
    """Whether a coarser class would mix what is not alike: centuries, and capitalised terms, which are names."""
    return "century" in alike or alike[:2] == ("term", "capital")


def shelf_of(fact: Fact) -> str:
    """The folder a document lies in."""
    return fact.source.rpartition("/")[0] + "/"


def _sampled(draw: Random, facts: Sequence[Fact], most: int) -> list[Fact]:
    return draw.sample(facts, min(most, len(facts)))


def trouble(fact: Fact, right: str, other: Fact, answer: str) -> str:
    """Why an answer of another fact cannot be a wrong answer here; nothing where it can."""
    if _overlaps(right, answer):
        return "the same answer"
    if fact.kind != "field" and stands_in(answer, f"{fact.sentence} {fact.passage}"):
        return "stands beside the right answer"
    if fact.kind == "definition" and (
        _same_words(fact.subject, other.subject) or _says_the_same(fact.answer, other.answer)
    ):
        return "defines the same"
    longer, shorter = max(len(right), len(answer)), min(len(right), len(answer))
    if fact.kind in LENGTH_RATIO and longer > LENGTH_RATIO[fact.kind] * shorter + 1:
        return "length"
    if fact.kind in CLOZE_KINDS and not _fits(fact, right, answer):
        return "does not fit into the sentence"
    return ""


def _fits(fact: Fact, right: str, answer: str) -> bool:
    """Whether grammar and the other years of the sentence allow an answer as much as the right one."""
    article = re.search(r"\b(an?) $", fact.before)
    if article and _has_vowel(answer) != _has_vowel(right):
        return False
    if fact.kind != "date":
        return True
    mine, given = YEAR.search(right), YEAR.search(answer)
    others = [int(year) for year in YEAR.findall(f"{fact.title} {fact.before} {fact.after}")]
    if mine is None or given is None or not others:
        return True
    return all(_side(int(mine.group()), year) == _side(int(given.group()), year) for year in others)


def _side(one: int, other: int) -> int:
    """Whether a year comes before another, with it or after it."""
    return (one > other) - (one < other)


def _has_vowel(text: str) -> bool:
    return text.strip("`“”\"'")[:1].lower() in "aeiou"


def _overlaps(first: str, second: str) -> bool:
    """Whether two answers are the same, or one is part of the other."""
    one, two = " ".join(normal_words(first)), " ".join(normal_words(second))
    if not one or not two:
        return first.strip() == second.strip()
    if first.startswith("`") and (one in two or two in one):
        return True
    return f" {one} " in f" {two} " or f" {two} " in f" {one} " or _same_words(first, second)


def _says_the_same(first: str, second: str) -> bool:
    """Whether two definitions have half of their words in common and no number that tells them apart."""
    one, two = set(_stems(first)), set(_stems(second))
    apart_by_number = any(any(c.isdigit() for c in word) for word in one ^ two)
    return not apart_by_number and 2 * len(one & two) >= len(one | two)


def _same_words(first: str, second: str) -> bool:
    return _stems(first) == _stems(second)


def _stems(text: str) -> list[str]:
    return [word.rstrip("s") for word in normal_words(text)]


def stands_in(answer: str, text: str) -> bool:
    """Whether an answer stands in a text as whole words, in capitals or not."""
    bare = re.escape(answer.strip('`“”"'))
    return re.search(rf"(?<!\w){bare}(?!\w)", text, re.IGNORECASE) is not None
