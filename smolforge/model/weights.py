"""Model folders: `config.json` and `model.safetensors`, as `transformers` and llama.cpp read them.

Reading is strict and safe: only safetensors is opened (never pickle), every name, shape and size is
checked before memory is taken, and each refusal says what the file has and what was expected.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from smolforge.errors import InputError
from smolforge.model.config import ModelConfig, weight_shapes
from smolforge.model.public_config import CONFIG_FILE, hf_config, load_config, one_line, read_json
from smolforge.model.transformer import Llama

WEIGHTS_FILE = "model.safetensors"
LARGEST_INDEX_BYTES = 64 << 20
StoredType = Literal["float32", "bfloat16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
FOREIGN_WEIGHTS = ("pytorch_model.bin", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def save_model(
    folder: Path,
    model: Llama,
    *,
    stored: StoredType = "float32",
    bos: int | None = 0,
    eos: int = 0,
    pad: int | None = 0,
) -> None:
    """Write `config.json` and `model.safetensors`; the same weights give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: weight.detach() for name, weight in model.named_parameters()}
    save_tensors(folder / WEIGHTS_FILE, tensors, dtype=DTYPES[stored])
    plain = hf_config(model.config, stored=stored, bos=bos, eos=eos, pad=pad)
    (folder / CONFIG_FILE).write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def save_tensors(file: Path, tensors: Mapping[str, Tensor], *, dtype: torch.dtype | None = None) -> None:
    """Tensors to a safetensors file, in sorted order; `dtype` None keeps each as it is.

    Raises OSError where the disk does not take it, as other writes do.
    """
    ready = {
        name: tensors[name].to(device="cpu", dtype=dtype or tensors[name].dtype).contiguous()
        for name in sorted(tensors)
    }
    try:
        save_file(ready, str(file), metadata={"format": "pt"})
        file.chmod(
            0o644
        )  # the library makes it the owner's alone, which nobody expects of a folder to give away
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(file)) from None


def load_model(folder: Path, *, compute: torch.dtype = torch.float32) -> Llama:
    """The model in `folder`, fp32 master weights, products in `compute`.

    Raises InputError for another architecture, a missing file, a missing, extra or misshapen tensor,
    and anything that is not safetensors.
    """
    config = load_config(folder)
    return model_of(config, _read_weights(folder, weight_shapes(config)), compute=compute)


def model_of(
    config: ModelConfig, weights: Mapping[str, Tensor], *, compute: torch.dtype = torch.float32
) -> Llama:
    """A model that holds these very tensors, fp32 under their public names."""
    with torch.device("meta"):
        model = Llama(config, compute)
    model.load_state_dict(weights, strict=True, assign=True)
    return model


