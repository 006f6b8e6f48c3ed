"""Texts of pre-training read again while a model is tuned, so that it does not forget them.

Source: replay of earlier data against forgetting, arXiv:2603.04964; the share is measured in docs/LOG.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from smolforge.data.tokens.batches import Example, shuffled
from smolforge.text.tokenizer import Tok


def replayed(
    tok: Tok,
    texts: Mapping[str, Iterable[str]],
    beside: Sequence[Example],
    length: int,
    share: float,
    seed: int,
) -> list[Example]:
    """So much text that it is `share` of all tokens, `beside` the examples; every domain gives as many tokens as it has, up to its part.

    Documents are taken in an order of their own and cut where a row ends; the loss counts every token.
    """
    tokens = sum(min(length, len(example.tokens)) for example in beside)
    wanted = tokens * share / (1 - share) / max(1, len(texts))
    found: list[Example] = []
    for name in sorted(texts):
        found += _up_to(wanted, _pieces(tok, list(texts[name]), length, f"{seed}/{name}"))
    return found


def _up_to(wanted_tokens: float, pieces: Iterator[Example]) -> Iterator[Example]:
    taken = 0
    while taken < wanted_tokens:
        piece = next(pieces, None)
        if piece is None:
            return
        taken += len(piece.tokens)
        yield piece


def _pieces(tok: Tok, texts: Sequence[str], length: int, salt: str) -> Iterator[Example]:
    for place in shuffled(len(texts), 0, salt, 0).tolist():
        ids = np.array([tok.start_id, *tok.encode(texts[place]), tok.eot_id], dtype=np.int64)
        for start in range(0, len(ids) - 1, length):
            part = ids[start : start + length + 1]
            yield Example(part, np.ones(len(part), dtype=np.float32))
