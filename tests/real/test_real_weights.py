"""The real model's numbers: what `gguf` dequantises, what `transformers` computes with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf.tensor_mapping import get_tensor_name_map
from safetensors.numpy import load_file

from smolforge.language_model import Sampling
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.transformer import Llama
from smolforge.released import foreign

transformers = pytest.importorskip("transformers")

NEW_TOKENS = 32
TEXTS = (
    "1, 2, 3, 4, 5,",
    "The sun is a star. The earth",
    "def add(a, b):\n    return",
    "<|im_start|>user\nCount from 1 to 20.<|im_end|>\n<|im_start|>assistant\n",
)
"""Continuations in which no choice is a near tie."""


@pytest.fixture(scope="module")
def model(real_model: Path) -> Llama:
    return foreign.load_model_of(real_model).eval()


@pytest.fixture(scope="module")
def theirs(exported: Path) -> Any:
    loaded = transformers.AutoModelForCausalLM.from_pretrained(exported / "hf", dtype=torch.float32)
    return loaded.eval()


def prompts(folder: Path) -> Iterator[torch.Tensor]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        yield torch.tensor([tokenizer.encode(text, add_special_tokens=False)])


def in_gguf_order(public: str, data: np.ndarray, heads: int, key_heads: int) -> np.ndarray:
    """Rows of queries and keys as llama.cpp's converter puts them (`LlamaModel.permute`)."""
    count = heads if "q_proj" in public else key_heads if "k_proj" in public else 0
    if not count:
        return data
    return data.reshape(count, 2, len(data) // count // 2, -1).swapaxes(1, 2).reshape(data.shape)


def test_every_tensor_is_what_gguf_dequantises(real_model: Path, model: Llama, exported: Path) -> None:
    """As it is read, and as it went through the lab into the exported folder."""
    if not real_model.is_file():
        pytest.skip("the real model is a folder, so nothing is dequantised")
    reader = gguf.GGUFReader(real_model)
    heads, key_heads = (
        int(reader.fields[f"llama.attention.head_count{of}"].contents()) for of in ("", "_kv")
    )
    names = get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
    wanted = {t.name: gguf.dequantize(t.data, t.tensor_type).reshape(t.shape[::-1]) for t in reader.tensors}
    read = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    for weights in (read, load_file(exported / "hf" / "model.safetensors")):
        known = {names.get_name(public, (".weight",)): public for public in weights}
        assert known.keys() == wanted.keys()
        for name, public in known.items():
            found = in_gguf_order(public, weights[public], heads, key_heads)
            assert found.dtype == np.float32
            assert np.array_equal(found, wanted[name]), public


def test_logits_are_those_of_transformers(model: Llama, theirs: Any, exported: Path) -> None:
    for ids_BT in prompts(exported / "hf"):
        with torch.no_grad():
            torch.testing.assert_close(model(ids_BT), theirs(ids_BT).logits, atol=1e-3, rtol=0)


def test_greedy_continuations_are_those_of_transformers(model: Llama, theirs: Any, exported: Path) -> None:
    ours, how = TorchLanguageModel(model), Sampling(max_new_tokens=NEW_TOKENS)
    for ids_BT in prompts(exported / "hf"):
        whole_BT = theirs.generate(
            ids_BT,
            attention_mask=torch.ones_like(ids_BT),
            do_sample=False,
            min_new_tokens=NEW_TOKENS,
            max_new_tokens=NEW_TOKENS,
        )
        [answer] = ours.generate([ids_BT[0].tolist()], how)
        assert len(answer) == NEW_TOKENS
        assert answer == whole_BT[0, ids_BT.shape[1] :].tolist()
