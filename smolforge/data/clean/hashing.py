"""Stable 64-bit hashes of words and of word n-grams: the ground of near-duplicate and overlap search."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

WORD = re.compile(r"\w+")
WORD_OR_SIGN = re.compile(r"\w+|[-+*/=<>^%!&|~−×÷±·∓≤≥≠≈∈∉⊂∪∩∧∨¬]")
STEP = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


@functools.lru_cache(maxsize=1 << 18)
def word_hash(word: str) -> int:
    """64 bits that depend on the word alone, the same on every machine and run."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def normal_words(text: str) -> list[str]:
    """Words without case, accents and punctuation."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c))
    return WORD.findall(text.lower())


def words_and_signs(text: str) -> list[str]:
    """The same with the signs of operations between them: `3 + 4` is not `3 − 4`."""
    return WORD_OR_SIGN.findall(text.lower())


def word_hashes(words: list[str]) -> Hashes:
    """One hash a word, in order."""
    return np.fromiter(map(word_hash, words), dtype=np.uint64, count=len(words))


def mix(values: Hashes) -> Hashes:
    """Spread the bits. Source: splitmix64, Steele et al. 2014."""
    values = (values ^ (values >> np.uint64(30))) * MIX_1
    values = (values ^ (values >> np.uint64(27))) * MIX_2
    return values ^ (values >> np.uint64(31))


def ngram_hashes(words: Hashes, n: int) -> Hashes:
    """One hash for each run of `n` words, in order; of a shorter text, one hash of all of it."""
    if len(words) == 0:
        return words
    n = min(n, len(words))
    count = len(words) - n + 1
    total = np.zeros(count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(n):
            total = total * STEP + words[offset : offset + count]
        return mix(total + np.uint64(n))
