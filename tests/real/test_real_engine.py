"""The real model's 4-bit file on our engine: what the float path says, to the token."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolforge.compiled import CompileError
from smolforge.device.battery import QUESTIONS, READING
from smolforge.device.engine.build import library
from smolforge.device.engine.model import EngineModel
from smolforge.device.loss import read_back
from smolforge.language_model import Sampling
from smolforge.model.generate import TorchLanguageModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both(real_model: Path) -> tuple[EngineModel, TorchLanguageModel]:
    if real_model.suffix != ".gguf":
        pytest.skip("the real model is here as a folder")
    try:
        library()
    except CompileError:
        pytest.skip("no compiler here")
    return EngineModel(real_model), TorchLanguageModel(read_back(real_model))


def test_answers_are_those_of_the_float_path(both: tuple[EngineModel, TorchLanguageModel]) -> None:
    """With inputs of 8 bits the first of these questions gets nonsense; all may part once, at a near tie."""
    ours, theirs = both
    prompts = [ours.tok.encode_chat([{"role": "user", "content": q}], None, True)[0] for q in QUESTIONS]
    how = Sampling(max_new_tokens=24)
    answers = ours.generate(prompts, how)
    wanted = theirs.generate(prompts, how, stop=ours.tok.end_ids)
    assert "Paris" in ours.tok.decode(answers[0])
    assert sum(a == w for a, w in zip(answers, wanted, strict=True)) >= len(QUESTIONS) - 1


def test_probabilities_are_those_of_the_float_path(both: tuple[EngineModel, TorchLanguageModel]) -> None:
    ours, theirs = both
    ids = ours.tok.encode(READING)[:100]
    prompts, rest = [ids[:k] for k in (1, 20, 60, 99)], [ids[k : k + 1] for k in (1, 20, 60, 99)]
    for a, b in zip(ours.logprobs(prompts, rest), theirs.logprobs(prompts, rest), strict=True):
        assert abs(a.total - b.total) < 0.02
