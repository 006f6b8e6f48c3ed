"""A corpus as token ids: shards of documents end to end, with the place of each.

tokens-00000.bin  little-endian uint16, or uint32 where the vocabulary is over 65,536
index.npz         shard_00000, …: int64, the start of each document in its shard, and the end
Each document is closed by the end-of-text token. Shards are finished one by one, so that an interrupted
run goes on with the next.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from smolforge.errors import InputError

SHARD_TOKENS = 1 << 24
MOST_OPEN = 64
BATCH_BYTES = 1 << 20


class Encoder(Protocol):
    """What is needed of a tokenizer."""

    vocab_size: int
    eot_id: int
    begin_ids: tuple[int, ...]

    def encode_batch(self, texts: Sequence[str], allow_special: bool = False) -> list[list[int]]:
        """Token ids of each text."""
        ...


@dataclass
class _Shard:
    """The shard being filled."""

    parts: list[npt.NDArray[np.generic]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [0])
    text_bytes: int = 0

    def add(self, ids: npt.NDArray[np.generic], text_bytes: int) -> None:
        """Append one document."""
        self.parts.append(ids)
        self.offsets.append(self.offsets[-1] + len(ids))
        self.text_bytes += text_bytes


def token_dtype(vocabulary: int) -> np.dtype[np.generic]:
    """The smallest of the two number types that holds every id."""
    return np.dtype("<u2") if vocabulary <= 1 << 16 else np.dtype("<u4")


def write_shards(
    texts: Iterable[str],
    encoder: Encoder,
    out: Path,
    *,
    work: Path | None = None,
    shard_tokens: int = SHARD_TOKENS,
    allow_special: bool = False,
    tick: Callable[[int], None] = lambda _tokens: None,
) -> dict[str, int]:
    """Tokenize `texts` into shards; gives tokens, documents and bytes.

    With `work`, finished shards wait there and are taken over by a later call with the same texts.
    `tick(tokens)` is called after every batch.
    """
    place = work or out
    done = _finished(place) if work else []
    skip = sum(int(entry["documents"]) for entry in done)
    shard = _Shard()
    tokens = sum(int(entry["tokens"]) for entry in done)
    dtype = token_dtype(encoder.vocab_size)
    for batch in _batches(texts, skip):
        for text, ids in zip(batch, encoder.encode_batch(batch, allow_special=allow_special), strict=True):
            ids = [*encoder.begin_ids, *ids, encoder.eot_id]
            shard.add(np.array(ids, dtype=dtype), len(text.encode("utf-8", "replace")))
            if shard.offsets[-1] >= shard_tokens:
                tokens += shard.offsets[-1]
                done.append(_write(shard, place, len(done)))
                shard = _Shard()
        tick(tokens + shard.offsets[-1])
    if len(shard.offsets) > 1:
        done.append(_write(shard, place, len(done)))
    return _gather(place, out, len(done))


def write_ids(
    documents: Iterable[tuple[Sequence[int], int]],
    vocabulary: int,
    out: Path,
    *,
    shard_tokens: int = SHARD_TOKENS,
) -> dict[str, int]:
    """Shards of documents that are token ids already, each with the bytes it stands for; gives what `write_shards` does."""
    shard, done, dtype = _Shard(), 0, token_dtype(vocabulary)
    for ids, text_bytes in documents:
        shard.add(np.array(ids, dtype=dtype), text_bytes)
        if shard.offsets[-1] >= shard_tokens:
            _write(shard, out, done)
            shard, done = _Shard(), done + 1
    if len(shard.offsets) > 1:
        _write(shard, out, done)
        done += 1
    return _gather(out, out, done)


def _batches(texts: Iterable[str], skip: int) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for number, text in enumerate(texts):
        if number < skip:
            continue
        batch.append(text)
        size += len(text)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write(shard: _Shard, place: Path, number: int) -> dict[str, int]:
    name = f"tokens-{number:05d}"
    np.concatenate(shard.parts).tofile(place / f"{name}.bin.tmp")
    entry = {"documents": len(shard.offsets) - 1, "tokens": shard.offsets[-1], "bytes": shard.text_bytes}
    np.save(place / f"{name}.offsets.npy", np.array(shard.offsets, dtype=np.int64))
    (place / f"{name}.json").write_text(json.dumps(entry), encoding="utf-8")
    for suffix in ("bin.tmp", "offsets.npy", "json"):  # a later call believes what it finds here
        _sync(place / f"{name}.{suffix}")
    (place / f"{name}.bin.tmp").rename(place / f"{name}.bin")
    _sync(place)
    return entry


def _finished(place: Path) -> list[dict[str, int]]:
    """Facts of the shards that an earlier, interrupted call finished."""
    entries: list[dict[str, int]] = []
    while (place / f"tokens-{len(entries):05d}.bin").is_file():
        entries.append(json.loads((place / f"tokens-{len(entries):05d}.json").read_text(encoding="utf-8")))
    return entries


def _gather(place: Path, out: Path, count: int) -> dict[str, int]:
    """Bring the shards of `place` to `out` under one index."""
    offsets, totals = {}, {"tokens": 0, "documents": 0, "bytes": 0}
    for number in range(count):
        name = f"tokens-{number:05d}"
        offsets[f"shard_{number:05d}"] = np.load(place / f"{name}.offsets.npy", allow_pickle=False)
        entry = json.loads((place / f"{name}.json").read_text(encoding="utf-8"))
        totals = {key: totals[key] + entry[key] for key in totals}
        if place != out:
            _copy(place / f"{name}.bin", out / f"{name}.bin")
    np.savez(out / "index.npz", **offsets)  # type: ignore[arg-type]
    for number in range(count) if place == out else ():
        for suffix in ("offsets.npy", "json"):
            (out / f"tokens-{number:05d}.{suffix}").unlink()
    return totals


def _copy(source: Path, target: Path) -> None:
    """A hard link where the file system has them: the work folder goes away afterwards."""
    import shutil

    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True)
class Shard:
    """Where the tokens of one shard stand, and where each document begins among them."""

    path: Path
    dtype: np.dtype[np.generic]
    offsets: npt.NDArray[np.int64]


class ShardReader:
    """Reads tokens of shards as they are asked for; the files read last stay open.

    Files are not mapped into memory: a mapped file that is cut short kills the process (SIGBUS), while
    a read can say what happened.
    """

    def __init__(self) -> None:
        self._opened: OrderedDict[Path, FileIO] = OrderedDict()

    def read(self, shard: Shard, start: int, end: int) -> npt.NDArray[np.generic]:
        """Tokens `start` to `end`; `InputError` when the shard has gone or is shorter than its index says."""
        width = shard.dtype.itemsize
        try:
            data = os.pread(self._file(shard.path).fileno(), (end - start) * width, start * width)
        except OSError as error:
            raise InputError(
                f"this shard cannot be read: {error.strerror}", where=str(shard.path), fix="make it again"
            ) from None
        if len(data) < (end - start) * width:
            raise InputError(
                "this shard has become shorter than its index says",
                where=str(shard.path),
                fix="make it again",
            )
        return np.frombuffer(data, dtype=shard.dtype)

    def _file(self, path: Path) -> FileIO:
        if path in self._opened:
            self._opened.move_to_end(path)
        else:
            self._opened[path] = FileIO(path)
            while len(self._opened) > MOST_OPEN:
                self._opened.popitem(last=False)[1].close()
        return self._opened[path]


def read_shards(folder: Path) -> Iterator[Shard]:
    """Every shard of a folder, in order; `InputError` for a folder that is no whole set of shards."""
    try:
        with np.load(folder / "index.npz", allow_pickle=False) as index:
            all_offsets = [index[name] for name in sorted(index.files)]
    except (OSError, ValueError):
        raise InputError(
            "this folder holds no token shards", where=str(folder), fix="make them again"
        ) from None
    for number, offsets in enumerate(all_offsets):
        path = folder / f"tokens-{number:05d}.bin"
        count, size_bytes = int(offsets[-1]), path.stat().st_size if path.is_file() else 0
        width = size_bytes // count if count else 0
        if width not in (2, 4) or size_bytes != width * count:
            raise InputError(
                "this shard is not as long as its index says", where=str(path), fix="make it again"
            )
        yield Shard(path, np.dtype(f"<u{width}"), offsets)
