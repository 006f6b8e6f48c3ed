"""Shared fixtures: where real data stands, a lab of its own for every test, the number types of training."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smolforge.threads import wait_gently

if TYPE_CHECKING:
    from smolforge.train.config import Compute

wait_gently()
# A suite started in the background inherits an ignored Ctrl-C, and so would the programs it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that need it are skipped where it is missing."""
    folder = Path(os.environ.get("SMOL_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no folder of real data (set SMOL_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def real_model() -> Path:
    """The real SmolLM2-135M-Instruct, a .gguf file or a folder; tests that need it are skipped where it is missing."""
    from real_model import NAME, VARIABLE, find_real_model

    found = find_real_model()
    if found is None:
        pytest.skip(f"no real model (`smol pull {NAME}`, or set {VARIABLE})")
    return found


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """An empty lab folder."""
    return tmp_path / "lab"


@pytest.fixture(scope="module", params=["float32", "bfloat16", "float16"], ids=["fp32", "bf16", "fp16"])
def compute(request: pytest.FixtureRequest) -> Compute:
    """Every number type in which this machine can train, one after the other; `auto` would be another on each."""
    from worlds import can_train_in

    if not can_train_in(request.param):
        pytest.skip("fp16 needs a processor that multiplies it (AVX-512-FP16) and the C kernels")
    wanted: Compute = request.param
    return wanted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests for a CUDA device say why they are skipped where there is none."""
    wanting = [item for item in items if item.get_closest_marker("cuda")]
    if wanting and not _has_cuda():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and PyTorch finds none"))


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
