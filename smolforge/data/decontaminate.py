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

from smolforge.data.documents import KEEP, Verdict, drop
from smolforge.data.hashing import Hashes, ngram_hashes, normal_words, word_hashes

SHORTEST = 6


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
    short: dict[int, tuple[Hashes, tuple[str, ...]]]
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
    short: dict[int, dict[int, str]] = {}
    for is_item, group in ((True, items), (False, texts)):
        for name, text in group:
            words = word_hashes(normal_words(text))
            if len(words) < ngram:
                if is_item and len(words) >= SHORTEST:
                    short.setdefault(len(words), {})[int(ngram_hashes(words, len(words))[0])] = name
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


def _sorted_short(short: dict[int, dict[int, str]]) -> dict[int, tuple[Hashes, tuple[str, ...]]]:
    """{words: (sorted hashes, names)} of the items shorter than a run."""
    return {
        length: (np.array(sorted(known), dtype=np.uint64), tuple(known[value] for value in sorted(known)))
        for length, known in sorted(short.items())
    }


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
    for length, (known, names) in banned.short.items():
        if len(words) < length:
            continue
        values = ngram_hashes(words, length)
        places = np.minimum(np.searchsorted(known, values), len(known) - 1)
        met = np.flatnonzero(known[places] == values)
        if len(met):
            return drop("contaminated", f"all of evaluation item {names[int(places[met[0]])]}")
    return KEEP


def without_contaminated(rows: Sequence[tuple[str, str]], banned: Banned) -> list[str]:
    """Names of the (name, text) rows that may be trained on."""
    return [name for name, text in rows if check(text, banned).keep]
