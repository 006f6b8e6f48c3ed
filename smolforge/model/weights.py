"""Model folders: `config.json` and `model.safetensors`, as `transformers` and llama.cpp read them.

Reading is strict and safe: only safetensors is opened (never pickle), every name, shape and size is
checked before memory is taken, and each refusal says what the file has and what was expected.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from smolforge.config import from_plain, to_plain
from smolforge.errors import ConfigError, InputError
from smolforge.model.config import ModelConfig, Research
from smolforge.model.transformer import Llama

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
RESEARCH_TYPE = "smolforge_research"
LARGEST_CONFIG_BYTES = 1 << 20
LARGEST_SIZE = 1 << 24
MOST_LAYERS = 1024
StoredType = Literal["float32", "bfloat16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
FOREIGN_WEIGHTS = ("pytorch_model.bin", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def save_model(
    folder: Path,
    model: Llama,
    *,
    stored: StoredType = "float32",
    bos: int = 0,
    eos: int = 0,
    pad: int = 0,
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
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(file)) from None


def hf_config(
    config: ModelConfig, *, stored: str = "float32", bos: int = 0, eos: int = 0, pad: int = 0
) -> dict[str, Any]:
    """The `config.json` of the public format for this shape; a `Research` model's is marked as one."""
    research = config.research
    return {
        "architectures": ["LlamaForCausalLM" if research is None else "SmolforgeResearch"],
        "model_type": "llama" if research is None else RESEARCH_TYPE,
        **({} if research is None else {"research": to_plain(research)}),
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.max_position_embeddings,
        "rope_theta": config.rope_theta,
        "rope_scaling": None,
        "rms_norm_eps": config.rms_norm_eps,
        "initializer_range": config.initializer_range,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "use_cache": True,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
        "torch_dtype": stored,
    }


