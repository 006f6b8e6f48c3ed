"""Opens a model's files as a `Talker`; the only file here that needs torch, our engine or llama.cpp."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from smolforge.errors import ConfigError, InputError, MissingExtra
from smolforge.serve.talk import Model, Talker, Words

if TYPE_CHECKING:
    from smolforge.device.engine.model import EngineModel
    from smolforge.device.runtime import GgufModel


def load_talker(
    path: Path, tokenizer: Path | None = None, *, name: str = "", threads: int | None = None
) -> Talker:
    """A talker from a checkpoint folder, an exported Hugging Face folder, or a `.gguf` file.

    tokenizer  folder with `tokenizer.json`; by default the model's own folder (a GGUF file brings its own)
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"there is no model at {path}", fix="give a model's folder, a .gguf file, or a label"
        )
    if path.is_file() and path.suffix == ".gguf":
        model, words, context = _load_gguf(path, tokenizer, threads)
    elif path.is_dir():
        model, words, context = _load_folder(path, tokenizer, threads)
    else:
        raise InputError(f"{path.name} is not a model", where=str(path), fix="give a folder or a .gguf file")
    return Talker(name=name or path.stem, model=model, words=words, context_tokens=context)


def _load_folder(folder: Path, tokenizer: Path | None, threads: int | None) -> tuple[Model, Words, int]:
    """Model, tokenizer and context length of a checkpoint or exported folder."""
    if not (folder / "config.json").is_file() and (folder / "hf" / "config.json").is_file():
        folder = folder / "hf"
    if not (folder / "config.json").is_file():
        raise InputError(
            "this folder holds no model: `config.json` is missing",
            where=str(folder),
            fix="give a checkpoint, an exported `hf` folder, or a .gguf file",
        )
    words = _load_words(folder, tokenizer)
    import torch

    from smolforge.model.config import check_vocabulary
    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.train.precision import compute_dtype

    if threads:
        torch.set_num_threads(threads)
    model = load_model(folder, compute=compute_dtype("auto", "cpu"))
    check_vocabulary(model.config.vocab_size, words.vocab_size)
    return TorchLanguageModel(model), words, model.config.max_position_embeddings


def _load_gguf(file: Path, tokenizer: Path | None, threads: int | None) -> tuple[Model, Words, int]:
    """Model, tokenizer and context length of a GGUF file, which carries its own tokenizer."""
    if tokenizer is not None:
        raise InputError("a .gguf file has its own tokenizer", where=str(file), fix="leave out --tokenizer")
    model = _engine(file, threads)
    return model, model.tok, model.context


def _engine(file: Path, threads: int | None) -> EngineModel | GgufModel:
    """Our engine; llama.cpp where `SMOL_ENGINE` asks for it, or, with a word on why, where ours cannot run the file."""
    wish = os.environ.get("SMOL_ENGINE", "auto")
    if wish not in ("auto", "own", "llama.cpp"):
        raise ConfigError(
            f"SMOL_ENGINE is `{wish}`", where="the environment", fix="use auto, own or llama.cpp"
        )
    if wish == "llama.cpp":
        return _llama_cpp(file, threads)
    from smolforge.compiled import CompileError
    from smolforge.device.engine.model import EngineModel
    from smolforge.device.engine.weights import Unfit

    try:
        model = EngineModel(file, threads=threads)
    except (CompileError, Unfit) as error:
        if wish == "own":
            raise MissingExtra(
                f"our engine cannot run this here: {error}",
                where=str(file),
                fix="install gcc or clang, or set SMOL_ENGINE=auto",
            ) from None
        warnings.warn(f"llama.cpp runs this file, several times slower: {error}", stacklevel=2)
        return _llama_cpp(file, threads)
    if model.told:
        warnings.warn(f"{file.name}: {model.told}", stacklevel=2)
    return model


def _llama_cpp(file: Path, threads: int | None) -> GgufModel:
    from smolforge.device.runtime import GgufModel

    return GgufModel(file, threads=threads or os.cpu_count() or 1)


def _load_words(folder: Path, tokenizer: Path | None) -> Words:
    from smolforge.text.tokenizer import load_tokenizer

    place = tokenizer or folder
    if place.is_dir() and not (place / "tokenizer.json").is_file():
        raise InputError(
            "there is no `tokenizer.json` with this model",
            where=str(place),
            fix="name the tokenizer's folder with --tokenizer",
        )
    return load_tokenizer(place)
