"""Whether a document gives away an evaluation item or repeats a held-out text, and which.

A document that shares a run of `ngram` words with an evaluation text is looked at closely: around the run, the longest
common subsequence of words over the length of the shorter of the two decides. Items shorter than a run count when the
whole of them, at least `SHORTEST` words, stands in the document. Words that open or close every item of a task (worked
examples, "Answer:") belong to no item.

Source: 13-grams, GPT-3, arXiv:2005.14165, appendix C; hit, then longest common subsequence of at least 0.6, SmolLM2,
arXiv:2502.02737. Departures, chosen: the subsequence is sought near the run, because a long document holds the common
words of any question in their order somewhere; and the shorter length counts, so that a part of a held-out text is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from smolforge.data.clean.hashing import Hashes, ngram_hashes, normal_words, word_hashes
from smolforge.data.read.documents import KEEP, Verdict, drop, write_jsonl

NGRAM = 13
SHARE = 0.6
SHORTEST = 6
FEWEST_FRAMED = 10
"""Of fewer items, words that all begin with may be chance."""


class EvalText(NamedTuple):
    """An evaluation item, or a held-out text, which is found in parts too and never short."""

    task: str
    id: str
    text: str
    is_item: bool = True


@dataclass(frozen=True, slots=True)
class Overlap:
    """An evaluation text met in a document.

    share   words of the shorter of the two in their longest common subsequence, 0..1
    quoted  the run of words by which it was met
    """

    task: str
    item: str
    share: float
    quoted: str


@dataclass(frozen=True, eq=False)
class Short:
    """Items shorter than a run, in the order of the hashes of their first `SHORTEST` words.

    heads, wholes  hashes of the first words and of all; lengths  words; all [items]
    """

    heads: Hashes
    wholes: Hashes
    lengths: npt.NDArray[np.int64]
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Banned:
    """An index over what nothing may be trained on.

    names   (task, id) of each text; words  its hashed words; both [texts]
    hashes  sorted n-gram hashes; owners  the text each belongs to; both [runs]
    unchecked  items with fewer than `SHORTEST` words, which cannot be told from common speech
    """

    names: tuple[tuple[str, str], ...]
    words: tuple[Hashes, ...]
    hashes: Hashes
    owners: npt.NDArray[np.int32]
    short: Short
    unchecked: int
    ngram: int = NGRAM
    share: float = SHARE


def index(texts: Iterable[EvalText], *, ngram: int = NGRAM, share: float = SHARE) -> Banned:
    """An index of evaluation items and held-out texts."""
    names: list[tuple[str, str]] = []
    kept: list[Hashes] = []
    short: list[tuple[int, int, int, tuple[str, str]]] = []
    unchecked = 0
    for one, words in _without_frames(texts):
        name = (one.task, one.id)
        if len(words) >= ngram:
            names.append(name)
            kept.append(words)
        elif one.is_item and len(words) >= SHORTEST:
            head, whole = (int(ngram_hashes(words[:n], n)[0]) for n in (SHORTEST, len(words)))
            short.append((head, whole, len(words), name))
        else:
            unchecked += one.is_item
    runs = [np.unique(ngram_hashes(words, ngram)) for words in kept]
    hashes = np.concatenate(runs) if runs else np.zeros(0, dtype=np.uint64)
    owners = np.repeat(np.arange(len(runs), dtype=np.int32), [len(found) for found in runs])
    order = np.argsort(hashes, kind="stable")
    return Banned(
        tuple(names), tuple(kept), hashes[order], owners[order], _sorted_short(short), unchecked, ngram, share
    )


def _without_frames(texts: Iterable[EvalText]) -> list[tuple[EvalText, Hashes]]:
    """Each text with its hashed words, without those that all items of its task begin or end with."""
    found = [(one, normal_words(one.text)) for one in texts]
    tasks: dict[str, list[list[str]]] = {}
    for one, words in found:
        if one.is_item:
            tasks.setdefault(one.task, []).append(words)
    frames = {task: _frame(items) for task, items in tasks.items()}
    cut = []
    for one, words in found:
        before, after = frames[one.task] if one.is_item else (0, 0)
        cut.append((one, word_hashes(words[before : len(words) - after])))
    return cut


def _frame(items: Sequence[Sequence[str]]) -> tuple[int, int]:
    """How many words all items of a task begin with, and how many they end with; none where they are few or equal."""
    before = _begun_alike(items)
    if len(items) < FEWEST_FRAMED or before == min(map(len, items)):
        return 0, 0
    return before, _begun_alike([words[before:][::-1] for words in items])


def _begun_alike(items: Sequence[Sequence[str]]) -> int:
    shortest = min(map(len, items))
    differ = (n for n in range(shortest) if any(words[n] != items[0][n] for words in items))
    return next(differ, shortest)


def _sorted_short(items: list[tuple[int, int, int, tuple[str, str]]]) -> Short:
    items = sorted(items)
    return Short(
        np.array([head for head, _, _, _ in items], dtype=np.uint64),
        np.array([whole for _, whole, _, _ in items], dtype=np.uint64),
        np.array([length for _, _, length, _ in items], dtype=np.int64),
        tuple(name for _, _, _, name in items),
    )


def overlaps(words: Sequence[str], banned: Banned, hashes: Hashes | None = None) -> list[Overlap]:
    """Every evaluation text of which a run stands among the document's normal `words`, whatever its share."""
    hashes = word_hashes(list(words)) if hashes is None else hashes
    found = _short_overlaps(words, hashes, banned.short)
    for text, places in _runs_met(hashes, banned).items():
        share, place = max(_shares(hashes, banned.words[text], places, banned.ngram))
        quoted = " ".join(words[-place : banned.ngram - place])
        found.append(Overlap(*banned.names[text], round(share, 4), quoted))
    return found


