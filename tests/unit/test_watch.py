"""Watched training: the best state comes out, what makes the model worse is ended, and kills change nothing."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from worlds import VOCABULARY, WORDS, ask, saying, write_lines

from smolforge.align.stages import SftConfig, sft
from smolforge.artifacts import ChatData, Checkpoint, EvalTexts, Sizing, Tokenizer, TokenShards
from smolforge.config import to_plain
from smolforge.data.tokens.batches import Example
from smolforge.data.tokens.shards import write_ids
from smolforge.errors import ConfigError, InputError
from smolforge.log import Log
from smolforge.model.config import LoraConfig, ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_model
from smolforge.stage import Job
from smolforge.text.tokenizer import Tok, load_tokenizer
from smolforge.train import finishing
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig, WatchConfig
from smolforge.train.stages import PretrainConfig, pretrain
from smolforge.train.watch import Watch, WatchedTexts, beginnings, texts_in, windows_of

SMALL = ModelConfig(
    vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=1, head_dim=8, max_position_embeddings=32,
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterable[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- when it looks, what it keeps, when it stops -------------------------------------------------------------

Bits = Mapping[str, float]


class Told(Watch):
    """Is told what it would have measured: one entry a look."""

    def __init__(self, place: Path, bits: Sequence[Bits], steps: int, **settings: Any) -> None:
        texts: Any = {name: name for name in bits[0]}
        cfg = WatchConfig(**settings)
        self.said: list[str] = []
        super().__init__(cfg, texts, place, length=8, micro_tokens=64, steps=steps, say=self.said.append)
        self._told = bits

    def _bits(self, model: Llama, texts: Any) -> float:
        return self._told[len(self.looks)][texts]


def small() -> Llama:
    model = Llama(SMALL)
    model.initialise(0)
    return model


def mark(model: Llama, number: float) -> None:
    """Weights by which a state is known again."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(number)


def marked(model: Llama) -> float:
    return float(next(iter(model.parameters())).detach().flatten()[0])


def trained(watch: Watch, model: Llama, steps: int) -> int:
    """Steps done before the watch says stop; after step n all weights are n."""
    mark(model, 0)
    watch.begin(model, 0)
    for step in range(1, steps + 1):
        mark(model, step)
        if watch.after(model, step, 0):
            return step
    return steps


def own(*bits: float) -> list[Bits]:
    return [{"own": value} for value in bits]


@pytest.mark.parametrize(
    ("steps", "share", "looks"),
    [(10, 0.25, [0, 2, 4, 6, 8, 10]), (7, 0.5, [0, 4, 7]), (3, 0.125, [0, 1, 2, 3]), (5, 1.0, [0, 5])],
)
def test_it_looks_at_even_steps_and_always_at_the_last(
    tmp_path: Path, steps: int, share: float, looks: list[int]
) -> None:
    watch = Told(tmp_path, own(*(9.0 - n for n in range(len(looks)))), steps, every_share=share)
    assert trained(watch, small(), steps) == steps
    assert [look.step for look in watch.looks] == looks
    assert watch.best.step == steps and watch.stopped == ""
    assert len(watch.said) == len(looks) and "after step 0: own 9.000" in watch.said[0]


def test_a_later_phase_counts_from_where_it_begins(tmp_path: Path) -> None:
    watch, model = Told(tmp_path, own(3, 2, 1), 4, every_share=0.5), small()
    watch.begin(model, 100)
    assert [watch.after(model, step, 100) for step in range(101, 105)] == [False] * 4
    assert [look.step for look in watch.looks] == [100, 102, 104]


def test_the_best_state_is_put_back_not_the_last(tmp_path: Path) -> None:
    model = small()
    watch = Told(tmp_path, own(5, 4, 3, 3.5, 3.2), 4, every_share=0.25, patience=9)
    trained(watch, model, 4)
    assert marked(model) == 4
    watch.take_best(model)
    assert all(bool((weight == 2).all()) for weight in model.parameters())
    assert watch.best.step == 2 and watch.best.own == 3
    assert [look.kept for look in watch.looks] == [True, True, True, False, False]


