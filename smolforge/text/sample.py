"""Which texts a tokenizer learns from: a fixed number of bytes of each domain, spread over the whole of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import ArrowException

from smolforge.errors import InputError
from smolforge.text import chat

LONGEST_PIECE_CHARACTERS = 50_000
"""One document says no more than this, so that a single table of data cannot fill the vocabulary."""
SCAFFOLD_EVERY_BYTES = 2_000
"""How often the chat template's own words are counted: about once a turn. Chosen, untested."""
LARGEST_LINE_CHARACTERS = 4 * 2**20


def divide(total: int, shares: Mapping[str, float], available: Mapping[str, int]) -> dict[str, int]:
    """Bytes wanted of each domain: by share, none more than it has; what one lacks goes to the others."""
    wanted = dict.fromkeys(sorted(shares), 0)
    open_names = [name for name in wanted if shares[name] > 0 and available[name] > 0]
    left = float(total)
    while open_names:
        weight = sum(shares[name] for name in open_names)
        full = [name for name in open_names if left * shares[name] / weight >= available[name]]
        if not full:
            return wanted | {name: int(left * shares[name] / weight) for name in open_names}
        for name in full:
            wanted[name] = available[name]
        left -= sum(available[name] for name in full)
        open_names = [name for name in open_names if name not in full]
    return wanted


def documents(folder: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every document in a corpus folder, in file order; `InputError` for a damaged file."""
    for file in sorted(folder.glob("documents-*.parquet")):
        try:
            with pq.ParquetFile(file) as table:
                for batch in table.iter_batches(256, columns=["id", "text"]):
                    yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
        except (ArrowException, OSError, KeyError) as error:
            raise InputError(
                f"a corpus file cannot be read ({error})", where=str(file), fix="build it again"
            ) from None


def conversations(folder: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of every conversation in a chat-data folder, rendered, control tokens left out."""
    file = folder / "conversations.jsonl"
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if len(line) > LARGEST_LINE_CHARACTERS:
                    raise InputError(
                        "a conversation is too long", where=f"{file}:{number}", fix="leave it out"
                    )
                plain = json.loads(line)
                parts = chat.pieces(plain["messages"], plain.get("tools"))
                yield (
                    str(plain.get("id", number)),
                    "\n".join(p.text for p in parts if p.kind == "words" and p.text != "\n"),
                )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"chat data cannot be read ({error})", where=str(file), fix="build it again"
        ) from None


def spread(texts: Iterator[tuple[str, str]], wanted_bytes: int, available_bytes: int) -> Iterator[str]:
    """About `wanted_bytes` of text from all over the source; chosen by each document's id, not by place."""
    if wanted_bytes <= 0:
        return
    limit = int(min(1.0, wanted_bytes / max(available_bytes, 1)) * 2**64)
    taken = 0
    for name, text in texts:
        if int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) > limit:
            continue
        piece = text[:LONGEST_PIECE_CHARACTERS]
        yield piece
        taken += len(piece.encode("utf-8", "replace"))
        if taken >= wanted_bytes:
            return


def scaffold(sample_bytes: int) -> Iterator[str]:
    """The words that the chat template writes by itself, as often as a conversation would hold them."""
    words = [*(f"{role}\n" for role in chat.ROLES), '{"name": "', '", "arguments": {"', '"}}', '": "', '", "']
    for _ in range(sample_bytes // SCAFFOLD_EVERY_BYTES):
        yield from words
