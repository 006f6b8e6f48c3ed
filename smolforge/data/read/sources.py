"""Where raw documents come from: `pydoc` pages, the standard library's files, a folder of the user's own.

All give `Document`s in an order and with ids that depend on the source alone.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from smolforge.data.read.documents import Document, stable_share
from smolforge.data.read.found import Found, Limits, Skipped
from smolforge.data.read.readers import is_benchmark, list_files, read_file
from smolforge.errors import InputError

# Modules whose import opens windows or browsers, prints, or has no content of its own.
SKIPPED_MODULES = frozenset(
    [
        "antigravity",
        "this",
        "idlelib",
        "lib2to3",
        "test",
        "tkinter",
        "turtle",
        "turtledemo",
        "__main__",
        "site",
    ]
)
# Documented in whole sentences, installed with smolforge, and quiet on import (measured: 14 MB of pages).
PYDOC_PACKAGES = ("click", "jinja2", "starlette", "networkx")
PYDOC_BATCH = 12
PYDOC_TIMEOUT_SECONDS = 300.0  # generous: a page that a busy machine cut off would change the result
# The folders of the standard library that hold no library code.
SKIPPED_FOLDERS = frozenset(
    [
        "test",
        "tests",
        "idle_test",
        "site-packages",
        "dist-packages",
        "__pycache__",
        "_bundled",
        "turtledemo",
        "lib2to3",
    ]
)


def pydoc_modules(packages: Sequence[str] = PYDOC_PACKAGES) -> list[str]:
    """Names of the modules to render: the standard library's, the packages', then the library's submodules."""
    root = Path(sysconfig.get_paths()["stdlib"])
    names = sorted(n for n in sys.stdlib_module_names if not n.startswith("_") and n not in SKIPPED_MODULES)
    inner = [n for name in names for n in _submodules(root / name, name)]
    installed: list[str] = []
    for package in packages:
        folder = _package_folder(package)
        if folder is not None:
            installed += [package, *_submodules(folder, package)]
    return names + installed + inner


def _package_folder(package: str) -> Path | None:
    for key in ("purelib", "platlib"):
        folder = Path(sysconfig.get_paths()[key]) / package
        if (folder / "__init__.py").is_file():
            return folder
    return None


def _submodules(folder: Path, name: str) -> list[str]:
    """Public submodules found by file name, without importing anything."""
    found = []
    for path in sorted(folder.rglob("*.py")) if folder.is_dir() else []:
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        private = any(p.startswith("_") or p in SKIPPED_FOLDERS or p == "conftest" for p in parts)
        if parts and not private and not any(p.startswith("test") for p in parts):
            found.append(".".join((name, *parts)))
    return found


def pydoc_pages(
    *, max_bytes: int = 15_000_000, packages: Sequence[str] = PYDOC_PACKAGES, processes: int = 2
) -> Iterator[Document]:
    """HTML pages that `pydoc` renders for the standard library and installed packages.

    Modules are rendered in fixed batches, each in a process of its own with a bare environment and a fixed
    hash seed, so that a page depends on Python and the packages alone. A batch that hangs is cut off after
    `PYDOC_TIMEOUT_SECONDS`; the pages it had finished are kept. Stops after `max_bytes` of pages.
    """
    names = pydoc_modules(packages)
    batches = [names[i : i + PYDOC_BATCH] for i in range(0, len(names), PYDOC_BATCH)]
    taken_bytes = 0
    with ThreadPoolExecutor(max(1, processes)) as pool:
        waiting = [pool.submit(_render_batch, batch) for batch in batches]
        try:
            for future in waiting:
                for module, html in future.result():
                    taken_bytes += len(html)
                    if taken_bytes > max_bytes:
                        return
                    meta = {"domain": "web", "source": "pydoc"}
                    yield Document(
                        f"pydoc/{module}", "html", f"https://pydoc.example/{module}.html", html, meta
                    )
        finally:
            for future in waiting:
                future.cancel()


def _render_batch(names: Sequence[str]) -> list[tuple[str, str]]:
    """(module, page) for every module of the batch that could be rendered."""
    with tempfile.TemporaryDirectory(prefix="smol-pydoc-") as folder:
        out = Path(folder) / "pages.jsonl"
        # A relative name, so that nothing of this folder can stand in a page.
        environment = {
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "HOME": folder,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "80",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "smolforge.data.read.pydoc_render", out.name]
        # What was finished before time ran out is in the file.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command,
                input="\n".join(names).encode(),
                cwd=folder,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PYDOC_TIMEOUT_SECONDS,
                check=False,
            )
        if not out.is_file():
            return []
        rows = []
        for line in out.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:  # the line that was being written when time ran out
                continue
    return [(row["module"], row["html"]) for row in rows if "html" in row]