def _runs_met(hashes: Hashes, banned: Banned) -> dict[int, list[int]]:
    """{text: places in the document where one of its runs begins}."""
    met: dict[int, list[int]] = {}
    if len(hashes) < banned.ngram or len(banned.hashes) == 0:
        return met
    own = ngram_hashes(hashes, banned.ngram)
    left = np.searchsorted(banned.hashes, own, side="left")
    right = np.searchsorted(banned.hashes, own, side="right")
    for place in np.flatnonzero(right > left).tolist():
        for owner in banned.owners[left[place] : right[place]].tolist():
            met.setdefault(owner, []).append(place)
    return met


def _shares(hashes: Hashes, text: Hashes, places: Sequence[int], ngram: int) -> Iterable[tuple[float, int]]:
    """(share, minus the place) around each run; runs nearer than the text is long are one."""
    last = -len(text)
    for place in places:
        if place - last < len(text):
            continue
        last = place
        around = hashes[max(0, place - len(text)) : place + ngram + 2 * len(text)]
        yield common_words(text, around) / min(len(text), len(hashes)), -place


def common_words(one: Hashes, other: Hashes) -> int:
    """Length of the longest common subsequence. Source: bit-parallel, Hyyrö 2004."""
    places: dict[int, int] = {}
    for number, word in enumerate(one.tolist()):
        places[word] = places.get(word, 0) | 1 << number
    every = (1 << len(one)) - 1
    unmatched = every
    for word in other.tolist():
        hit = unmatched & places.get(word, 0)
        unmatched = (unmatched + hit | unmatched - hit) & every
    return len(one) - unmatched.bit_count()


def _short_overlaps(words: Sequence[str], hashes: Hashes, short: Short) -> list[Overlap]:
    found: dict[tuple[str, str], Overlap] = {}
    if len(hashes) < SHORTEST or len(short.heads) == 0:
        return []
    heads = ngram_hashes(hashes, SHORTEST)
    left = np.searchsorted(short.heads, heads, side="left")
    right = np.searchsorted(short.heads, heads, side="right")
    for place in np.flatnonzero(right > left).tolist():
        for item in range(int(left[place]), int(right[place])):
            length = int(short.lengths[item])
            part = hashes[place : place + length]
            if len(part) == length and ngram_hashes(part, length)[0] == short.wholes[item]:
                quoted = " ".join(words[place : place + length])
                found.setdefault(short.names[item], Overlap(*short.names[item], 1.0, quoted))
    return list(found.values())


def verdict_of(found: Sequence[Overlap], banned: Banned) -> Verdict:
    """Keep, or drop with the name of the text that was met most closely."""
    worst = max(found, key=lambda one: one.share, default=None)
    if worst is None or worst.share < banned.share:
        return KEEP
    return drop("contaminated", f"{worst.share:.0%} of {worst.task} item {worst.item}")


def check(text: str, banned: Banned) -> Verdict:
    """Keep, or drop with the name of the item or text that was met."""
    return verdict_of(overlaps(normal_words(text), banned), banned)


class Guard:
    """Checks texts one after the other, and remembers what met what. Without an index everything passes."""

    def __init__(self, banned: Banned | None) -> None:
        self.banned = banned
        self.met: list[dict[str, Any]] = []

    def check(self, id: str, text: str) -> Verdict:
        """The verdict on a text."""
        if self.banned is None:
            return KEEP
        found = overlaps(normal_words(text), self.banned)
        self.met += rows_of(id, found, self.banned)
        return verdict_of(found, self.banned)

    def write(self, folder: Path) -> dict[str, int]:
        """Write overlaps.jsonl and give `items_met`; neither where nothing was looked for."""
        return write_met(folder, self.met) if self.banned is not None else {}


def rows_of(document: str, found: Iterable[Overlap], banned: Banned) -> list[dict[str, Any]]:
    """Lines of overlaps.jsonl; `is_dropped` where the overlap alone drops the document."""
    return [
        {"document": document, **asdict(one), "is_dropped": one.share >= banned.share}
        for one in sorted(found, key=lambda one: (-one.share, one.task, one.item))
    ]


def write_met(folder: Path, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Write overlaps.jsonl; gives `items_met`, the evaluation texts whose documents were dropped for them, each once."""
    write_jsonl(folder / "overlaps.jsonl", rows)
    return {"items_met": len({(row["task"], row["item"]) for row in rows if row["is_dropped"]})}
