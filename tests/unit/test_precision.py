"""In which number type training runs: what is named is taken or refused, and `auto` asks the processor."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from worlds import VOCABULARY, can_train_in, write_domain

from smolforge.artifacts import Tokenizer, TokenShards
from smolforge.errors import ConfigError
from smolforge.kernels import build
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.stage import Job
from smolforge.train import precision
from smolforge.train.precision import compute_dtype
from smolforge.train.stages import PretrainConfig, pretrain

PROCESSORS = {
    "Zen 5": "vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni\n",
    "Zen 3": "vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 fma\n",
    "Sapphire Rapids": "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512_fp16 amx_bf16\n",
    "Sapphire Rapids without AMX": "vendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512_fp16\n",
    "Neoverse": "BogoMIPS\t: 50.00\nFeatures\t: fp asimd bf16 i8mm sve\n",
}
"""The first processor of /proc/cpuinfo, as far as it is read."""
QUICK_IN_BF16 = ("Zen 5", "Sapphire Rapids")


@pytest.fixture
def on_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """From now on /proc/cpuinfo is that of another processor; its file is gone for one that is not in the table."""

    def become(name: str) -> None:
        file = tmp_path / f"cpuinfo of {name}"
        if name in PROCESSORS:
            file.write_text(f"processor\t: 0\n{PROCESSORS[name]}\nprocessor\t: 1\n", "utf-8")
        monkeypatch.setattr(precision, "Path", lambda _path: file)

    return become


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if no C compiler were there."""
    monkeypatch.setenv("SMOL_KERNELS", "torch")
    build.built.cache_clear()
    yield
    build.built.cache_clear()


@pytest.mark.parametrize("processor", [*PROCESSORS, "no Linux"])
def test_auto_takes_what_the_processor_is_quick_in(no_kernels, on_processor, processor):
    on_processor(processor)
    wanted = torch.bfloat16 if processor in QUICK_IN_BF16 else torch.float32
    assert compute_dtype("auto", "cpu") == wanted


def test_auto_takes_fp16_where_the_kernels_multiply_it(on_processor):
    if not can_train_in("float16"):
        pytest.skip("fp16 needs a processor that multiplies it (AVX-512-FP16) and the C kernels")
    on_processor("Sapphire Rapids without AMX")
    assert compute_dtype("auto", "cpu") == torch.float16


def test_a_named_type_is_taken_on_any_processor(compute, on_processor):
    for processor in PROCESSORS:
        on_processor(processor)
        assert compute_dtype(compute, "cpu") == getattr(torch, compute)


def test_what_this_machine_cannot_multiply_is_refused(no_kernels):
    for compute in ("float16", "float64"):
        with pytest.raises(ConfigError):
            compute_dtype(compute, "cpu")


@pytest.mark.parametrize("processor", ["Zen 5", "Zen 3"])
def test_a_training_on_auto_runs_in_the_type_of_the_processor(no_kernels, on_processor, tmp_path, processor):
    on_processor(processor)
    write_domain(tmp_path / "a", 3)
    shape = ModelConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
    )  # fmt: skip
    cfg = PretrainConfig(
        phase="one",
        model=shape,
        tokens=3 * 256,
        batch_tokens=256,
        length=64,
        mixture={"a": 1.0},
        compute="auto",
    )
    for folder in ("out", "work"):
        (tmp_path / folder).mkdir()
    log = Log(tmp_path / "events.jsonl", show=io.StringIO())
    job = Job(out=tmp_path / "out", work=tmp_path / "work", log=log, threads=torch.get_num_threads())
    shards = {"a": TokenShards(tmp_path / "a", "k", "d")}
    pretrain(cfg, job, shards=shards, tokenizer=Tokenizer(tmp_path, "k", "d"))
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text("utf-8").splitlines()]
    ran = next(event["compute"] for event in events if event["event"] == "kernels")
    assert ran == ("torch.bfloat16" if processor == "Zen 5" else "torch.float32")