def test_the_original_is_the_best_where_training_only_harms(tmp_path: Path) -> None:
    model = small()
    watch = Told(tmp_path, own(5, 5, 5.1, 5.2, 5.3), 4, every_share=0.25, patience=9)
    trained(watch, model, 4)
    watch.take_best(model)
    assert marked(model) == watch.best.step == 0


def test_it_stops_after_its_patience_and_says_why(tmp_path: Path) -> None:
    bits = own(5, 4, 4.1, 4.2, 3.9, 4.0, 4.0, 4.0, 3.0)
    watch = Told(tmp_path, bits, 8, every_share=0.125, patience=3)
    assert trained(watch, small(), 8) == 7  # the better look after step 4 begins the count anew
    assert watch.best.step == 4
    assert watch.stopped == "the held-out texts have not been read better for 3 looks"


def test_a_spoilt_state_is_not_kept_however_good_at_ones_own_texts(tmp_path: Path) -> None:
    pairs = [(5, 2.0), (4, 2.05), (2, 2.07), (3, 2.05), (1, 9.0)]
    bits = [{"own": mine, "web": other} for mine, other in pairs]
    watch = Told(tmp_path, bits, 4, every_share=0.25, most_forgotten=0.03, patience=9)
    model = small()
    trained(watch, model, 4)
    assert [look.spoilt for look in watch.looks] == [False, False, True, False, True]
    watch.take_best(model)
    assert marked(model) == watch.best.step == 3


def test_it_stops_where_every_state_is_spoilt_and_says_so(tmp_path: Path) -> None:
    bits = [{"own": 5.0 - n, "web": 2.0 + n / 10} for n in range(5)]
    watch = Told(tmp_path, bits, 4, every_share=0.25, most_forgotten=0.03, patience=2)
    assert trained(watch, small(), 4) == 2
    assert watch.best.step == 0
    assert watch.stopped == "other texts are read worse by more than 3%"


def test_a_training_that_came_to_its_last_step_was_not_stopped(tmp_path: Path) -> None:
    watch = Told(tmp_path, own(5, 4, 4.1, 4.2), 3, every_share=0.3, patience=2)
    assert trained(watch, small(), 3) == 3
    assert watch.stopped == ""


def test_a_restored_watch_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    bits = own(5, 4, 4.1234567, 3, 3.1, 3.2, 3.3, 3.4)
    settings = {"every_share": 1 / 7, "patience": 3}
    whole = Told(tmp_path / "whole", bits, 7, **settings)
    trained(whole, small(), 7)
    assert whole.looks[-1].step == 6
    for cut in range(1, 6):
        model = small()
        first, second = (Told(tmp_path / str(cut), bits, 7, **settings) for _ in range(2))
        trained(first, model, cut)
        second.restore(json.loads(json.dumps(first.state())))
        second.begin(model, 0)
        for step in range(cut + 1, 8):
            mark(model, step)
            if second.after(model, step, 0):
                break
        assert (second.state(), second.stopped, second.best) == (whole.state(), whole.stopped, whole.best)
        second.take_best(model)
        assert marked(model) == 3


