"""The training benchmarks' plumbing, at tiny settings and without the peers."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SHAPE = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 16,
}


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The scripts as modules."""
    import importlib

    sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "peers")]
    names = ("train_cpu", "train_learn", "contest", "peers.start")
    yield {name.rpartition(".")[2]: importlib.import_module(name) for name in names}
    del sys.path[:2]


def task(scripts: dict[str, ModuleType], **changes: Any) -> Any:
    given = {"shape": SHAPE, "rows": 2, "length": 16, "threads": 1}
    return scripts["contest"].Task(**{**given, **changes})


TEXTS = [f"Document {n} says: " + " ".join(str(n * m) for m in range(60)) for n in range(60)]


def test_a_feed_counts_steps_and_knows_its_end(scripts: dict[str, ModuleType]) -> None:
    feed = scripts["contest"].Feed(task(scripts, steps=4))
    shares = []
    while not feed.over:
        feed.tick()
        assert feed.next().shape == (2, 17)
        shares.append(feed.share)
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_batch_counts_gradients_as_often_as_needed_and_the_optimiser_once(
    scripts: dict[str, ModuleType],
) -> None:
    feed = scripts["contest"].Feed(task(scripts, steps=3, batch_tokens=96))
    feed.moments, feed.updates = [0.0, 100.0, 103.0, 106.0], [90.0, 1.0, 1.0]
    assert feed.batch_seconds() == 3 * 2.0 + 1.0


def test_an_optimiser_is_watched(scripts: dict[str, ModuleType]) -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.ones(1)
    optimizer = torch.optim.SGD([weight], lr=0.5)
    feed = scripts["contest"].Feed(task(scripts, steps=3, batch_tokens=96))
    feed.watch(optimizer)
    optimizer.step()
    assert weight.item() == 0.5
    assert len(feed.updates) == 1 and feed.updates[0] > 0


def test_a_feed_ends_when_enough_is_timed(scripts: dict[str, ModuleType]) -> None:
    feed = scripts["contest"].Feed(task(scripts, steps=50, enough=0.0))
    feed.free_steps = 2
    while not feed.over:
        feed.tick()
    assert len(feed.moments) == 2 + scripts["contest"].LEAST_TIMED + 1


