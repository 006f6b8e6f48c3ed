"""Which words of a folder are also written small, and in how many documents a capitalised word stands.

Bounded tables indexed by a hash of the word: the same for any order of documents, 9 MB for any folder. Two
words may share a place; a name is then taken for a common word and left out, which does no harm.
"""

from __future__ import annotations

import re
import zlib

import numpy as np

PLACES = 1 << 22
SMALL = re.compile(r"(?<![\w’'-])[a-z][a-z’'-]+")
CAPITAL = re.compile(r"[A-Z][\w’'-]+")
COMMON_SHARE = 0.25
MIN_DOCUMENTS = 8
"""In fewer documents no word counts as common."""


class Vocabulary:
    """Gathers the words of documents, one at a time."""

    def __init__(self) -> None:
        self.documents = 0
        self._small = np.zeros(PLACES, dtype=np.bool_)
        self._capital = np.zeros(PLACES, dtype=np.uint32)

    def add(self, text: str) -> None:
        """One more document."""
        self.documents += 1
        self._small[_places(set(SMALL.findall(text)))] = True
        self._capital[np.unique(_places(set(CAPITAL.findall(text))))] += 1

    def is_word(self, text: str) -> bool:
        """Whether every word of a name is also written small somewhere: it may be no name at all."""
        return all(self._small[_place(word.lower())] for word in text.split() if word[:1].isupper())

    def is_common(self, text: str) -> bool:
        """Whether a name stands in a quarter of all documents: any sentence could end with it."""
        if self.documents < MIN_DOCUMENTS:
            return False
        seen = min(
            (int(self._capital[_place(word)]) for word in text.split() if word[:1].isupper()), default=0
        )
        return seen > COMMON_SHARE * self.documents


def _place(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "replace")) % PLACES


def _places(words: set[str]) -> np.ndarray:
    return np.fromiter(map(_place, words), dtype=np.int64, count=len(words))
