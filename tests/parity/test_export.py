"""Export against other people's programs: `transformers` and llama.cpp; and that the proof can fail."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smolforge.artifacts import Checkpoint, Tokenizer
from smolforge.device import gguf, parity
from smolforge.device.runtime import FORCE, GgufModel
from smolforge.device.stages import ExportConfig, export
from smolforge.errors import ConfigError, InputError, StageError
from smolforge.language_model import Sampling
from smolforge.log import Log
from smolforge.model.config import ModelConfig, Research
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_model, save_model
from smolforge.stage import Job
from smolforge.text import tokenizer as text
from smolforge.text.chat import CHAT_TEMPLATE
from smolforge.text.tokenizer import Tok, load_tokenizer

SHAPE = ModelConfig(
    vocab_size=384,
    hidden_size=128,
    intermediate_size=160,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=256,
)
CONFIG = ExportConfig(quantisations=("f32", "bf16", "q8_0", "q4_0"), greedy_tokens=8, reading_tokens=8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("checkpoint")
    model = Llama(SHAPE)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.15, generator=random)
    save_model(folder, model)
    return Checkpoint(folder, "", "")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    text.save(
        text.train(["user assistant system tool: the cat sat on the mat, 12 dogs ran.\n"] * 9, 384), folder
    )
    return Tokenizer(folder, "", "")


def job(folder: Path) -> Job:
    (folder / "out").mkdir(parents=True)
    (folder / "work").mkdir()
    return Job(out=folder / "out", work=folder / "work", log=Log(), threads=1)


@pytest.fixture(scope="module")
def exported(checkpoint: Checkpoint, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = job(tmp_path_factory.mktemp("export"))
    facts = export(CONFIG, place, model=checkpoint, tokenizer=tokenizer)
    assert facts["checks"] == len(json.loads((place.out / "parity.json").read_text()))
    return place.out


@pytest.fixture(scope="module")
def gguf_model(exported: Path) -> GgufModel:
    return GgufModel(exported / "model-f32.gguf", exact=True)


@pytest.fixture(scope="module")
def model(checkpoint: Checkpoint) -> Llama:
    return load_model(checkpoint.path).eval()


@pytest.fixture(scope="module")
def tok(tokenizer: Tokenizer) -> Tok:
    return load_tokenizer(tokenizer.path)


def test_every_check_passes_and_both_programs_are_asked(exported: Path) -> None:
    checks = json.loads((exported / "parity.json").read_text())
    assert all(check["passed"] for check in checks)
    names = [check["name"] for check in checks]
    for wanted in (
        "transformers: same logits",
        "transformers: same tokens",
        "transformers: same chat template",
        "llama.cpp f32: same tokens",
        "llama.cpp f32: same greedy text",
        "llama.cpp f32: same chat template",
        "llama.cpp f32: stops",
        "llama.cpp q8_0: same distribution",
    ):
        assert wanted in names


def test_a_second_export_gives_the_same_bytes(
    exported: Path, checkpoint: Checkpoint, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    place = job(tmp_path)
    export(CONFIG, place, model=checkpoint, tokenizer=tokenizer)
    files = sorted(path.relative_to(exported) for path in exported.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(place.out) for path in place.out.rglob("*") if path.is_file())
    for file in files:
        assert (place.out / file).read_bytes() == (exported / file).read_bytes(), file


def test_half_precision_folder_passes_its_own_checks(
    checkpoint: Checkpoint, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    place = job(tmp_path)
    cfg = ExportConfig(stored="bfloat16", quantisations=("f32",), greedy_tokens=4, reading_tokens=4)
    export(cfg, place, model=checkpoint, tokenizer=tokenizer)
    assert json.loads((place.out / "hf" / "config.json").read_text())["torch_dtype"] == "bfloat16"


def test_log_probabilities_equal_torchs(gguf_model: GgufModel, model: Llama, tok: Tok) -> None:
    prompt = tok.encode("the cat")
    lead = tok.encode_bytes("é".encode())[0]
    with torch.no_grad():
        ours_V = torch.log_softmax(model(torch.tensor([prompt]))[0, -1], -1)
    for token in (0, 2, 3, 100, lead, 383):
        value, best = gguf_model.token_logprob(prompt, token)
        assert value == pytest.approx(float(ours_V[token]), abs=1e-4)
        assert best == int(ours_V.argmax())
    result = gguf_model.logprobs([prompt], [[100, lead]])[0]
    with torch.no_grad():
        after_V = torch.log_softmax(model(torch.tensor([[*prompt, 100]]))[0, -1], -1)
    assert result.total == pytest.approx(float(ours_V[100] + after_V[lead]), abs=1e-4)
    assert result.tokens == 2


def test_sampling_repeats_with_its_seed(gguf_model: GgufModel, tok: Tok) -> None:
    prompt = tok.encode("the")
    one, two, other = (
        gguf_model.generate([prompt], Sampling(max_new_tokens=12, temperature=1.0, seed=seed))[0]
        for seed in (3, 3, 4)
    )
    assert one == two != other


def test_generation_ends_at_a_stop_token_and_leaves_it_out(gguf_model: GgufModel, tok: Tok) -> None:
    prompt = tok.encode("the cat")
    never = dict.fromkeys(tok.end_ids, -FORCE)
    free = gguf_model.answer(prompt, Sampling(max_new_tokens=8), bias=never)
    assert free.reason == "length" and len(free.ids) == 8
    stopped = gguf_model.answer(prompt, Sampling(max_new_tokens=8), stop=[free.ids[3]], bias=never)
    assert stopped.ids == free.ids[: free.ids.index(free.ids[3])]
    assert stopped.reason == "stop"
    assert gguf_model.answer(prompt, Sampling(max_new_tokens=8), bias={tok.turn_end_id: FORCE}).ids == []


@pytest.mark.parametrize("seed", range(4))
def test_streamed_text_equals_the_whole(gguf_model: GgufModel, tok: Tok, seed: int) -> None:
    how = Sampling(max_new_tokens=30, temperature=1.5, seed=seed)
    prompt = tok.encode("the cat")
    streamed, whole = (
        tok.decode(ids, skip_special=True).replace(
            "\ufffd", ""
        )  # broken bytes are written in more than one way
        for ids in (gguf_model.stream(prompt, how), gguf_model.answer(prompt, how).ids)
    )
    assert streamed == whole
    assert len(whole) > 10


def test_a_stream_ends_at_a_stop_token_and_can_be_left(gguf_model: GgufModel, tok: Tok) -> None:
    prompt = tok.encode("12 dogs")
    whole = list(gguf_model.stream(prompt, Sampling(max_new_tokens=6)))
    got = list(gguf_model.stream(prompt, Sampling(max_new_tokens=6), stop=[whole[-1]]))
    assert got == whole[: whole.index(whole[-1])]
    stream = gguf_model.stream(prompt, Sampling(max_new_tokens=200))
    next(stream)
    stream.close()
    assert list(gguf_model.stream(prompt, Sampling(max_new_tokens=6))) == whole


def test_talking_to_the_file_through_the_talker(exported: Path) -> None:
    from smolforge.serve.engines import load_talker

    talker = load_talker(exported / "model-q8_0.gguf")
    reply = talker.stream([{"role": "user", "content": "the cat"}], how=Sampling(max_new_tokens=5))
    assert isinstance("".join(reply), str)
    assert reply.completion_tokens <= 5


@pytest.mark.parametrize("prompt", [[], [384], [-1], [5] * 256])
def test_an_impossible_prompt_is_an_input_error(gguf_model: GgufModel, prompt: list[int]) -> None:
    with pytest.raises(InputError):
        gguf_model.answer(prompt, Sampling(max_new_tokens=1))


def test_a_file_cut_short_is_an_input_error(exported: Path, tmp_path: Path) -> None:
    whole = (exported / "model-f32.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:-64])
    with pytest.raises(InputError):
        GgufModel(tmp_path / "cut.gguf")


def test_rows_in_the_wrong_order_are_found(
    model: Llama, tok: Tok, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf, "interleave", lambda data, heads: data)
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    gguf.write(tmp_path / "m.gguf", "f32", SHAPE, weights, tok, template=CHAT_TEMPLATE, name="wrong")
    wrong = GgufModel(tmp_path / "m.gguf", exact=True)
    assert not parity.compare_distributions("", wrong, model, parity.KL_LIMIT["f32"], 8).passed
    assert not parity.same_greedy("", wrong, model, 8, exact=True).passed


def test_another_template_and_other_merges_are_found(model: Llama, tok: Tok, tmp_path: Path) -> None:
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    fewer = Tok(replace(tok.parts, merges=tok.merges[:20]))
    gguf.write(tmp_path / "m.gguf", "f32", SHAPE, weights, fewer, template=CHAT_TEMPLATE + " ", name="wrong")
    wrong = GgufModel(tmp_path / "m.gguf")
    assert not parity.same_vocabulary("", wrong.tok, tok).passed
    assert not parity.same_tokens("", wrong.tokenize, tok).passed
    assert not parity.same_chat("", wrong.render, tok).passed


def test_a_folder_with_other_weights_is_found(exported: Path, model: Llama, tok: Tok, tmp_path: Path) -> None:
    shutil.copytree(exported / "hf", tmp_path / "hf")
    changed = load_model(exported / "hf")
    with torch.no_grad():
        changed.model.norm.weight += 0.01
    save_model(tmp_path / "hf", changed)
    failed = [
        c.name for c in parity.of_transformers(tmp_path / "hf", model, tok, reading_tokens=8) if not c.passed
    ]
    assert failed == ["transformers: same logits"]


def test_a_failed_check_stops_the_stage_and_is_named(
    checkpoint: Checkpoint, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf, "interleave", lambda data, heads: np.ascontiguousarray(data[::-1]))
    with pytest.raises(StageError, match=r"llama\.cpp f32"):
        export(
            ExportConfig(quantisations=("f32",), greedy_tokens=4, reading_tokens=4),
            job(tmp_path),
            model=checkpoint,
            tokenizer=tokenizer,
        )


def test_a_tokenizer_of_another_size_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    text.save(text.train(["other words"], 300), tmp_path / "tokenizer")
    with pytest.raises(ConfigError):
        export(
            CONFIG,
            job(tmp_path / "job"),
            model=checkpoint,
            tokenizer=Tokenizer(tmp_path / "tokenizer", "", ""),
        )


def test_a_research_model_is_not_exported(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_model(tmp_path / "model", Llama(replace(SHAPE, research=Research())))
    with pytest.raises(StageError, match="no Llama"):
        export(
            CONFIG, job(tmp_path / "job"), model=Checkpoint(tmp_path / "model", "", ""), tokenizer=tokenizer
        )


@pytest.mark.parametrize(
    "wrong", [{"quantisations": ("q8_0",)}, {"quantisations": ("f32", "f32")}, {"greedy_tokens": 0}]
)
def test_impossible_settings(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        ExportConfig(**wrong)
