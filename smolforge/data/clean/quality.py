"""Educational value, 0 to 5, by a small linear classifier that a run trains for itself.

Words and word pairs are hashed into a vector, and ridge regression learns the score. Labels come from an
annotator: `annotate`, a transparent count of five signs of teaching, joined by a few passages scored by
hand (`quality_seeds`); any function of the same signature, a language model for one, can take its place.
Saved as JSON and plain arrays, never pickled.
Source: the additive 0 to 5 scale and threshold 3, FineWeb-Edu, arXiv:2406.17557, section 4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smolforge.data.clean.filters import BOILERPLATE, END_MARKS, Measured
from smolforge.data.clean.hashing import Hashes, mix, ngram_hashes, normal_words, word_hashes
from smolforge.data.read.documents import stable_share
from smolforge.errors import InputError

FEATURES = 1 << 15
MAX_WORDS = 1000
RIDGE = 0.3
ANNOTATED_CHARS = 8_000
THRESHOLD = 3.0
HELD_OUT_SHARE = 0.2

TEACHING = re.compile(
    r"\b(because|therefore|for example|for instance|such as|means that|is called|are called|defined as|in other words"
    r"|this means|note that|remember|step|first|then|next|finally|so that|the reason|explains?|returns?|example|if you)\b",
    re.IGNORECASE,
)
STRUCTURE = re.compile(
    r"^(#{1,6} |\d+[.)] |- |\* |>>> |```|    \S|def |class |Question|Problem|Exercise|Answer|Solution)", re.M
)
FURNITURE = re.compile(
    r"\b(log ?in|sign up|subscribe|newsletter|cookies?|all rights reserved|privacy policy|terms of (use|service)|add to cart"
    r"|share this|read more|click here|copyright|previous|next page|home page|contact us|advertis\w+|buy now|shop)\b",
    re.IGNORECASE,
)

Vector = npt.NDArray[np.float32]
Annotator = Callable[[str], float]


def annotate(text: str) -> float:
    """0 to 5: one point for each sign of teaching.

    1 whole sentences · 2 words that explain · 3 headings, steps, examples or questions · 4 neither furniture
    of pages nor repetition · 5 sentences of readable length with a varied vocabulary. Chosen, untested.
    """
    m = Measured(text[:ANNOTATED_CHARS])
    words = max(1, len(m.words))
    blocks = [block.strip() for block in re.split(r"\n\s*\n", m.text) if len(block.split()) > 3]
    sentences = max(1, len(re.findall(r"[.!?][\s\")]", text[:ANNOTATED_CHARS] + " ")))
    # Blocks, not lines: many texts are broken into lines of even length.
    whole = sum(block.endswith(END_MARKS) for block in blocks) / max(1, len(blocks))
    points = 1.0 if whole >= 0.5 and words >= 30 else 0.0
    # Counts are damped (+ 50 words, + 5 lines), or one word would decide a short text.
    points += min(1.0, len(TEACHING.findall(m.text)) / (words + 50) * 100)
    points += min(1.0, len(STRUCTURE.findall(m.text)) / (len(m.lines) + 5) * 5)
    furniture = len(FURNITURE.findall(m.text)) / words * 100 + bool(BOILERPLATE.search(m.text))
    repeated = 1 - len(set(m.lines)) / max(1, len(m.lines))
    points += max(0.0, 1.0 - furniture - 2 * repeated)
    length = words / sentences
    varied = len({w.lower() for w in m.words[:200]}) / min(words, 200)
    points += 1.0 if 5 <= length <= 35 and varied >= 0.3 and words >= 30 else 0.0
    return points


def features(words: Hashes) -> tuple[npt.NDArray[np.int64], Vector]:
    """(places, values) of one text's vector: log counts of words and pairs, of unit length."""
    words = words[:MAX_WORDS]
    grams = np.concatenate([mix(words), ngram_hashes(words, 2)]) if len(words) > 1 else mix(words)
    places, counts = np.unique((grams >> np.uint64(13)) % np.uint64(FEATURES), return_counts=True)
    values = np.log1p(counts).astype(np.float32)
    length = float(np.sqrt(np.sum(values.astype(np.float64) ** 2)))
    return places.astype(np.int64), values / np.float32(length or 1.0)


