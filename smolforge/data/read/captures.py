"""Web captures: WARC, ARC and WET files, plain or compressed, whole or damaged.

warcio reads them; where it stumbles over a damaged record, reading goes on at the next place that looks
like the beginning of one.
"""

from __future__ import annotations

import gzip
import io
import logging
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from smolforge.data.read.compressed import BLOCK_BYTES, compression_of, open_file
from smolforge.data.read.decoding import decode, is_binary
from smolforge.data.read.found import Found, Limits, Skipped, make_document
from smolforge.errors import InputError

logging.getLogger("warcio").setLevel(logging.ERROR)  # it remarks on every odd address

CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([a-zA-Z0-9_:.-]{2,40})""", re.IGNORECASE)
HEADER_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
ABOUT_THE_CAPTURE = ("metadata:", "warcinfo:", "urn:X-wpull:", "dns:")
CODINGS = {"br": "brotli", "zstd": "zstd"}
PAGE_TYPES = ("text/html", "application/xhtml")
TEXT_TYPES = ("text/plain", "text/markdown")
RESTARTS = 200
GZIP_START = b"\x1f\x8b\x08"
RECORD_STARTS = (b"WARC/", b"filedesc:", b"http:", b"https:", b"dns:", b"ftp:", b"metadata:", b"warcinfo:")
SECOND_RECORD = re.compile(rb"\r\n\r\nWARC/1\.\d\r\n")
MOST_SEARCHED_BYTES = 8 << 20
PLAIN_STARTS = (b"\nWARC/1.", b"\nhttp://", b"\nhttps://")


def read_captures(path: Path, relative: str, limits: Limits) -> Iterator[Found]:
    """The pages and texts of one capture file; an `InputError` when it holds no readable record at all."""
    whole_records, damaged = 0, 0
    with _opened(path) as file:
        start = 0
        for _ in range(RESTARTS):
            read, stopped_at = 0, None
            for item in _records_from(file, start, relative, limits):
                if isinstance(item, int):
                    stopped_at = item
                    break
                read += 1
                if item is not None:
                    yield item
            whole_records += read
            if stopped_at is None:
                break
            damaged += 1
            yield Skipped(f"{relative}@{stopped_at}", "damaged record")
            next_start = _next_record(file, max(stopped_at, start) + 1)
            if next_start is None:
                break
            start = next_start
    if not whole_records:
        raise InputError(
            "no record of this capture file can be read",
            where=relative,
            fix="fetch it again, or move it away",
        )


def _opened(path: Path) -> IO[bytes]:
    """The file; unpacked where all of it was packed at once or otherwise than by gzip, which warcio cannot read."""
    if compression_of(path.name) not in (
        "",
        ".gz",
    ):  # reading goes back and forth, so into a file that is never named
        whole = tempfile.TemporaryFile()  # noqa: SIM115 (closed by its reader)
        with open_file(path) as packed:
            shutil.copyfileobj(packed, whole, BLOCK_BYTES)
        whole.seek(0)
        return whole  # type: ignore[return-value]
    with path.open("rb") as file:
        is_packed_whole = _holds_two_records(file)
    return gzip.open(path, "rb") if is_packed_whole else path.open("rb")  # type: ignore[return-value]


def _holds_two_records(file: IO[bytes]) -> bool:
    """Whether the first gzip member holds more than one record, as far as its first megabytes tell."""
    unpack, seen, keep = zlib.decompressobj(wbits=31), 0, b""
    if file.read(len(GZIP_START)) != GZIP_START:
        return False
    file.seek(0)
    try:
        while seen < MOST_SEARCHED_BYTES and not unpack.eof and (block := file.read(1 << 16)):
            found = keep + unpack.decompress(block, MOST_SEARCHED_BYTES)
            if SECOND_RECORD.search(found, 1):
                return True
            seen, keep = seen + len(found), found[-32:]
    except zlib.error:
        pass
    return False


def _records_from(file: IO[bytes], start: int, relative: str, limits: Limits) -> Iterator[Found | int | None]:
    """Pages from byte `start` on; None for a record that is no page; a byte offset where damage was met."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    if not _begins_like_a_record(file, start):  # warcio takes any words for the head of an ARC record
        yield start
        return
    file.seek(start)
    records = ArchiveIterator(_Uncloseable(file, start), no_record_parse=False, arc2warc=False)
    at = start
    try:
        for record in records:
            at = start + max(0, records.offset)
            yield _page(record, f"{relative}@{at}", limits)
    except (
        ArchiveLoadFailed,
        zlib.error,
        EOFError,
        ValueError,
        OSError,
        AttributeError,
        KeyError,
        IndexError,
    ):
        # warcio lets what it stumbles over through as these.
        yield at


