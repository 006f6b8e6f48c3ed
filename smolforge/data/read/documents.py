"""Documents on disk: what a raw or curated document is, and how folders of them are written and read.

A folder of documents is a row of Parquet files, `<name>-00000.parquet` and so on. Files are bounded, so
that they can be written and read in little memory, and each is cut into small row groups, which are the
units of parallel work. The same rows give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from smolforge.errors import InputError
from smolforge.plain_json import whole_text

Kind = Literal["html", "text", "markdown", "code"]
Domain = Literal[
    "web", "code", "mathematics", "prose", "chat", "textbooks", "stories", "exercises", "recitation"
]

GROUP_ROWS = 128
GROUP_BYTES = 2 << 20
FILE_BYTES = 64 << 20

RAW_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("url", pa.string()),
        ("text", pa.string()),
        ("meta", pa.string()),
    ]
)
CORPUS_SCHEMA = pa.schema(
    [("id", pa.string()), ("text", pa.string()), ("url", pa.string()), ("score", pa.float32())]
)
DROPPED_SCHEMA = pa.schema(
    [("id", pa.string()), ("rule", pa.string()), ("reason", pa.string()), ("excerpt", pa.string())]
)


@dataclass(frozen=True, slots=True)
class Document:
    """One raw page or file. `id` is stable from run to run; `meta` holds what the source knows of it."""

    id: str
    kind: Kind
    url: str
    text: str
    meta: Mapping[str, str] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """The slice of the mixture it belongs to, or nothing where its source holds only one."""
        return self.meta.get("domain", "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's answer: keep, or drop with the rule's name and the number that decided it."""

    keep: bool
    rule: str = ""
    reason: str = ""


KEEP = Verdict(True)


def drop(rule: str, reason: str) -> Verdict:
    """The verdict against a document."""
    return Verdict(False, rule, reason)


class ParquetWriter:
    """Writes rows into `<name>-NNNNN.parquet`, in bounded row groups and files; a context manager."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        self.folder = folder
        self.name = name
        self.schema = schema
        self.rows = 0
        self._pending: list[Mapping[str, Any]] = []
        self._pending_bytes = 0
        self._file_bytes = 0
        self._files = 0
        self._open: pq.ParquetWriter | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one row."""
        self._pending.append(row)
        self._pending_bytes += sum(len(v) for v in row.values() if isinstance(v, str))
        self.rows += 1
        if len(self._pending) >= GROUP_ROWS or self._pending_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._open is None:
            path = self.folder / f"{self.name}-{self._files:05d}.parquet"
            self._open = pq.ParquetWriter(path, self.schema, compression="zstd")
            self._files += 1
        self._open.write_table(pa.Table.from_pylist(self._pending, schema=self.schema))
        self._file_bytes += self._pending_bytes
        self._pending, self._pending_bytes = [], 0
        if self._file_bytes >= FILE_BYTES:
            self._close_file()

    def _close_file(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self._file_bytes = None, 0

    def __enter__(self) -> ParquetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
            if self._files == 0:  # a reader finds the columns even where there is no row
                pq.write_table(self.schema.empty_table(), self.folder / f"{self.name}-00000.parquet")
        self._close_file()


def write_documents(folder: Path, documents: Iterable[Document]) -> dict[str, int]:
    """Write raw documents; gives the facts `documents` and `bytes` (of UTF-8 text)."""
    size_bytes = 0
    with ParquetWriter(folder, "documents", RAW_SCHEMA) as out:
        for document in documents:
            out.add(raw_row(document))
            size_bytes += len(document.text.encode("utf-8", "replace"))
    return {"documents": out.rows, "bytes": size_bytes}


def raw_row(document: Document) -> dict[str, str]:
    """A document as a row of `RAW_SCHEMA`."""
    return {
        "id": document.id,
        "kind": document.kind,
        "url": document.url,
        "text": whole_text(document.text),
        "meta": json.dumps(dict(document.meta), sort_keys=True, ensure_ascii=False),
    }


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A unit of parallel work: one row group of one file."""

    path: str
    index: int
    rows: int


def parquet_files(folder: Path, name: str = "documents") -> list[Path]:
    """The files of one name in a folder, in order; none is an `InputError`."""
    paths = sorted(folder.glob(f"{name}-*.parquet"))
    if not paths:
        raise InputError(
            f"there are no {name}-*.parquet files", where=str(folder), fix="make this folder again"
        )
    return paths


def row_groups(folder: Path, name: str = "documents") -> list[RowGroup]:
    """All row groups of a folder, in order."""
    groups = []
    for path in parquet_files(folder, name):
        meta = pq.read_metadata(path)
        groups += [RowGroup(str(path), i, meta.row_group(i).num_rows) for i in range(meta.num_row_groups)]
    return groups


def read_group(group: RowGroup, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of one group."""
    with pq.ParquetFile(group.path) as file:
        return file.read_row_group(
            group.index, columns=None if columns is None else list(columns)
        ).to_pylist()


def read_rows(
    folder: Path, name: str = "documents", columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Every row of a folder, streamed: at most one row group is in memory."""
    for path in parquet_files(folder, name):
        with pq.ParquetFile(path) as file:
            for index in range(file.metadata.num_row_groups):
                table = file.read_row_group(index, columns=None if columns is None else list(columns))
                yield from table.to_pylist()


def as_document(row: Mapping[str, Any]) -> Document:
    """A row of `RAW_SCHEMA` as a document."""
    return Document(row["id"], row["kind"], row["url"], row["text"], json.loads(row["meta"] or "{}"))


def read_documents(folder: Path) -> Iterator[Document]:
    """Every raw document of a folder, streamed."""
    return (as_document(row) for row in read_rows(folder))


def stable_share(text: str, salt: str = "") -> float:
    """A number in [0, 1) that depends on `text` and `salt` alone: how random choices are made here."""
    digest = hashlib.blake2b(f"{salt}\x00{text}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file of ours."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write objects, one a line; gives their number."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count
