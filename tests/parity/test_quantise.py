"""Four-bit matrices fitted to their inputs: bytes as the `gguf` package reads them, less lost than by its own rounding."""

from __future__ import annotations

import json
import re
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type
from torch import Tensor

from smolforge.device import quantise
from smolforge.device.fitting_texts import texts_for
from smolforge.device.gguf import file_bytes
from smolforge.device.loss import nats_of, read_back
from smolforge.errors import ConfigError, InputError
from smolforge.exporting import _losses, _named, _that_fits
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.text import tokenizer as text
from smolforge.units import parse_bytes

TYPES = {"q4_0": Type.Q4_0, "q4_1": Type.Q4_1}
KINDS: list[quantise.FourBits] = ["q4_0", "q4_1"]


def _inputs(count: int, width: int) -> Tensor:
    """Inputs that go together and differ in size, as those of a trained model do."""
    mixed = torch.randn(count, width) @ torch.randn(width, width) / width**0.5
    return mixed * torch.rand(width).square().mul(3).add(0.05)


def _missed(x_NK: Tensor, weight_MK: Tensor, values_MK: Tensor) -> float:
    return float((x_NK @ (weight_MK - values_MK).T).norm() / (x_NK @ weight_MK.T).norm())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_less_is_lost_than_by_rounding_to_the_nearest(kind: quantise.FourBits, seed: int) -> None:
    """On inputs that were not looked at; the bytes mean the values that were promised."""
    torch.manual_seed(seed)
    everything, weight = _inputs(6_000, 192), torch.randn(80, 192)
    seen, unseen = everything[:4_000], everything[4_000:]
    fitted = quantise.round_matrix(weight, (seen.T @ seen).double(), kind)
    nearest = torch.from_numpy(gguf.dequantize(gguf.quantize(weight.numpy(), TYPES[kind]), TYPES[kind]))
    assert torch.equal(torch.from_numpy(gguf.dequantize(fitted.rows_MB, TYPES[kind])), fitted.values_MK)
    assert _missed(unseen, weight, fitted.values_MK) < 0.85 * _missed(unseen, weight, nearest)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_matrices(kind: quantise.FourBits) -> None:
    """All zero, one value, one huge value, inputs that never come: finite, and what fits the grid is kept."""
    moment = torch.zeros(64, 64, dtype=torch.float64)
    moment[:5, :5] = torch.eye(5)
    weight = torch.zeros(4, 64)
    weight[1] = 0.5
    weight[2, 3] = 1e4
    weight[3] = torch.linspace(-1, 1, 64)
    fitted = quantise.round_matrix(weight, moment, kind)
    assert torch.isfinite(fitted.values_MK).all()
    assert torch.equal(fitted.values_MK[0], weight[0])
    assert torch.allclose(fitted.values_MK[1], weight[1], atol=2e-3)
    assert torch.equal(torch.from_numpy(gguf.dequantize(fitted.rows_MB, TYPES[kind])), fitted.values_MK)


def _model(**more: object) -> Llama:
    shape = ModelConfig(
        vocab_size=384,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=128,
        **more,  # type: ignore[arg-type]
    )
    model = Llama(shape)
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.2, generator=random)
    return model.eval()


@pytest.mark.parametrize("more", [{}, {"family": "qwen2"}, {"family": "qwen3"}])
def test_a_whole_model_stays_nearer_to_itself(more: dict[str, object]) -> None:
    """Distributions of the fitted copy are nearer than those of one rounded to the nearest; the original stays."""
    model = _model(**more)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    rows = torch.randint(0, 384, (40, 48), generator=torch.Generator().manual_seed(1)).tolist()
    fitted, packed = quantise.quantised(model, "q4_0", rows[:32], lambda done, of: None)
    assert len(packed) == 3 * 7
    nearest = _model(**more)
    with torch.no_grad():
        for name, weight in nearest.named_parameters():
            if name in packed:
                rounded = gguf.dequantize(gguf.quantize(weight.numpy(), Type.Q4_0), Type.Q4_0)
                weight.copy_(torch.from_numpy(rounded))
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    unseen = torch.tensor(rows[32:])
    with torch.no_grad():
        told, ours, theirs = (torch.log_softmax(m(unseen), -1) for m in (model, fitted, nearest))
    assert (told.exp() * (told - ours)).sum(-1).mean() < 0.8 * (told.exp() * (told - theirs)).sum(-1).mean()


