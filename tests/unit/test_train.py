"""The loop: big batch equals small ones, resumes are exact, damage falls back, schedules hold."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from smolforge.artifacts import Checkpoint, ChosenMixture, Corpus, Tokenizer, TokenShards
from smolforge.data.tokens.batches import Batch, Documents, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.errors import ConfigError, StageError
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_model
from smolforge.stage import Job
from smolforge.train import law, sizing
from smolforge.train.checkpoint import Checkpoints
from smolforge.train.config import OptimConfig, ScheduleConfig
from smolforge.train.fill_stages import FillConfig, fill_minutes
from smolforge.train.loop import TrainState, accumulate, fit
from smolforge.train.loss import LossSum, next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.precision import compute_dtype
from smolforge.train.schedule import factor, over_steps
from smolforge.train.sizing import Rate, choose, split_tokens
from smolforge.train.stages import PretrainConfig, SizeConfig, pretrain, size_run

TINY = ModelConfig(
    vocab_size=61,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_domain(folder, seed, documents=120):
    """Documents with a pattern that can be learned: counting upwards by a step of the document's own."""
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    tokens, offsets = [], [0]
    for _ in range(documents):
        start, step = int(draw.integers(1, 60)), (1, 7)[int(draw.integers(2))]
        length = int(draw.integers(5, 50))
        tokens += [*((start + step * np.arange(length)) % 60 + 1).tolist(), 0]
        offsets.append(len(tokens))
    np.array(tokens, dtype="<u2").tofile(folder / "tokens-00000.bin")
    np.savez(folder / "index.npz", shard_00000=np.array(offsets))
    return folder


def source(folder, rows=8):
    domains = {"a": Documents(folder / "a"), "b": Documents(folder / "b")}
    return MixtureBatches(domains, Mixture(weights={"a": 0.5, "b": 0.5}), length=32, rows=rows, seed=3)


@pytest.fixture
def data(tmp_path):
    write_domain(tmp_path / "a", 1)
    write_domain(tmp_path / "b", 2)
    return tmp_path


def fresh(kind="muon", seed=0, compute="float32", **settings):
    model = Llama(TINY, compute_dtype(compute, "cpu"))
    model.initialise(seed, zero_outputs=True)
    return TrainState(model=model, optimizer=make_optimizer(model, OptimConfig(kind=kind, **settings)))


def flat(rows=1):
    return over_steps(ScheduleConfig(warmup_share=0.0, decay_share=0.0), 10**6)


def weights_digest(model):
    digest = hashlib.sha256()
    for _, weight in sorted(model.named_parameters()):
        digest.update(weight.detach().numpy().tobytes())
    return digest.hexdigest()


def test_accumulated_gradients_equal_the_big_batch(data):
    batch = source(data).next()
    gradients = []
    for micro_tokens in (10**6, 64, 1):
        state = fresh()
        state.model.initialise(4)
        total, count, _ = accumulate(state.model, batch, next_token_loss(), micro_tokens)
        gradients.append((total, count, [w.grad.clone() for w in state.model.parameters()]))
    for total, count, grads in gradients[1:]:
        assert total == pytest.approx(gradients[0][0], rel=1e-5)
        assert count == gradients[0][1]
        for ours, whole in zip(grads, gradients[0][2], strict=True):
            torch.testing.assert_close(ours, whole, atol=1e-4, rtol=1e-3)


