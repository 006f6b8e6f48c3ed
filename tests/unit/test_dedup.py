"""Exact and near duplicates."""

from __future__ import annotations

import random

import numpy as np

from smolforge.data.clean.dedup import (
    Bands,
    clusters,
    duplicates,
    exact_hash,
    exact_hash_of,
    signature,
    signature_of,
    similarity,
)
from smolforge.data.clean.hashing import ngram_hashes, normal_words, word_hash, word_hashes, words_and_signs

WORDS = [f"word{i}" for i in range(500)]


def text(seed: int, length: int = 300) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def changed(original: str, share: float, seed: int) -> str:
    """The text with a share of its words replaced, in one run."""
    words = original.split()
    count = int(len(words) * share)
    start = random.Random(seed).randrange(len(words) - count + 1)
    return " ".join(words[:start] + [f"new{i}" for i in range(count)] + words[start + count :])


def find(texts: list[str], bands: Bands | None = None) -> dict[int, int]:
    bands = bands or Bands()
    signatures = np.stack([signature(t, bands) for t in texts])
    found = duplicates(signatures, [exact_hash(t) for t in texts], bands)
    return {index: first for index, (first, _) in found.items()}


def jaccard(one: str, other: str, n: int = 5) -> float:
    a, b = (set(ngram_hashes(word_hashes(normal_words(t)), n).tolist()) for t in (one, other))
    return len(a & b) / len(a | b)


def test_signatures_estimate_jaccard_similarity() -> None:
    bands = Bands(64, 8)
    for seed, share in enumerate((0.05, 0.2, 0.4, 0.6)):
        one = text(seed, 600)
        other = changed(one, share, seed)
        estimate = similarity(signature(one, bands), signature(other, bands))
        assert abs(estimate - jaccard(one, other)) < 0.08  # four standard deviations at 512 permutations


def test_the_first_of_each_cluster_is_kept() -> None:
    a, b = text(1), text(2)
    texts = [a, b, changed(a, 0.03, 5), text(3), a.upper() + "!", changed(b, 0.03, 6)]
    assert find(texts) == {2: 0, 4: 0, 5: 1}


def test_different_texts_stay() -> None:
    assert find([text(i) for i in range(200)]) == {}
    assert find([text(1), changed(text(1), 0.5, 1)]) == {}


def test_order_of_work_does_not_matter_but_document_order_does() -> None:
    base = [text(i) for i in range(20)]
    texts = base + [changed(t, 0.04, i) for i, t in enumerate(base)]
    assert find(texts) == {20 + i: i for i in range(20)}
    assert find(texts[::-1]) == {39 - i: 19 - i for i in range(20)}


def test_normalisation_ignores_case_accents_and_punctuation() -> None:
    assert exact_hash("The Café, at noon!") == exact_hash("the cafe at NOON")
    assert exact_hash("one two") != exact_hash("two one")


def test_short_and_empty_texts() -> None:
    assert find(["", "a", "a b", "", "a"]) == {3: 0, 4: 1}
    assert duplicates(np.zeros((0, 100), dtype=np.uint32), [], Bands()) == {}


def test_hashes_do_not_change_between_runs_and_versions() -> None:
    assert word_hash("smolforge") == 17222380862249363302
    assert signature("one two three four five six", Bands(2, 2)).dtype == np.uint32


def test_of_a_chain_those_stay_that_are_unlike_every_one_that_stayed():
    """Sixty texts of 400 words, each shifted by 30 against the one before: alike only to their neighbours."""
    words = [f"w{number}" for number in np.random.default_rng(1).integers(0, 4000, 400 + 60 * 30)]
    texts = [" ".join(words[30 * n : 30 * n + 400]) for n in range(60)]
    bands = Bands()
    signatures = np.stack([signature(text, bands) for text in texts])
    found = duplicates(signatures, [exact_hash(text) for text in texts], bands)
    kept = [n for n in range(60) if n not in found]
    assert 10 < len(kept) < 40
    for one, (other, alike) in found.items():
        assert other in kept and abs(one - other) <= 4 and alike >= bands.threshold
        assert alike == similarity(signatures[one], signatures[other])
    assert [len(cluster) for cluster in clusters(signatures, [exact_hash(t) for t in texts], bands)] == [60]


def test_worksheets_that_differ_in_their_signs_are_no_duplicates() -> None:
    sheet = "".join(f"{n} + {n * 7 % 11} = ?\n" for n in range(60))
    other, bands = sheet.replace("+", "\u2212"), Bands()
    assert exact_hash(sheet) == exact_hash(other)
    one, two = words_and_signs(sheet), words_and_signs(other)
    assert exact_hash_of(one) != exact_hash_of(two)
    alike = similarity(*(signature_of(word_hashes(words), bands) for words in (one, two)))
    assert alike < bands.threshold