def test_time_begins_after_the_free_steps(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    folder = scripts["train_learn"].prepare(TEXTS, TEXTS[:1], 512, tmp_path / "text")
    feed = scripts["contest"].Feed(task(scripts, seconds=1e-9, folder=str(folder)))
    feed.free_steps = 1
    feed.tick()
    assert feed.share == 0.0
    feed.tick()
    assert feed.over


def test_every_token_is_a_target_once_a_pass(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    folder = scripts["train_learn"].prepare(TEXTS, TEXTS[:1], 512, tmp_path / "text")
    tokens = np.load(folder / "tokens.npy")
    feed = scripts["contest"].Feed(task(scripts, seconds=1.0, folder=str(folder), rows=len(tokens) // 16))
    rows = feed.next().numpy()
    assert (rows[1:, 0] == rows[:-1, -1]).all()
    targets = np.bincount(rows[:, 1:].ravel(), minlength=512)
    missing = np.bincount(tokens, minlength=512) - targets
    assert missing.min() >= 0
    assert missing.sum() == len(tokens) % 16


def test_bits_per_byte_of_even_guessing(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    folder = scripts["train_learn"].prepare(TEXTS[5:], TEXTS[:5], 512, tmp_path / "text")
    with np.load(folder / "held_out.npz") as kept:
        tokens = len(kept["tokens"])
    found = scripts["contest"].bits_per_byte(lambda t: torch.zeros(*t.shape, 512), folder, 16)
    text_bytes = sum(len(text) for text in TEXTS[:5])
    assert found == pytest.approx(tokens * math.log2(512) / text_bytes, rel=1e-5)


def test_a_window_sees_only_what_stands_before_it(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    """Who repeats its input scores by how often a token follows itself, end-of-text at the start included."""
    folder = scripts["train_learn"].prepare(TEXTS[5:], TEXTS[:5], 512, tmp_path / "text")
    with np.load(folder / "held_out.npz") as kept:
        tokens, starts, text_bytes = kept["tokens"].astype(int), kept["starts"], int(kept["bytes"])
    repeats = sum(
        int(np.sum(part[1:] == part[:-1])) + int(part[0] == 0)
        for part in (tokens[a:b] for a, b in itertools.pairwise(starts.tolist()))
    )
    found = scripts["contest"].bits_per_byte(
        lambda t: torch.nn.functional.one_hot(t, 512).float() * 20.0, folder, 16
    )
    miss = math.log2(math.e**20 + 511)
    hit = miss - 20 * math.log2(math.e)
    expected = (repeats * hit + (len(tokens) - repeats) * miss) / text_bytes
    assert found == pytest.approx(expected, rel=1e-4)


def test_nothing_held_out_is_trained_on(scripts: dict[str, ModuleType]) -> None:
    train, held_out = scripts["train_learn"].split(TEXTS)
    assert held_out
    assert len(train) + len(held_out) == len(TEXTS)
    assert not {text[:100] for text in train} & {text[:100] for text in held_out}


def test_ours_is_timed_and_learns(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    contestants = scripts["start"].Contestants(threads=1)
    assert set(contestants.missing) == {"nanochat", "litgpt"}
    timed = contestants.run("smolforge-adamw", shape=SHAPE, rows=2, length=16, batch_tokens=32, steps=4)
    assert timed["tokens_per_second"] == pytest.approx(32 / timed["seconds"])
    folder = scripts["train_learn"].prepare(TEXTS[5:], TEXTS[:5], 512, tmp_path / "text")
    given = {"shape": SHAPE, "rows": 8, "length": 16, "folder": str(folder)}
    learnt = contestants.run("smolforge-muon", seconds=2.0, **given)
    guessing = scripts["contest"].bits_per_byte(lambda t: torch.zeros(*t.shape, 512), folder, 16)
    assert 0 < learnt["bits_per_byte"] < 0.8 * guessing
    assert learnt["tokens"] == learnt["steps"] * 8 * 16
    assert learnt["seconds"] == pytest.approx(2.0, abs=1.0)


def test_who_fails_is_named_with_the_reason(scripts: dict[str, ModuleType]) -> None:
    contestants = scripts["start"].Contestants(threads=1)
    found = contestants.run(
        "smolforge-adamw", shape={**SHAPE, "head_dim": 15}, rows=2, length=16, batch_tokens=32, steps=4
    )
    assert "head_dim" in found.why
    contestants.limit_seconds = 0.2
    found = contestants.run("smolforge-adamw", shape=SHAPE, rows=2, length=16, batch_tokens=32, steps=4)
    assert "stopped after" in found.why


def test_litgpt_must_have_our_torch(scripts: dict[str, ModuleType]) -> None:
    contestants = scripts["start"].Contestants(threads=1, litgpt_python=Path(sys.executable))
    assert "has no litgpt" in contestants.missing["litgpt"]


def test_ratios_compare_like_with_like(scripts: dict[str, ModuleType]) -> None:
    cpu = scripts["train_cpu"]
    size = cpu.SIZES["3m"]
    speeds = {"smolforge-adamw": 300.0, "smolforge-muon": 200.0, "eager-fp32": 100.0, "nanochat-fp32": 50.0}
    best = {
        name: {"tokens_per_second": speed, "mebibytes": 1, "parameters": 1, "flops_per_token": None}
        for name, speed in speeds.items()
    }
    found = cpu.judged(size, best, {"fp32": 2.0, "bf16": 1.0})
    assert found["ratios"] == {"eager-fp32": 3.0, "nanochat-fp32": 4.0}
    assert found["best_peer"] == "eager-fp32"
    assert found["peak_share"] == round(300 * size.model.flops_per_token(cpu.LENGTH) / 2e9, 3)
    assert cpu.lowest({"a": found, "b": {**found, "ratio_nanochat": None}}, "ratio_nanochat") == 4.0


def test_the_slower_number_type_is_left_out_but_for_defaults(scripts: dict[str, ModuleType]) -> None:
    contestants = scripts["start"].Contestants(threads=1)
    running, left_out = scripts["train_cpu"].taking_part(contestants, {"fp32": 50.0, "bf16": 200.0})
    assert "trainer-fp32" in left_out
    assert "eager-fp32" in running and "smolforge-adamw" in running


def test_the_difference_is_to_the_best_peer_at_the_longest_time(scripts: dict[str, ModuleType]) -> None:
    def result(bits: float, deviation: float | None = None, seeds: int = 1) -> dict[str, Any]:
        return {"bits_per_byte": bits, "deviation": deviation, "seeds": seeds}

    found = scripts["train_learn"].summary(
        {
            "3": {"smolforge": result(2.0, 0.01, 3), "trainer": result(2.5), "predicted": 2.1},
            "5": {
                "smolforge": result(1.9),
                "trainer": result(2.4),
                "litgpt": {"failed": ["no"]},
                "predicted": 2.0,
            },
        }
    )
    assert found["difference_best_peer_bits"] == 0.5
    assert found["noise_bits"] == 0.01
    assert found["bits_per_byte"]["5"] == {"smolforge": 1.9, "trainer": 2.4}


@pytest.mark.parametrize("script", ["train_cpu.py", "train_learn.py"])
def test_help_tells_the_options(script: str) -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, "--help"], capture_output=True, text=True, check=True
    )
    assert "--nanochat" in done.stdout and "--litgpt-python" in done.stdout


def test_a_whole_comparison_goes_on_where_one_fails(
    scripts: dict[str, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of `train_cpu` on a tiny model; a checkout of nanochat that is none fails by name."""
    checkout = tmp_path / "nanochat"
    (checkout / "scripts").mkdir(parents=True)
    (checkout / "scripts" / "base_train.py").write_text("", "utf-8")
    cpu = scripts["train_cpu"]
    from smolforge.model.config import ModelConfig

    contestants = scripts["start"].Contestants(threads=1, nanochat=checkout)
    contestants.missing |= {"trainer": "left out of this test", "eager": "left out of this test"}
    size = cpu.Size(ModelConfig(**SHAPE), rows=2)
    result = cpu.compare("tiny", size, contestants, seconds=0.1)
    assert "No module named 'nanochat'" in result["failed"]["nanochat-fp32"]
    assert result["tokens_per_second"]["smolforge-adamw"] > 0
    line = cpu.summary({"tiny": result}, contestants)
    cpu.write_result(line, tmp_path / "results")
    assert json.loads(capsys.readouterr().out)["failed"][0].startswith("nanochat")
    assert list((tmp_path / "results").glob("*-train_cpu.json"))


def train_gpu(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "train_gpu.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=400)


def test_the_card_benchmark_compares_and_ends_with_its_ratios(tmp_path: Path) -> None:
    only = "smolforge-adamw,transformers-bf16"
    done = train_gpu("--device", "cpu", "--tiny", "--only", only, "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    speeds = {n: found["tokens_per_second"] for n, found in line["sizes"]["tiny"]["contestants"].items()}
    assert line["ratio_best_peer"] == pytest.approx(
        speeds["smolforge-adamw"] / speeds["transformers-bf16"], abs=1e-3
    )
    assert line["ratio_nanochat"] is None and "nanochat" in line["missing"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_the_card_benchmark_says_that_it_needs_one(tmp_path: Path) -> None:
    done = train_gpu("--results", str(tmp_path))
    assert done.returncode == 1 and "needs a CUDA device" in done.stderr
    assert not list(tmp_path.iterdir())
