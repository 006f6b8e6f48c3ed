"""Reads one file of the user's, whatever it is, into documents, chats, preference pairs and skips.

A file is recognised by its name, and by its first bytes where the name does not tell. Every record is
bounded; a damaged record is skipped and counted; a file of which nothing at all can be read, although its
name promises records, is an `InputError`.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Any

from smolforge.data.read.compressed import ERRORS, compression_of, open_file
from smolforge.data.read.decoding import as_utf_8, decode, encoding_of, is_binary
from smolforge.data.read.documents import Document, Kind
from smolforge.data.read.found import Chat, Found, Limits, Pair, Skipped, make_document
from smolforge.data.read.json_arrays import elements
from smolforge.data.read.long_texts import parts, read_parts
from smolforge.data.read.records import chat_of, pair_of, text_of
from smolforge.data.read.tables import Row, csv_rows, parquet_rows
from smolforge.data.read.xml_texts import read_xml, xml_kind
from smolforge.errors import InputError
from smolforge.plain_json import NotJson, parse_json

CODE_SUFFIXES = {
    ".py": "python", ".js": "javascript", ".mjs": "javascript", ".jsx": "javascript", ".ts": "typescript",
    ".tsx": "typescript", ".c": "c", ".h": "c", ".cc": "cpp", ".cpp": "cpp", ".hpp": "cpp", ".rs": "rust",
    ".go": "go", ".java": "java", ".kt": "kotlin", ".rb": "ruby", ".php": "php", ".cs": "csharp",
    ".swift": "swift", ".scala": "scala", ".lua": "lua", ".sh": "shell", ".sql": "sql", ".r": "r",
    ".jl": "julia", ".pl": "perl", ".hs": "haskell", ".ml": "ocaml", ".css": "css", ".zig": "zig",
}  # fmt: skip
CODE_LANGUAGES = frozenset(CODE_SUFFIXES.values()) | {"c++", "c#"}
HTML_SUFFIXES = (".html", ".htm", ".xhtml")
MARKDOWN_SUFFIXES = (".md", ".markdown", ".mdx", ".rst")
TEXT_SUFFIXES = (".txt", ".text", ".tex", ".log", ".srt")
PAGED_SUFFIXES = (".pdf", ".epub", ".docx", ".odt")
TABLE_SUFFIXES = (".csv", ".tsv")
XML_SUFFIXES = (".xml", ".nxml", ".tei")
CAPTURE_SUFFIXES = (".warc", ".arc", ".wet", ".wat")
SKIPPED_FOLDERS = frozenset(["node_modules", "__pycache__", "venv", "env", "site-packages"])
BENCHMARK_FOLDERS = frozenset(["benchmarks", "benchmark", "evals"])
DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".csv", ".tsv")
KIND_BYTES = 2048
"""By so much of its beginning the kind of a text is told."""


def list_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file under a folder in sorted order, with a reason where it must not be read.

    Hidden folders, version control, environments and caches are left out without a word; links to folders
    are not followed, so that a loop cannot arise.
    """
    unlisted: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=unlisted.append, followlinks=False):
        yield from _unlisted(unlisted)
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in SKIPPED_FOLDERS)
        folders[:] = [n for n in folders if not (Path(root) / n / "pyvenv.cfg").exists()]
        for name in sorted(names):
            path = Path(root) / name
            if name.startswith("."):
                continue
            if not path.is_file():
                yield path, "broken link" if path.is_symlink() else "not a plain file"
            elif not os.access(path, os.R_OK):
                yield path, "no permission"
            else:
                yield path, "empty file" if path.stat().st_size == 0 else ""
    yield from _unlisted(unlisted)


def _unlisted(errors: list[OSError]) -> Iterator[tuple[Path, str]]:
    """Folders that cannot be looked into, said once each."""
    yield from ((Path(error.filename), "folder cannot be listed") for error in errors)
    errors.clear()