@pytest.fixture(scope="module")
def tok(tmp_path_factory: pytest.TempPathFactory) -> text.Tok:
    folder = tmp_path_factory.mktemp("tokenizer")
    text.save(text.train(["user assistant: the cat sat on the mat, 12 dogs ran.\n"] * 9, 384), folder)
    return text.load_tokenizer(folder)


def test_texts_to_fit_and_to_judge_on_are_apart(tok: text.Tok) -> None:
    given = [f"text number {number} about {number * 7} " * 40 for number in range(60)]
    texts = texts_for(tok, 64, given)
    assert all(len(row) == 64 for row in texts.fit + texts.judged)
    fit, judged = (
        {number for row in rows for number in re.findall(r"number (\d+) about", tok.decode(row))}
        for rows in (texts.fit, texts.judged)
    )
    assert len(texts.fit) > len(texts.judged) > 0 and not fit & judged
    reference = texts_for(tok, 128)
    assert reference.source.startswith("Python") and len(reference.fit) == 64
    assert texts_for(tok, 128, []).source == "a short text of ours"


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_1", "q4_0"])
def test_the_size_is_known_beforehand(kind: str, tok: text.Tok, tmp_path: Path) -> None:
    from smolforge.device import gguf as writer

    model = _model()
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    file = tmp_path / "model.gguf"
    writer.write(file, kind, model.config, weights, tok, template=None, name="x")  # type: ignore[arg-type]
    promised = file_bytes(model.config, kind, tok)  # type: ignore[arg-type]
    assert abs(promised - file.stat().st_size) < 0.03 * file.stat().st_size + 4_000
    lost = np.mean(nats_of(read_back(file), [[1, 2, 3, 4, 5]] * 3))
    assert abs(lost - np.mean(nats_of(model, [[1, 2, 3, 4, 5]] * 3))) < (
        0.05 if kind in ("f16", "q8_0") else 3
    )


def test_the_most_precise_file_that_fits_is_chosen(tok: text.Tok, tmp_path: Path) -> None:
    from smolforge.artifacts import Checkpoint, Tokenizer

    model = _model()
    save_model(tmp_path / "model", model)
    sizes = {kind: file_bytes(model.config, kind, tok) for kind in ("f16", "q8_0", "q4_1", "q4_0")}
    assert sizes["f16"] > sizes["q8_0"] > sizes["q4_1"] > sizes["q4_0"]
    (tmp_path / "tokenizer").mkdir()
    text.save(
        text.train(["user assistant: the cat sat on the mat, 12 dogs ran.\n"] * 9, 384),
        tmp_path / "tokenizer",
    )
    place = Checkpoint(tmp_path / "model", "", ""), Tokenizer(tmp_path / "tokenizer", "", "")
    assert _that_fits(*place, sizes["f16"]) == ("f16",)
    assert _that_fits(*place, sizes["f16"] - 1) == ("q8_0",)
    assert _that_fits(*place, sizes["q4_0"]) == ("q4_0",)
    with pytest.raises(InputError, match="q4_0 takes about"):
        _that_fits(*place, 1_000)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [("100 MB", 10**8), ("1.5 GiB", 1_610_612_736), ("12", 12), ("7b", 7), ("3K", 3_000), ("2 kib", 2_048)],
)
def test_sizes_are_read(written: str, wanted: int) -> None:
    assert parse_bytes(written) == wanted


@pytest.mark.parametrize("wrong", ["", "MB", "-3 MB", "ten", "3 XB", "nan"])
def test_what_is_no_size_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="is not a size"):
        parse_bytes(wrong)


def test_unknown_files_are_refused_by_name() -> None:
    assert _named("Q8_0, q4_0,q8_0") == ("q8_0", "q4_0") and _named("") is None
    with pytest.raises(ConfigError, match="q5_k"):
        _named("q8_0,q5_k")


def test_losses_are_told_for_the_files_that_are_there(tmp_path: Path) -> None:
    told = [
        {"file": f"model-{k}.gguf", "bytes": 9, "perplexity": 3.5, "loss": [0.1, 0.05, 0.15]} for k in "ab"
    ]
    (tmp_path / "loss.json").write_text(json.dumps({"texts": "t", "rows": 3, "files": told}))
    (tmp_path / "model-b.gguf").write_bytes(b"")
    lines = _losses(tmp_path)
    assert len(lines) == 2 and "model-b.gguf" in lines[1] and "+0.1000 [+0.0500, +0.1500]" in lines[1]
