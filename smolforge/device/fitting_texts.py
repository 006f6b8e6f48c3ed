"""Texts that four-bit files are fitted on, and others that every file is judged on.

A run gives its own corpora. For any other model Python's reference of its own language stands in: English prose and
code that every Python brings along; a model that chats sees half of it as answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from smolforge.device import battery
from smolforge.text.tokenizer import Tok

ROW_TOKENS = 256
FIT_ROWS = 64
JUDGED_ROWS = 24


@dataclass(frozen=True)
class Texts:
    """Rows of token ids, all of one length; no text is in both."""

    fit: list[list[int]]
    judged: list[list[int]]
    source: str


def texts_for(tok: Tok, positions: int, given: Iterable[str] | None = None, seed: int = 1) -> Texts:
    """Rows from the texts given, else from Python's reference. `positions`: the most that the model can read.

    A short text is followed by the next in the same row. Where there is too little for all rows, there are fewer.
    """
    written, source = (list(given), "the run's own texts") if given is not None else (_reference(), REFERENCE)
    if not written:
        written, source = [battery.READING], "a short text of ours"
    random.Random(seed).shuffle(written)
    length = min(ROW_TOKENS, positions)
    share = len(written) * JUDGED_ROWS // (JUDGED_ROWS + FIT_ROWS)
    judged = _rows(tok, written[:share] or written, length, JUDGED_ROWS)
    return Texts(_rows(tok, written[share:], length, FIT_ROWS), judged, source)


REFERENCE = "Python's reference of its language"


def _reference() -> list[str]:
    try:
        from pydoc_data.topics import topics
    except ImportError:  # a Python that was stripped of its documentation
        return []
    return [f"{name}\n\n{text}" for name, text in sorted(topics.items())]


def _rows(tok: Tok, texts: Sequence[str], length: int, most: int) -> list[list[int]]:
    rows: list[list[int]] = []
    left: list[int] = []
    for ids in _encoded(tok, texts, length):
        left += ids
        while len(left) >= length and len(rows) < most:
            rows.append(left[:length])
            left = left[length:]
        if len(rows) == most:
            return rows
    return rows or [left[:length]]


def _encoded(tok: Tok, texts: Sequence[str], length: int) -> Iterator[list[int]]:
    """Every other text as an answer, where the model chats; of a long text a few rows, for many texts say more."""
    for number, text in enumerate(texts):
        part = text[: 12 * length]
        if number % 2 and tok.can_chat:
            question, _, answer = part.partition("\n")
            turns = [
                {"role": "user", "content": f"Tell me about this: {question.strip()}"},
                {"role": "assistant", "content": answer.strip() or question},
            ]
            yield tok.encode_chat(turns, None, False)[0]
        else:
            yield [*tok.encode(part), tok.eot_id]