def is_benchmark(relative: str) -> bool:
    """Whether a path names evaluation data: a benchmarks folder, or a data file called test…"""
    path = PurePosixPath(relative.lower())
    if any(part in BENCHMARK_FOLDERS for part in path.parts[:-1]):
        return True
    name = path.name.removesuffix(compression_of(path.name))
    stem = PurePosixPath(name)
    return stem.suffix in DATA_SUFFIXES and re.match(r"(test|validation|dev)([._-]|$)", stem.stem) is not None


def read_file(path: Path, relative: str, limits: Limits) -> Iterator[Found]:
    """What one file holds. `relative` is its path inside the folder: ids are made of it."""
    name = relative.lower()
    compression = compression_of(name)
    name = name.removesuffix(compression)
    suffix = PurePosixPath(name).suffix
    if suffix == ".bad":  # a file kept under its name although it is known to be damaged
        name = name.removesuffix(".bad")
        suffix = PurePosixPath(name.removesuffix(compression_of(name))).suffix
    try:
        if suffix in CAPTURE_SUFFIXES or name.endswith((".warc.wet", ".warc.wat")):
            from smolforge.data.read.captures import read_captures

            yield from read_captures(path, relative, limits)
        elif suffix == ".parquet":
            yield from _read_rows(parquet_rows(path, relative), relative, limits)
        elif suffix in TABLE_SUFFIXES:
            yield from _read_csv(path, relative, limits)
        elif suffix in XML_SUFFIXES:
            yield from _read_xml(path, relative, limits)
        elif suffix in (".jsonl", ".ndjson"):
            yield from _read_json_lines(path, relative, limits)
        elif suffix in (".json", ".ipynb"):
            yield from _read_json(path, relative, limits)
        elif suffix in PAGED_SUFFIXES and not compression:
            yield from _read_paged(path, relative, suffix)
        else:
            yield from _read_text(path, relative, suffix, limits)
    except ERRORS as error:
        raise InputError(
            f"cannot read this file: {error}",
            where=relative,
            fix="repair it, or move it out of the data folder",
        ) from None


def _read_text(path: Path, relative: str, suffix: str, limits: Limits) -> Iterator[Found]:
    with open_file(path) as file:
        head = file.read(limits.text_bytes + 1)
        if is_binary(head):
            yield Skipped(relative, "binary file")
            return
        is_long = len(head) > limits.text_bytes
        encoding = encoding_of(head)
        kind, language = kind_of(suffix, head[:KIND_BYTES].decode(encoding, "replace"))
        if kind in ("text", "markdown"):
            yield from _in_parts(relative, kind, relative, read_parts(head, file, encoding), {})
        elif is_long:
            yield Skipped(relative, "page too long" if kind == "html" else "source file too long")
        else:
            text, meta = head.decode(encoding, "replace"), {"lang": language} if language else {}
            yield make_document(relative, kind, relative, text, meta)


def _read_paged(path: Path, relative: str, suffix: str) -> Iterator[Found]:
    """Books, papers and word processors' files."""
    missing: list[str] = []
    kind: Kind = "markdown"
    if suffix == ".pdf":
        from smolforge.data.read.pdf import read_pdf

        kind, text = "text", read_pdf(path, relative)
    else:
        from smolforge.data.read.office import read_office

        with path.open("rb") as file:
            text, missing = read_office(file, suffix, relative)
    yield from (Skipped(f"{relative}#{name}", "missing chapter") for name in missing)
    if text.strip():
        yield from _in_parts(relative, kind, relative, parts([text]), {})
    else:
        yield Skipped(relative, "no text in it", "no text in it; are its pages pictures?")


def _in_parts(
    id: str, kind: Kind, url: str, texts: Iterator[str], meta: Mapping[str, str]
) -> Iterator[Document]:
    """One document, or the numbered parts of a long one, all of them of the first part's domain."""
    first, domain = next(texts, ""), ""
    after = next(texts, None)
    if after is None:
        yield make_document(id, kind, url, first, meta)
        return
    for number, text in enumerate(chain((first, after), texts), start=1):
        part = make_document(f"{id}#{number}", kind, f"{url}#{number}", text, meta)
        domain = domain or part.meta["domain"]
        yield replace(part, meta={**part.meta, "domain": domain})


