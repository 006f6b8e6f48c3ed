"""Workers started as one Slurm job, through submitit; waits for it in the queue and while it runs.

A job that Slurm preempts, or that comes to its time limit, goes back into the queue by itself and goes on
from the last checkpoint; to the launcher that is one long job.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolforge.errors import ConfigError, MissingExtra, StageError
from smolforge.launch.failure import last_lines
from smolforge.launch.launcher import STOP_SECONDS, Start
from smolforge.log import Log

ASK_SECONDS = 2.0
DEFAULT_MINUTES = 240
"""Chosen, untested: most partitions allow it, and a job that needs longer is queued again."""

MOST_TIMEOUTS = 1000
LASTING = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD",
           "RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED"}  # fmt: skip
JOB_FILE = "slurm-job"


def start_slurm(
    processes: int | None, nodes: int, threads: int | None, device: str, options: Mapping[str, str]
) -> Start:
    """A way to start workers in a job of `nodes` hosts, as many `processes` on each; MissingExtra off a cluster."""
    for program in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise MissingExtra(
                f"`--on slurm` needs Slurm's `{program}`", fix="run this command on a host of the cluster"
            )
    asked = sbatch_settings(processes or 1, nodes, threads, device, options)

    def start(task_file: Path, log: Log) -> SlurmJob:
        scratch = task_file.parent.parent
        _end_former(scratch / JOB_FILE, log)
        job_id = _submit(task_file, asked)
        (scratch / JOB_FILE).write_text(job_id)
        log.event("submitted", job=job_id)
        log.say(f"  Slurm job {job_id}")
        return SlurmJob(job_id, task_file.parent / "slurm", log)

    return start


def sbatch_settings(
    processes: int, nodes: int, threads: int | None, device: str, options: Mapping[str, str]
) -> dict[str, Any]:
    """What submitit is told: options that it knows, and under `additional_parameters` all others."""
    from submitit import SlurmExecutor

    known = {name.replace("-", "_"): value for name, value in options.items()}
    settings: dict[str, Any] = {
        "job_name": "smol",
        "nodes": nodes,
        "ntasks_per_node": processes,
        "time": _minutes(known.pop("time", str(DEFAULT_MINUTES))),
        "stderr_to_stdout": True,
        "srun_args": ["--kill-on-bad-exit=1"],  # the others would wait for the one that failed
    }
    if threads:
        settings["cpus_per_task"] = threads
    if device == "cuda":
        settings["gpus_per_node"] = processes
    if "signal_delay_s" in known:
        settings["signal_delay_s"] = int(known.pop("signal_delay_s"))
    valid = SlurmExecutor._valid_parameters()
    settings |= {name: value for name, value in known.items() if name in valid}
    others = {name: value for name, value in known.items() if name not in valid}
    return {**settings, "additional_parameters": others} if others else settings


class SlurmJob:
    """A job in the queue or running; `folder` holds what its tasks say before they are workers."""

    def __init__(self, job_id: str, folder: Path, log: Log) -> None:
        self.job_id = job_id
        self.folder = folder
        self.log = log
        self._state = ""
        self._asked = float("-inf")
        self._ending = ""

    def ended(self) -> str:
        """Empty while the job waits or runs; the controller is asked now and then."""
        if self._ending or time.monotonic() - self._asked < ASK_SECONDS:
            return self._ending
        self._asked = time.monotonic()
        state, reason = job_state(self.job_id)
        if state != self._state:
            self._state = state
            told = f"{state.lower()} ({reason})" if state == "PENDING" else state.lower()
            self.log.say(f"  Slurm job {self.job_id} is {told}")
        if state not in LASTING:
            said = "".join(last_lines(file) for file in sorted(self.folder.glob("*.out")))
            self._ending = f"Slurm job {self.job_id} ended as {state}{said}"
        return self._ending

    def stop(self) -> None:
        """Cancel the job, unless it is over."""
        if not self._ending:
            _cancel(self.job_id)


class SlurmWorker:
    """What each task of the job calls. `checkpoint` is submitit's question what to do after a requeue."""

    def __call__(self, task_file: str) -> None:
        from submitit.helpers import TorchDistributedEnvironment

        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        from smolforge.launch.worker import work

        work(Path(task_file), threads=int(os.environ.get("SLURM_CPUS_PER_TASK", "1")))

    def checkpoint(self, task_file: str) -> Any:
        """The same again: the stage finds its own checkpoints."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, task_file)


def job_state(job_id: str) -> tuple[str, str]:
    """A job's state in Slurm's words, and why it waits; GONE once the queue has forgotten it."""
    asked = subprocess.run(
        ["squeue", "--noheader", "--states=all", "--format=%T|%r", f"--jobs={job_id}"],
        capture_output=True,
        text=True,
    )
    if asked.returncode == 0 and asked.stdout.strip():
        state, _, reason = asked.stdout.strip().splitlines()[0].partition("|")
        return state, reason
    if asked.returncode == 0 or "Invalid job id" in asked.stderr:
        return "GONE", ""
    return "PENDING", "the controller does not answer"


def _submit(task_file: Path, settings: Mapping[str, Any]) -> str:
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError

    executor = SlurmExecutor(folder=task_file.parent / "slurm", max_num_timeout=MOST_TIMEOUTS)
    executor.update_parameters(**settings)
    try:
        return executor.submit(SlurmWorker(), str(task_file)).job_id
    except FailedJobError as error:
        raise StageError(
            f"Slurm did not take the job: {error}",
            fix="mend --on-option (partition, account, time, …), or see `sinfo` whether it runs",
        ) from None


def _end_former(file: Path, log: Log) -> None:
    """Cancel the job of an earlier launcher that was killed; it may still wait in the queue."""
    if not file.exists():
        return
    job_id = file.read_text().strip()
    if job_state(job_id)[0] in LASTING - {"COMPLETING"}:
        log.say(f"  cancelling Slurm job {job_id}, which an earlier run left behind")
        _cancel(job_id)


def _cancel(job_id: str) -> None:
    """Cancel a job and wait until it is gone; at once, for submitit's processes do not heed the polite signal."""
    subprocess.run(["scancel", "--signal=KILL", job_id], capture_output=True)
    subprocess.run(["scancel", job_id], capture_output=True)
    until = time.monotonic() + STOP_SECONDS
    while job_state(job_id)[0] in LASTING and time.monotonic() < until:
        time.sleep(0.5)


def _minutes(text: str) -> int:
    """Slurm's ways to write a time: minutes, m:s, h:m:s, d-h, d-h:m, d-h:m:s; rounded up."""
    parts = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if parts is None:
        raise ConfigError(
            f"`{text}` is no time", where="--on-option time", fix="write minutes, or hours:minutes:seconds"
        )
    days, first, second, third = (int(part or 0) for part in parts.groups())
    if parts[1] is None and parts[4] is None:
        return first + (second > 0)
    return days * 1440 + first * 60 + second + (third > 0)
