"""Reading a GGUF's header from an untrusted file: bounded, checked, before any engine sees it.

`device.gguf_in` holds what the header claims against the tensors that are there.

Source: the GGUF specification (ggml, docs/gguf.md), versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from smolforge.errors import InputError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_TENSORS = 65_536
MOST_KEYS = 4_096
LONGEST_TEXT_BYTES = 2**20
MOST_ITEMS = 2**20
MOST_HEADER_BYTES = 2**26
MOST_DIMENSIONS = 4

STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True)
class Tensor:
    """A tensor's entry: `kind` is the number of its ggml type, `offset` counts from the data's start."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself."""

    file: Path
    keys: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    data_start: int

    @property
    def architecture(self) -> str:
        """`llama` for smolforge's models."""
        return str(self.keys.get("general.architecture", ""))

    def damaged(self, why: str) -> InputError:
        """What to raise for a file that contradicts itself."""
        return _damaged(self.file, why)


def read_header(file: Path) -> Header:
    """The header of `file`; `InputError` for anything that is not a whole GGUF file."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            return _Reader(file, opened, size).header()
    except OSError as error:
        raise InputError(
            f"the model file cannot be read ({error.strerror})", where=str(file), fix="name a .gguf file"
        ) from None


class _Reader:
    """Walks the header once; every count and length is checked before memory is taken for it."""

    def __init__(self, file: Path, opened: BinaryIO, size: int) -> None:
        self._file = file
        self._opened = opened
        self._size = size

    def header(self) -> Header:
        if self._take(4) != MAGIC:
            raise InputError("this is not a GGUF file", where=str(self._file), fix="name a .gguf file")
        version, tensors, keys = self._number("I"), self._number("Q"), self._number("Q")
        if version not in VERSIONS:
            raise _damaged(self._file, f"its version is {version}")
        if tensors > MOST_TENSORS or keys > MOST_KEYS:
            raise _damaged(self._file, f"it claims {tensors} tensors and {keys} settings")
        table = dict(self._entry() for _ in range(keys))
        entries = tuple(self._tensor() for _ in range(tensors))
        return Header(self._file, table, entries, self._data_start(table, entries))

    def _entry(self) -> tuple[str, Any]:
        name = self._text()
        return name, self._value(self._number("I"))

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._text()
        if kind in NUMBERS:
            return self._number(NUMBERS[kind])
        if kind != ARRAY:
            raise _damaged(self._file, f"a setting has the type {kind}")
        item, count = self._number("I"), self._number("Q")
        if count > MOST_ITEMS or item == ARRAY:
            raise _damaged(self._file, f"a list claims {count} items of type {item}")
        if item in NUMBERS:
            code = f"<{count}{NUMBERS[item]}"
            return list(struct.unpack(code, self._take(struct.calcsize(code))))
        return [self._value(item) for _ in range(count)]

    def _tensor(self) -> Tensor:
        name, dimensions = self._text(), self._number("I")
        if not 0 < dimensions <= MOST_DIMENSIONS:
            raise _damaged(self._file, f"a tensor has {dimensions} dimensions")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        return Tensor(name, shape, self._number("I"), self._number("Q"))

    def _data_start(self, keys: Mapping[str, Any], tensors: tuple[Tensor, ...]) -> int:
        """Where the data begins; every tensor must begin inside the file."""
        alignment = keys.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 2**16:
            raise _damaged(self._file, f"its alignment is {alignment!r}")
        start = -(-self._opened.tell() // alignment) * alignment
        if any(start + tensor.offset >= self._size for tensor in tensors):
            raise _damaged(self._file, "it ends before its last tensor")
        return start

    def _text(self) -> str:
        length = self._number("Q")
        if length > LONGEST_TEXT_BYTES:
            raise _damaged(self._file, f"a text claims {length} bytes")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise _damaged(self._file, "a text is not UTF-8") from None

    def _number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))[0]

    def _take(self, count: int) -> bytes:
        if self._opened.tell() + count > MOST_HEADER_BYTES:
            raise _damaged(self._file, f"its header is longer than {MOST_HEADER_BYTES} bytes")
        data = self._opened.read(count)
        if len(data) != count:
            raise _damaged(self._file, "it ends within its header")
        return data


def _damaged(file: Path, why: str) -> InputError:
    return InputError(
        f"the GGUF file is damaged: {why}", where=str(file), fix="copy, fetch or export it again"
    )
