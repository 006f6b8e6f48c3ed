"""Several processes give what one gives, to rounding; killed and resumed they give the same bits."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))
import together

PROGRAM = Path(together.__file__)
STEPS = 30
"""Of the trainings that are killed; saved every third."""


def case(ranks: int, shard: int, stage: str, kind: str) -> dict[str, Any]:
    """Muon in small micro-batches, and AdamW in large ones; recomputed layers where the model is split widest."""
    return {
        "place": f"{ranks}-{shard}/{stage}/{kind}",
        "stage": stage,
        "kind": kind,
        "shard": shard,
        "micro_tokens": 32 if kind == "muon" else 16_384,
        "recompute": shard == 4,
    }


STAGES = list(product(("pretrain", "sft", "dpo"), ("muon", "adamw")))
COPIED = [case(2, 1, stage, kind) for stage, kind in STAGES]
BOTH = [case(4, 2, "pretrain", "adamw"), case(4, 2, "sft", "muon"), case(4, 2, "dpo", "adamw")]
SPLIT = [case(4, 4, "pretrain", "muon"), case(4, 4, "sft", "adamw"), case(4, 4, "dpo", "muon")]

LATER = {"place": "one/later", "stage": "pretrain", "kind": "muon", "init": "one/pretrain/muon/out"}
"""A second phase: optimiser, data and schedule go on from the artifact of the first."""


def resumed(place: str, shard: int, compute: str = "float32") -> dict[str, Any]:
    long = {"stage": "pretrain", "kind": "muon", "steps": STEPS}
    return {"place": place, "shard": shard, "compute": compute, **long}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Everything run: alone, together, killed, and resumed in several ways."""
    root = tmp_path_factory.mktemp("together")
    together.make_world(root)
    before = torch.get_num_threads()
    for stage, kind in STAGES:
        together.run(root, {"place": f"one/{stage}/{kind}", "stage": stage, "kind": kind})
    together.run(root, LATER)
    together.run(root, resumed("one/long", 1))
    kill_midway(root, resumed("killed", 2), ranks=2)
    for place in ("same", "damaged", "copied", "more", "alone"):
        shutil.copytree(root / "killed", root / place)
    damage(root / "damaged")
    shutil.copytree(root / "one" / "long" / "work", root / "joined" / "work")
    shutil.rmtree(newest(root / "joined"))
    run_together(
        root,
        [
            *COPIED,
            resumed("whole", 2),
            *(resumed(p, 2) for p in ("same", "damaged", "joined")),
            resumed("copied", 1),
        ],
        ranks=2,
    )
    full = {**resumed("full", 2), "largest_bytes": {"1": 8192}}
    later = {**LATER, "place": "later", "shard": 2}
    run_together(root, [*BOTH, *SPLIT, later, resumed("more", 4), full], ranks=4)
    together.run(root, resumed("alone", 1))
    torch.set_num_threads(before)
    yield root


@pytest.fixture(scope="module")
def fewer_bits(root: Path, compute: str) -> Path:
    """A few of them in another number type: alone, together, killed and resumed."""
    place, before = root / compute, torch.get_num_threads()
    for stage, kind in STAGES[::2]:
        together.run(
            root, {"place": f"{compute}/one/{stage}", "stage": stage, "kind": kind, "compute": compute}
        )
    together.run(root, resumed(f"{compute}/one/long", 1, compute))
    torch.set_num_threads(before)
    kill_midway(root, resumed(f"{compute}/killed", 2, compute), ranks=2)
    shutil.copytree(place / "killed", place / "same")
    cases = [
        {**case(2, shard, stage, kind), "place": f"{compute}/{shard}/{stage}", "compute": compute}
        for (stage, kind), shard in product(STAGES[::2], (1, 2))
    ]
    again = [resumed(f"{compute}/{name}", 2, compute) for name in ("whole", "same")]
    run_together(root, [*cases, *again], ranks=2)
    return place


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
    errors = [process.communicate(timeout=900)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * ranks, "\n".join(errors)[-4000:]


def kill_midway(root: Path, case: dict[str, Any], ranks: int) -> None:
    """SIGKILL for all once two checkpoints stand."""
    processes = start(root, [case], ranks)
    deadline = time.monotonic() + 600
    while len(checkpoints(root / case["place"])) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    for process in processes:
        process.kill()
        process.communicate()
    assert len(checkpoints(root / case["place"])) == 2 and not outputs(root / case["place"])


def checkpoints(place: Path) -> list[Path]:
    found = (place / "work" / "checkpoints").glob("step-*")
    return sorted(p for p in found if p.suffix != ".tmp")


def newest(place: Path) -> Path:
    return checkpoints(place)[-1]


def damage(place: Path) -> None:
    """One bit of what rank 1 wrote."""
    file = next(newest(place).glob("__1_*"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def outputs(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((place / "out").iterdir())}


def tensors(place: Path) -> dict[str, torch.Tensor]:
    found = {}
    for file in sorted((place / "out").glob("*.safetensors")):
        found |= {f"{file.name}/{name}": value for name, value in load_file(file).items()}
    return found


def losses(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "out" / "losses.jsonl").read_text().splitlines()]


def equal_to_rounding(ours: Path, theirs: Path) -> None:
    assert set(outputs(ours)) == set(outputs(theirs))
    whole = tensors(theirs)
    for name, value in tensors(ours).items():
        torch.testing.assert_close(
            value, whole[name], atol=2e-4, rtol=2e-3, msg=lambda m, n=name: f"{n}: {m}"
        )
    equal_losses(ours, theirs, rel=2e-3, abs=2e-4)
    accuracies = [[line.get("accuracy") for line in losses(place)] for place in (ours, theirs)]
    assert accuracies[0] == accuracies[1]


def equal_losses(ours: Path, theirs: Path, **tolerance: float) -> None:
    for line, expected in zip(losses(ours), losses(theirs), strict=True):
        assert set(line) == set(expected)
        for figure in ("loss", "grad_norm", "margin", "chosen_reward"):
            assert line.get(figure, 0) == pytest.approx(expected.get(figure, 0), **tolerance)
        for figure in ("step", "tokens", "lr", "skipped", "domains"):
            assert line.get(figure) == expected.get(figure)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*COPIED, *BOTH, *SPLIT], ids=lambda case: case["place"])
