"""Benchmarks from the hub into a folder, where everything else reads them.

Tables are taken in the Parquet form that the hub keeps of every data set, so nothing that a data set brings along is
executed. A file is written whole or not at all; one that is there already is left alone.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.evals.tasks import BENCHMARKS, known_benchmark, load_benchmark
from smolforge.evals.tasks.rows import MissingBenchmark, Row, Source, find_file, parquet_rows

PARQUET_REVISION = "refs/convert/parquet"
"""The branch on which the hub keeps every data set as `<subset>/<split>/<number>.parquet`."""


def fetch(name: str, folder: Path, say: Callable[[str], None]) -> list[Path]:
    """The files of one benchmark that were not there yet.

    Raises ConfigError for an unknown name, InputError where the hub has none in the published layout or cannot be
    reached.
    """
    known_benchmark(name)
    written = []
    for source in BENCHMARKS[name].sources:
        place = folder / source.place
        if find_file(place.parent, place.name) is not None:
            continue
        if not source.repo:
            raise InputError(
                f"no data set on the hub has `{source.place}` in its published layout",
                fix=f"put {place}.jsonl there, with the columns {', '.join(source.columns)}",
            )
        say(f"{source.place} from {source.repo}")
        written.append(_write(place, list(_rows(source))))
    return written


def _rows(source: Source) -> Iterator[Row]:
    if source.file:
        yield from map(json.loads, _lines(_download(source.repo, source.file, "main")))
        return
    names = _names(source.repo)
    for subset in source.subsets:
        parts = [
            one
            for one in names
            if one.startswith((f"{subset}/{source.split}/", f"{subset}/partial-{source.split}/"))
        ]
        if not parts:
            raise InputError(
                f"the data set has no split `{source.split}` of `{subset}`",
                where=source.repo,
                fix=f"it has {', '.join(sorted({one.rpartition('/')[0] for one in names})[:12])}",
            )
        for part in sorted(parts):
            for row in parquet_rows(_download(source.repo, part, PARQUET_REVISION)):
                yield {**row, source.mark: subset} if source.mark else row


def _lines(file: Path) -> list[str]:
    """JSON objects of a file of lines, or of one array."""
    text = file.read_text("utf-8")
    if text.lstrip().startswith("["):
        return [json.dumps(row) for row in json.loads(text)]
    return [line for line in text.splitlines() if line.strip()]


def _write(place: Path, rows: list[Row]) -> Path:
    file = place.with_name(f"{place.name}.jsonl.gz")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    with part.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as out:
        for row in rows:
            out.write((json.dumps(row, ensure_ascii=False, default=_plain) + "\n").encode())
    part.replace(file)
    return file


def _plain(value: Any) -> Any:
    """What JSON has no word for, such as a date."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _names(repo: str) -> list[str]:
    from huggingface_hub import HfApi

    with _hub_errors(repo):
        return list(HfApi().list_repo_files(repo, repo_type="dataset", revision=PARQUET_REVISION))


def _download(repo: str, name: str, revision: str) -> Path:
    from huggingface_hub import hf_hub_download

    with _hub_errors(repo):
        return Path(hf_hub_download(repo, name, repo_type="dataset", revision=revision))


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """What the hub's client raises, as one clear message."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx2.TransportError, ConnectionError):
        raise InputError(
            "the hub cannot be reached",
            where=repo,
            fix="connect, or put the benchmark's files into the folder",
        ) from None
    except HfHubHTTPError as error:
        raise InputError(
            f"the hub refuses: {str(error).splitlines()[0]}", where=repo, fix="check your access to it"
        ) from None


def listing(folder: Path | None) -> str:
    """A line a benchmark: how many questions the folder holds, or where its files are published."""
    rows = [f"{'benchmark':24} {'asked unnamed':13}  {'where it is published' if folder is None else folder}"]
    for name, one in sorted(BENCHMARKS.items()):
        usual = "yes" if one.usual else ""
        rows.append(
            f"{name:24} {usual:13}  {_published(one.sources) if folder is None else _state(name, folder)}"
        )
    return "\n".join(rows)


def _published(sources: tuple[Source, ...]) -> str:
    if not sources:
        return "made here, needs no files"
    return ", ".join(sorted({source.repo or f"{source.place}: not on the hub" for source in sources}))


def _state(name: str, folder: Path) -> str:
    try:
        return f"{len(load_benchmark(name, folder))} questions"
    except MissingBenchmark as missing:
        return f"lacks {missing.file.relative_to(folder)}"
    except InputError as error:
        return f"cannot be read: {error.what}"