def kind_of(suffix: str, text: str) -> tuple[Kind, str]:
    """Kind of a text file and, for code, its language; by suffix, then by how it begins."""
    if suffix in CODE_SUFFIXES:
        return "code", CODE_SUFFIXES[suffix]
    if suffix in HTML_SUFFIXES or re.match(r"\s*(<!doctype html|<html)", text[:500], re.IGNORECASE):
        return "html", ""
    if suffix in MARKDOWN_SUFFIXES:
        return "markdown", ""
    if text.startswith("#!"):
        return "code", "shell"
    return "text", ""


def _read_json_lines(path: Path, relative: str, limits: Limits) -> Iterator[Found]:
    useful = 0
    with open_file(path) as packed:
        number = 0
        try:
            file = as_utf_8(packed)
            for number, line in enumerate(_bounded_lines(file, limits.record_bytes)):
                if number >= limits.file_records:
                    yield Skipped(relative, "too many records")
                    break
                for found in _from_line(line, f"{relative}:{number + 1}", limits):
                    useful += not isinstance(found, Skipped)
                    yield found
        except ERRORS as error:  # a compressed file that breaks off
            if not useful:
                raise InputError(
                    f"nothing can be read from this file: {error}",
                    where=relative,
                    fix="fetch it again, or remove it",
                ) from None
            yield Skipped(f"{relative}:{number + 1}", "damaged file")


def _bounded_lines(file: IO[bytes], limit_bytes: int) -> Iterator[bytes | None]:
    """Lines of at most `limit_bytes`; None stands for a longer one."""
    while line := file.readline(limit_bytes):
        if len(line) < limit_bytes or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(limit_bytes)) and not rest.endswith(b"\n"):
            pass
        yield None


def _from_line(line: bytes | None, where: str, limits: Limits) -> Iterator[Found]:
    if line is None:
        yield Skipped(where, "record too long")
        return
    if not line.strip():
        return
    try:
        row = parse_json(decode(line))
    except NotJson:
        yield Skipped(where, "not JSON")
        return
    yield from from_record(row, where, limits)


def from_record(row: Any, where: str, limits: Limits) -> Iterator[Found]:
    """What one record is: preference pair, chat or document, tried in this order; a long text comes in parts."""
    row = _lower_case(row)
    if row is None:
        yield Skipped(where, "record is not a table")
    elif (pair := pair_of(row, where)) is not None:
        yield Pair(pair)
    elif (chat := chat_of(row, where)) is not None:
        yield Chat(chat)
    elif (found := text_of(row)) is None:
        yield Skipped(where, "no text in record")
    elif not found[1].strip():
        yield Skipped(where, "empty record")
    else:
        yield from _document_of(row, where, *found, limits)


def _lower_case(row: Any) -> Mapping[str, Any] | None:
    """The record with its fields' names in lower case: `Text` is a text too."""
    if not isinstance(row, Mapping):
        return None
    if all(isinstance(name, str) and name.islower() for name in row):
        return row
    return {str(name).lower(): value for name, value in list(row.items())[::-1]}


def _document_of(
    row: Mapping[Any, Any], where: str, kind: Kind, text: str, limits: Limits
) -> Iterator[Found]:
    language = str(row.get("lang") or row.get("language") or "").lower()
    inner = str(row.get("path") or row.get("file") or "")
    suffix = PurePosixPath(inner.lower()).suffix
    if kind == "text" and (language in CODE_LANGUAGES or suffix in CODE_SUFFIXES):
        kind = "code"
    elif kind == "text" and (language == "markdown" or suffix in MARKDOWN_SUFFIXES or text.startswith("# ")):
        kind = "markdown"
    url = str(row.get("url") or inner or row.get("id") or where)
    meta = {
        name: str(row[name])[:200]
        for name in ("title", "lang", "license", "repo")
        if isinstance(row.get(name), str)
    }
    if kind in ("text", "markdown"):
        yield from _in_parts(where, kind, url, parts([text]), meta)
    elif len(text) > limits.text_bytes:
        yield Skipped(where, "record too long")
    else:
        yield make_document(where, kind, url, text, meta)


