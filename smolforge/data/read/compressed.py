"""Compressed files of the user's, opened as what is in them: gzip, bzip2, xz, Zstandard. None unpacks without end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

MOST_TIMES = 200
"""So many times its size a file may unpack to: text packs 3 to 20 times, logs up to 100. A bomb packs a thousand times. Chosen."""
ALWAYS_ALLOWED_BYTES = 256 << 20
BLOCK_BYTES = 1 << 20


def _zstandard(path: Path, _mode: str) -> Any:
    import pyarrow as pa

    return io.BufferedReader(pa.input_stream(str(path), compression="zstd"))


OPENERS: Mapping[str, Callable[[Path, str], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstandard,
}
ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
"""What reading a damaged one raises; pyarrow's own are OSErrors and ValueErrors."""


class _Bounded(io.RawIOBase):
    """What a packed file unpacks to, as far as it is in proportion; beyond, an OSError."""

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file = file
        self._left = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        block = self._file.read1(len(room))  # type: ignore[attr-defined]  # what comes before damage is given
        self._left -= len(block)
        if self._left < 0:
            raise OSError(f"it unpacks to more than {MOST_TIMES} times its size")
        room[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._file.close()
        super().close()


def compression_of(name: str) -> str:
    """The ending that says how a file is compressed; empty where it is not."""
    return next((ending for ending in OPENERS if name.lower().endswith(ending)), "")


def open_file(path: Path, name: str = "") -> IO[bytes]:
    """The file's content, decompressed as its name asks for, or the `name` it had where it came from.

    Reading beyond `MOST_TIMES` its size raises OSError.
    """
    opener = OPENERS.get(compression_of(name or path.name))
    if opener is None:
        return path.open("rb")
    most = max(ALWAYS_ALLOWED_BYTES, MOST_TIMES * path.stat().st_size)
    return io.BufferedReader(_Bounded(opener(path, "rb"), most), BLOCK_BYTES)
