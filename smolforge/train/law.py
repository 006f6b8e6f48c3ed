"""How low a loss is to be expected: a law of size and data, fitted to a measured table, and a text's difficulty.

The law is that of arXiv:2203.15556 with its published powers, in bits per byte; text that is repeated counts less and
less (arXiv:2305.16264). The factors come from `benchmarks/train_table.py` (docs/LOG.md 2026-11-24): 0.8 to 3.1 million
parameters, 0.4 to 1.6 million tokens, reproduced to 0.04 bits. The best fit has a factor of 0.11 for size; 0.3 is held
instead, since that fit would choose ever smaller models for longer times than the table knows. A text that a
general compressor packs better than the table's is expected to be that much easier for a model too.
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Iterable

ENTROPY_BITS = 0.79
SIZE_BITS = 0.3
DATA_BITS = 0.927
SIZE_POWER = 0.34
DATA_POWER = 0.28
EMBEDDING_WORTH = 0.3
"""What a number of the embedding table counts against one of a layer; chosen."""
REPEAT_WORTH = 15.4
TABLE_PACKED_BITS = 2.21
"""What xz makes of the table's text."""
SAMPLE_BYTES = 2_000_000
PIECE_BYTES = 20_000


def worth_parameters(parameters: int, vocabulary: int, width: int) -> float:
    """Parameters as the law counts them."""
    return parameters - (1 - EMBEDDING_WORTH) * vocabulary * width


def worth_bytes(trained_bytes: float, unique_bytes: float) -> float:
    """Fresh bytes that so many trained ones are worth, of which `unique_bytes` differ."""
    passes = trained_bytes / unique_bytes
    if passes <= 1:
        return trained_bytes
    return unique_bytes * (1 + REPEAT_WORTH * (1 - math.exp(-(passes - 1) / REPEAT_WORTH)))


def predicted_bits(
    parameters: float, trained_bytes: float, unique_bytes: float, difficulty: float = 1.0
) -> float:
    """Bits per byte of held-out text; `parameters` as `worth_parameters` counts them."""
    size = SIZE_BITS * (parameters / 1e6) ** -SIZE_POWER
    data = DATA_BITS * (worth_bytes(trained_bytes, unique_bytes) / 1e7) ** -DATA_POWER
    return difficulty * (ENTROPY_BITS + size + data)


def packed_bits(texts: Iterable[str]) -> float:
    """Bits a byte that xz needs for the beginnings of the texts, up to two megabytes; 0 for no text.

    Beginnings only, so that one long text does not stand for all.
    """
    sample = bytearray()
    for text in texts:
        sample += text.encode("utf-8", "replace")[:PIECE_BYTES]
        if len(sample) >= SAMPLE_BYTES:
            break
    return 8 * len(lzma.compress(bytes(sample), preset=6)) / len(sample) if sample else 0.0


def difficulty(packed: float) -> float:
    """How much harder than the table's text one is that xz packs to so many bits a byte; 1 for none."""
    return packed / TABLE_PACKED_BITS if packed else 1.0