def test_the_loss_is_a_mean_over_all_tokens_not_a_mean_of_means(data):
    """Rows with few weighted tokens must not count as much as full ones."""
    whole = source(data).next()
    thin = whole.weights_BT.copy()
    thin[:4] *= np.arange(32) % 16 == 0
    batch = Batch(whole.tokens_BT, whole.targets_BT, thin, whole.starts_BT)
    found = {}
    for micro_tokens in (10**6, 32):
        state = fresh(clip=0)
        state.model.initialise(4)
        step = next(
            fit(
                state,
                OneBatch(batch),
                next_token_loss(),
                flat(),
                until_step=1,
                micro_tokens=micro_tokens,
                clip=0,
            )
        )
        found[micro_tokens] = step
    assert found[32].loss == pytest.approx(found[10**6].loss, rel=1e-5)
    with torch.no_grad():
        model = Llama(TINY, torch.float32)
        model.initialise(4)
        logits = model(torch.tensor(whole.tokens_BT), torch.tensor(whole.starts_BT))
        each = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), torch.tensor(whole.targets_BT).flatten(), reduction="none"
        )
        wanted = float((each * torch.tensor(thin).flatten()).sum() / thin.sum())
    assert found[32].loss == pytest.approx(wanted, rel=1e-4)


class OneBatch:
    def __init__(self, batch):
        self.batch = batch

    def next(self):
        return self.batch

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_groups_of_rows_stay_together(data):
    batch = source(data).next()
    paired = Batch(batch.tokens_BT, batch.targets_BT, batch.weights_BT, batch.starts_BT, group=4)
    seen = []

    def loss(model, micro):
        seen.append(len(micro.tokens_BT))
        return LossSum(model.output_weight_VD.sum() * 0.0, 1.0)

    accumulate(fresh().model, paired, loss, micro_tokens=1)
    assert seen == [4, 4]


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_training_learns(data, kind, compute):
    state = fresh(kind, compute=compute, lr=0.02 if kind == "muon" else 0.01)
    losses = [step.loss for step in fit(state, source(data), next_token_loss(), flat(), until_step=120)]
    assert losses[0] == pytest.approx(math.log(61), abs=0.1)
    assert np.mean(losses[-10:]) < 0.6 * losses[0]


def test_adamw_equals_torch(data):
    state = fresh("adamw", lr=0.01, embedding_lr=0.01, norm_lr=0.01, weight_decay=0.0)
    theirs = Llama(TINY, torch.float32)
    theirs.load_state_dict(state.model.state_dict())
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    batches, again = source(data), source(data)
    for _ in fit(state, batches, next_token_loss(), flat(), until_step=5, clip=1.0):
        batch = again.next()
        optimizer.zero_grad()
        _, count, _ = accumulate(theirs, batch, next_token_loss(), 10**6)
        for weight in theirs.parameters():
            weight.grad /= count
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step()
    for ours, wanted in zip(state.model.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours, wanted, atol=2e-4, rtol=1e-3)


def test_muon_moves_matrices_by_orthogonal_steps(data):
    state = fresh("muon", lr=0.02, weight_decay=0.0)
    state.model.initialise(0)
    before = {name: weight.detach().clone() for name, weight in state.model.named_parameters()}
    next(fit(state, source(data), next_token_loss(), flat(), until_step=1))
    for name, weight in state.model.named_parameters():
        if weight.ndim == 2 and "layers" in name:
            rows, columns = weight.shape
            values = (
                torch.linalg.svdvals((before[name] - weight.detach()) / 0.02) / max(1, rows / columns) ** 0.5
            )
            assert 0.5 < float(values.median()) < 1.4, name
            assert float(values.max()) < 1.5


def test_a_broken_loss_names_the_last_good_state(data):
    def explode(model, batch):
        total, count, _ = next_token_loss()(model, batch)
        return LossSum(total * (float("nan") if state.step == 4 else 1.0), count)

    state = fresh()
    with pytest.raises(StageError) as caught:
        list(fit(state, source(data), explode, flat(), until_step=9, save=lambda: None, save_every_steps=2))
    assert "step 5" in caught.value.what
    assert "step 4" in caught.value.where
    assert all(torch.isfinite(weight).all() for weight in state.model.parameters())


