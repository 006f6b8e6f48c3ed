"""Where and how an artifact was made: what its record keeps beside its identity."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import smolforge
from smolforge.stage import Job


def provenance_of(job: Job) -> dict[str, Any]:
    """Program, machine and settings of a job; never part of an artifact's identity."""
    return {
        "smolforge": smolforge.__version__,
        "python": platform.python_version(),
        "host": platform.node(),
        "commit": commit(),
        "processor": processor_name(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "threads": job.threads,
        "device": job.device,
        "ranks": job.ranks,
        "shard": job.shard,
        "micro_tokens": job.micro_tokens,
        "recompute": job.recompute,
        "compile": job.compile,
        "deterministic": job.deterministic,
        "peak_memory_bytes": _peak_memory_bytes(),
    }


def give_memory_back() -> None:
    """Return to the system what the stages before have freed.

    The C library keeps freed blocks of up to 32 MiB for later; after a generation these are gigabytes, in
    pieces that the next stage's larger blocks do not fit into.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def reset_peak_memory() -> None:
    """Let the peak count from now on, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # not Linux, or not allowed: the peak then counts from the start of the process


def _peak_memory_bytes() -> int:
    """Peak resident memory of this process since the stage began, or of its largest child."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    try:
        status = Path("/proc/self/status").read_text()
        own = int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return max(own, children)


@functools.cache
def processor_name() -> str:
    """What the machine calls its processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if sys.platform == "darwin":
        return subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True
        ).stdout.strip()
    return platform.machine()


@functools.cache
def commit() -> str:
    """The commit of the program's source, with `-dirty` where it was changed since; empty where it was installed."""
    source = Path(smolforge.__file__).parent.parent
    if not (source / ".git").exists():
        return ""
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
