"""Bytes as text: whether they are text at all, and in which encoding."""

from __future__ import annotations

import codecs
import io
from typing import IO, Any

UTF_8 = "utf-8-sig"
KNOWN_BY_BYTES = 4096
MAGIC_BINARY = (b"\x7fELF", b"%PDF", b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x00\x00\x00")


def is_binary(head: bytes) -> bool:
    """Whether bytes are no text: a known binary beginning, or zero bytes that are not UTF-16."""
    if utf_16_of(head):
        return False
    return head.startswith(MAGIC_BINARY) or b"\x00" in head[:8192]


def utf_16_of(head: bytes) -> str:
    """The UTF-16 that bytes are in: by their mark, or, without one, because nearly every other byte is zero; else nothing."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    sample = head[:KNOWN_BY_BYTES]
    pairs = len(sample) // 2
    first, second = sample[0 : 2 * pairs : 2].count(0), sample[1 : 2 * pairs : 2].count(0)
    if pairs < 4 or min(first, second) > 0.02 * pairs or max(first, second) < 0.6 * pairs:
        return ""
    return "utf-16-le" if second > first else "utf-16-be"


class _AsUtf8(io.RawIOBase):
    """A file in another encoding, as UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        while not self._ready:
            block = self._file.read(len(room))
            self._ready = self._decoder.decode(block, final=not block).encode()
            if not block:
                break
        part, self._ready = self._ready[: len(room)], self._ready[len(room) :]
        room[: len(part)] = part
        return len(part)


def as_utf_8(file: IO[bytes]) -> IO[bytes]:
    """The file itself, or, where its lines are in UTF-16 and so end in two bytes, the same in UTF-8."""
    head = file.peek(KNOWN_BY_BYTES)  # type: ignore[attr-defined]
    wide = utf_16_of(head)
    return io.BufferedReader(_AsUtf8(file, wide)) if wide else file


def decode(data: bytes, declared: str = "") -> str:
    """Bytes as text: UTF-8 if they are that, else what was declared, else a guess; never fails."""
    encoding = encoding_of(data, declared)
    if encoding == UTF_8:  # its last character may be cut off
        return codecs.getincrementaldecoder(UTF_8)("replace").decode(data)
    return data.decode(encoding, "replace")


def encoding_of(data: bytes, declared: str = "") -> str:
    """The encoding of a text by its beginning, which may end in the middle of a character."""
    if wide := utf_16_of(data):
        return wide
    try:
        codecs.getincrementaldecoder(UTF_8)().decode(data)
        return UTF_8
    except UnicodeDecodeError:
        pass
    if declared:
        try:
            data.decode(declared, "replace")
            return declared
        except (LookupError, UnicodeError):  # unknown, or a codec of Python's that is no character set
            pass
    from charset_normalizer import from_bytes

    guess = from_bytes(data[:32_768]).best()
    return guess.encoding if guess else "cp1252"
