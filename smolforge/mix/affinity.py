"""Which source's words a skill speaks: n-gram models of the sources, mixed until they explain the skill's texts best.

No training. Each source's interpolated trigram model gives every token of a skill's decision texts a probability;
expectation maximisation finds the mixture of the models under which the texts are likeliest. That mixture is the belief
from which planning starts, and the published rule `mixmin` by itself.

Source: MixMin, arXiv:2502.10510, whose convex fit over per-source models is done here with n-grams; smoothing by
Witten and Bell 1991. It cannot tell a look-alike from a teacher: that is what measuring is for.

Shapes: N tokens of a skill, K sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smolforge.mix.decide import TEACHES_NOT, Belief

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

ROUNDS = 60
BOTH_SD, NGRAM_SD, DISAGREE_SD = 0.5, 0.8, 1.2
"""Width of the logarithm of a belief where a person and the words agree, where only the words speak, and where the two
are more than fourfold apart. Chosen, untested."""
APART = 4.0


@dataclass(frozen=True)
class Counted:
    """How often each n-gram stands in a source: sorted codes and their counts, for n = 1, 2, 3."""

    codes: tuple[Ids, Ids, Ids]
    counts: tuple[Array, Array, Array]
    tokens: int


def count(ids: Ids, vocabulary: int) -> Counted:
    """The n-grams of a source."""
    codes, counts = [], []
    for length in (1, 2, 3):
        found, often = np.unique(_codes(ids, length, vocabulary), return_counts=True)
        codes.append(found)
        counts.append(often.astype(np.float64))
    return Counted((codes[0], codes[1], codes[2]), (counts[0], counts[1], counts[2]), len(ids))


def _codes(ids: Ids, length: int, vocabulary: int) -> Ids:
    """One number for every run of `length` tokens; below 2^63 for vocabularies up to two million."""
    if len(ids) < length:
        return np.zeros(0, dtype=np.int64)
    parts = [ids[place : len(ids) - length + 1 + place] for place in range(length)]
    code = parts[0]
    for part in parts[1:]:
        code = code * vocabulary + part
    return code


def probabilities(source: Counted, ids: Ids, vocabulary: int) -> Array:
    """The source's probability of every token of `ids` after the two before it; the first two are left out."""
    if len(ids) < 3:
        return np.zeros(0)
    found = np.full(len(ids) - 2, 1.0 / vocabulary)
    for length in (1, 2, 3):
        context = _codes(ids[3 - length : -1], length - 1, vocabulary) if length > 1 else None
        seen = _looked_up(source, length, _codes(ids[3 - length :], length, vocabulary))
        before, kinds = _context(source, length, context, vocabulary, len(found))
        found = np.where(before > 0, (seen + kinds * found) / np.maximum(before + kinds, 1e-9), found)
    return found


def _looked_up(source: Counted, length: int, codes: Ids) -> Array:
    known, counts = source.codes[length - 1], source.counts[length - 1]
    if not len(known):
        return np.zeros(len(codes))
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[place] == codes, counts[place], 0.0)


def _context(
    source: Counted, length: int, context: Ids | None, vocabulary: int, size: int
) -> tuple[Array, Array]:
    """How often the context stands in the source, and how many different tokens follow it there."""
    known, counts = source.codes[length - 1], source.counts[length - 1]
    if context is None:
        return np.full(size, float(source.tokens)), np.full(size, float(len(known)))
    starts = np.searchsorted(known, context * vocabulary)
    ends = np.searchsorted(known, (context + 1) * vocabulary)
    sums = np.concatenate([[0.0], counts.cumsum()])
    return sums[ends] - sums[starts], (ends - starts).astype(np.float64)


def explain(sources: Mapping[str, Counted], texts: Sequence[Ids], vocabulary: int) -> dict[str, float]:
    """Weights of the sources, adding up to 1, under which the texts are likeliest; even ones for no text."""
    names = sorted(sources)
    rows = [
        [probabilities(sources[name], ids, vocabulary) for name in names] for ids in texts if len(ids) > 2
    ]
    if not rows:
        return dict.fromkeys(names, 1 / len(names))
    likely_NK = np.concatenate([np.stack(row, axis=1) for row in rows])
    weights = np.full(len(names), 1 / len(names))
    for _ in range(ROUNDS):
        shared = likely_NK * weights
        weights = (shared / shared.sum(axis=1, keepdims=True)).mean(axis=0)
    return {name: float(weight) for name, weight in zip(names, weights, strict=True)}


def beliefs(ngrams: Mapping[str, float], declared: Sequence[str]) -> dict[str, Belief]:
    """What a skill's weights by n-grams and a person's word (the sources that teach it) make together."""
    most = max(ngrams.values(), default=1.0) or 1.0
    found = {}
    for source, weight in ngrams.items():
        words = max(weight / most, TEACHES_NOT)
        if not declared:
            found[source] = Belief(words, NGRAM_SD)
            continue
        said = 1.0 if source in declared else TEACHES_NOT
        apart = max(words / said, said / words) > APART
        found[source] = Belief((words * said) ** 0.5, DISAGREE_SD if apart else BOTH_SD)
    return found