def _read_json(path: Path, relative: str, limits: Limits) -> Iterator[Found]:
    with open_file(path) as file:
        data = file.read(limits.record_bytes + 1)
    if len(data) > limits.record_bytes:
        yield from _read_array(path, relative, encoding_of(data), limits)
        return
    try:
        value = parse_json(decode(data))
    except NotJson:
        # Some files called .json hold one record a line.
        lines = data.splitlines()
        found = [f for i, line in enumerate(lines) for f in _from_line(line, f"{relative}:{i + 1}", limits)]
        usable = any(not isinstance(f, Skipped) for f in found)
        yield from found if usable else [Skipped(relative, "not JSON")]
        return
    if isinstance(value, Mapping) and isinstance(value.get("cells"), list):
        yield make_document(relative, "markdown", relative, notebook_text(value), {})
        return
    for number, row in enumerate(value if isinstance(value, list) else [value]):
        yield from from_record(row, f"{relative}:{number + 1}", limits)


def _read_array(path: Path, relative: str, encoding: str, limits: Limits) -> Iterator[Found]:
    """The records of an array too large to be held; what follows a damaged or too long one is lost, and said to be."""
    number = 0
    with open_file(path) as file:
        try:
            for number, row in enumerate(elements(file, encoding, limits.record_bytes), start=1):
                yield from from_record(row, f"{relative}:{number}", limits)
        except NotJson:
            reason = "rest of a damaged array" if number else "record too long"
            yield Skipped(f"{relative}:{number + 1}" if number else relative, reason)


def notebook_text(notebook: Mapping[str, Any]) -> str:
    """A Jupyter notebook as Markdown: text cells as they are, code cells fenced, outputs left out."""
    found = []
    for cell in notebook["cells"]:
        source = cell.get("source", "") if isinstance(cell, Mapping) else ""
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if text.strip():
            found.append(f"```python\n{text}\n```" if cell.get("cell_type") == "code" else text)
    return "\n\n".join(found)


def _read_rows(rows: Iterator[Row], relative: str, limits: Limits) -> Iterator[Found]:
    """The records of a table; one that breaks off keeps what came before."""
    number = 0
    try:
        for number, row in enumerate(rows, start=1):
            where = f"{relative}:{number}"
            if row is None:
                yield Skipped(where, "record cannot be read")
            else:
                yield from from_record(row, where, limits)
    except InputError as error:
        if not number:
            raise
        yield Skipped(f"{relative}:{number + 1}", "damaged file", error.what)


def _read_csv(path: Path, relative: str, limits: Limits) -> Iterator[Found]:
    with open_file(path) as file:
        head = file.peek(KIND_BYTES) if isinstance(file, io.BufferedReader) else b""
        if is_binary(head):
            yield Skipped(relative, "binary file")
            return
        yield from _read_rows(
            csv_rows(file, encoding_of(head), relative, limits.record_bytes), relative, limits
        )


def _read_xml(path: Path, relative: str, limits: Limits) -> Iterator[Found]:
    with open_file(path) as file:
        kind = xml_kind(file.peek(KIND_BYTES) if isinstance(file, io.BufferedReader) else b"")
        if kind == "html":
            yield from _read_text(path, relative, HTML_SUFFIXES[0], limits)
            return
        if not kind:
            yield Skipped(
                relative, "XML of another kind", "XML of another kind than JATS, TEI, MediaWiki or XHTML"
            )
            return
        for number, (title, text) in enumerate(read_xml(file, kind, relative), start=1):
            where = f"{relative}#{number}" if title else relative
            yield from _in_parts(
                where, "markdown", title or relative, parts([text]), {"title": title} if title else {}
            )