def stdlib_files(*, max_bytes: int = 10_000_000, max_file_bytes: int = 120_000) -> Iterator[Document]:
    """The standard library's own Python files, without tests and generated tables.

    Where they are more than `max_bytes`, files are chosen by a hash of their names.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = [p for p in sorted(root.rglob("*.py")) if _is_library_code(p.relative_to(root))]
    sized = [(p, p.stat().st_size) for p in paths]
    sized = [(p, size) for p, size in sized if 200 <= size <= max_file_bytes]
    chosen, total = set(), 0
    for path, size in sorted(
        sized, key=lambda item: stable_share(item[0].relative_to(root).as_posix(), "stdlib")
    ):
        if total + size <= max_bytes:
            chosen.add(path)
            total += size
    for path in paths:
        if path in chosen:
            name = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8", errors="replace")
            meta = {"domain": "code", "source": "stdlib", "path": name, "lang": "python"}
            yield Document(f"stdlib/{name}", "code", name, text, meta)


def _is_library_code(relative: Path) -> bool:
    folders = relative.parts[:-1]
    if any(part in SKIPPED_FOLDERS or part.startswith("config-") for part in folders):
        return False
    # _sysconfigdata names the machine; the idlelib and encodings tables are generated.
    return not relative.name.startswith("_sysconfigdata") and "encodings" not in folders


def folder_found(folder: Path, *, limits: Limits | None = None, benchmarks: bool = False) -> Iterator[Found]:
    """Documents, chats, preference pairs and skips in a folder of the user's own, file by file in order.

    `benchmarks` turns the choice round: only what stands in benchmark folders and test files, which is
    otherwise left out, because nothing may be trained on it. A file of which nothing can be read is skipped.
    Raises `InputError` for a missing or empty folder, and where nothing but such files is there.
    """
    limits = limits or Limits()
    _check_folder(folder)
    seen_file, found_any, first_error = False, False, None
    for path, skip in list_files(folder):
        relative = shown_name(path.relative_to(folder))
        seen_file = True
        if skip:
            yield Skipped(relative, skip)
        elif is_benchmark(relative) != benchmarks:
            if not benchmarks:
                yield Skipped(relative, "benchmark")
        else:
            try:
                for found in read_file(path, relative, limits):
                    found_any |= not isinstance(found, Skipped)
                    yield found
            except InputError as error:
                first_error = first_error or error
                yield Skipped(relative, "unreadable file", error.what)
    if not seen_file:
        raise _empty(folder)
    if first_error is not None and not found_any:
        raise first_error


def _empty(folder: Path) -> InputError:
    return InputError(
        "the data folder is empty", where=str(folder), fix="put pages, documents, code or chats in it"
    )


def shown_name(relative: Path) -> str:
    """The path as text that UTF-8 can hold. Bytes of an old name that are none become U+FFFD, and what they were a mark
    before the suffix, so that no two files share a name.
    """
    name = relative.as_posix()
    try:
        name.encode("utf-8")
        return name
    except UnicodeEncodeError:
        mark = hashlib.blake2b(os.fsencode(name), digest_size=4).hexdigest()
    stem, dot, suffix = os.fsencode(name).decode("utf-8", "replace").rpartition(".")
    return f"{stem}-{mark}.{suffix}" if dot else f"{suffix}-{mark}"


def _check_folder(folder: Path) -> None:
    if folder.is_file():
        raise InputError("this is a file, not a folder", where=str(folder), fix="name the folder it lies in")
    if not folder.is_dir():
        raise InputError("the folder does not exist", where=str(folder), fix="check the path")


def folder_digest(folder: Path) -> str:
    """32 hex digits that change when a file of the folder changes: names, sizes, and the bytes themselves.

    Of a file over 64 MiB only the first and last MiB are read. A missing or empty folder is an `InputError`. A run is planned before it
    is run, so the bytes are read once a process, while no file's size and time change.
    """
    _check_folder(folder)
    listed = []
    for path, skip in list_files(folder):
        stamp = (0, 0) if skip else (path.stat().st_size, path.stat().st_mtime_ns)
        listed.append((path, shown_name(path.relative_to(folder)), skip, *stamp))
    if not listed:
        raise _empty(folder)
    return _digest_of_files(tuple(listed))


@functools.lru_cache(maxsize=4)
def _digest_of_files(listed: tuple[tuple[Path, str, str, int, int], ...]) -> str:
    """Of (path, name, why it is skipped, size, time of change)."""
    whole = hashlib.blake2b(digest_size=16)
    for path, name, skip, size, _ in listed:
        whole.update(f"{name}\x00{skip}\x00".encode())
        if skip:
            continue
        whole.update(f"{size}\x00".encode())
        with path.open("rb") as file:
            if size <= 64 << 20:
                while block := file.read(1 << 20):
                    whole.update(block)
            else:
                whole.update(file.read(1 << 20))
                file.seek(-(1 << 20), os.SEEK_END)
                whole.update(file.read(1 << 20))
    return whole.hexdigest()
