"""Folders written whole or not at all, and verified when read.

A folder is filled beside its place (`step-7.tmp`), given the digests of its files, synced and renamed; a
power cut leaves what stood there before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from smolforge.errors import InputError, StageError

DIGESTS_FILE = "digests.json"
HALF_WRITTEN = ".tmp"


def beside(final: Path) -> Path:
    """Where the folder `final` is filled."""
    return final.with_name(final.name + HALF_WRITTEN)


def write_json(file: Path, plain: Any) -> None:
    """One line, keys in order."""
    file.write_text(json.dumps(plain, sort_keys=True) + "\n", encoding="utf-8")


def digests_of(files: Iterable[Path]) -> dict[str, str]:
    """`{name: SHA-256}`."""
    return {file.name: _digest(file) for file in files}


def put_in_place(fresh: Path, final: Path, digests: Mapping[str, str]) -> None:
    """Seal the filled folder `fresh`, whose files have these digests, as `final`."""
    write_json(fresh / DIGESTS_FILE, digests)
    for file in fresh.iterdir():
        _sync(file)
    _sync(fresh)
    _sync(final.parent.parent)  # `final.parent` itself may be new, and what is in it must be found
    remove(final)
    fresh.rename(final)
    _sync(final.parent)


def verify(folder: Path, *, rank: int = 0, ranks: int = 1) -> set[str]:
    """Names of the files, after checking every `ranks`-th of them from `rank` on; InputError for damage."""
    try:
        digests = json.loads((folder / DIGESTS_FILE).read_text(encoding="utf-8"))
        wrong = [name for name in sorted(digests)[rank::ranks] if _digest(folder / name) != digests[name]]
    except (OSError, ValueError, AttributeError, TypeError):
        raise InputError("its files are incomplete", where=str(folder)) from None
    if wrong:
        raise InputError(f"{wrong[0]} has changed", where=str(folder))
    return set(digests)


def not_written(final: Path, reason: str) -> StageError:
    """The error for a checkpoint that could not be put in its place."""
    return StageError(
        f"the checkpoint {final.name} could not be written: {reason}",
        where=str(final),
        fix="free some disk space and run again; it resumes from the checkpoint before",
    )


def remove(folder: Path) -> None:
    """Away with it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
