"""How a machine is used; is the asked-for device there, and is it to give the same bits every time? Asked once, before any work."""

from __future__ import annotations

import os
from dataclasses import dataclass

from smolforge.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How the machine is used; changes speed and rounding only.

    threads       processor threads to use
    device        torch device name
    micro_tokens  positions that go through the model at once; None: as many as keep activations in bounds
    shard         processes that share one copy of the model: 1 copies it to all, `ranks` splits it over all
    recompute     make activations again on the way back instead of keeping them
    compile       let torch compile the layers (CUDA)
    deterministic the same bits every time on CUDA too, at some cost in speed
    """

    threads: int = os.cpu_count() or 1
    device: str = "cpu"
    micro_tokens: int | None = None
    shard: int = 1
    recompute: bool = False
    compile: bool = False
    deterministic: bool = False


CUDA_MACHINE = {"compile": True, "micro_tokens": 32_768}
"""What a machine is told on CUDA where the user does not say: large products, compiled. Chosen, untested."""


def prepare(machine: Machine) -> None:
    """Make the process ready for a machine's device; ConfigError where there is no such device.

    With `deterministic`, operations of CUDA that add in an order of chance are replaced by slower ones or
    refused, and the compiler chooses its kernels by rule instead of by timing them. The CPU gives the same
    bits in any case, for a fixed number of threads.
    """
    if machine.device == "cpu":
        return
    if machine.deterministic:  # both are read when CUDA and the compiler start
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")
    import torch

    _check(machine.device)
    if machine.deterministic:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing reads it


def check_groups(ranks: int, shard: int) -> None:
    """ConfigError unless so many processes can be split into groups that share a model."""
    if ranks % shard:
        raise ConfigError(
            f"{ranks} process{'es' * (ranks > 1)} cannot be split into groups of {shard}",
            where="--shard",
            fix="use a divisor of the number of processes: 1 copies the model to all, their number splits it over all",
        )


def _check(device: str) -> None:
    import torch

    try:
        asked = torch.device(device)
    except RuntimeError:
        asked = None
    if asked is None or asked.type not in ("cpu", "cuda"):
        raise ConfigError(f"there is no device `{device}`", where="--device", fix="use cpu or cuda")
    if asked.type == "cpu":
        return
    if torch.version.cuda is None:
        raise ConfigError(
            f"this PyTorch ({torch.__version__}) was built without CUDA",
            where="--device",
            fix="install a CUDA build of the same version, or leave out --device",
        )
    if not torch.cuda.is_available():
        raise ConfigError(
            "PyTorch finds no CUDA device",
            where="--device",
            fix="see whether `nvidia-smi` finds one (driver, container), or leave out --device",
        )
    if asked.index is not None and asked.index >= torch.cuda.device_count():
        raise ConfigError(
            f"there is no `{device}`: this machine has {torch.cuda.device_count()} CUDA devices",
            where="--device",
            fix="use a lower number",
        )
