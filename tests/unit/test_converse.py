"""Conversations with a finished model: every script is held to its end, and each answer is seen by the next question."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import families
import pytest
from worlds import saying

from smolforge.align.talk_stages import SCRIPTS, ConverseConfig, converse
from smolforge.artifacts import Checkpoint, Tokenizer
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.stage import Job
from smolforge.text.tokenizer import load_tokenizer

SHORT = ConverseConfig(answer_tokens=5, compute="float32")


def model_in(folder: Path, vocabulary: int, positions: int) -> Checkpoint:
    shape = ModelConfig(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=positions,
    )  # fmt: skip
    network = Llama(shape)
    network.initialise(0)
    save_model(folder, network)
    return Checkpoint(folder, "k", "d")


def held(
    root: Path, model: Checkpoint, tokenizer: Any
) -> tuple[dict[str, Any], list[list[dict[str, str]]], str]:
    """Facts, conversations, and what was said of them."""
    for name in ("out", "work"):
        (root / name).mkdir()
    shown = io.StringIO()
    job = Job(out=root / "out", work=root / "work", log=Log(show=shown), threads=1)
    facts = converse(SHORT, job, model=model, tokenizer=tokenizer)
    lines = (job.out / "conversations.jsonl").read_text("utf-8").splitlines()
    return dict(facts), [json.loads(line)["messages"] for line in lines], shown.getvalue()


def test_every_script_is_held_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = saying(tmp_path)["tokenizer"]
    prompts: list[str] = []
    from smolforge.model.generate import TorchLanguageModel

    tok, generate = load_tokenizer(tokenizer.path), TorchLanguageModel.generate
    monkeypatch.setattr(
        TorchLanguageModel, "generate",
        lambda reader, ids, *rest: prompts.append(tok.decode(ids[0])) or generate(reader, ids, *rest),
    )  # fmt: skip
    facts, talks, _ = held(tmp_path, model_in(tmp_path / "wide", 300, 1024), tokenizer)
    assert facts == {"conversations": len(SCRIPTS), "turns": sum(len(asked) for _, asked in SCRIPTS)}
    for (system, asked), messages in zip(SCRIPTS, talks, strict=True):
        assert [m["content"] for m in messages if m["role"] == "system"] == ([system] if system else [])
        assert [m["content"] for m in messages if m["role"] == "user"] == list(asked)
    second = prompts[1]
    assert SCRIPTS[0][1][0] in second and SCRIPTS[0][1][1] in second  # the first turn is still in sight
    assert any(SCRIPTS[1][0] in prompt for prompt in prompts)


def test_a_conversation_ends_where_the_model_reads_no_more(tmp_path: Path) -> None:
    tokenizer = saying(tmp_path)["tokenizer"]
    facts, talks, told = held(tmp_path, model_in(tmp_path / "narrow", 300, 96), tokenizer)
    assert "ends early" in told and 0 < facts["turns"] < sum(len(asked) for _, asked in SCRIPTS)
    assert all(messages[-1]["role"] == "assistant" for messages in talks)


def test_a_model_without_a_chat_template_holds_none(tmp_path: Path) -> None:
    families.write_tokenizer("gpt2", tmp_path / "tokenizer")
    vocabulary = load_tokenizer(tmp_path / "tokenizer").vocab_size
    tokenizer = Tokenizer(tmp_path / "tokenizer", "k", "d")
    facts, talks, _ = held(tmp_path, model_in(tmp_path / "model", vocabulary, 512), tokenizer)
    assert facts == {"conversations": 0, "turns": 0} and talks == []
