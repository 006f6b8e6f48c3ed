"""Documents from a data set on the Hugging Face hub: Parquet or JSON lines, pinned to a revision.

Files are taken in their sorted order, one at a time, until the byte budget is spent; nothing is
executed that a data set brings along. `HF_ENDPOINT` and `HF_HUB_OFFLINE` are honoured by the library.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smolforge.data.read.compressed import open_file
from smolforge.data.read.documents import Document, Kind
from smolforge.errors import InputError
from smolforge.plain_json import NotJson, parse_json

MAX_RECORD_BYTES = 8 * 2**20
"""A longer record is left out: no page of use is this long, and memory stays bounded. Chosen, untested."""


def hub_documents(
    repo: str, *, revision: str, pattern: str, text_field: str, kind: Kind, url_field: str, limit_bytes: int
) -> Iterator[Document]:
    """Yield up to `limit_bytes` of UTF-8 text from the data set's files that match `pattern`.

    Raises InputError where the hub cannot be reached, the data set or revision is unknown, no file
    matches, or a file lacks `text_field`.
    """
    spent = 0
    for name in _matching_files(repo, revision, pattern):
        for row, record in enumerate(
            _records(_download(repo, revision, name), name, [text_field, url_field])
        ):
            text = record.get(text_field)
            if text is None:
                raise InputError(
                    f"a record has no `{text_field}`",
                    where=f"{repo}/{name}, row {row}",
                    fix="set `text_field`",
                )
            if not isinstance(text, str) or not text or len(text) > MAX_RECORD_BYTES:
                continue
            spent += len(text.encode("utf-8", "replace"))
            if spent > limit_bytes:
                return
            origin = str(record.get(url_field) or f"{repo}/{name}#{row}")
            identity = hashlib.sha256(f"{repo}/{name}#{row}".encode()).hexdigest()[:16]
            yield Document(id=identity, kind=kind, url=origin, text=text, meta={"repo": repo})


def hub_conversations(
    repo: str, *, revision: str, pattern: str, limit_bytes: int
) -> Iterator[dict[str, Any]]:
    """Yield `{"id", "skill", "messages", "tools"}` for every row of the data set that has `messages`."""
    for where, record in _chat_rows(repo, revision, pattern, ["messages"], limit_bytes):
        messages = _messages(record["messages"])
        if len(messages) >= 2:
            yield {"id": where, "skill": "hub", "messages": messages, "tools": []}


def hub_pairs(repo: str, *, revision: str, pattern: str, limit_bytes: int) -> Iterator[dict[str, Any]]:
    """Yield `{"id", "skill", "messages", "chosen", "rejected", "margin"}` for rows with two conversations.

    The two share everything up to their last message; rows in which they do not are left out.
    """
    for where, record in _chat_rows(repo, revision, pattern, ["chosen", "rejected"], limit_bytes):
        better, worse = _messages(record["chosen"]), _messages(record["rejected"])
        if len(better) < 2 or better[:-1] != worse[:-1] or better[-1] == worse[-1]:
            continue
        pair = {"chosen": better[-1]["content"], "rejected": worse[-1]["content"]}
        yield {"id": where, "skill": "hub", "messages": better[:-1], **pair, "margin": 1.0}


def _chat_rows(
    repo: str, revision: str, pattern: str, fields: list[str], limit_bytes: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    spent = 0
    for name in _matching_files(repo, revision, pattern):
        for row, record in enumerate(_records(_download(repo, revision, name), name, fields)):
            where = f"{repo}/{name}#{row}"
            if not all(isinstance(record.get(field), list) for field in fields):
                raise InputError(
                    f"a record has no {' and '.join(fields)}", where=where, fix="choose other files"
                )
            spent += sum(len(json.dumps(record[field], ensure_ascii=False).encode()) for field in fields)
            if spent > limit_bytes:
                return
            yield where, record


def _messages(rows: list[Any]) -> list[dict[str, str]]:
    """The well-formed messages of a row, up to its last answer; nothing where a message is malformed."""
    messages = []
    for row in rows:
        if not isinstance(row, dict) or row.get("role") not in ("system", "user", "assistant"):
            return []
        messages.append({"role": row["role"], "content": str(row.get("content") or "")})
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    return messages


def _matching_files(repo: str, revision: str, pattern: str) -> list[str]:
    from huggingface_hub import HfApi

    with _hub_errors(repo, revision):
        names = HfApi().list_repo_files(repo, repo_type="dataset", revision=revision)
    chosen = sorted(n for n in names if fnmatch.fnmatch(n, pattern))
    if not chosen:
        raise InputError(
            f"no file of the data set matches `{pattern}`",
            where=repo,
            fix=f"it has {', '.join(sorted(names)[:8])} …",
        )
    return chosen


def _download(repo: str, revision: str, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    with _hub_errors(repo, revision):
        return Path(hf_hub_download(repo, name, repo_type="dataset", revision=revision))


@contextmanager
def _hub_errors(repo: str, revision: str) -> Iterator[None]:
    """Turn what the hub's client raises into one clear message."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    where = f"{repo}@{revision}"
    try:
        yield
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx2.TransportError, ConnectionError):
        raise InputError(
            "the hub cannot be reached", where=where, fix="connect, or use data of your own"
        ) from None
    except HfHubHTTPError as error:
        what = str(error).splitlines()[0]
        raise InputError(
            f"the hub refuses: {what}", where=where, fix="check name, revision and your access"
        ) from None


def _records(path: Path, name: str, fields: list[str]) -> Iterator[dict[str, Any]]:
    if name.endswith(".parquet"):
        yield from _parquet_records(path, name, fields)
    elif name.endswith((".jsonl", ".jsonl.gz", ".json.gz")):
        yield from _json_records(path, name)
    else:
        raise InputError("only Parquet and JSON lines can be read", where=name, fix="narrow `pattern`")


def _parquet_records(path: Path, name: str, fields: list[str]) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        columns = [f for f in fields if f in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=256, columns=columns):
            yield from batch.to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise InputError(
            f"this Parquet file cannot be read: {error}", where=name, fix="fetch it again"
        ) from None


def _json_records(path: Path, name: str) -> Iterator[dict[str, Any]]:
    with open_file(path, name) as lines:
        for number, line in enumerate(iter(lambda: lines.readline(MAX_RECORD_BYTES), b"")):
            try:
                record = parse_json(line)
            except NotJson as error:
                raise InputError(
                    f"a line is no JSON: {error}", where=f"{name}:{number + 1}", fix="fetch it again"
                ) from None
            if isinstance(record, dict):
                yield record
