"""Tokenizers of other families: the ids that `tokenizers`, `AutoTokenizer` and llama.cpp give, and the gate for each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from families import CUT_BY, FAMILIES, TOKENIZERS, write_tokenizer
from tokenizers import Tokenizer

from smolforge.artifacts import Checkpoint
from smolforge.artifacts import Tokenizer as TokenizerArtifact
from smolforge.device import battery
from smolforge.device.stages import ExportConfig, export
from smolforge.errors import InputError
from smolforge.log import Log
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.released import foreign
from smolforge.stage import Job
from smolforge.text.tokenizer import load_tokenizer, save_parts


@pytest.mark.parametrize("name", TOKENIZERS)
def test_ids_are_those_of_the_file_itself(name: str, tmp_path: Path) -> None:
    write_tokenizer(name, tmp_path)
    theirs, ours = Tokenizer.from_file(str(tmp_path / "tokenizer.json")), load_tokenizer(tmp_path)
    for text in battery.all_texts():
        assert ours.encode(text, allow_special=True) == theirs.encode(text, add_special_tokens=False).ids
    begun = theirs.encode("a").ids
    assert [*ours.begin_ids, *ours.encode("a")] == begun


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_is_written_reads_the_same(name: str, tmp_path: Path) -> None:
    write_tokenizer(name, tmp_path / "a")
    first = load_tokenizer(tmp_path / "a")
    (tmp_path / "b").mkdir()
    save_parts(first, tmp_path / "b")
    again = load_tokenizer(tmp_path / "b")
    for attribute in (
        "vocab",
        "merges",
        "specials",
        "control",
        "end_ids",
        "begin_ids",
        "start_id",
        "turn_end_id",
    ):
        assert getattr(again, attribute) == getattr(first, attribute), attribute
    assert again.template_source == first.template_source
    assert again.parts.ignore_merges == first.parts.ignore_merges
    for text in battery.TEXTS:
        assert again.encode(text, allow_special=True) == first.encode(text, allow_special=True)


def test_what_cuts_in_another_way_is_refused_and_told_what_is_known(tmp_path: Path) -> None:
    write_tokenizer("llama3", tmp_path)
    plain = json.loads((tmp_path / "tokenizer.json").read_text())
    plain["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": r"\s+"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(plain))
    with pytest.raises(InputError, match="llama3, qwen2"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "ends"),
    [("smollm", ["<|im_end|>"]), ("llama3", ["<|eot_id|>", "<|end_of_text|>"]), ("qwen2", ["<|im_end|>"])],
)
def test_ends_and_beginnings(name: str, ends: list[str], tmp_path: Path) -> None:
    write_tokenizer(name, tmp_path)
    tok = load_tokenizer(tmp_path)
    assert tok.end_ids[0] == tok.turn_end_id == tok.specials[ends[0]]
    assert {tok.specials[end] for end in ends} <= {*tok.end_ids}
    assert tok.begin_ids == ((tok.specials["<|begin_of_text|>"],) if name == "llama3" else ())
    assert tok.eot_id == tok.specials["<|end_of_text|>" if name == "llama3" else "<|endoftext|>"]


def _job(folder: Path) -> Job:
    (folder / "out").mkdir(parents=True)
    (folder / "work").mkdir()
    return Job(out=folder / "out", work=folder / "work", log=Log(), threads=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_goes_out_through_the_gate_and_comes_back(family: str, tmp_path: Path) -> None:
    """Random weights, a tokenizer in the family's manner; transformers and llama.cpp must agree with us on all of it."""
    write_tokenizer(CUT_BY[family], tmp_path / "tokenizer")
    tok = load_tokenizer(tmp_path / "tokenizer")
    model = Llama(replace(FAMILIES[family], vocab_size=tok.vocab_size + 3, max_position_embeddings=128))
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.15, generator=draw)
    save_model(tmp_path / "model", model)
    place = _job(tmp_path / "export")
    export(
        ExportConfig(quantisations=("f32", "q8_0"), greedy_tokens=6, reading_tokens=8),
        place,
        model=Checkpoint(tmp_path / "model", "", ""),
        tokenizer=TokenizerArtifact(tmp_path / "tokenizer", "", ""),
    )
    checks = json.loads((place.out / "parity.json").read_text())
    assert len(checks) > 12 and all(check["passed"] for check in checks)
    tokens = torch.tensor([[5, 9, 2, 77, 30, 8]])
    for source in (place.out / "hf", place.out / "model-f32.gguf"):
        back = foreign.load_model_of(source)
        assert replace(back.config, initializer_range=0.02) == replace(model.config, initializer_range=0.02)
        assert torch.equal(back(tokens), model(tokens))
        assert foreign.tokenizer_of(source).template_source == tok.template_source
