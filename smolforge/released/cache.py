"""The folder of pulled models: each is whole or absent, each with a record of where it came from.

models/smollm2-135m-instruct/   config.json, model.safetensors, tokenizer.json, …; or one .gguf file
  pulled.json                   where the files came from, their bytes and SHA-256; written last
models/.partial/                what has not arrived whole, and the locks of those who pull
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolforge.errors import StageError
from smolforge.released.files import Say, Taken, sha256_of
from smolforge.units import format_bytes

RECORD = "pulled.json"
PARTIAL = ".partial"
MOST_RECORD_BYTES = 1 << 20
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Pulled:
    """A model that is here: `path` is a model folder or a .gguf file, `revision` the hub's commit or empty."""

    name: str
    path: Path
    licence: str
    revision: str
    where: str


def cache_folder(given: Path | None = None) -> Path:
    """Where pulled models are kept: `given`, $SMOL_CACHE/models, or models in the user's cache. Not made here."""
    if given is not None:
        return given
    try:
        if os.environ.get("SMOL_CACHE"):
            return Path(os.environ["SMOL_CACHE"]).expanduser() / "models"
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise StageError(
            "there is no home folder to keep models in", fix="set SMOL_CACHE to a folder that can be written"
        ) from None
    return root / "smolforge" / "models"


def find(name: str, cache: Path | None = None, *, full: bool = False) -> Pulled | None:
    """The model if it is here and whole, else None. Sizes are compared; with `full`, every byte's SHA-256."""
    asked = name.strip().lower()
    if not NAME.fullmatch(asked):
        return None
    found = look(cache_folder(cache) / asked, full=full)
    return found if isinstance(found, Pulled) else None


def look(folder: Path, *, full: bool = False) -> Pulled | str:
    """The model in a folder of the cache, or why there is none: empty where nothing was ever pulled."""
    try:
        record = _read_record(folder / RECORD)
        for name, (size_bytes, sha256) in record["files"].items():
            problem = _problem(folder / name, size_bytes, sha256 if full else "")
            if problem:
                return f"{name} {problem}"
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"{RECORD} or a file it names cannot be read ({error})"
    ggufs = [name for name in record["files"] if name.endswith(".gguf")]
    path = folder / ggufs[0] if ggufs else folder
    return Pulled(record["name"], path, record["licence"], record["revision"], record["where"])


def shelve(name: str, repo: str, licence: str, taken: Taken, root: Path) -> Pulled:
    """Put a whole model in its place: its record last, then the folder by one rename."""
    _write_record(name, repo, licence, taken)
    place, partial = root / name, root / PARTIAL
    old = _empty(partial / f"{name}+old") / "model"
    if place.exists():
        place.rename(old)
    taken.folder.rename(place)
    _sync(root)
    found = look(place)
    if isinstance(found, str):
        raise StageError(f"`{name}` was damaged while it was put in place: {found}", where=str(place))
    for rest in (old.parent, *(partial.glob(f"{name}@*") if taken.revision else ())):
        shutil.rmtree(rest, ignore_errors=True)
    return found


def _write_record(name: str, repo: str, licence: str, taken: Taken) -> None:
    for file in taken.digests:
        _sync(taken.folder / file)
    record = {
        "name": name,
        "repo": repo,
        "revision": taken.revision,
        "licence": licence,
        "where": taken.where,
        "pulled": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": [
            {"name": file, "bytes": (taken.folder / file).stat().st_size, "sha256": sha256}
            for file, sha256 in sorted(taken.digests.items())
        ],
    }
    draft = taken.folder / f"{RECORD}.part"
    draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    _sync(draft)
    draft.replace(taken.folder / RECORD)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """An empty folder on the cache's disk, gone afterwards."""
    folder = _empty(root / PARTIAL / f"{name}+new")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raise StageError where the folder's disk has less room than that."""
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise StageError(
            f"the disk has no room: {format_bytes(needed_bytes)} are needed, {format_bytes(free)} are free",
            where=str(folder),
            fix="free some space, or set SMOL_CACHE to a folder on a larger disk",
        )


@contextmanager
def alone(root: Path, name: str, say: Say) -> Iterator[None]:
    """Let one process at a time pull this model."""
    (root / PARTIAL).mkdir(parents=True, exist_ok=True)
    with (root / PARTIAL / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting: another process is pulling {name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that cannot be written, into a clear error."""
    try:
        yield
    except OSError as error:
        where = str(error.filename or root)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StageError(
                "the disk is full",
                where=where,
                fix="free some space and repeat the command; or set SMOL_CACHE to a folder on a larger disk",
            ) from None
        raise StageError(
            f"a file or folder cannot be used: {error.strerror or error}",
            where=where,
            fix="check who may read and write it; SMOL_CACHE names another folder for models",
        ) from None


def _read_record(file: Path) -> dict[str, Any]:
    with file.open("rb") as data:
        plain = json.loads(data.read(MOST_RECORD_BYTES))
    files = {one["name"]: (int(one["bytes"]), str(one["sha256"])) for one in plain["files"]}
    strange = [name for name in files if not FILE_NAME.fullmatch(name)]
    if strange or not files:
        raise ValueError(f"it names no plain files: {strange[:3]}")
    texts = {key: str(plain[key]) for key in ("name", "licence", "revision", "where")}
    return {**texts, "files": files}


def _problem(file: Path, size_bytes: int, sha256: str) -> str:
    if not file.is_file():
        return "is missing"
    found_bytes = file.stat().st_size
    if found_bytes != size_bytes:
        return f"has {found_bytes} bytes instead of {size_bytes}"
    return "is damaged: its SHA-256 differs" if sha256 and sha256_of(file) != sha256 else ""
