"""What a power cut leaves of a folder: only what was synced is certain.

Read from the journal of `fatal_calls.c`. Of a file that was written after its last sync, the unsynced end is
gone or zeros. Of a directory, entries made or renamed after its last sync may be undone, newest first. That is
the least that POSIX promises, and less than most file systems keep.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Disk:
    """What the journal says of every file and directory.

    synced   bytes of a file that are certain; absent for a file that existed before and was not touched
    dirty    files written since
    entries  directory → its changes since its last sync, in order: (kind, path, former path)
    """

    synced: dict[str, int] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    entries: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    def take(self, kind: str, path: str, more: str) -> None:
        folder = str(Path(path).parent)
        if kind in "CM":
            self.entries.setdefault(folder, []).append((kind, path, ""))
            if kind == "C":
                self.synced[path] = 0
                self.dirty.add(path)
        elif kind == "T":
            self.synced[path] = 0
            self.dirty.add(path)
        elif kind == "W":
            self.dirty.add(path)
        elif kind == "S":
            self.synced[path] = int(more)
            self.dirty.discard(path)
            self.entries.pop(path, None)
        elif kind == "U":
            self._forget(path)
            self.entries.setdefault(folder, []).append(("U", path, ""))
        elif kind == "R":
            self._move(path, more)
            self.entries.setdefault(folder, []).append(("U", path, ""))
            self.entries.setdefault(str(Path(more).parent), []).append(("R", more, path))

    def _forget(self, path: str) -> None:
        self.synced.pop(path, None)
        self.dirty.discard(path)
        self.entries.pop(path, None)

    def _move(self, old: str, new: str) -> None:
        def moved(path: str) -> str:
            return new + path[len(old) :] if path == old or path.startswith(old + "/") else path

        self.synced = {moved(path): size for path, size in self.synced.items()}
        self.dirty = {moved(path) for path in self.dirty}
        self.entries = {
            moved(folder): [(kind, moved(path), moved(former)) for kind, path, former in changes]
            for folder, changes in self.entries.items()
        }

    def promised(self, below: str) -> list[str]:
        """Checkpoints whose renaming was followed by a sync of their folder: they must outlive the cut."""
        uncertain = {path for _, path, _ in self.entries.get(below, [])}
        return [
            entry.path
            for entry in os.scandir(below)
            if not entry.name.endswith(".tmp") and entry.path not in uncertain
        ]


def strike(place: Path, journal: Path, draw: random.Random) -> bool:
    """Lose what was not synced; says whether every checkpoint that was promised is still there."""
    disk = Disk()
    for kind, path, more in _read(journal):
        disk.take(kind, path, more)
    checkpoints = place / "work" / "checkpoints"
    promised = disk.promised(str(checkpoints)) if checkpoints.is_dir() else []
    for path in sorted(disk.dirty):
        _lose_the_end(Path(path), disk.synced.get(path, 0), zeros=draw.random() < 0.5)
    for changes in disk.entries.values():
        for kind, path, former in reversed(changes[draw.randrange(len(changes) + 1) :]):
            if not _undo(kind, Path(path), former):
                break
    return all(Path(path).is_dir() for path in promised)


def _read(journal: Path) -> Iterator[tuple[str, str, str]]:
    for line in journal.read_text().splitlines():
        kind, path, more = line.split("\t")
        yield kind, path, more


def _lose_the_end(file: Path, certain_bytes: int, *, zeros: bool) -> None:
    if not file.is_file() or file.stat().st_size <= certain_bytes:
        return
    size = file.stat().st_size
    os.truncate(file, certain_bytes)
    if zeros:
        os.truncate(file, size)


def _undo(kind: str, path: Path, former: str) -> bool:
    """Undo one change of a directory; False where that cannot be, and so nothing before it either."""
    if not path.exists():
        return kind != "U"
    if kind == "R" and not Path(former).exists() and Path(former).parent.is_dir():
        path.rename(former)
        return True
    if kind in "CM":
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return True
    return False
