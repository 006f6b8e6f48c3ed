"""Launching without processes: tasks survive the file, the right failure is told, settings are checked."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from smolforge.artifacts import Corpus, RawDocs
from smolforge.config import config
from smolforge.errors import ConfigError, InputError, MissingExtra, SmolError, StageError, StoreError
from smolforge.launch.failure import Failures, failure_of, note_death
from smolforge.launch.relay import Relay, RelayLog
from smolforge.launch.settings import LaunchSettings, make_launcher, parse_options
from smolforge.launch.slurm import sbatch_settings
from smolforge.launch.task import read_task, write_task
from smolforge.log import Log
from smolforge.stage import Job, stage
from smolforge.store import Store


@config
class Words:
    text: str = "one"
    shares: dict[str, float] | None = None


@stage(makes=RawDocs, version=1)
def write(cfg: Words, job: Job) -> dict:
    """Write words."""
    (job.out / "words.txt").write_text(cfg.text)
    return {"words": len(cfg.text.split())}


@stage(makes=Corpus, version=3, spreads=True)
def gather(cfg: Words, job: Job, *, parts: dict[str, RawDocs], one: RawDocs | None = None) -> dict:
    """Gather words."""
    return {}


def job_in(lab: Path, log: Log | None = None) -> Job:
    scratch = lab / "scratch" / "gather-1"
    (scratch / "launch-1").mkdir(parents=True)
    return Job(out=scratch / "out", work=scratch / "work", log=log or Log(), shard=2, micro_tokens=7)


def written(lab: Path) -> Path:
    raw = Store(lab, "r", log=Log(None, show=io.StringIO())).run(write, Words(), label="raw")
    job = job_in(lab)
    cfg = Words(text="two", shares={"a": 0.5})
    return write_task(
        job.out.parent / "launch-1", gather, cfg, job, {"parts": {"x": raw}, "one": None}, threads=3
    )


def test_a_task_is_rebuilt_from_its_file(lab: Path) -> None:
    task = read_task(written(lab))
    assert task.stage is gather
    assert task.cfg == Words(text="two", shares={"a": 0.5})
    parts = task.inputs["parts"]
    assert isinstance(parts, dict) and isinstance(parts["x"], RawDocs)
    assert (parts["x"].path / "words.txt").read_text() == "one"
    assert parts["x"].facts == {"words": 1}
    assert task.inputs["one"] is None
    assert (task.threads, task.machine.shard, task.machine.micro_tokens) == (3, 2, 7)


def test_a_lab_may_stand_elsewhere_on_another_host(lab: Path) -> None:
    file = written(lab).relative_to(lab)
    moved = lab.rename(lab.with_name("mounted"))
    task = read_task(moved / file)
    assert (task.inputs["parts"]["x"].path / "words.txt").is_file()  # type: ignore[index,union-attr]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda plain: plain["stage"].update(version=2), ConfigError),
        (lambda plain: plain["config"]["values"].update(txt="x"), ConfigError),
        (lambda plain: plain["inputs"]["parts"]["parts"]["x"].update(digest="0" * 64), StoreError),
        (lambda plain: plain["inputs"]["parts"]["parts"]["x"].update(path="artifacts/none"), InputError),
    ],
)
def test_a_worker_that_sees_something_else_says_so(lab: Path, change, error: type[SmolError]) -> None:
    file = written(lab)
    plain = json.loads(file.read_text())
    change(plain)
    file.write_text(json.dumps(plain))
    with pytest.raises(error):
        read_task(file)


def test_a_stage_inside_a_function_cannot_be_sent(lab: Path) -> None:
    @stage(makes=Corpus, version=1, spreads=True)
    def hidden(cfg: Words, job: Job) -> dict:
        """Nobody finds this."""
        return {}

    job = job_in(lab)
    with pytest.raises(ConfigError):
        write_task(job.out.parent / "launch-1", hidden, Words(), job, {}, threads=None)


def fail(folder: Path, who: str, error: BaseException) -> None:
    with pytest.raises(type(error)), Failures(folder, who):
        raise error


def test_an_error_with_words_of_its_own_comes_back_as_it_was(tmp_path: Path) -> None:
    fail(tmp_path, "rank-1", RuntimeError("connection closed by peer"))
    fail(tmp_path, "rank-0", StoreError("the lab is full", where="here", fix="clean up"))
    error = failure_of(tmp_path, "")
    assert type(error) is StoreError
    assert (error.what, error.where, error.fix) == ("the lab is full", "here", "clean up")


def test_a_full_memory_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Failures(tmp_path, "rank-1"):
        torch.empty(1 << 50, dtype=torch.uint8)
    fail(tmp_path, "rank-0", RuntimeError("connection closed by peer"))
    error = failure_of(tmp_path, "")
    assert error.what == "memory is full"
    assert "--micro-tokens" in error.fix


def test_the_killed_worker_is_named_before_those_that_miss_it(tmp_path: Path) -> None:
    fail(tmp_path, "rank-0", RuntimeError("connection closed by peer"))
    note_death(tmp_path, "rank-1", "host", 9)
    assert "rank 1 on host was killed (SIGKILL)" in failure_of(tmp_path, "").what


def test_the_first_defect_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "rank-3.log").write_text("early\n" * 50 + "the last words\n")
    fail(tmp_path, "rank-3", KeyError("lost"))
    fail(tmp_path, "rank-0", RuntimeError("connection closed by peer"))
    error = failure_of(tmp_path, "")
    assert isinstance(error, StageError)
    assert "rank 3" in error.what and "KeyError: 'lost'" in error.what and "the last words" in error.what
    assert error.where == str(tmp_path / "rank-3.log")


def test_what_a_worker_says_is_repeated_once(tmp_path: Path) -> None:
    shown = io.StringIO()
    worker = RelayLog(tmp_path, stage="gather", label="g")
    relay = Relay(tmp_path, Log(tmp_path / "events.jsonl", stage="gather", label="g", show=shown))
    worker.say("hello")
    worker.event("step", loss=1.5)
    relay.pump()
    relay.pump()
    worker.say("again")
    relay.pump()
    assert shown.getvalue() == "hello\nagain\n"
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(e["event"], e["label"], e["loss"]) for e in events] == [("step", "g", 1.5)]


@pytest.mark.parametrize(
    "asked",
    [
        {"on": "local", "nodes": 2},
        {"on": "torchrun", "nodes": 2},
        {"on": "torchrun", "nodes": 2, "rendezvous": "host"},
        {"on": "torchrun", "nodes": 2, "node_rank": 2, "rendezvous": "host:1"},
        {"on": "slurm", "nodes": 2, "node_rank": 1},
        {"on": "torchrun", "options": {"partition": "gpu"}},
    ],
)
def test_settings_that_cannot_be(asked: dict) -> None:
    with pytest.raises(ConfigError):
        LaunchSettings(**asked)


@pytest.mark.parametrize(
    ("asked", "ranks"),
    [
        ({"on": "local"}, 1),
        ({"on": "torchrun", "processes": 4}, 4),
        ({"on": "slurm", "processes": 4, "nodes": 3}, 12),
        ({"on": "slurm", "nodes": 3}, 3),
        ({"on": "slurm", "nodes": 3, "device": "cuda"}, None),
    ],
)
def test_the_number_of_workers_is_known_beforehand(asked: dict, ranks: int | None) -> None:
    assert LaunchSettings(**asked).ranks == ranks


def test_one_local_process_needs_no_launcher() -> None:
    assert make_launcher(LaunchSettings(on="local")) is None
    assert make_launcher(LaunchSettings(on="local", processes=2)) is not None
    with pytest.raises(ConfigError):
        parse_options(["partition"])


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("90:30", 91), ("2:00:00", 120), ("2:30:01", 151), ("1-0", 1440), ("1-12:30", 2190)],
)
def test_times_as_slurm_writes_them(text: str, minutes: int) -> None:
    pytest.importorskip("submitit")
    assert sbatch_settings(1, 1, None, "cpu", {"time": text})["time"] == minutes


def test_a_slurm_job_asks_for_what_the_user_asked(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    options = {"partition": "gpu", "time": "8:00:00", "cpus-per-task": "12", "licenses": "one"}
    settings = sbatch_settings(8, 4, None, "cuda", options)
    from submitit.slurm.slurm import _make_sbatch_string

    script = _make_sbatch_string("true", tmp_path, **settings)
    wanted = ("nodes=4", "ntasks-per-node=8", "gpus-per-node=8", "cpus-per-task=12", "partition=gpu", "time=480",
              "licenses=one")  # fmt: skip
    assert [w for w in wanted if f"#SBATCH --{w}" not in script] == []
    with pytest.raises(ConfigError):
        sbatch_settings(1, 1, None, "cpu", {"time": "soon"})


def test_a_cluster_that_is_not_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingExtra):
        make_launcher(LaunchSettings(on="slurm"))


WATCHER = """
import sys, time
from pathlib import Path
from smolforge.launch import lifeline
lifeline.BEAT_SECONDS, lifeline.LOST_SECONDS = 0.1, 1.0
lifeline.watch_pulse(Path(sys.argv[1]))
print("watching", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("ending", ["the pulse stops", "the folder is gone"])
def test_a_worker_leaves_when_the_pulse_does(ending: str, tmp_path: Path) -> None:
    folder = tmp_path / "launch-1"
    folder.mkdir()
    (folder / "pulse").write_text("1")
    worker = subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    for beat in range(2, 18):  # longer than a worker waits for one
        (folder / "pulse").write_text(str(beat))
        time.sleep(0.1)
    assert worker.poll() is None
    if ending == "the folder is gone":
        shutil.rmtree(folder)
    assert worker.wait(timeout=20) != 0
