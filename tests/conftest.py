"""Shared fixtures: where real data stands, and a lab of its own for every test."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from smolforge.threads import wait_gently

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


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """An empty lab folder."""
    return tmp_path / "lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests for a CUDA device say why they are skipped where there is none."""
    wanting = [item for item in items if item.get_closest_marker("cuda")]
    if wanting and not _has_cuda():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and PyTorch finds none"))


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
