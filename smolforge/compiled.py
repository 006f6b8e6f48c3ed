"""C code of ours as a library in a cache: which compiler, where to, and whether what lies there is whole.

The cache lies in `$SMOL_CACHE`, else `$XDG_CACHE_HOME/smolforge`, else `~/.cache/smolforge`. A library is written beside
and renamed, so processes may build at once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

COMPILE_SECONDS = 120


class CompileError(Exception):
    """The compiler did not give a library; the message is its own."""


def publish(made: Path, ready: Path) -> None:
    """Put a library and its digest in place, each by one rename."""
    digest = made.with_suffix(".sha256")
    digest.write_text(hashlib.sha256(made.read_bytes()).hexdigest(), encoding="utf-8")
    made.replace(ready)
    digest.replace(ready.with_suffix(".sha256"))


def is_whole(file: Path) -> bool:
    """Whether an earlier process left the library undamaged: one cut short by a crash would kill this one."""
    try:
        wanted = file.with_suffix(".sha256").read_text(encoding="utf-8")
        return hashlib.sha256(file.read_bytes()).hexdigest() == wanted
    except OSError:
        return False


def find_compiler() -> str:
    """Path of the C compiler: `$CC`, else the first of the usual names."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise CompileError("no C compiler was found")


def run_compiler(command: list[str]) -> str:
    """What a compiler prints; CompileError with its own words where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise CompileError(f"{command[0]} took more than {COMPILE_SECONDS} seconds") from None
    if done.returncode:
        raise CompileError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def processor() -> str:
    """Model and abilities of the processor, as text."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    wanted = ("model name", "flags", "Features", "CPU part", "stepping")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def cache_folder() -> Path:
    """Where libraries are kept; a folder of this process alone where nothing can be written."""
    given = os.environ.get("SMOL_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = Path(given) if given else Path.home() / ".cache"
    folder = root if os.environ.get("SMOL_CACHE") else root / "smolforge"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="smolforge-compiled-"))  # read-only home: this process alone
