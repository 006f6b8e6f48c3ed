"""A model from elsewhere, as its makers left it: a Hugging Face folder or one GGUF file, opened the same way.

model, tok = load_model_of(path), tokenizer_of(path)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from smolforge.device import gguf_in
from smolforge.device.header import read_header
from smolforge.errors import InputError
from smolforge.model.config import ModelConfig
from smolforge.model.public_config import load_config
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_model, model_of, stored_dtypes
from smolforge.text.tokenizer import Tok, load_tokenizer

Tick = Callable[[int, int], None]


def config_of(path: Path) -> ModelConfig:
    """The model's shape; InputError for what is not run here, naming what is."""
    return gguf_in.shape_of(read_header(path)) if path.is_file() else load_config(path)


def tokenizer_of(path: Path) -> Tok:
    """The model's tokenizer, with its roles and chat template."""
    if path.is_file():
        return gguf_in.tokenizer_of(read_header(path))
    if not (path / "tokenizer.json").is_file():
        raise InputError(
            "this model folder has no tokenizer.json", where=str(path), fix="put the tokenizer beside it"
        )
    return load_tokenizer(path)


def load_model_of(
    path: Path, *, compute: torch.dtype = torch.float32, tick: Tick = lambda done, total: None
) -> Llama:
    """The model with fp32 weights: of a GGUF file exactly what `gguf` itself dequantises."""
    if not path.is_file():
        return load_model(path, compute=compute)
    header = read_header(path)
    config = gguf_in.shape_of(header)
    arrays = gguf_in.read_weights(header, config, tick)
    return model_of(
        config, {name: torch.from_numpy(array) for name, array in arrays.items()}, compute=compute
    )


def stored_as(path: Path) -> str:
    """The number type of most of its weights, as its format names it: `Q4_1`, `bfloat16`."""
    return gguf_in.stored_as(read_header(path)) if path.is_file() else stored_dtypes(path)
