"""The whole road at a reduced scale: built, talked to, killed at random moments, planned again."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolforge.store import read_labels, verify

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("", "evaluation.", "sft.", "pairs.", "dpo.", "grpo.")
FP32 = [word for part in PARTS for word in ("--set", f"{part}compute=float32")]
TINY = ["quickstart", "--scale", "tiny", *FP32]
RUN = ["run", *TINY]
KILLS = 20
pytestmark = pytest.mark.slow


def smol(*arguments: str, lab: Path, package: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(package), "SMOL_LAB": str(lab)}
    command = [sys.executable, "-m", "smolforge.cli", *arguments]
    return subprocess.run(
        command, cwd=package, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab in which the tiny quick start ran once, uninterrupted."""
    lab = tmp_path_factory.mktemp("whole") / "lab"
    done = smol(*RUN, lab=lab)
    assert done.returncode == 0, done.stderr[-3000:]
    return lab


def labels(lab: Path) -> dict[str, dict]:
    return read_labels(lab / "runs" / "quickstart")


def test_every_artifact_is_sealed_and_whole(built: Path) -> None:
    assert len(labels(built)) > 30
    for label, one in labels(built).items():
        assert verify(built / "artifacts" / one["folder"]) == [], label
    assert not [p for p in (built / "scratch").iterdir() if p.is_dir()]


def test_the_report_shows_the_road(built: Path) -> None:
    page = (built / "runs" / "quickstart" / "report.html").read_text("utf-8")
    for word in ("phase-1", "phase-2", "phase-3", "sft", "dpo", "grpo", "dropped", "<svg"):
        assert word in page
    assert "http-equiv" in page or "<meta charset" in page
    assert 'src="http' not in page and "@import" not in page


def test_the_export_is_proven(built: Path) -> None:
    folder = built / "artifacts" / labels(built)["export"]["folder"]
    checks = json.loads((folder / "parity.json").read_text("utf-8"))
    checks = checks["checks"] if isinstance(checks, dict) else checks
    assert len(checks) >= 5
    assert all(check["passed"] for check in checks)


def test_the_model_answers_through_a_pipe(built: Path) -> None:
    environment = {**os.environ, "SMOL_LAB": str(built)}
    done = subprocess.run(
        [sys.executable, "-m", "smolforge.cli", "chat", "quickstart", "--max-tokens", "12"],
        cwd=ROOT, env=environment, input="Hello", capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_a_second_run_builds_nothing(built: Path) -> None:
    planned = smol("plan", *TINY, lab=built)
    assert "0 to build" in planned.stdout
    assert not [line for line in planned.stdout.splitlines() if line.startswith(("build", "follows"))]


def test_a_changed_rate_in_the_last_phase_rebuilds_only_what_follows(built: Path) -> None:
    planned = smol("plan", *TINY, "--set", "phases.2.optim.lr=0.011", lab=built)
    assert planned.returncode == 0, planned.stderr
    actions = {
        line.split()[1]: line
        for line in planned.stdout.splitlines()
        if line.startswith(("reuse", "build", "follows"))
    }
    rebuilt = {label for label, line in actions.items() if not line.startswith("reuse")}
    assert actions["phase-3/model"].startswith("build")
    assert "optim.lr" in actions["phase-3/model"]
    assert actions["phase-3/trial"].startswith("build"), "a mixture is tried at the phase's own rate"
    after = list(actions)[list(actions).index("phase-3/trial") :]
    assert rebuilt == set(after)


def test_a_changed_comment_rebuilds_nothing(built: Path, tmp_path: Path) -> None:
    for folder in ("smolforge", "recipes"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in tmp_path.rglob("*.py"):
        path.write_text(path.read_text("utf-8") + "\n# another comment\n", "utf-8")
    planned = smol("plan", *TINY, lab=built, package=tmp_path)
    assert "0 to build" in planned.stdout, planned.stderr


def test_twenty_kills_change_nothing(built: Path, tmp_path: Path) -> None:
    """Killed without warning at moments spread over all stages, the run ends in the same bytes."""
    lab = tmp_path / "lab"
    killed = sum(_kill_at(lab, label, seconds) for label, seconds in _moments(built))
    done = smol(*RUN, lab=lab)
    assert done.returncode == 0, done.stderr[-3000:]
    assert killed >= KILLS * 3 // 4, f"only {killed} of {KILLS} moments were met"
    expected = {label: one["digest"] for label, one in labels(built).items()}
    assert {label: one["digest"] for label, one in labels(lab).items()} == expected


def _moments(built: Path) -> list[tuple[str, float]]:
    """`KILLS` moments as (label, seconds after its start), every stage as likely as another."""
    chance = random.Random(20)
    known = labels(built)
    names = sorted(chance.sample(list(known), KILLS), key=list(known).index)
    return [(name, chance.random() * known[name]["seconds"]) for name in names]


def _kill_at(lab: Path, label: str, seconds: float) -> bool:
    """Start the run, kill it `seconds` after `label` started, at the latest when it is sealed; False if it was over before.

    The seconds are those of another run, in which the machine may have been slower.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SMOL_LAB": str(lab)}
    events = lab / "runs" / "quickstart" / "events.jsonl"
    seen = events.stat().st_size if events.exists() else 0
    process = subprocess.Popen(
        [sys.executable, "-m", "smolforge.cli", *RUN],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        moment = math.inf
        for event in _follow(events, seen, process):
            if event.get("label") == label:
                moment = {"start": time.monotonic() + seconds, "seal": 0.0}.get(event["event"], moment)
            if time.monotonic() >= moment:
                break
        return process.poll() is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _follow(events: Path, position: int, process: subprocess.Popen[bytes]) -> Iterator[dict]:
    """Events as they are written, and an empty one at least every 20 ms, until the process ends."""
    while process.poll() is None:
        if events.exists():
            with events.open("rb") as file:
                file.seek(position)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    yield json.loads(line)
        yield {}
        time.sleep(0.02)
