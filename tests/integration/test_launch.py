"""`smol run --on …`: the same artifacts from processes of their own, and none of them left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smolforge.store import read_labels, read_record

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Path(__file__).with_name("spreading.py")
TWO = ("--on", "torchrun", "--processes", "2")
pytestmark = pytest.mark.slow


def start(lab: Path, *options: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """`smol run` of the spreading recipe."""
    return subprocess.Popen(
        [*before, sys.executable, "-m", "smolforge.cli", "run", str(RECIPE), "--lab", str(lab), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(lab: Path, *options: str) -> tuple[int, str]:
    """Its status and what it said."""
    process = start(lab, *options)
    text = process.communicate(timeout=120)[0]
    return process.returncode, text


def made(lab: Path) -> tuple[str, dict]:
    """The digest of the sum, and how it was made."""
    label = read_labels(lab / "runs" / "spreading")["sum"]
    record = read_record(lab / "artifacts" / label["folder"])
    assert record is not None
    return label["digest"], record["provenance"]


def events(lab: Path, name: str) -> list[dict]:
    """The sum's events of one name."""
    file = lab / "runs" / "spreading" / "events.jsonl"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [e for e in map(json.loads, lines) if e["event"] == name and e["label"] == "sum"]


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until it is true."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def workers_of(lab: Path) -> list[int]:
    """Processes whose command line names the lab."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(lab).encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest that one process makes."""
    lab = tmp_path_factory.mktemp("alone") / "lab"
    status, text = run(lab)
    assert status == 0, text
    return made(lab)[0]


def test_two_processes_make_the_same_artifact(alone: str, lab: Path) -> None:
    status, text = run(lab, *TWO)
    assert status == 0, text
    digest, provenance = made(lab)
    assert digest == alone
    assert (provenance["on"], provenance["ranks"]) == ("torchrun", 2)
    assert [e["ranks"] for e in events(lab, "adding")] == [2]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("told", ["the numbers ran out", "next:  write more of them"]),
        ("defect", ["rank 1", "ZeroDivisionError: nobody thought of this", "rank-1.log"]),
    ],
)
def test_a_failing_worker_is_one_message(trouble: str, words: list[str], lab: Path) -> None:
    status, text = run(lab, *TWO, "--set", f"trouble={trouble}")
    assert status == 1
    assert [word for word in words if word not in text] == []
    assert workers_of(lab) == []


def test_a_killed_worker_is_named_and_the_next_run_goes_on(lab: Path) -> None:
    status, text = run(lab, *TWO, "--set", "trouble=killed")
    assert status == 1
    assert "rank 1" in text and "SIGKILL" in text
    status, text = run(lab, *TWO, "--set", "trouble=killed")
    assert status == 0, text
    assert [e["resumed"] for e in events(lab, "adding")] == [False, True]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_launcher(ending: signal.Signals, lab: Path) -> None:
    process = start(lab, *TWO, "--set", "seconds=600")
    try:
        wait_for(lambda: events(lab, "adding"))
        process.send_signal(ending)
        process.communicate(timeout=30)
        wait_for(lambda: not workers_of(lab), 15)
    finally:
        process.kill()
        process.wait()
