"""Several processes give what one gives, to rounding; killed and resumed they give the same bits."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import together
from safetensors.torch import load_file

PROGRAM = Path(together.__file__)
STEPS = 40


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(root: Path, cases: list[dict[str, Any]], ranks: int) -> list[subprocess.Popen[bytes]]:
    file = root / f"cases-{free_port()}.json"
    file.write_text(json.dumps([{**case, "port": free_port()} for case in cases]))
    here = {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": str(ranks), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(file)],
            env={**os.environ, **here, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank in range(ranks)
    ]


def run_together(root: Path, cases: list[dict[str, Any]], ranks: int) -> None:
    processes = start(root, cases, ranks)
    errors = [process.communicate(timeout=300)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * ranks, "\n".join(errors)[-4000:]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("together")
    together.make_world(root)
    before = torch.get_num_threads()
    for stage in ("pretrain", "sft", "dpo"):
        for kind in ("muon", "adamw"):
            together.run(root, {"place": f"one/{stage}/{kind}", "stage": stage, "kind": kind})
    torch.set_num_threads(before)
    return root


def tensors(place: Path) -> dict[str, torch.Tensor]:
    found = {}
    for file in sorted((place / "out").glob("*.safetensors")):
        found |= {f"{file.name}/{name}": value for name, value in load_file(file).items()}
    return found


def losses(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "out" / "losses.jsonl").read_text().splitlines()]


def equal_to_rounding(ours: Path, theirs: Path) -> None:
    assert {f.name for f in (ours / "out").iterdir()} == {f.name for f in (theirs / "out").iterdir()}
    whole = tensors(theirs)
    for name, value in tensors(ours).items():
        torch.testing.assert_close(
            value, whole[name], atol=2e-4, rtol=2e-3, msg=lambda m, n=name: f"{n}: {m}"
        )
    for line, expected in zip(losses(ours), losses(theirs), strict=True):
        assert set(line) == set(expected)
        for figure in ("loss", "grad_norm", "margin", "chosen_reward"):
            assert line.get(figure, 0) == pytest.approx(expected.get(figure, 0), rel=2e-3, abs=2e-4)
        for figure in ("step", "tokens", "lr", "skipped", "domains", "accuracy"):
            assert line.get(figure) == expected.get(figure)


@pytest.mark.slow
@pytest.mark.parametrize("ranks,shards", [(2, (1,)), (4, (2, 4))])
def test_several_processes_equal_one(root: Path, ranks: int, shards: tuple[int, ...]) -> None:
    """Copied, split and both; 5 rows or 3 pairs a step, so on 4 processes some get fewer, some none."""
    cases = [
        {
            "place": f"{ranks}-{shard}/{stage}/{kind}",
            "stage": stage,
            "kind": kind,
            "shard": shard,
            "micro_tokens": micro,
            "recompute": shard == 4,
        }
        for shard in shards
        for stage in ("pretrain", "sft", "dpo")
        for kind, micro in (("muon", 32), ("adamw", 16_384))
    ]
    run_together(root, cases, ranks)
    for case in cases:
        equal_to_rounding(root / case["place"], root / "one" / case["stage"] / case["kind"])
    told = [json.loads(line) for line in (root / cases[0]["place"] / "events.jsonl").read_text().splitlines()]
    assert [(e["ranks"], e["shard"], e["micro_tokens"]) for e in told if e["event"] == "parallel"] == [
        (ranks, shards[0], 32)
    ]
