"""Runs that stop: damaged checkpoints, a full disk, data that goes away, broken and diverging losses.

Each ends in words that name the last good state, and a later run goes on from it to the very same files.
"""

from __future__ import annotations

import hashlib
import io
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from worlds import VOCABULARY, saying, write_domain

from smolforge.align import stages as align
from smolforge.align.stages import SftConfig, sft
from smolforge.artifacts import Tokenizer, TokenShards
from smolforge.data.tokens.batches import Documents, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.errors import InputError, StageError
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.stage import Job
from smolforge.train.checkpoint import Checkpoints
from smolforge.train.config import OptimConfig
from smolforge.train.loop import TrainState, fit
from smolforge.train.loss import LossSum, MicroBatch, next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype
from smolforge.train.stages import PretrainConfig, pretrain

STEPS, STEP_TOKENS = 20, 256
SHAPE = ModelConfig(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, max_position_embeddings=64,
)  # fmt: skip
CONFIG = PretrainConfig(
    phase="one", model=SHAPE, tokens=STEPS * STEP_TOKENS, batch_tokens=STEP_TOKENS, length=64,
    mixture={"a": 1.0}, save_every_steps=4, compute="float32",
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Accident(Log):
    """Calls something when so many steps are done."""

    def __init__(self, step: int, happens: Callable[[], object]) -> None:
        super().__init__(show=io.StringIO())
        self.tokens, self.happens = step * STEP_TOKENS, happens

    def progress(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        if done == self.tokens:
            self.happens()


class World:
    """Data, and a training that may be run again and again in one place."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        write_domain(self.data / "a", 3)
        self.shard = self.data / "a" / "tokens-00000.bin"
        self.checkpoints = root / "runs" / "work" / "checkpoints"

    def run(self, log: Log | None = None, place: str = "runs", cfg: PretrainConfig = CONFIG) -> str:
        """Digest of the artifact's files."""
        out, work = self.root / place / "out", self.root / place / "work"
        for folder in (out, work):
            folder.mkdir(parents=True, exist_ok=True)
        for file in out.iterdir():
            file.unlink()
        job = Job(out=out, work=work, log=log or Log(show=io.StringIO()), threads=1)
        pretrain(
            cfg,
            job,
            shards={"a": TokenShards(self.data / "a", "k", "d")},
            tokenizer=Tokenizer(self.data, "k", "d"),
        )
        return hashlib.sha256(
            b"".join(f.name.encode() + f.read_bytes() for f in sorted(out.iterdir()))
        ).hexdigest()

    def stopped(self, step: int, happens: Callable[[], object]) -> StageError:
        with pytest.raises(StageError) as caught:
            self.run(Accident(step, happens))
        return caught.value


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Stop(BaseException):
    """Ends a run without a word."""


def stop():
    raise Stop


@pytest.mark.parametrize("how", ["cut short", "zeros", "gone"])
@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "train_state.json", "digests.json"]
)
def test_a_damaged_newest_checkpoint_falls_back_and_says_so(world, name, how):
    whole = world.run(place="whole")
    with pytest.raises(Stop):
        world.run(Accident(14, stop))
    assert sorted(p.name for p in world.checkpoints.iterdir()) == ["step-0000000008", "step-0000000012"]
    file = world.checkpoints / "step-0000000012" / name
    size = file.stat().st_size
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: size // 2] if how == "cut short" else bytes(size))
    log = Log(show=io.StringIO())
    assert world.run(log) == whole
    assert "step-0000000012" in log.show.getvalue()