@dataclass(frozen=True, eq=False)
class QualityScorer:
    """`weights` [FEATURES] and `bias`."""

    weights: Vector
    bias: float

    def score(self, text: str) -> float:
        """Educational value of a text, 0 to 5."""
        return self.score_words(word_hashes(normal_words(text[: MAX_WORDS * 20])))

    def score_words(self, words: Hashes) -> float:
        """As `score`, for words already hashed."""
        places, values = features(words)
        # math.fsum would be exact; a float64 sum in fixed order is as stable and much faster.
        raw = float(np.sum(self.weights[places].astype(np.float64) * values)) + self.bias
        return round(min(5.0, max(0.0, raw)), 4)


def train(
    texts: Sequence[tuple[str, str]], annotator: Annotator = annotate
) -> tuple[QualityScorer, dict[str, Any]]:
    """A scorer learned from (id, text) pairs, and its measures on a held-out fifth.

    Measures: examples, f1 (of "3 or more"), correlation, mean_label.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import lsqr

    from smolforge.written.quality_seeds import SEEDS, worthless_pages

    if len(texts) < 10:
        raise InputError(
            f"only {len(texts)} texts to learn quality from", fix="add sources, or leave quality out"
        )
    # A salt of its own: the sample was chosen by the same kind of hash, and must not decide the split.
    rows = [
        (text, annotator(text), stable_share(name, "quality-split") < HELD_OUT_SHARE) for name, text in texts
    ]
    rows += [(text, score, False) for score, text in SEEDS for _ in range(3)]
    worthless = worthless_pages(max(20, len(texts) // 8))
    rows += [(text, score, stable_share(text, "quality-split") < HELD_OUT_SHARE) for score, text in worthless]
    vectors = [features(word_hashes(normal_words(text[: MAX_WORDS * 20]))) for text, _, _ in rows]
    ends = np.cumsum([0, *(len(places) for places, _ in vectors)])
    matrix = csr_matrix(
        (np.concatenate([v for _, v in vectors]), np.concatenate([p for p, _ in vectors]), ends),
        shape=(len(rows), FEATURES),
    )
    labels = np.array([label for _, label, _ in rows])
    held = np.array([is_held for _, _, is_held in rows])
    # Sparse products only, so the result does not depend on the number of threads.
    bias = round(float(labels[~held].mean()), 5)
    fit = lsqr(matrix[~held], labels[~held] - bias, damp=RIDGE**0.5, atol=1e-6, btol=1e-6, iter_lim=300)
    weights = fit[0]
    scorer = QualityScorer(np.round(weights, 5).astype(np.float32), bias)
    guesses = np.clip(matrix[held] @ scorer.weights.astype(np.float64) + scorer.bias, 0, 5)
    return scorer, measures(labels[held], guesses, len(rows))


def measures(
    labels: npt.NDArray[np.float64], guesses: npt.NDArray[np.float64], examples: int
) -> dict[str, Any]:
    """F1 of "educational" (3 or more), and the correlation of the scores."""
    good, said = labels >= THRESHOLD, guesses >= THRESHOLD
    both = int(np.sum(good & said))
    f1 = 2 * both / max(1, int(good.sum()) + int(said.sum()))
    varied = len(labels) > 1 and labels.std() > 0 and guesses.std() > 0
    correlation = float(np.corrcoef(labels, guesses)[0, 1]) if varied else 0.0
    mean = float(labels.mean()) if len(labels) else 0.0
    return {
        "examples": examples,
        "f1": round(f1, 3),
        "correlation": round(correlation, 3),
        "mean_label": round(mean, 3),
    }


def save(scorer: QualityScorer, folder: Path, facts: dict[str, Any]) -> None:
    """Write model.json and weights.npz."""
    model = {"features": FEATURES, "bias": scorer.bias, "threshold": THRESHOLD, "measures": facts}
    (folder / "model.json").write_text(json.dumps(model, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    np.savez(folder / "weights.npz", weights=scorer.weights)


def load(folder: Path) -> QualityScorer:
    """The scorer of a folder that `save` wrote; `InputError` for another."""
    try:
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
            weights = arrays["weights"]
        if model["features"] != FEATURES or weights.shape != (FEATURES,):
            raise ValueError("another size")
        return QualityScorer(weights.astype(np.float32), float(model["bias"]))
    except (OSError, ValueError, KeyError):
        raise InputError("this is no quality model", where=str(folder), fix="train it again") from None
