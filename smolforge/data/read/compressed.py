"""Compressed files of the user's, opened as what is in them: gzip, bzip2, xz, Zstandard."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any


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


def compression_of(name: str) -> str:
    """The ending that says how a file is compressed; empty where it is not."""
    return next((ending for ending in OPENERS if name.lower().endswith(ending)), "")


def open_file(path: Path, name: str = "") -> IO[bytes]:
    """The file's content, decompressed as its name asks for, or the `name` it had where it came from."""
    opener = OPENERS.get(compression_of(name or path.name))
    return opener(path, "rb") if opener is not None else path.open("rb")