def stored_dtypes(folder: Path) -> str:
    """The number type of most of a folder's weights, `bfloat16` say."""
    counts: dict[str, int] = {}
    for file in _weight_files(folder):
        with safe_open(str(file), framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                part = opened.get_slice(name)
                counts[part.get_dtype()] = counts.get(part.get_dtype(), 0) + math.prod(part.get_shape())
    most = max(counts, key=lambda kind: counts[kind], default="F32")
    return {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}.get(most, most)


def load_tensors(file: Path) -> dict[str, Tensor]:
    """Every tensor of one safetensors file; InputError when it is damaged."""
    try:
        with safe_open(str(file), framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"this is not a whole safetensors file ({one_line(error)})",
            where=str(file),
            fix="copy or make the folder again",
        ) from None


def _read_weights(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for file in _weight_files(folder):
        try:
            with safe_open(str(file), framework="pt") as opened:
                names = list(opened.keys())
                for name in names:
                    shapes[name] = tuple(opened.get_slice(name).get_shape())
                _check_shapes({n: shapes[n] for n in names}, expected, file)
                for name in names:
                    if name in expected or name == "lm_head.weight":
                        found[name] = _as_fp32(opened.get_tensor(name), name, file)
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"this is not a whole safetensors file ({one_line(error)})",
                where=str(file),
                fix="copy or make the folder again",
            ) from None
    return _complete(found, expected, folder)


def _complete(
    found: dict[str, Tensor], expected: Mapping[str, tuple[int, ...]], folder: Path
) -> dict[str, Tensor]:
    missing = sorted(set(expected) - set(found))
    if missing:
        raise InputError(
            f"{len(missing)} of {len(expected)} tensors are missing, first `{missing[0]}`",
            where=str(folder / WEIGHTS_FILE),
            fix="the folder is incomplete or holds another kind of model",
        )
    if "lm_head.weight" in expected:
        return found
    head = found.pop("lm_head.weight", None)
    if head is not None and not torch.equal(head, found["model.embed_tokens.weight"]):
        raise InputError(
            "the output matrix differs from the embedding, but config.json says they are one",
            where=str(folder / WEIGHTS_FILE),
            fix="set `tie_word_embeddings` to false in config.json if the file is right",
        )
    return found


def _weight_files(folder: Path) -> list[Path]:
    single = folder / WEIGHTS_FILE
    if single.is_file():
        return [single]
    index = folder / (WEIGHTS_FILE + ".index.json")
    if index.is_file():
        return _indexed_files(index)
    pickles = sorted(p.name for pattern in FOREIGN_WEIGHTS for p in folder.glob(pattern))
    if pickles:
        raise InputError(
            f"the weights are in `{pickles[0]}`, a pickle, which can run code when opened",
            where=str(folder),
            fix="get the model's safetensors version; pickles are never opened here",
        )
    raise InputError(f"there is no {WEIGHTS_FILE}", where=str(folder), fix="name a folder that holds a model")


def _indexed_files(index: Path) -> list[Path]:
    table = read_json(index, LARGEST_INDEX_BYTES).get("weight_map")
    if not isinstance(table, dict) or not all(isinstance(name, str) for name in table.values()):
        raise InputError(
            "the index's `weight_map` is no table of tensor and file names",
            where=str(index),
            fix="copy or fetch the folder again",
        )
    names = sorted(set(table.values()))
    for name in names:
        if os.path.basename(name) != name or not (index.parent / name).is_file():  # noqa: PTH119
            raise InputError(f"the index names `{name}`, which is not in the folder", where=str(index))
    return [index.parent / name for name in names]


def _check_shapes(
    shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], file: Path
) -> None:
    for name in sorted(shapes):
        if name == "lm_head.weight" or name.endswith("rotary_emb.inv_freq"):
            continue
        if name not in expected:
            raise InputError(
                f"tensor `{name}` does not belong to a model of this kind and shape",
                where=str(file),
                fix="the folder holds another kind of model (adapter, bias or quantised weights)",
            )
        if shapes[name] != expected[name]:
            raise InputError(
                f"tensor `{name}` is {shapes[name]}, but config.json says {expected[name]}",
                where=str(file),
                fix="config.json and the weights belong to different models",
            )


def _as_fp32(tensor: Tensor, name: str, file: Path) -> Tensor:
    if tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise InputError(
            f"tensor `{name}` holds {tensor.dtype}, not floating-point weights",
            where=str(file),
            fix="use the unquantised model",
        )
    wide = tensor.to(torch.float32, copy=True)  # out of the file, into aligned memory
    check_finite(wide, name, str(file))
    return wide


def check_finite(tensor: Tensor, name: str, where: str) -> None:
    """InputError for a tensor with a NaN or an infinity: no score or answer of such a model means anything."""
    if not bool(torch.isfinite(tensor).all()):
        broken = int((~torch.isfinite(tensor)).sum())
        raise InputError(
            f"tensor `{name}` holds {broken} numbers that are not finite",
            where=where,
            fix="the weights are damaged: fetch, copy or train them again",
        )