def test_a_diverging_loss_stops(data, compute):
    """The table alone runs away, so that in fp16 too all numbers stay finite, and nothing but the bound ends it."""

    def run(worst_loss):
        state = fresh("adamw", compute=compute, lr=0.0, embedding_lr=3.0, norm_lr=0.0)
        given = {"until_step": 60, "worst_loss": worst_loss, "skip_deviations": 0.0}
        return list(fit(state, source(data), next_token_loss(), flat(), **given))

    assert len(run(None)) == 60
    with pytest.raises(StageError) as caught:
        run(1.2 * math.log(61))
    assert "step 32" in caught.value.what


def test_a_spike_is_skipped_and_a_lasting_change_accepted(data, compute):
    def spiky(model, batch):
        total, count, _ = next_token_loss()(model, batch)
        return LossSum(total * (50.0 if state.step == 60 or state.step >= 70 else 1.0), count)

    state = fresh(compute=compute)
    steps = []
    before = None
    for step in fit(state, source(data), spiky, flat(), until_step=90):
        steps.append(step)
        if step.step == 60:
            before = weights_digest(state.model)
        if step.step == 61:
            assert weights_digest(state.model) == before
    skipped = [step.step for step in steps if step.skipped]
    assert skipped[0] == 61
    assert 71 in skipped
    assert not any(step.skipped for step in steps[-10:])


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_interrupted_equals_uninterrupted(data, tmp_path, kind, compute):
    def run(until, folder, state, batches):
        checkpoints = Checkpoints(folder)
        found = checkpoints.restore(state)
        if found:
            batches.restore(found["batches"])

        def save():
            checkpoints.save(state, {"batches": batches.state()})

        for _ in fit(
            state, batches, next_token_loss(), flat(), until_step=until, save=save, save_every_steps=5
        ):
            pass
        return weights_digest(state.model)

    whole = run(43, tmp_path / "whole", fresh(kind, compute=compute), source(data))
    for stop in (7, 12, 29):
        # stops between two checkpoints
        run(stop, tmp_path / "parts", fresh(kind, seed=9, compute=compute), source(data))
    resumed_state = fresh(kind, seed=5, compute=compute)
    # the first part started from seed 9: make the comparison fair by starting the whole from it too
    fair = run(43, tmp_path / "fair", fresh(kind, seed=9, compute=compute), source(data))
    assert run(43, tmp_path / "parts", resumed_state, source(data)) == fair != whole