@pytest.mark.parametrize(
    "wrong", [{"every_share": 0.0}, {"every_share": 1.5}, {"most_forgotten": -0.1}, {"patience": 0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        WatchConfig(**wrong)


# -- what it measures ----------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=40), max_size=5), st.integers(1, 16))
def test_windows_count_every_token_once(texts: list[str], length: int) -> None:
    found = windows_of(texts, lambda text: list(text.encode()), 256, length)
    targets = [token for window in found.examples for token in window.tokens[1:]]
    assert targets == [byte for text in texts for byte in text.encode()]
    assert found.size_bytes == len(targets)
    assert all(1 <= len(window.tokens) - 1 <= length for window in found.examples)


@pytest.mark.parametrize("micro_tokens", [8, 16, 1000])
def test_bits_are_those_of_the_texts_tokens(tmp_path: Path, micro_tokens: int) -> None:
    """However the windows are packed: the windows' own sum, one after the other."""
    model = small()
    texts = windows_of(
        ["catdogsun", "sea", "hat tree milk bird"], lambda text: [ord(c) % 96 for c in text], 0, 8
    )
    assert sum(len(window.tokens) - 1 for window in texts.examples) == 30
    nats = 0.0
    with torch.no_grad():
        for window in texts.examples:
            tokens = torch.from_numpy(window.tokens)[None]
            logits = model(tokens[:, :-1], torch.zeros_like(tokens[:, :-1], dtype=torch.int32))
            nats += float(torch.nn.functional.cross_entropy(logits[0], tokens[0, 1:], reduction="sum"))
    watch = Watch(
        WatchConfig(),
        {"own": texts},
        tmp_path,
        length=8,
        micro_tokens=micro_tokens,
        steps=1,
        say=lambda _: None,
    )
    watch.begin(model, 0)
    assert watch.looks[0].own == pytest.approx(nats / math.log(2) / 30, rel=1e-4)


class Bytes:
    """As much of a tokenizer as is asked for."""

    start_id = 256

    def encode(self, text: str) -> list[int]:
        return list(text.encode())


def test_the_users_domains_are_watched_as_one(tmp_path: Path) -> None:
    for name, texts in {"own_web": ["a", "bc"], "own_prose": ["def"], "web": ["ghij"], "chat": []}.items():
        write_lines(tmp_path / f"texts-{name}.jsonl", [{"id": text, "text": text} for text in texts])
    found = texts_in(tmp_path, Bytes(), 8)
    assert {name: (len(one.examples), one.size_bytes) for name, one in found.items()} == {
        "own": (3, 6),
        "web": (1, 4),
    }
    for file in tmp_path.glob("texts-own_*"):
        file.unlink()
    with pytest.raises(InputError, match="user's own"):
        texts_in(tmp_path, Bytes(), 8)


# -- the stages ----------------------------------------------------------------------------------------------

FORWARD, BACKWARD = " ".join(WORDS), " ".join(reversed(WORDS))
STRANGE = "Zq#7 @9% Xj!4 ~K&"
"""Letters that no training text has: the more is learned of these, the worse it is read."""


class Killed(BaseException):
    """A kill, as far as one process can play it."""


class KillingLog(Log):
    """Dies when `dies` says so of a position, or of a line that is said."""

    def __init__(self, dies: Callable[[float, str], bool]) -> None:
        super().__init__()
        self.dies = dies

    def progress(self, done: float, total: float | None, unit: str, note: str = "") -> None:
        if self.dies(done, ""):
            raise Killed

    def say(self, text: str) -> None:
        if self.dies(-1, text):
            raise Killed


class World:
    """Training on `FORWARD`, watched by whatever texts a test names, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root, made = root, saying(root / "made")
        self.init, self.tokenizer = made["init"], made["tokenizer"]
        assert isinstance(self.init, Checkpoint) and isinstance(self.tokenizer, Tokenizer)
        self.tok: Tok = load_tokenizer(self.tokenizer.path)
        (root / "shards").mkdir()
        ids = [[*self.tok.encode(" ".join([FORWARD] * 3)), self.tok.eot_id]] * 40
        facts = write_ids(((one, len(one)) for one in ids), self.tok.vocab_size, root / "shards")
        self.shards = TokenShards(root / "shards", "k", "d", facts)

    def texts(self, **domains: str) -> EvalTexts:
        folder = self.root / ("texts-" + hashlib.sha256(repr(domains).encode()).hexdigest()[:8])
        folder.mkdir(exist_ok=True)
        for name, text in domains.items():
            write_lines(folder / f"texts-{name}.jsonl", [{"id": name, "text": text}])
        return EvalTexts(folder, "k", "d")

    def chats(self, answers: Sequence[str]) -> ChatData:
        folder = self.root / ("chats-" + "-".join(answers))
        folder.mkdir(exist_ok=True)
        rows = [
            {"id": word, "skill": "say", "messages": [*ask(word), {"role": "assistant", "content": answer}]}
            for word, answer in zip(WORDS, answers, strict=True)
        ]
        write_lines(folder / "conversations.jsonl", rows)
        return ChatData(folder, "k", "d")

    def pretrain(
        self, folder: Path, cfg: PretrainConfig, watched: EvalTexts | None, log: Log | None = None
    ) -> Any:
        return pretrain(
            cfg, job_in(folder, log), shards={"a": self.shards}, tokenizer=self.tokenizer, init=self.init,
            watched=watched,
        )  # fmt: skip

    def sft(self, folder: Path, cfg: SftConfig, log: Log | None = None, *, texts: EvalTexts) -> Any:
        """Every word is answered by the next; watched are answers that repeat the word."""
        return sft(
            cfg, job_in(folder, log), init=self.init, tokenizer=self.tokenizer,
            data=self.chats([*WORDS[1:], WORDS[0]]), watched=texts, watched_chats=self.chats(WORDS),
        )  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def job_in(folder: Path, log: Log | None = None) -> Job:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Job(out=folder / "out", work=folder / "work", log=log or Log(), threads=1)


def course(compute: Compute, steps: int = 48, **settings: Any) -> PretrainConfig:
    plain: dict[str, Any] = {
        "phase": "documents", "tokens": steps * 128, "batch_tokens": 128, "length": 32, "mixture": {"a": 1.0},
        "optim": OptimConfig(kind="adamw", lr=1e-2, embedding_lr=1e-2, norm_lr=1e-2, skip_deviations=0.0),
        "schedule": ScheduleConfig(warmup_share=0.0, decay_share=0.0), "keep_optimizer": False,
        "save_every_steps": 5, "compute": compute,
    }  # fmt: skip
    return PretrainConfig(**{**plain, **settings})


def tuning(compute: Compute, **settings: Any) -> SftConfig:
    plain: dict[str, Any] = {
        "epochs": 120, "length": 64, "batch_tokens": 128, "save_every_steps": 5, "compute": compute,
        "optim": OptimConfig(kind="adamw", lr=1e-2, embedding_lr=1e-2, norm_lr=1e-2, skip_deviations=0.0),
        "schedule": ScheduleConfig(warmup_share=0.0, decay_share=0.0),
    }  # fmt: skip
    return SftConfig(**{**plain, **settings})


def looks_in(folder: Path) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = json.loads((folder / "out" / "watch.json").read_text())
    return plain


def own_bits(world: World, folder: Path, texts: Mapping[str, WatchedTexts], length: int) -> float:
    """How well what came out reads one's own texts, in fp32."""
    place = folder / "again"
    watch = Watch(WatchConfig(), texts, place, length=length, micro_tokens=512, steps=1, say=lambda _: None)
    watch.begin(load_model(folder / "out"), 0)
    return watch.looks[0].own


def test_pretraining_gives_its_best_state_not_its_last(
    world: World, compute: Compute, tmp_path: Path
) -> None:
    """The words are learned first, which helps reading them backwards; then their order, which harms it."""
    watched = world.texts(own_web=BACKWARD)
    cfg = course(compute, watch=WatchConfig(every_share=1 / 24, patience=99))
    facts = world.pretrain(tmp_path, cfg, watched)
    looks = looks_in(tmp_path)
    assert [look["step"] for look in looks] == list(range(0, 49, 2))
    best = min(looks, key=lambda look: look["bits"]["own"])
    assert 0 < facts["best_step"] == best["step"] < 48
    assert facts["own_bits"] == best["bits"]["own"] < 0.7 * facts["own_bits_before"]
    assert looks[-1]["bits"]["own"] > 1.2 * best["bits"]["own"]
    assert facts["stopped_early"] == "no"
    assert facts["tokens"] == 48 * 128
    read = own_bits(world, tmp_path, texts_in(watched.path, world.tok, 32), 32)
    assert read == pytest.approx(best["bits"]["own"], rel=1e-4 if compute == "float32" else 0.02)


def test_pretraining_ends_early_and_says_so(world: World, compute: Compute, tmp_path: Path) -> None:
    cfg = course(compute, watch=WatchConfig(every_share=1 / 24, patience=3))
    facts = world.pretrain(tmp_path, cfg, world.texts(own_web=BACKWARD))
    looks = looks_in(tmp_path)
    assert looks[-1]["step"] == facts["best_step"] + 6 < 48
    assert facts["tokens"] == 128 * looks[-1]["step"]
    assert facts["stopped_early"] == "the held-out texts have not been read better for 3 looks"


def test_what_makes_other_texts_worse_is_not_kept(world: World, compute: Compute, tmp_path: Path) -> None:
    texts = world.texts(own_web=FORWARD, web=STRANGE)
    strict = course(compute, steps=24, watch=WatchConfig(every_share=1 / 12, patience=4, most_forgotten=0.03))
    facts = world.pretrain(tmp_path / "strict", strict, texts)
    looks = looks_in(tmp_path / "strict")
    assert facts["stopped_early"] == "other texts are read worse by more than 3%"
    allowed = 1.03 * looks[0]["bits"]["web"]
    assert all(look["spoilt"] == (look["bits"]["web"] > allowed) for look in looks)
    assert not any(look["spoilt"] for look in looks if look["kept"])
    assert min(look["bits"]["own"] for look in looks if look["spoilt"]) < facts["own_bits"]

    loose = course(compute, steps=24, watch=WatchConfig(every_share=1 / 12, patience=4, most_forgotten=99.0))
    facts = world.pretrain(tmp_path / "loose", loose, texts)
    assert facts["best_step"] > 20 and facts["own_bits"] < 0.5 * facts["own_bits_before"]


def test_watching_does_not_change_the_training(world: World, tmp_path: Path) -> None:
    cfg = course("float32", steps=12, watch=WatchConfig(every_share=0.25, patience=99))
    facts = world.pretrain(tmp_path / "watched", cfg, world.texts(own_web=FORWARD))
    assert facts["best_step"] == 12
    world.pretrain(tmp_path / "alone", cfg, None)
    for name in ("model.safetensors", "losses.jsonl", "config.json"):
        assert (tmp_path / "watched/out" / name).read_bytes() == (tmp_path / "alone/out" / name).read_bytes()
    assert not (tmp_path / "alone/out/watch.json").exists()


def test_adapters_that_are_watched_come_out_at_their_best(world: World, tmp_path: Path) -> None:
    """The frozen weights are never written while it trains; what comes out is whole all the same."""
    watched = world.texts(own_web=BACKWARD)
    lora = LoraConfig(rank=4, alpha=16.0)
    cfg = course("float32", lora=lora, watch=WatchConfig(every_share=1 / 24, patience=99))
    facts = world.pretrain(tmp_path, cfg, watched)
    assert facts["trained_parameters"] == lora.parameters(load_model(tmp_path / "out").config)
    read = own_bits(world, tmp_path, texts_in(watched.path, world.tok, 32), 32)
    assert (
        read
        == pytest.approx(facts["own_bits"], rel=1e-4)
        != pytest.approx(looks_in(tmp_path)[-1]["bits"]["own"])
    )
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()


def test_tuning_gives_its_best_state_and_ends_early(world: World, compute: Compute, tmp_path: Path) -> None:
    """What all answers share is learned first; then which answer goes with which question, and that harms it."""
    cfg = tuning(compute, watch=WatchConfig(every_share=1 / 20, patience=4, most_forgotten=99.0))
    facts = world.sft(tmp_path, cfg, texts=world.texts(own_web=FORWARD))
    looks = looks_in(tmp_path)
    best = min(looks, key=lambda look: look["bits"]["own"])
    assert set(best["bits"]) == {"documents", "own"}
    apart = looks[-1]["step"] - looks[-2]["step"]
    assert 0 < facts["best_step"] == best["step"] == looks[-1]["step"] - 4 * apart
    assert facts["own_bits"] == best["bits"]["own"] < 0.8 * facts["own_bits_before"]
    assert facts["stopped_early"] == "the held-out texts have not been read better for 4 looks"
    losses = (tmp_path / "out" / "losses.jsonl").read_text().splitlines()
    assert len(losses) == looks[-1]["step"]


def test_tuning_must_not_spoil_the_documents(world: World, compute: Compute, tmp_path: Path) -> None:
    cfg = tuning(compute, watch=WatchConfig(every_share=1 / 24, patience=3, most_forgotten=0.0))
    facts = world.sft(tmp_path, cfg, texts=world.texts(own_web=STRANGE))
    looks = looks_in(tmp_path)
    assert facts["stopped_early"] == "other texts are read worse by more than 0%"
    assert [look["spoilt"] for look in looks[-3:]] == [True] * 3
    assert not any(look["spoilt"] for look in looks if look["kept"])
    assert looks[-1]["bits"]["own"] < facts["own_bits"]


def test_tuning_without_watched_conversations_goes_to_its_end(world: World, tmp_path: Path) -> None:
    """As with documents of which nothing can be asked."""
    (tmp_path / "none").mkdir()
    write_lines(tmp_path / "none" / "conversations.jsonl", [])
    given: dict[str, Any] = {"init": world.init, "tokenizer": world.tokenizer, "data": world.chats(WORDS)}
    watched = world.texts(own_web=FORWARD)
    cfg = tuning("float32", epochs=4)
    facts = sft(
        cfg,
        job_in(tmp_path / "empty"),
        watched=watched,
        watched_chats=ChatData(tmp_path / "none", "k", "d"),
        **given,
    )
    assert facts == sft(cfg, job_in(tmp_path / "unwatched"), **given) and "best_step" not in facts
    assert bytes_of(tmp_path / "empty") == bytes_of(tmp_path / "unwatched")


def test_a_sizing_without_tokens_for_tuning_leaves_the_model_as_it_is(world: World, tmp_path: Path) -> None:
    plain = {"length": 64, "batch_tokens": 128, "tokens": 0, "optim": to_plain(OptimConfig()), "lora": None}
    (tmp_path / "sizing.json").write_text(json.dumps({"tune": plain}))
    (tmp_path / "conversations.jsonl").write_text("")
    facts = sft(
        tuning("float32"), job_in(tmp_path), init=world.init, tokenizer=world.tokenizer,
        data=ChatData(tmp_path, "k", "d"), sizing=Sizing(tmp_path, "k", "d"),
    )  # fmt: skip
    assert facts == {**world.init.facts, "flops": 0, "conversations": 0, "left_out": 0}
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (world.init.path / name).read_bytes()


# -- kills ---------------------------------------------------------------------------------------------------


def bytes_of(folder: Path) -> dict[str, bytes]:
    out = folder / "out"
    return {
        str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()
    }


def at_step(step: int, tokens: int = 1) -> Callable[[float, str], bool]:
    return lambda done, said: done == step * tokens


def at_look(step: int) -> Callable[[float, str], bool]:
    """After the best state may have been written, before any checkpoint knows of it."""
    return lambda done, said: f"after step {step}:" in said


def end_killed(patch: pytest.MonkeyPatch) -> None:
    """The training is over, its files are not yet written."""

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    patch.setattr(finishing, "save_model", dies)


Run = Callable[[Path, Log | None], Any]


def same_after_kills(
    run: Run, tmp_path: Path, kills: Sequence[Callable[[float, str], bool]], patch: pytest.MonkeyPatch
) -> Any:
    """Kills one after the other, one more at the end, then to the end: facts and bytes as if never killed."""
    facts = run(tmp_path / "whole", None)
    for kill in kills:
        with pytest.raises(Killed):
            run(tmp_path / "parts", KillingLog(kill))
    with patch.context() as patched, pytest.raises(Killed):
        end_killed(patched)
        run(tmp_path / "parts", None)
    assert run(tmp_path / "parts", None) == facts
    assert bytes_of(tmp_path / "parts") == bytes_of(tmp_path / "whole")
    return facts


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=2)], ids=["full", "lora"])
def test_pretraining_killed_between_two_looks_gives_the_same_bytes(
    world: World, compute: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora: LoraConfig | None
) -> None:
    """Looks after every fourth step, checkpoints after every fifth; the best state lies in between."""
    watched = world.texts(own_web=BACKWARD, web=STRANGE)
    cfg = course(compute, lora=lora, watch=WatchConfig(every_share=1 / 12, patience=3, most_forgotten=99.0))

    def run(folder: Path, log: Log | None) -> Any:
        return world.pretrain(folder, cfg, watched, log)

    kills = [
        at_look(0),
        at_step(3, 128),
        at_look(4),
        at_step(6, 128),
        at_look(8),
        at_step(9, 128),
        at_look(12),
    ]
    facts = same_after_kills(run, tmp_path, kills, monkeypatch)
    assert 8 < facts["best_step"] < looks_in(tmp_path / "whole")[-1]["step"]