def _begins_like_a_record(file: IO[bytes], start: int) -> bool:
    file.seek(start)
    head = file.read(256)
    if head.startswith(GZIP_START):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 64)
        except zlib.error:
            return False
    return head.lstrip(b"\r\n").startswith(RECORD_STARTS)


class _Uncloseable(io.RawIOBase):
    """A file from an offset on, which a reader may close without closing the file."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        self._file = file
        self._start = start

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seekable(self) -> bool:
        return False


def _next_record(file: IO[bytes], start: int) -> int | None:
    """Offset of the next thing that looks like the beginning of a record, at or after `start`."""
    file.seek(0)
    packed = file.read(2) == GZIP_START[:2]
    marks = (GZIP_START,) if packed else PLAIN_STARTS
    file.seek(start)
    base, keep = start, b""
    while block := file.read(1 << 20):
        window = keep + block
        hits = [i for i in (window.find(mark) for mark in marks) if i >= 0]
        if hits:
            return base + min(hits) + (0 if packed else 1)
        keep = window[-16:]
        base += len(window) - len(keep)
    return None


def _page(record: Any, where: str, limits: Limits) -> Found | None:
    if record.rec_type not in ("response", "resource", "conversion"):
        return None
    url = record.rec_headers.get_header("WARC-Target-URI") or record.rec_headers.get_header("uri") or ""
    if url.strip("<> ").startswith(ABOUT_THE_CAPTURE):
        return Skipped(where, "record about the capture itself")
    http = record.http_headers
    status = http.get_statuscode() if http is not None else "200"
    if status and not status.startswith("2"):
        return Skipped(where, "capture of an error or redirect")
    content_type = (
        (http.get_header("Content-Type") if http is not None else None) or record.content_type or ""
    )
    content_type = content_type.lower()
    data = _body(record, limits.text_bytes + 1)
    if data is None:
        return Skipped(where, "damaged capture")
    if len(data) > limits.text_bytes:
        return Skipped(where, "page too long")
    if not data.strip():
        return Skipped(where, "empty capture")
    if record.rec_type == "conversion" or content_type.startswith(TEXT_TYPES):
        kind = "text"
    elif content_type.startswith(PAGE_TYPES) or (not content_type and b"<html" in data[:2000].lower()):
        kind = "html"
    else:
        return Skipped(where, "capture of another type")
    if is_binary(data):
        return Skipped(where, "binary capture")
    declared = HEADER_CHARSET.search(content_type)
    found = CHARSET.search(data[:4096])
    charset = declared.group(1) if declared else found.group(1).decode("ascii") if found else ""
    return make_document(where, kind, url.strip("<> "), decode(data, charset), {})  # type: ignore[arg-type]


def _body(record: Any, most_bytes: int) -> bytes | None:
    """The page's bytes, decoded as its headers say; None where they are damaged. What warcio leaves packed is unpacked here."""
    http = record.http_headers
    coding = (http.get_header("Content-Encoding") or "").lower().strip() if http is not None else ""
    if coding not in CODINGS:
        return bytes(record.content_stream().read(most_bytes))
    import pyarrow as pa
    from warcio.bufferedreaders import ChunkedDataReader

    packed = record.raw_stream.read(most_bytes)
    if (http.get_header("Transfer-Encoding") or "").lower() == "chunked":
        chunks = ChunkedDataReader(io.BytesIO(packed))
        packed = b"".join(iter(lambda: chunks.read(BLOCK_BYTES), b""))
    try:
        return bytes(pa.input_stream(pa.py_buffer(packed), compression=CODINGS[coding]).read(most_bytes))
    except (OSError, ValueError):  # some crawlers unpack a page and leave the header
        return None if is_binary(packed) or not packed.lstrip().startswith(b"<") else packed