def test_damaged_checkpoints_fall_back_and_say_so(data, tmp_path):
    notices = []
    checkpoints = Checkpoints(tmp_path / "ckpt", notice=notices.append)
    state, batches = fresh(), source(data)
    digests = {}
    for step in fit(
        state,
        batches,
        next_token_loss(),
        flat(),
        until_step=12,
        save=lambda: checkpoints.save(state, {"batches": batches.state()}),
        save_every_steps=4,
    ):
        digests[step.step] = weights_digest(state.model)
    assert [p.name for p in sorted((tmp_path / "ckpt").iterdir())] == ["step-0000000008", "step-0000000012"]
    newest = tmp_path / "ckpt" / "step-0000000012"
    weights = bytearray((newest / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (newest / "model.safetensors").write_bytes(weights)
    (tmp_path / "ckpt" / "step-0000000016.tmp").mkdir()

    again = fresh(seed=7)
    assert checkpoints.restore(again)["batches"]
    assert again.step == 8
    assert weights_digest(again.model) == digests[8]
    assert len(notices) == 1
    assert "step-0000000012" in notices[0]

    (tmp_path / "ckpt" / "step-0000000008" / "optimizer.safetensors").unlink()
    nothing = fresh(seed=7)
    assert checkpoints.restore(nothing) is None
    assert nothing.step == 0


def test_schedule_values():
    wsd = ScheduleConfig(kind="wsd", warmup_share=0.1, decay_share=0.4, floor=0.1)
    for place, wanted in ((0, 0), (5, 0.5), (10, 1), (40, 1), (60, 1), (80, 0.55), (100, 0.1), (120, 0.1)):
        assert factor(wsd, place, 100) == pytest.approx(wanted)
    cosine = ScheduleConfig(kind="cosine", warmup_share=0.0, floor=0.2)
    for place, wanted in ((0, 1), (50, 0.6), (100, 0.2)):
        assert factor(cosine, place, 100) == pytest.approx(wanted)
    linear = ScheduleConfig(kind="linear", warmup_share=0.2, floor=0.0)
    for place, wanted in ((10, 0.5), (20, 1), (60, 0.5), (100, 0), (110, 0)):
        assert factor(linear, place, 100) == pytest.approx(wanted)
    with pytest.raises(ConfigError):
        ScheduleConfig(warmup_share=0.6, decay_share=0.6)


class Killed(BaseException):
    """A kill, as far as one process can play it."""


class KillingLog(Log):
    """Dies when so many tokens are done."""

    def __init__(self, tokens):
        super().__init__()
        self.tokens = tokens

    def progress(self, done, total, unit, note=""):
        if done == self.tokens:
            raise Killed


class TestStage:
    """`pretrain` as recipes use it: phases, and kills."""

    def job(self, folder):
        for name in ("out", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return Job(out=folder / "out", work=folder / "work", log=Log(folder / "events.jsonl"), threads=1)

    def config(self, **settings):
        plain = {
            "phase": "one",
            "model": TINY,
            "tokens": 30 * 256,
            "total_tokens": 60 * 256,
            "batch_tokens": 256,
            "length": 32,
            "mixture": {"a": 0.5, "b": 0.5},
            "save_every_steps": 7,
            "compute": "float32",
        }
        return PretrainConfig(**{**plain, **settings})

    def run(self, data, folder, config, **inputs):
        shards = {name: TokenShards(data / name, "k", "d") for name in ("a", "b")}
        tokenizer = Tokenizer(data, "k", "d", {"vocabulary": 61})
        return pretrain(config, self.job(folder), shards=shards, tokenizer=tokenizer, **inputs)

    def digests(self, folder):
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (folder / "out").iterdir()}

    def test_writes_what_it_says(self, data, tmp_path):
        facts = self.run(data, tmp_path / "one", self.config())
        out = tmp_path / "one" / "out"
        assert {p.name for p in out.iterdir()} == {
            "config.json",
            "model.safetensors",
            "optimizer.safetensors",
            "train_state.json",
            "losses.jsonl",
        }
        lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == list(range(1, 31))
        assert lines[-1]["tokens"] == facts["tokens"] == 30 * 256
        assert facts["parameters"] == TINY.parameters
        assert facts["flops"] == pytest.approx(30 * 256 * TINY.flops_per_token(32))
        assert facts["loss"] == lines[-1]["loss"]
        assert sum(lines[-1]["domains"].values()) > 0.98 * facts["tokens"]
        assert load_model(out).config == TINY

    def test_killed_between_checkpoints_gives_the_same_files(self, data, tmp_path, compute):
        config = self.config(compute=compute)
        self.run(data, tmp_path / "whole", config)
        told = [json.loads(line) for line in (tmp_path / "whole" / "events.jsonl").read_text().splitlines()]
        assert [e["compute"] for e in told if e["event"] == "kernels"] == [f"torch.{compute}"]

        for step in (3, 12, 13, 26):
            job = self.job(tmp_path / "parts")
            shards = {name: TokenShards(data / name, "k", "d") for name in ("a", "b")}
            tokenizer = Tokenizer(data, "k", "d", {"vocabulary": 61})
            killing = Job(out=job.out, work=job.work, log=KillingLog(step * 256), threads=1)
            with pytest.raises(Killed):
                pretrain(config, killing, shards=shards, tokenizer=tokenizer)
        self.run(data, tmp_path / "parts", config)
        assert self.digests(tmp_path / "parts") == self.digests(tmp_path / "whole")

    def test_two_phases_equal_one_long_one(self, data, tmp_path, compute):
        """With the same mixture, cutting a training into phases changes nothing but the share counter."""
        self.run(data, tmp_path / "long", self.config(tokens=60 * 256, compute=compute))
        self.run(data, tmp_path / "one", self.config(compute=compute))
        first = Checkpoint(tmp_path / "one" / "out", "k", "d")
        second = self.config(phase="two", model=None, start_tokens=30 * 256, compute=compute)
        facts = self.run(data, tmp_path / "two", second, init=first)
        assert facts["tokens"] == 60 * 256
        long = [json.loads(x) for x in (tmp_path / "long" / "out" / "losses.jsonl").read_text().splitlines()]
        two = [json.loads(x) for x in (tmp_path / "two" / "out" / "losses.jsonl").read_text().splitlines()]
        assert [x["lr"] for x in two] == pytest.approx([x["lr"] for x in long[30:]])
        assert [x["step"] for x in two] == list(range(31, 61))
        assert two[0]["loss"] == pytest.approx(long[30]["loss"], abs=0.02)
        assert two[-1]["loss"] == pytest.approx(long[-1]["loss"], abs=0.15)

    def test_a_chosen_mixture_rules(self, data, tmp_path):
        (tmp_path / "mix").mkdir()
        (tmp_path / "mix" / "mixture.json").write_text(json.dumps({"weights": {"a": 0.9, "b": 0.1}}))
        chosen = ChosenMixture(tmp_path / "mix", "k", "d")
        self.run(data, tmp_path / "one", self.config(mixture=None), mixture=chosen)
        line = (tmp_path / "one" / "out" / "losses.jsonl").read_text().splitlines()[-1]
        domains = json.loads(line)["domains"]
        assert domains["a"] / sum(domains.values()) == pytest.approx(0.9, abs=0.05)

    def test_impossible_settings_are_named(self, data, tmp_path):
        with pytest.raises(ConfigError, match="mixture"):
            self.run(data, tmp_path / "x", self.config(mixture=None))
        with pytest.raises(ConfigError, match="batch_tokens"):
            self.run(data, tmp_path / "x", self.config(batch_tokens=None))
        with pytest.raises(ConfigError, match=r"1\.05"):
            self.run(data, tmp_path / "x", self.config(mixture={"a": 0.5, "b": 0.55}))
        with pytest.raises(ConfigError, match="tokens"):
            self.config(tokens=0)


class TestSizing:
    """Choosing a size follows the data, the machine and the time."""

    slow = Rate({128: 20e9, 384: 60e9})

    def test_more_time_gives_a_larger_model_and_fewer_bits(self):
        choices = [choose(50_000_000, minutes * 60, self.slow, length=256) for minutes in (1, 5, 30, 240)]
        sizes = [choice.model.parameters for choice in choices]
        bits = [choice.bits_per_byte for choice in choices]
        assert sizes == sorted(sizes)
        assert sizes[-1] > 4 * sizes[0]
        assert bits == sorted(bits, reverse=True)

    def test_the_time_is_kept(self):
        for minutes in (0.1, 3, 60):
            choice = choose(10_000_000, minutes * 60, self.slow, length=256)
            assert choice.seconds <= max(
                minutes * 60, 1.05 * choice.batch_tokens / (choice.tokens / choice.seconds)
            )
            assert choice.tokens % choice.batch_tokens == choice.batch_tokens % 256 == 0

    def test_phases_add_up(self):
        choice = choose(10_000_000, 300, self.slow, length=256)
        phases = split_tokens(choice, {"warm": 0.4, "stable": 0.3, "decay": 0.3})
        assert list(phases) == ["warm", "stable", "decay"]
        assert sum(phases.values()) == choice.tokens

    def test_rates_are_interpolated(self):
        assert self.slow.flops(64) == 20e9
        assert self.slow.flops(1000) == 60e9
        assert 20e9 < self.slow.flops(200) < 60e9

    def test_text_that_packs_worse_is_expected_to_be_harder(self):
        draw = np.random.default_rng(0)
        easy = ["the cat sat on the mat. " * 400] * 5
        hard = ["".join(map(chr, draw.integers(97, 123, 8000))) for _ in range(5)]
        easy_bits, hard_bits = law.packed_bits(easy), law.packed_bits(hard)
        assert 0 < easy_bits < 0.5 < 4.5 < hard_bits < 5.2  # 26 letters at random are 4.7 bits
        assert law.packed_bits([]) == 0 and law.difficulty(0) == 1
        bits = [
            law.predicted_bits(1e6, 1e7, 1e7, law.difficulty(packed)) for packed in (easy_bits, hard_bits)
        ]
        assert bits[0] < bits[1]

    def test_repeated_text_is_worth_less_than_fresh(self):
        assert law.worth_bytes(4e6, 4e6) == 4e6
        assert 2.8e6 < law.worth_bytes(3e6, 1e6) < 3e6
        assert law.worth_bytes(1e9, 1e6) < 17e6

    def test_minutes_are_filled(self, tmp_path):
        """Whole steps, as many as the measured rate gives, in the phases' shares; or as many as are asked for."""
        model = sizing.model_of((32, 64, 1, 1, 1, 32), 128, 64)
        cfg = FillConfig(
            minutes=0.5, pretrain_share=0.2, phases={"one": 0.25, "two": 0.75}, model=model, batch_tokens=256,
            length=64, compute="float32",
        )  # fmt: skip
        for name, tokens in (("measured", None), ("given", 10_000)):
            (tmp_path / name).mkdir()
            job = Job(out=tmp_path / name, work=tmp_path / name, log=Log(), threads=1)
            facts = fill_minutes(replace(cfg, tokens=tokens), job)
            phases = json.loads((job.out / "sizing.json").read_text())["phase_tokens"]
            assert sum(phases.values()) == facts["tokens"] and all(n % 256 == 0 for n in phases.values())
            assert phases["two"] == pytest.approx(3 * phases["one"], abs=4 * 256)
            if tokens is None:
                assert facts["tokens"] == pytest.approx(6 * facts["tokens_per_second"], abs=2 * 256)
            else:
                assert facts["tokens"] == 10_000 // 256 * 256 and facts["tokens_per_second"] == 0
        with pytest.raises(ConfigError, match="add up"):
            replace(cfg, phases={"one": 0.5})
        with pytest.raises(ConfigError, match="tokens"):
            replace(cfg, tokens=0)

    def test_stage_measures_and_explains(self, data, tmp_path):
        for part in ("out", "work"):
            (tmp_path / "size" / part).mkdir(parents=True)
        job = Job(out=tmp_path / "size" / "out", work=tmp_path / "size" / "work", log=Log(), threads=1)
        rows = [{"id": str(n), "text": f"{n} bottles of beer on the wall, " * 50} for n in range(40)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "documents-00000.parquet")
        corpus = Corpus(tmp_path, "k", "d", {"bytes": 3_000_000})
        config = SizeConfig(minutes=2, phases={"one": 0.5, "two": 0.5}, length=64, compute="float32")
        facts = size_run(config, job, corpora={"a": corpus})
        plain = json.loads((job.out / "sizing.json").read_text())
        assert sum(plain["phase_tokens"].values()) == facts["tokens"]
        assert plain["model"]["vocab_size"] == plain["vocabulary"]
        assert len(plain["reasons"]) >= 4
        assert "3.0 MB" in plain["reasons"][0]
        assert 0 < plain["packed_bits_per_byte"] < 1
        with pytest.raises(ConfigError):
            SizeConfig(minutes=2, phases={"one": 0.5, "two": 0.6})
