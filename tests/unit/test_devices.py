"""A device that is not there is said before any work; deterministic CUDA is a switch of the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner

from smolforge import devices
from smolforge.cli import main
from smolforge.devices import Machine
from smolforge.errors import ConfigError


def test_the_cpu_is_always_there_and_needs_no_torch():
    program = "import sys; from smolforge import devices, stage; devices.prepare(stage.Machine()); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env=dict(os.environ)).returncode == 0


@pytest.mark.parametrize("device", ["tpu", "cuda:nought", "meta"])
def test_unknown_devices_are_refused(device):
    with pytest.raises(ConfigError, match="device"):
        devices.prepare(Machine(device=device))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none_is_refused_before_anything_is_built(tmp_path):
    arguments = ["run", "quickstart", "--device", "cuda", "--lab", str(tmp_path / "lab")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1 and "CUDA" in done.output and "next:" in done.output
    assert not (tmp_path / "lab").exists()


@pytest.mark.cuda
def test_a_card_beyond_the_last_is_refused():
    with pytest.raises(ConfigError, match="CUDA devices"):
        devices.prepare(Machine(device=f"cuda:{torch.cuda.device_count()}"))
