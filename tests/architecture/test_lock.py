"""What `make setup` installs is one set: the lock with hashes and the plain pins say the same versions."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;]+)(.*)$", re.MULTILINE)


def pins(file: str) -> dict[str, str]:
    """Versions by normalised name."""
    text = (ROOT / file).read_text("utf-8")
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version, _ in PIN.findall(text)}


def test_lock_and_constraints_agree() -> None:
    locked, pinned = pins("requirements.lock"), pins("constraints.txt")
    differing = {n: (v, pinned[n]) for n, v in locked.items() if n in pinned and pinned[n] != v}
    assert not differing, f"{differing}: run `make lock`"


def test_every_locked_file_has_a_hash() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text("utf-8").strip())
    assert len(entries) > 80
    assert all("--hash=sha256:" in entry for entry in entries)


def test_direct_dependencies_are_locked() -> None:
    declared = re.search(
        r"\ndependencies = \[(.*?)\n\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.DOTALL
    )
    assert declared
    names = {re.split(r"[\[=<>]", line)[0] for line in re.findall(r'"([^"]+)"', declared[1])}
    missing = {n for n in names if re.sub(r"[-_.]+", "-", n).lower() not in pins("requirements.lock")} - {
        "torch"
    }
    assert not missing, f"{missing}: run `make lock`"