def test_where_all_checkpoints_are_damaged_new_ones_are_kept(world):
    whole = world.run(place="whole")
    with pytest.raises(Stop):
        world.run(Accident(14, stop))
    for folder in world.checkpoints.iterdir():
        (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(Stop):
        world.run(Accident(6, stop))
    assert [p.name for p in world.checkpoints.iterdir()] == ["step-0000000004"]
    assert world.run() == whole


def test_a_disk_that_takes_no_more_leaves_the_last_good_state(world):
    whole = world.run(place="whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        error = world.stopped(10, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1])))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "step-0000000012" in error.what
    assert sorted(p.name for p in world.checkpoints.iterdir()) == ["step-0000000004", "step-0000000008"]
    assert world.run() == whole


def test_a_shard_that_shrinks_stops_in_words(world):
    whole = world.run(place="whole")
    kept = world.shard.read_bytes()
    error = world.stopped(6, lambda: world.shard.write_bytes(kept[:2000]))
    assert str(world.shard) in error.where
    assert "step 4" in error.where
    with pytest.raises(InputError) as refused:
        world.run()
    assert refused.value.where == str(world.shard)
    world.shard.write_bytes(kept)
    assert world.run() == whole


def test_a_shard_that_is_removed_while_it_is_read_does_no_harm(world):
    whole = world.run(place="whole")
    assert world.run(Accident(6, world.shard.unlink)) == whole


@pytest.mark.parametrize("seed", range(3))
def test_a_diverging_training_stops_before_its_end(world, compute, seed):
    """The table alone runs away, far past guessing; no number leaves fp16, which would end it for another reason."""
    wild = OptimConfig(kind="adamw", lr=0.0, embedding_lr=3.0, norm_lr=0.0, clip=0.0, skip_deviations=0.0)
    cfg = replace(CONFIG, optim=wild, tokens=200 * STEP_TOKENS, compute=compute, seed=seed)
    with pytest.raises(StageError) as caught:
        world.run(cfg=cfg)
    assert "step 32" in caught.value.what and "step 28" in caught.value.where


@pytest.mark.parametrize("seed", range(3))
def test_a_training_that_blows_up_stops_before_its_end(world, compute, seed):
    """Everything runs away: in fp16 a number is infinite after a few steps, in the others the loss grows first."""
    wild = OptimConfig(kind="adamw", lr=10.0, embedding_lr=10.0, norm_lr=10.0, clip=0.0, skip_deviations=0.0)
    cfg = replace(CONFIG, optim=wild, tokens=200 * STEP_TOKENS, compute=compute, seed=seed)
    with pytest.raises(StageError):
        world.run(cfg=cfg)
    kept = world.checkpoints.glob("step-*/model.safetensors")
    assert all(torch.isfinite(weight).all() for file in kept for weight in load_file(file).values())


def test_a_tuning_worse_than_guessing_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(
        align, "WORSE_THAN_GUESSING", 0.01
    )  # so that the first steps are as bad as a disaster
    world = saying(tmp_path / "world")
    job = Job(out=tmp_path / "out", work=tmp_path / "work", log=Log(show=io.StringIO()), threads=1)
    for folder in (job.out, job.work):
        folder.mkdir()
    cfg = SftConfig(epochs=40, length=64, batch_tokens=128, save_every_steps=10, compute="float32")
    with pytest.raises(StageError) as caught:
        sft(cfg, job, **{name: world[name] for name in ("init", "tokenizer", "data")})
    assert "step 30" in caught.value.where


def test_a_broken_loss_leaves_a_state_that_a_mended_run_resumes(tmp_path, compute):
    """The loss is not a number once; the run that goes on ends as one in which that never happened."""

    def run(place: str, broken: bool) -> list[torch.Tensor]:
        domains = {"a": Documents(tmp_path / "a")}
        batches = MixtureBatches(domains, Mixture(weights={"a": 1.0}), length=64, rows=4, seed=0)
        model = Llama(SHAPE, compute_dtype(compute, "cpu"))
        model.initialise(0)
        state = TrainState(model=model, optimizer=make_optimizer(model, OptimConfig()))
        checkpoints = Checkpoints(tmp_path / place, notice=lambda _: None)
        resumed = checkpoints.restore(state)
        if resumed:
            batches.restore(resumed["batches"])

        def loss(model: Llama, batch: MicroBatch) -> LossSum:
            found = next_token_loss()(model, batch)
            return found._replace(total=found.total * float("nan")) if broken and state.step == 10 else found

        def save() -> None:
            checkpoints.save(state, {"batches": batches.state()})

        for _ in fit(
            state, batches, loss, lambda step, tokens: 1.0, until_step=16, save=save, save_every_steps=4
        ):
            pass
        return list(model.parameters())

    write_domain(tmp_path / "a", 3)
    whole = run("whole", broken=False)
    with pytest.raises(StageError) as caught:
        run("broken", broken=True)
    assert "step 11" in caught.value.what and "step 8" in caught.value.where
    mended = run("broken", broken=False)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(mended, whole, strict=True))


def test_a_state_with_broken_weights_is_not_saved(tmp_path):
    write_domain(tmp_path / "a", 3)
    batches = MixtureBatches(
        {"a": Documents(tmp_path / "a")}, Mixture(weights={"a": 1.0}), length=64, rows=4, seed=0
    )
    model = Llama(SHAPE, torch.float32)
    model.initialise(0)
    state = TrainState(model=model, optimizer=make_optimizer(model, OptimConfig()))
    saved: list[int] = []
    steps = fit(
        state, batches, next_token_loss(), lambda step, tokens: 1.0, until_step=8,
        save=lambda: saved.append(state.step), save_every_steps=2,
    )  # fmt: skip
    with pytest.raises(StageError) as caught:
        for step in steps:
            if step.step == 4:
                with torch.no_grad():
                    model.model.norm.weight[3] = float("inf")
    assert saved == [2]
    assert "step 2" in caught.value.where
