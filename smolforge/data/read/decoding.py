"""Bytes as text: whether they are text at all, and in which encoding."""

from __future__ import annotations

import codecs

UTF_8 = "utf-8-sig"
MAGIC_BINARY = (b"\x7fELF", b"%PDF", b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x00\x00\x00")


def is_binary(head: bytes) -> bool:
    """Whether bytes are no text: a known binary beginning, or zero bytes that are not UTF-16."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return False
    return head.startswith(MAGIC_BINARY) or b"\x00" in head[:8192]


def decode(data: bytes, declared: str = "") -> str:
    """Bytes as text: UTF-8 if they are that, else what was declared, else a guess; never fails."""
    encoding = encoding_of(data, declared)
    if encoding == UTF_8:  # its last character may be cut off
        return codecs.getincrementaldecoder(UTF_8)("replace").decode(data)
    return data.decode(encoding, "replace")


def encoding_of(data: bytes, declared: str = "") -> str:
    """The encoding of a text by its beginning, which may end in the middle of a character."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
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