def load_config(folder: Path) -> ModelConfig:
    """The shape from a folder's `config.json`; InputError where this program cannot run it exactly."""
    file = folder / CONFIG_FILE
    plain = _read_json(file)
    _check_architecture(plain, file)
    try:
        heads = _whole(plain, "num_attention_heads", file)
        width = _whole(plain, "hidden_size", file)
        return ModelConfig(
            vocab_size=_whole(plain, "vocab_size", file),
            hidden_size=width,
            intermediate_size=_whole(plain, "intermediate_size", file),
            num_hidden_layers=_whole(plain, "num_hidden_layers", file, largest=MOST_LAYERS),
            num_attention_heads=heads,
            num_key_value_heads=_whole(plain, "num_key_value_heads", file, heads),
            head_dim=_whole(plain, "head_dim", file, width // heads),
            max_position_embeddings=_whole(plain, "max_position_embeddings", file, 2048),
            rope_theta=_rope_theta(plain, file),
            rms_norm_eps=_number(plain, "rms_norm_eps", file, 1e-6),
            initializer_range=_number(plain, "initializer_range", file, 0.02),
            research=from_plain(Research, plain.get("research"))
            if plain["model_type"] == RESEARCH_TYPE
            else None,
        )
    except ConfigError as error:
        raise InputError(error.what, where=str(file), fix="the folder's config.json is damaged") from None


def load_model(folder: Path, *, compute: torch.dtype = torch.float32) -> Llama:
    """The model in `folder`, fp32 master weights, products in `compute`.

    Raises InputError for another architecture, a missing file, a missing, extra or misshapen tensor,
    and anything that is not safetensors.
    """
    config = load_config(folder)
    with torch.device("meta"):
        model = Llama(config, compute)
    expected = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    model.load_state_dict(_read_weights(folder, expected), strict=True, assign=True)
    return model


def load_tensors(file: Path) -> dict[str, Tensor]:
    """Every tensor of one safetensors file; InputError when it is damaged."""
    try:
        with safe_open(str(file), framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"this is not a whole safetensors file ({_one_line(error)})",
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
                f"this is not a whole safetensors file ({_one_line(error)})",
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
    head = found.pop("lm_head.weight", None)
    if head is not None and not torch.equal(head, found["model.embed_tokens.weight"]):
        raise InputError(
            "the output matrix differs from the embedding; smolforge ties the two",
            where=str(folder / WEIGHTS_FILE),
            fix="use a model with `tie_word_embeddings: true`",
        )
    return found


def _weight_files(folder: Path) -> list[Path]:
    single = folder / WEIGHTS_FILE
    if single.is_file():
        return [single]
    index = folder / (WEIGHTS_FILE + ".index.json")
    if index.is_file():
        names = sorted(set(_read_json(index, 64 << 20).get("weight_map", {}).values()))
        files = [folder / str(name) for name in names]
        for name, file in zip(names, files, strict=True):
            if os.path.basename(str(name)) != name or not file.is_file():  # noqa: PTH119
                raise InputError(f"the index names `{name}`, which is not in the folder", where=str(index))
        return files
    pickles = sorted(p.name for pattern in FOREIGN_WEIGHTS for p in folder.glob(pattern))
    if pickles:
        raise InputError(
            f"the weights are in `{pickles[0]}`, a pickle, which can run code when opened",
            where=str(folder),
            fix="get the model's safetensors version; pickles are never opened here",
        )
    raise InputError(f"there is no {WEIGHTS_FILE}", where=str(folder), fix="name a folder that holds a model")


def _check_shapes(
    shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], file: Path
) -> None:
    for name in sorted(shapes):
        if name == "lm_head.weight" or name.endswith("rotary_emb.inv_freq"):
            continue
        if name not in expected:
            raise InputError(
                f"tensor `{name}` does not belong to a plain Llama of this shape",
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
    return tensor.to(torch.float32, copy=True)  # out of the file, into aligned memory


def _check_architecture(plain: Mapping[str, Any], file: Path) -> None:
    names = plain.get("architectures") or []
    if plain.get("model_type") == RESEARCH_TYPE and names == ["SmolforgeResearch"]:
        return
    if plain.get("model_type") != "llama" or (names and names != ["LlamaForCausalLM"]):
        kind = (
            f"{plain.get('model_type', 'unknown')} ({', '.join(map(str, names)) or 'no architecture named'})"
        )
        raise InputError(
            f"this is a `{kind}` model, not a plain Llama",
            where=str(file),
            fix="use a LlamaForCausalLM folder",
        )
    wanted = {
        "hidden_act": ("silu",),
        "attention_bias": (False,),
        "mlp_bias": (False,),
        "tie_word_embeddings": (True,),
        "rope_scaling": (None,),
        "quantization_config": (None,),
        "pretraining_tp": (1,),
    }
    absent = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "pretraining_tp": 1}
    for name, allowed in wanted.items():
        # transformers' own default is untied, so an absent `tie_word_embeddings` means untied
        value = plain.get(name, absent.get(name, False if name == "tie_word_embeddings" else None))
        if value not in allowed:
            raise InputError(
                f"`{name}` is {value!r}; smolforge runs Llama models with {allowed[0]!r} there",
                where=str(file),
                fix="use a model of that kind",
            )


def _rope_theta(plain: Mapping[str, Any], file: Path) -> float:
    newer = plain.get("rope_parameters")
    if newer is None:
        return _number(plain, "rope_theta", file, 10_000.0)
    if not isinstance(newer, dict) or newer.get("rope_type", "default") != "default":
        raise InputError(
            f"`rope_parameters` is {newer!r}; only plain rotary positions are run here", where=str(file)
        )
    return _number(newer, "rope_theta", file, 10_000.0)


def _read_json(file: Path, largest_bytes: int = LARGEST_CONFIG_BYTES) -> dict[str, Any]:
    try:
        if file.stat().st_size > largest_bytes:
            raise InputError(f"{file.name} is too large to be a model's", where=str(file))
        plain = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"there is no {file.name}", where=str(file.parent), fix="name a folder that holds a model"
        ) from None
    except NotADirectoryError:
        raise InputError("this is a file, not a model folder", where=str(file.parent)) from None
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{file.name} cannot be read ({_one_line(error)})", where=str(file)) from None
    if not isinstance(plain, dict):
        raise InputError(f"{file.name} is not a JSON object", where=str(file))
    return plain


def _whole(
    plain: Mapping[str, Any], name: str, file: Path, default: int | None = None, largest: int = LARGEST_SIZE
) -> int:
    value = plain.get(name)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= largest:
        raise InputError(
            f"`{name}` is {value!r}, not a sensible whole number",
            where=str(file),
            fix="the folder's config.json is damaged or of another kind of model",
        )
    return value


def _number(plain: Mapping[str, Any], name: str, file: Path, default: float) -> float:
    value = plain.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise InputError(f"`{name}` is {value!r}, not a sensible number", where=str(file))
    return float(value)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
