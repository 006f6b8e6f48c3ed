"""What the user asked for with `--on`, checked, and the launcher that does it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from smolforge.errors import ConfigError, MissingExtra
from smolforge.launch.launcher import Start, WorkerLauncher
from smolforge.launch.torchrun import LONELY, Hosts, start_torchrun

On = Literal["local", "torchrun", "slurm", "ray"]
PLACES = get_args(On)
EXTRAS = {"slurm": "submitit", "ray": "ray"}


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    """Where stages that spread are to run.

    on          local: this host · torchrun: this host or several · slurm · ray
    processes   workers on each host; None for one a GPU, or one
    nodes       hosts
    node_rank   which of them this is, with torchrun
    rendezvous  host:port on host 0 at which the hosts meet, with torchrun
    threads     of each worker; None for all of a host's, shared
    device      cpu or cuda
    options     `name=value` settings of Slurm (partition, time, …) or Ray (address)
    """

    on: On
    processes: int | None = None
    nodes: int = 1
    node_rank: int = 0
    rendezvous: str = ""
    threads: int | None = None
    device: str = "cpu"
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.nodes > 1 and self.on == "local":
            raise ConfigError("`--on local` is one host", fix="use --on torchrun, slurm or ray")
        if self.nodes > 1 and self.on == "torchrun" and not _is_endpoint(self.rendezvous):
            raise ConfigError(
                f"several hosts need a place to meet, not `{self.rendezvous}`",
                where="--rendezvous",
                fix="give host 0's address and a free port, the same on every host: --rendezvous 10.0.0.1:29500",
            )
        if not 0 <= self.node_rank < self.nodes:
            raise ConfigError(
                f"host {self.node_rank} is none of {self.nodes}",
                where="--node-rank",
                fix=f"use 0 to {self.nodes - 1}",
            )
        if self.node_rank and self.on != "torchrun":
            raise ConfigError(f"`--on {self.on}` starts the other hosts itself", fix="leave out --node-rank")
        if self.options and self.on not in EXTRAS:
            raise ConfigError(f"`--on {self.on}` has no options", fix="leave out --on-option")

    @property
    def ranks(self) -> int | None:
        """Workers in all; None where the number of GPUs elsewhere decides."""
        if self.processes is None and self.device != "cpu":
            return None
        return (self.processes or 1) * self.nodes

    @property
    def hosts(self) -> Hosts:
        """This host among those that torchrun joins."""
        return Hosts(self.nodes, self.node_rank, self.rendezvous if self.nodes > 1 else LONELY)


def parse_options(texts: Sequence[str]) -> dict[str, str]:
    """`name=value` texts as a table."""
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                f"`--on-option {text}` has no value", fix="write name=value, such as partition=gpu"
            )
        options[name.strip()] = value.strip()
    return options


def make_launcher(
    asked: LaunchSettings, announce: Callable[[Path], None] | None = None
) -> WorkerLauncher | None:
    """What carries it out; None where this process does. MissingExtra where a package is not installed."""
    if asked.on == "local" and (asked.processes or 1) == 1:
        return None
    extra = EXTRAS.get(asked.on)
    if extra and importlib.util.find_spec(extra) is None:
        raise MissingExtra(
            f"`--on {asked.on}` needs the package {extra}", fix=f"pip install 'smolforge[{asked.on}]'"
        )
    return WorkerLauncher(asked.on, _start(asked, announce), asked.threads)


def at_hand() -> str:
    """Which places this host can start workers at, in words; imports nothing heavy."""
    missing = {
        "slurm": _missing("submitit") or ("" if shutil.which("sbatch") else "no sbatch on this host"),
        "ray": _missing("ray"),
    }
    words = [f"{on} ({missing[on]})" if missing.get(on) else on for on in PLACES]
    return ", ".join(words)


def _missing(package: str) -> str:
    on = next(on for on, needed in EXTRAS.items() if needed == package)
    return "" if importlib.util.find_spec(package) else f"pip install 'smolforge[{on}]'"


def _start(asked: LaunchSettings, announce: Callable[[Path], None] | None) -> Start:
    if asked.on == "slurm":
        from smolforge.launch.slurm import start_slurm

        return start_slurm(asked.processes, asked.nodes, asked.threads, asked.device, asked.options)
    if asked.on == "ray":
        from smolforge.launch.ray import start_ray

        return start_ray(asked.processes, asked.nodes, asked.threads, asked.device, asked.options)
    return start_torchrun(asked.processes, asked.hosts, announce)


def _is_endpoint(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdigit()
