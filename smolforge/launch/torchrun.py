"""Workers started by torchrun's agent, one agent a host.

`python -m smolforge.launch.torchrun TASK.json` is such an agent: torch's own, which gathers the hosts,
starts the workers and ends them all when one fails, with a parent to watch and notes of who was killed.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smolforge.launch.failure import log_file, note_death, worker_name
from smolforge.launch.launcher import Child, Start
from smolforge.launch.lifeline import watch_parent
from smolforge.log import Log

JOIN_SECONDS = 600
STOP_SECONDS = 5
LONELY = "localhost:0"


@dataclass(frozen=True)
class Hosts:
    """Which of how many hosts this is, and where they meet (`host:port` on host 0)."""

    count: int = 1
    number: int = 0
    meeting: str = LONELY


def start_torchrun(processes: int | None, hosts: Hosts, announce: Callable[[Path], None] | None) -> Start:
    """A way to start workers on this host; `announce` calls the other hosts to a task."""

    def start(task_file: Path, log: Log) -> Child:
        if announce:
            announce(task_file)
        return agent(task_file, processes, hosts)

    return start


def agent(task_file: Path, processes: int | None, hosts: Hosts) -> Child:
    """This host's agent for a task."""
    arguments = [
        str(task_file),
        *(["--processes", str(processes)] if processes else []),
        *("--hosts", str(hosts.count), "--number", str(hosts.number), "--meeting", hosts.meeting),
    ]
    return Child(
        "smolforge.launch.torchrun", arguments, log_file(task_file.parent, f"torchrun-{hosts.number}")
    )


def _run_agent(task_file: Path, processes: int | None, hosts: Hosts) -> None:
    """Start the workers of this host and wait for them; notes those that were killed."""
    import torch
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    address = _address_towards(hosts.meeting) if hosts.count > 1 else "localhost"
    if hosts.count > 1:  # gloo would ask for the host's name, which many systems give the loopback address
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _interface_of(address))
    config = LaunchConfig(
        min_nodes=hosts.count,
        max_nodes=hosts.count,
        nproc_per_node=processes or torch.cuda.device_count() or 1,
        run_id=task_file.parent.name,  # hosts that come for another attempt do not meet
        rdzv_backend="c10d",
        rdzv_endpoint=hosts.meeting,
        rdzv_configs={
            "is_host": str(hosts.number == 0),
            "join_timeout": JOIN_SECONDS,
            "read_timeout": JOIN_SECONDS,
        },
        max_restarts=0,
        local_addr=address,
        logs_specs=DefaultLogsSpecs(log_dir=str(task_file.parent / f"agent-{hosts.number}")),
        shutdown_timeout=STOP_SECONDS,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "smolforge.launch.worker", str(task_file))
    except ChildFailedError as error:
        for rank, failure in error.failures.items():
            if failure.exitcode < 0:
                note_death(task_file.parent, worker_name(rank), platform.node(), -failure.exitcode)
        sys.exit(1)


def _address_towards(meeting: str) -> str:
    """The address of this host on the network on which the hosts meet; no packet is sent."""
    host, _, port = meeting.rpartition(":")
    family, kind, *_, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(address)
        return probe.getsockname()[0]


def _interface_of(address: str) -> str:
    """The network interface with this IPv4 address; empty, which means no choice, where none is found."""
    ask = 0x8915  # SIOCGIFADDR, linux/sockios.h
    for _, name in socket.if_nameindex():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            answer = fcntl.ioctl(probe.fileno(), ask, struct.pack("256s", name.encode()))
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return ""


def main() -> None:
    """Be the agent of one host for one task."""
    watch_parent()
    parser = argparse.ArgumentParser()
    parser.add_argument("task_file", type=Path)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--meeting", default=LONELY)
    given = parser.parse_args()
    _run_agent(given.task_file, given.processes, Hosts(given.hosts, given.number, given.meeting))


if __name__ == "__main__":
    main()
