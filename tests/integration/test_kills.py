"""Two hundred kills at random moments of pre-training, SFT, DPO and GRPO: resumed equals never killed, byte for byte.

Each in every number type that this machine can train in.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from worlds import COMPUTES, can_train_in

HERE = Path(__file__).parent
SERVERS, KILLS_EACH = 2, 100


@pytest.fixture(scope="module")
def fatal_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that kills a process at a chosen call."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("killing at a chosen system call needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("fatal") / "fatal_calls.so"
    source = HERE / "fatal_calls.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def serve(folder: Path, library: Path, seed: int) -> subprocess.Popen[str]:
    folder.mkdir()
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "TOKENIZERS_PARALLELISM": "false",  # its threads would not live on in a forked child
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(HERE / "kill_server.py"), str(folder), str(KILLS_EACH), str(seed)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_two_hundred_kills_change_nothing(tmp_path: Path, fatal_calls: Path) -> None:
    servers = [serve(tmp_path / str(seed), fatal_calls, seed) for seed in range(SERVERS)]
    kills: list[dict[str, Any]] = []
    for server in servers:
        out, errors = server.communicate(timeout=600)
        assert server.returncode == 0, errors
        kills += [json.loads(line) for line in out.splitlines()]
    assert len(kills) == SERVERS * KILLS_EACH
    assert [kill for kill in kills if not kill["equal"]] == []
    assert [kill for kill in kills if not kill.get("died", True)] == []
    # a synced checkpoint outlives a power cut
    assert [kill for kill in kills if not kill.get("promise_kept", True)] == []
    # the kills were where it hurts, not all before the first checkpoint or after the last
    assert min(Counter(kill["course"] for kill in kills).values()) >= 40
    taken = Counter(kill["compute"] for kill in kills)
    assert all(taken[compute] >= 60 for compute in COMPUTES if can_train_in(compute))
    assert sum(kill["half_written"] for kill in kills) >= 20
    assert sum(kill["whole"] > 0 for kill in kills) >= 60
    assert sum(kill["whole"] == 0 for kill in kills) >= 20
