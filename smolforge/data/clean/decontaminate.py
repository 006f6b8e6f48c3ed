"""Whether a document gives away an evaluation item or repeats a held-out text.

A document that shares a run of `ngram` words with an item is looked at closely: the share of the item's
words that stand in shared runs decides. Items shorter than a run count when the whole of them, at least
`SHORTEST` words, stands in the document. For held-out texts, the share of either's runs decides.
Source: 13-grams, GPT-3, arXiv:2005.14165, appendix C; hit, then ratio, FineMath and Cosmopedia, whose
ratios are 0.6 and 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smolforge.data.clean.hashing import Hashes, ngram_hashes, normal_words, word_hashes
from smolforge.data.read.documents import KEEP, Verdict, drop

SHORTEST = 6


@dataclass(frozen=True, eq=False)
class Short:
    """Items shorter than a run, in the order of the hashes of their first `SHORTEST` words.

    heads, wholes  hashes of the first words and of all; lengths  words; all [items]
    """

    heads: Hashes
    wholes: Hashes
    lengths: npt.NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Banned:
    """An index over what nothing may be trained on.

    hashes  sorted n-gram hashes; owners  the text each belongs to; both [runs]
    runs    number of distinct runs of each text; lengths  its words; both [texts]
    """

    names: tuple[str, ...]
    ngram: int
    hashes: Hashes
    owners: npt.NDArray[np.int32]
    runs: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    is_item: npt.NDArray[np.bool_]
    short: Short
    item_share: float
    text_share: float


def index(
    items: Iterable[tuple[str, str]],
    texts: Iterable[tuple[str, str]] = (),
    *,
    ngram: int = 13,
    item_share: float = 0.5,
    text_share: float = 0.5,
) -> Banned:
    """An index of (name, text) pairs: evaluation items, and held-out documents."""
    names: list[str] = []
    runs: list[int] = []
    lengths: list[int] = []
    kinds: list[bool] = []
    hashes: list[Hashes] = []
    short: list[tuple[int, int, int, str]] = []
    for is_item, group in ((True, items), (False, texts)):
        for name, text in group:
            words = word_hashes(normal_words(text))
            if len(words) < ngram:
                if is_item and len(words) >= SHORTEST:
                    head, whole = (int(ngram_hashes(words[:n], n)[0]) for n in (SHORTEST, len(words)))
                    short.append((head, whole, len(words), name))
                continue
            found = np.unique(ngram_hashes(words, ngram))
            names.append(name)
            runs.append(len(found))
            lengths.append(len(words))
            kinds.append(is_item)
            hashes.append(found)
    joined = np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64)
    owners = np.repeat(np.arange(len(names), dtype=np.int32), np.array(runs, dtype=np.int64))
    order = np.argsort(joined, kind="stable")
    return Banned(
        tuple(names), ngram, joined[order], owners[order], np.array(runs, dtype=np.int32),
        np.array(lengths, dtype=np.int32), np.array(kinds, dtype=bool), _sorted_short(short), item_share, text_share,
    )  # fmt: skip


def _sorted_short(items: list[tuple[int, int, int, str]]) -> Short:
    items = sorted(items)
    return Short(
        np.array([head for head, _, _, _ in items], dtype=np.uint64),
        np.array([whole for _, whole, _, _ in items], dtype=np.uint64),
        np.array([length for _, _, length, _ in items], dtype=np.int64),
        tuple(name for _, _, _, name in items),
    )


def check(text: str, banned: Banned) -> Verdict:
    """Keep, or drop with the name of the item or text that was met."""
    return check_words(word_hashes(normal_words(text)), banned)


def check_words(words: Hashes, banned: Banned) -> Verdict:
    """As `check`, for words already hashed."""
    verdict = _check_short(words, banned)
    if not verdict.keep or len(words) < banned.ngram or len(banned.hashes) == 0:
        return verdict
    own = np.unique(ngram_hashes(words, banned.ngram))
    left = np.searchsorted(banned.hashes, own, side="left")
    right = np.searchsorted(banned.hashes, own, side="right")
    hit = np.flatnonzero(right > left)
    if len(hit) == 0:
        return KEEP
    met = np.concatenate([banned.owners[left[i] : right[i]] for i in hit])
    counts = np.bincount(met, minlength=len(banned.names))
    for owner in np.flatnonzero(counts):
        share = counts[owner] / banned.runs[owner]
        if banned.is_item[owner]:
            if share >= banned.item_share:
                return drop("contaminated", f"{share:.0%} of evaluation item {banned.names[owner]}")
        elif max(share, counts[owner] / len(own)) >= banned.text_share:
            return drop(
                "contaminated", f"shares {counts[owner]} runs with held-out text {banned.names[owner]}"
            )
    return KEEP


def _check_short(words: Hashes, banned: Banned) -> Verdict:
    short = banned.short
    if len(words) < SHORTEST or len(short.heads) == 0:
        return KEEP
    heads = ngram_hashes(words, SHORTEST)
    left = np.searchsorted(short.heads, heads, side="left")
    right = np.searchsorted(short.heads, heads, side="right")
    for place in np.flatnonzero(right > left).tolist():
        for item in range(int(left[place]), int(right[place])):
            part = words[place : place + int(short.lengths[item])]
            if len(part) == short.lengths[item] and ngram_hashes(part, len(part))[0] == short.wholes[item]:
                return drop("contaminated", f"all of evaluation item {short.names[item]}")
    return KEEP


def without_contaminated(rows: Sequence[tuple[str, str]], banned: Banned) -> list[str]:
    """Names of the (name, text) rows that may be trained on."""
    return [name for name, text in rows if check(text, banned).keep]
