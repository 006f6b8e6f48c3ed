"""`smol run --on …`: the same artifacts from processes of their own, and none of them left behind."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import clusters
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


def test_a_failing_worker_is_one_message(lab: Path) -> None:
    status, text = run(lab, *TWO, "--set", "trouble=told")
    assert status == 1
    assert "the numbers ran out" in text and "write more of them" in text
    assert "Traceback" not in text
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


def test_two_hosts_given_the_same_command(alone: str, lab: Path) -> None:
    """Host 1 comes first and waits; each in its own network, the lab folder shared."""
    with clusters.two_hosts() as prefixes:
        common = ("--on", "torchrun", "--nodes", "2", "--rendezvous", "10.77.0.1:29511")
        other = start(lab, *common, "--node-rank", "1", before=prefixes[1])
        first = start(lab, *common, "--node-rank", "0", before=prefixes[0])
        said = [process.communicate(timeout=120)[0] for process in (first, other)]
    assert (first.returncode, other.returncode) == (0, 0), said
    assert made(lab)[0] == alone
    assert made(lab)[1]["ranks"] == 2


def test_a_lost_host_ends_both(lab: Path) -> None:
    """Host 1 dies in the midst of it; host 0 says so, and its workers are gone."""
    with clusters.two_hosts() as prefixes:
        common = ("--on", "torchrun", "--nodes", "2", "--rendezvous", "10.77.0.1:29511", "--set", "seconds=8")
        other = start(lab, *common, "--node-rank", "1", before=prefixes[1])
        first = start(lab, *common, "--node-rank", "0", before=prefixes[0])
        wait_for(lambda: events(lab, "adding"))
        other.kill()
        said = first.communicate(timeout=60)[0]
        other.communicate()
        assert first.returncode == 1
        assert "run the same command again" in said
        wait_for(lambda: not workers_of(lab), 15)


def test_ray(alone: str, lab: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("not installed: ray")
    status, text = run(lab, "--on", "ray", "--processes", "2")
    assert status == 0, text
    assert made(lab)[0] == alone
    assert (made(lab)[1]["on"], made(lab)[1]["ranks"]) == ("ray", 2)


def test_slurm(alone: str, lab: Path, tmp_path: Path) -> None:
    """A job that is preempted is queued again and goes on; one that is given up is cancelled."""
    if importlib.util.find_spec("submitit") is None:
        pytest.skip("not installed: submitit")
    folder = tmp_path / "slurm"
    folder.mkdir()
    with clusters.slurm(folder):
        _preempted(lab)
        assert made(lab)[0] == alone
        assert (made(lab)[1]["on"], made(lab)[1]["ranks"]) == ("slurm", 2)
        _given_up(lab)


SLURM = ("--on", "slurm", "--processes", "2", "--on-option", "partition=main")


def _preempted(lab: Path) -> None:
    process = start(lab, *SLURM, "--set", "seconds=5")
    wait_for(lambda: events(lab, "adding"))
    job = events(lab, "submitted")[-1]["job"]
    subprocess.run(["scancel", "--signal=USR2", job], check=True)  # as Slurm does before it takes a host
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 0, text
    assert len(events(lab, "adding")) == 2, "the job did not run twice"


def _given_up(lab: Path) -> None:
    process = start(lab, *SLURM, "--set", "seconds=600")
    wait_for(lambda: len(events(lab, "adding")) == 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    queue = subprocess.run(["squeue", "-h", "-t", "PENDING,RUNNING"], capture_output=True, text=True)
    assert queue.stdout == ""
    wait_for(lambda: not workers_of(lab), 15)