def test_several_processes_equal_one(root: Path, case: dict[str, Any]) -> None:
    """5 rows or 3 pairs a step: of 4 processes some get fewer, some none."""
    equal_to_rounding(root / case["place"], root / "one" / case["stage"] / case["kind"])


@pytest.mark.slow
def test_a_second_phase_goes_on_from_the_first(root: Path) -> None:
    equal_to_rounding(root / "later", root / "one" / "later")
    assert losses(root / "later")[0]["step"] == 11


@pytest.mark.slow
def test_the_record_says_how_many_took_part(root: Path) -> None:
    told = [json.loads(line) for line in (root / SPLIT[0]["place"] / "events.jsonl").read_text().splitlines()]
    parallel = [(e["ranks"], e["shard"], e["micro_tokens"]) for e in told if e["event"] == "parallel"]
    assert parallel == [(4, 4, 32)]


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted_bit_for_bit(root: Path) -> None:
    assert outputs(root / "same") == outputs(root / "whole")
    assert len(checkpoints(root / "whole")) == 2


@pytest.mark.slow
def test_a_damaged_checkpoint_gives_way_to_the_one_before(root: Path) -> None:
    damaged = newest(root / "killed").name
    assert damaged in (root / "damaged" / "said-0").read_text()
    assert outputs(root / "damaged") == outputs(root / "whole")


@pytest.mark.slow
def test_a_checkpoint_that_one_cannot_write_stops_all(root: Path) -> None:
    """Rank 1 may not write files as large as its part: all say so, and nothing half-written is left."""
    for rank in range(4):
        assert (
            "step-0000000003 could not be written: File too large"
            in (root / "full" / f"said-{rank}").read_text()
        )
    assert not list((root / "full" / "work" / "checkpoints").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("place", ["whole", "copied", "more", "alone", "joined"])
def test_resumed_on_another_number_equals_to_rounding(root: Path, place: str) -> None:
    """From 2 split processes to 2 with copies, to 4, and to 1; and from 1 to 2."""
    equal_to_rounding(root / place, root / "one" / "long")


@pytest.mark.slow
@pytest.mark.parametrize("compute", ["bfloat16", "float16"], ids=["bf16", "fp16"], indirect=True)
def test_fewer_bits_are_shared_and_resumed_as_well(fewer_bits: Path) -> None:
    """Two processes with copies and with split weights; the resumed one bit for bit."""
    for shard, stage in product(("1", "2"), ("pretrain", "sft", "dpo")):
        equal_losses(fewer_bits / shard / stage, fewer_bits / "one" / stage, rel=0.02, abs=0.005)
    equal_losses(fewer_bits / "whole", fewer_bits / "one" / "long", rel=0.02, abs=0.005)
    assert outputs(fewer_bits / "same") == outputs(fewer_bits / "whole")
    assert losses(fewer_bits / "one" / "sft") != losses(fewer_bits.parent / "one" / "sft" / "muon")