def test_tuning_killed_between_two_looks_gives_the_same_bytes(
    world: World, compute: Compute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = tuning(compute, epochs=20, watch=WatchConfig(every_share=1 / 7, patience=2, most_forgotten=99.0))

    def run(folder: Path, log: Log | None) -> Any:
        return world.sft(folder, cfg, log, texts=world.texts(own_web=FORWARD))

    kills = [at_look(0), at_step(3), at_look(4), at_step(6), at_look(8)]
    same_after_kills(run, tmp_path, kills, monkeypatch)


@pytest.mark.parametrize("save_every_steps", [5, 6])
def test_killed_after_the_last_step_gives_the_same_facts(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_every_steps: int
) -> None:
    """Where the last step is also a checkpoint, no step is done again and no look is taken. Nothing got better here."""
    cfg = course(
        "float32", steps=24, save_every_steps=save_every_steps,
        watch=WatchConfig(every_share=0.25, patience=4, most_forgotten=99.0),
    )  # fmt: skip

    def run(folder: Path, log: Log | None) -> Any:
        return world.pretrain(folder, cfg, world.texts(own_web=STRANGE), log)

    facts = same_after_kills(run, tmp_path, [], monkeypatch)
    assert facts["best_step"] == 0 and facts["stopped_early"] == "no"


def test_the_watched_weights_are_examples_of_whole_windows() -> None:
    found = windows_of(["abc"], lambda text: list(text.encode()), 0, 2)
    assert [list(one.tokens) for one in found.examples] == [[0, 97, 98], [98, 99]]
    assert all(isinstance(one, Example) and bool((one.weights == 1).all()) for one in found.examples)


def test_short_texts_are_watched_whole_and_of_long_ones_some_beginnings() -> None:
    short = ["a b", "c d"]
    assert beginnings(short, 1000) == short
    long = [str(number) + "x" * 10_000 for number in range(40)]
    found = beginnings(long, 4_096)
    assert [text.rstrip("x") for text in found] == ["0", "5", "10", "15", "20", "25", "30", "35"]
    assert sum(map(len, found)) <= 3 * 4_096
    assert min(map(len, found)) >= 1_500
    assert len(beginnings(long, 1)) == 1
