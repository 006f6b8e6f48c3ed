"""Token shards: lossless, bounded, resumable."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from smolforge.data.read.documents import CORPUS_SCHEMA, ParquetWriter, read_rows, row_groups
from smolforge.data.tokens.batches import Documents
from smolforge.data.tokens.shards import ShardReader, read_shards, write_shards
from smolforge.errors import InputError


class Bytes:
    """A tokenizer of bytes, ids 1 to 256; 0 ends a text."""

    eot_id = 0
    begin_ids = ()

    def __init__(self, vocab_size: int = 257) -> None:
        self.vocab_size = vocab_size

    def encode_batch(self, texts, allow_special=False):
        return [[b + 1 for b in t.encode()] for t in texts]


TEXTS = [f"text {i} " * (i % 7 + 1) for i in range(200)]


def decoded(folder: Path) -> list[str]:
    found, reader = [], ShardReader()
    for shard in read_shards(folder):
        tokens = reader.read(shard, 0, int(shard.offsets[-1]))
        for start, end in pairwise(shard.offsets.tolist()):
            assert tokens[end - 1] == 0
            found.append(bytes(int(t) - 1 for t in tokens[start : end - 1]).decode())
    return found


@pytest.mark.parametrize(("vocabulary", "width"), [(257, 2), (100_000, 4)])
def test_every_text_comes_back_from_its_shard(tmp_path: Path, vocabulary: int, width: int) -> None:
    facts = write_shards(TEXTS, Bytes(vocabulary), tmp_path, shard_tokens=1000)
    assert decoded(tmp_path) == TEXTS
    size = sum(len(t.encode()) for t in TEXTS)
    assert facts == {"tokens": size + 200, "documents": 200, "bytes": size}
    bins = sorted(p.name for p in tmp_path.iterdir())
    assert len(bins) > 3 and bins[0] == "index.npz"
    assert sum(p.stat().st_size for p in tmp_path.glob("*.bin")) == width * facts["tokens"]


def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield from TEXTS[:150]
        raise KeyboardInterrupt

    whole, out, work = (tmp_path / n for n in ("whole", "out", "work"))
    for folder in (whole, out, work):
        folder.mkdir()
    write_shards(TEXTS, Bytes(), whole, shard_tokens=1000)
    import smolforge.data.tokens.shards as shards

    batch_bytes, shards.BATCH_BYTES = shards.BATCH_BYTES, 500
    try:
        with pytest.raises(KeyboardInterrupt):
            write_shards(broken(), Bytes(), out, work=work, shard_tokens=1000)
        assert list(work.glob("*.bin"))
        write_shards(TEXTS, Bytes(), out, work=work, shard_tokens=1000)
    finally:
        shards.BATCH_BYTES = batch_bytes
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in whole.iterdir()
    }


def test_a_domain_of_nothing_gives_empty_shards(tmp_path: Path) -> None:
    assert write_shards([], Bytes(), tmp_path) == {"tokens": 0, "documents": 0, "bytes": 0}
    assert list(read_shards(tmp_path)) == []
    assert len(Documents(tmp_path)) == 0


def test_missing_and_damaged_shards_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        list(read_shards(tmp_path))
    write_shards(TEXTS, Bytes(), tmp_path)
    (tmp_path / "tokens-00000.bin").write_bytes(b"\x00\x01\x02")
    with pytest.raises(InputError):
        list(read_shards(tmp_path))


def test_documents_are_written_in_bounded_groups_and_read_in_order(tmp_path: Path) -> None:
    rows = [{"id": str(i), "text": "x" * i, "url": "", "score": np.float32(0.5)} for i in range(1000)]
    with ParquetWriter(tmp_path, "documents", CORPUS_SCHEMA) as out:
        for row in rows:
            out.add(row)
    assert [r["id"] for r in read_rows(tmp_path)] == [r["id"] for r in rows]
    assert len(row_groups(tmp_path)) == 8
    other = tmp_path / "other"
    other.mkdir()
    with ParquetWriter(other, "documents", CORPUS_SCHEMA) as out:
        for row in rows:
            out.add(row)
    first = tmp_path / "documents-00000.parquet"
    assert first.read_bytes() == (other / first.name).read_bytes()
