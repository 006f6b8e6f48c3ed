"""Two sides of the facts: one to ask of the model, one to tune it with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from smolforge.data.clean import dedup
from smolforge.data.clean.hashing import ngram_hashes, normal_words, word_hashes
from smolforge.data.read.documents import stable_share
from smolforge.errors import ConfigError
from smolforge.questions.fact import CLOZE_KINDS, Fact

NEAR = dedup.Bands(bands=16, rows=3, ngram=2, threshold=0.55)
"""Sentences with half of their word pairs in common count as one. One changed word in fifteen leaves 75%."""
RUN_WORDS = 8
"""A run of this many words of a held-out sentence gives it away."""


@dataclass(frozen=True)
class Split:
    """Facts for held-out questions and facts for tuning.

    given_away       facts on neither side: their own words hold a held-out sentence
    without_passage  facts for tuning whose passage was taken away for that reason
    """

    held_out: tuple[Fact, ...]
    tuning: tuple[Fact, ...]
    given_away: int
    without_passage: int


def split(facts: Sequence[Fact], share: float, seed: int) -> Split:
    """About `share` of the facts held out, by a hash of what they say, whatever their order; sections never.

    Facts from one sentence or from nearly the same one, definitions of one term and the value of one field
    stay together. A fact for tuning whose words or passage hold a run of words of a held-out sentence loses
    its passage or is left out, so that no chat gives away a held-out question. Raises ConfigError for a share
    outside 0 to 1.
    """
    if not 0 < share < 1:
        raise ConfigError(f"`share` is {share}", fix="use a share above 0 and below 1")
    ordered = sorted(facts, key=lambda fact: (fact.id, fact.source))
    held_out: list[Fact] = []
    rest: list[Fact] = []
    for fact, group in zip(ordered, _groups(ordered), strict=True):
        is_out = fact.kind != "section" and stable_share(group, f"questions-{seed}") < share
        (held_out if is_out else rest).append(fact)
    secret = np.unique(np.concatenate([np.zeros(0, np.uint64), *(_runs(fact.sentence) for fact in held_out)]))
    tuning = [fact for fact in rest if not _shares_run(fact.sentence, secret)]
    bare = [replace(f, passage="") if _shares_run(f.passage, secret) else f for f in tuning]
    without_passage = sum(one is not other for one, other in zip(tuning, bare, strict=True))
    return Split(tuple(held_out), tuple(bare), len(rest) - len(tuning), without_passage)


def _runs(text: str) -> np.ndarray:
    """Hashes of the runs of words; of a text shorter than a run, none: its key keeps it together."""
    words = word_hashes(normal_words(text))
    return ngram_hashes(words, RUN_WORDS) if len(words) >= RUN_WORDS else words[:0]


def _shares_run(text: str, secret: np.ndarray) -> bool:
    runs = _runs(text)
    if not len(secret) or not len(runs):
        return False
    places = np.minimum(np.searchsorted(secret, runs), len(secret) - 1)
    return bool((secret[places] == runs).any())


def _groups(facts: Sequence[Fact]) -> list[str]:
    """The group of each fact, named by the lowest id in it."""
    parents = list(range(len(facts)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first: dict[tuple[str, ...], int] = {}
    for place, fact in enumerate(facts):
        for key in _keys(fact):
            other = first.setdefault(key, place)
            low, high = sorted((root(other), root(place)))
            parents[high] = low
    for one, other in _near_sentences(facts):
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return [facts[root(place)].id for place in range(len(facts))]


def _keys(fact: Fact) -> Iterator[tuple[str, ...]]:
    """What must not be on both sides."""
    if fact.kind == "field":
        # "Algeria: Geography" and "Algeria: Environment" may hold the same field.
        owner = fact.subject or fact.title.partition(":")[0]
        yield ("field", owner.casefold(), fact.label.casefold(), fact.answer.casefold())
        return
    yield ("sentence", *normal_words(fact.sentence))
    if fact.kind == "definition":
        yield ("term", *normal_words(fact.subject))
    elif fact.alike[:1] == ("term",):
        yield ("term", *normal_words(fact.answer))


def _near_sentences(facts: Sequence[Fact]) -> Iterator[tuple[int, int]]:
    places = [
        place for place, fact in enumerate(facts) if fact.kind in CLOZE_KINDS or fact.kind == "definition"
    ]
    if not places:
        return
    signatures = np.stack([dedup.signature(facts[place].sentence, NEAR) for place in places])
    exact = [dedup.exact_hash(facts[place].sentence) for place in places]
    for first, *others in dedup.clusters(signatures, exact, NEAR):
        for other in others:
            yield places[first], places[other]
