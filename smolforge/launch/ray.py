"""Workers started by Ray Train, on the cluster at `--on-option address=…`, or on this host alone.

`python -m smolforge.launch.ray TASK.json` is the program that speaks with Ray. Ray Train places the
workers and ends them together; the process group is the stage's own affair, as everywhere.
"""

from __future__ import annotations

import argparse
import os
import platform
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from smolforge.errors import ConfigError, StageError
from smolforge.launch.failure import Failures, log_file, note_death, worker_name
from smolforge.launch.launcher import Child, Start
from smolforge.launch.lifeline import watch_parent
from smolforge.log import Log

DRIVER = "ray"
KNOCK_SECONDS = 10.0
STORE_BYTES = 80 * 2**20
"""Ray's smallest object store: nothing of ours goes through it."""


def start_ray(
    processes: int | None, nodes: int, threads: int | None, device: str, options: Mapping[str, str]
) -> Start:
    """A way to start `nodes` times `processes` workers; Ray decides where."""
    unknown = [name for name in options if name != "address"]
    if unknown:
        raise ConfigError(
            f"`--on ray` has no option `{unknown[0]}`", fix="use address=auto, or address=ray://host:10001"
        )
    arguments = ["--workers", str((processes or 1) * nodes), "--threads", str(threads or 1)]
    arguments += ["--gpu"] if device == "cuda" else []
    arguments += ["--address", options["address"]] if "address" in options else []

    def start(task_file: Path, log: Log) -> Child:
        return Child("smolforge.launch.ray", [str(task_file), *arguments], log_file(task_file.parent, DRIVER))

    return start


def take_part(task: Mapping[str, str]) -> None:
    """What each of Ray Train's workers calls."""
    import ray
    from ray import train
    from ray.train.collective import broadcast_from_rank_zero

    from smolforge.launch.worker import work

    place = train.get_context()
    rank = place.get_world_rank()
    mine = (ray.util.get_node_ip_address(), str(_free_port())) if rank == 0 else None
    address, port = broadcast_from_rank_zero(mine)
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(place.get_world_size()),
        "LOCAL_RANK": str(place.get_local_rank()),
        "LOCAL_WORLD_SIZE": str(place.get_local_world_size()),
        "MASTER_ADDR": address,
        "MASTER_PORT": port,
    }
    work(Path(task["file"]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def _drive(task_file: Path, workers: int, threads: int, gpu: bool, address: str | None) -> None:
    """Run the workers and wait for them; what went wrong is in the launch folder."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent home unless the user wants it
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError

    _connect(address, workers * threads)
    each = {"CPU": float(threads), **({"GPU": 1.0} if gpu else {})}
    trainer = DataParallelTrainer(
        take_part,
        train_loop_config={"file": str(task_file.resolve())},
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu, resources_per_worker=each),
        run_config=RunConfig(name="ray", storage_path=str(task_file.parent.resolve())),
    )
    try:
        trainer.fit()
    except WorkerGroupError as error:
        for rank, cause in error.worker_failures.items():
            if isinstance(cause, ray.exceptions.RayActorError):
                note_death(task_file.parent, worker_name(rank), platform.node(), 9)
        sys.exit(1)
    except TrainingFailedError:
        sys.exit(1)
    finally:
        ray.shutdown()


def _connect(address: str | None, processors: int) -> None:
    import ray

    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    if address is None and "RAY_ADDRESS" not in os.environ:
        ray.init(
            num_cpus=max(processors, os.cpu_count() or 1),
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=STORE_BYTES,
        )
        return
    place = address or os.environ["RAY_ADDRESS"]
    try:
        if place != "auto":
            _knock(place)
        ray.init(address=place, log_to_driver=False, runtime_env={"env_vars": path})
    except (ConnectionError, OSError) as error:
        raise StageError(
            f"no Ray cluster answers at {place}: {error}",
            fix="start one with `ray start --head`, or mend --on-option address",
        ) from None


def _knock(place: str) -> None:
    """OSError where nobody listens; Ray itself would ask for minutes."""
    host, _, port = place.rpartition("/")[2].rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"`{place}` is no address", fix="write host:port, ray://host:port, or auto")
    socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def main() -> None:
    """Speak with Ray for one task."""
    watch_parent()
    parser = argparse.ArgumentParser()
    parser.add_argument("task_file", type=Path)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--address")
    given = parser.parse_args()
    with Failures(given.task_file.parent, DRIVER):
        _drive(given.task_file, given.workers, given.threads, given.gpu, given.address)


if __name__ == "__main__":
    main()
