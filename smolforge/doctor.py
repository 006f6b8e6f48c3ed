"""What this machine can run, what is missing, and how to mend it, in plain words."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from smolforge.provenance import processor_name
from smolforge.units import format_bytes

QUICKSTART_MEMORY_BYTES = 4 * 2**30
QUICKSTART_DISK_BYTES = 2 * 2**30
QUICKSTART_FLOPS = 230e9
"""Speed of the two-core machine on which the quick start was first measured (docs/LOG.md 2026-11-23)."""

NEEDED = {
    "torch": "training and evaluation",
    "tokenizers": "the tokenizer",
    "pyarrow": "documents on disk",
    "trafilatura": "text out of HTML",
    "transformers": "proving the export equal",
    "xllamacpp": "proving the GGUF equal, and running it",
    "starlette": "`smol serve`",
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination; `fix` is empty where all is well."""

    what: str
    says: str
    fix: str = ""
    needed: bool = True

    @property
    def mark(self) -> str:
        if not self.fix:
            return "ok  "
        return "MISS" if self.needed else "note"


def examine(lab: Path, measure: bool) -> tuple[str, bool]:
    """The examination as text, and whether everything that is needed is there."""
    findings = [*_machine(lab), *_packages(), *_tools()]
    if measure:
        findings.append(_speed())
    width = max(len(f.what) for f in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.mark} {finding.what:{width}}  {finding.says}")
        if finding.fix:
            lines.append(f"     {'':{width}}  next: {finding.fix}")
    well = not any(f.fix and f.needed for f in findings)
    if well:
        lines.append(
            "\nThis machine can run `smol run quickstart`: about ten minutes on two cores with AVX-512,"
        )
        lines.append("longer on older ones; at most 4 GiB of memory; about 2 GiB of disk.")
    else:
        lines.append("\nOnce the MISS lines are mended, this machine can run `smol run quickstart`.")
    if not measure:
        lines.append("`smol doctor --measure` times this machine.")
    return "\n".join(lines), well


def _machine(lab: Path) -> list[Finding]:
    version = sys.version_info
    memory = _memory_bytes()
    here = next(p for p in (lab.resolve(), *lab.resolve().parents) if p.exists())
    free = shutil.disk_usage(here).free
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        Finding(
            "Python", platform.python_version(), "" if version >= (3, 11) else "install Python 3.11 or newer"
        ),
        Finding(
            "processors",
            f"{cores} · {processor_name()}",
            "" if cores >= 2 else "expect twice the time",
            needed=False,
        ),
        Finding(
            "memory",
            format_bytes(memory) if memory else "unknown",
            "close other programs: the quick start may take up to 4 GiB"
            if 0 < memory < QUICKSTART_MEMORY_BYTES
            else "",
        ),
        Finding(
            "disk",
            f"{format_bytes(free)} free at {here}",
            "free 2 GiB, or point --lab at a larger disk" if free < QUICKSTART_DISK_BYTES else "",
        ),
        _writable(here),
    ]


def _writable(folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("lab folder", "can be written")
    except OSError as error:
        return Finding("lab folder", f"cannot be written: {error.strerror}", "choose another with --lab")


def _packages() -> list[Finding]:
    findings = []
    for name, purpose in NEEDED.items():
        try:
            findings.append(Finding(name, f"{importlib.metadata.version(name)} · {purpose}"))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, f"missing · {purpose}", "pip install -c constraints.txt -e ."))
    return findings


def _tools() -> list[Finding]:
    from smolforge import kernels
    from smolforge.evals import sandbox
    from smolforge.launch import settings

    chosen, held_back = kernels.describe(), kernels.slowdown()
    plain = chosen.get("path") == "torch"
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    import torch

    cuda = torch.cuda.is_available()
    isolation = sandbox.run_programs(["pass"]).isolation
    return [
        Finding(
            "C compiler",
            compiler or "none",
            "" if compiler else "install gcc: training is then several times faster",
        ),
        Finding(
            "kernels",
            ", ".join(f"{k} {v}" for k, v in chosen.items() if k != "slow"),
            held_back or ("unset SMOL_KERNELS: plain PyTorch is several times slower" if plain else ""),
            needed=bool(held_back),
        ),
        Finding("GPU", torch.cuda.get_device_name() if cuda else "none; the recipes run on the processor"),
        Finding("run --on", settings.at_hand()),
        Finding("sandbox", f"generated code runs behind {', '.join(isolation)}"),
    ]


def _speed() -> Finding:
    """Time a matrix product in the type training would take, and say how much the quick start would train on."""
    import torch

    from smolforge import kernels
    from smolforge.train.precision import compute_dtype

    dtype = compute_dtype("auto", "cpu")
    x, weight = torch.randn(2048, 512, dtype=dtype), torch.randn(2048, 512)
    for _ in range(3):
        kernels.linear(x, weight)
    began, rounds = time.monotonic(), 0
    while time.monotonic() - began < 2.0:
        kernels.linear(x, weight)
        rounds += 1
    flops = rounds * 2 * 2048 * 512 * 2048 / (time.monotonic() - began)
    more = flops / QUICKSTART_FLOPS
    return Finding(
        "speed",
        f"{flops / 1e9:.0f} GFLOP/s in {dtype}; the quick start fills its ten minutes and trains on about {more:.1f} times "
        "what two cores of an older server would",
    )


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
