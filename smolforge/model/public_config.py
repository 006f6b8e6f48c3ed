"""`config.json` of the public formats, read strictly and written: which families there are, what each leaves open.

Source: the configuration classes of `transformers` 5, whose defaults stand for what a file leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolforge.config import from_plain, to_plain
from smolforge.errors import ConfigError, InputError
from smolforge.model.config import Family, ModelConfig, Research, RopeScaling

CONFIG_FILE = "config.json"
RESEARCH_TYPE = "smolforge_research"
LARGEST_CONFIG_BYTES = 1 << 20
LARGEST_SIZE = 1 << 24
MOST_LAYERS = 1024


@dataclass(frozen=True)
class Format:
    """A family's public format.

    architecture  the class that `transformers` builds
    tied          whether the output matrix is the embedding where the file does not say
    head_dim      width of a head where the file does not say; None: hidden_size / heads
    theta, positions  rotary base and longest text where the file does not say
    """

    architecture: str
    tied: bool = False
    head_dim: int | None = None
    theta: float = 10_000.0
    positions: int = 32_768


FORMATS: dict[Family, Format] = {
    "llama": Format("LlamaForCausalLM", positions=2048),
    "qwen2": Format("Qwen2ForCausalLM"),
    "qwen3": Format("Qwen3ForCausalLM", head_dim=128),
    "smollm3": Format("SmolLM3ForCausalLM", tied=True, theta=2_000_000.0),
}


def hf_config(
    config: ModelConfig, *, stored: str = "float32", bos: int | None = 0, eos: int = 0, pad: int | None = 0
) -> dict[str, Any]:
    """The `config.json` of the public format for this shape; a `Research` model's is marked as one."""
    research, family = config.research, config.family
    plain = {
        "architectures": [FORMATS[family].architecture if research is None else "SmolforgeResearch"],
        "model_type": family if research is None else RESEARCH_TYPE,
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
        "rope_scaling": _scaling_out(config.rope_scaling),
        "rms_norm_eps": config.rms_norm_eps,
        "initializer_range": config.initializer_range,
        "hidden_act": "silu",
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "attention_dropout": 0.0,
        "tie_word_embeddings": config.tie_word_embeddings,
        "use_cache": True,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
        "torch_dtype": stored,
    }
    if family != "llama":
        plain |= {"use_sliding_window": False}
    if family in ("qwen2", "qwen3"):
        del plain["mlp_bias"]
    if family == "qwen2":
        del plain["attention_bias"]
    if family == "smollm3":
        layers = range(config.num_hidden_layers)
        plain |= {"no_rope_layers": [int(config.has_rope(layer)) for layer in layers]}
        plain |= {"no_rope_layer_interval": config.no_rope_every or config.num_hidden_layers + 1}
    return plain


def load_config(folder: Path) -> ModelConfig:
    """The shape from a folder's `config.json`; InputError where this program cannot run it exactly."""
    file = folder / CONFIG_FILE
    return read_config(read_json(file), str(file))


def special_ids(folder: Path) -> dict[str, Any]:
    """`bos`, `eos` and `pad` ids of a folder's `config.json`, as `save_model` takes them."""
    plain = read_json(folder / CONFIG_FILE)
    ids = {name: plain.get(f"{name}_token_id") for name in ("bos", "eos", "pad")}
    if isinstance(ids["eos"], list):  # several ends: the first is the one that is written
        ids["eos"] = ids["eos"][0] if ids["eos"] else 0
    return {name: index if isinstance(index, int) else None for name, index in ids.items()} | {
        "eos": ids["eos"] if isinstance(ids["eos"], int) else 0
    }


def read_config(plain: Mapping[str, Any], where: str) -> ModelConfig:
    """The shape that a public `config.json` describes; `where` is named in errors."""
    family, research = _family(plain, where)
    form = FORMATS[family]
    width = _whole(plain, "hidden_size", where)
    heads = _whole(plain, "num_attention_heads", where)
    # `transformers` gives some families as many key/value heads as the large model has; a file that leaves them out
    # is taken to mean one for each query head, as Llama's does.
    theta, scaling = _rope(plain, form.theta, where)
    try:
        return ModelConfig(
            vocab_size=_whole(plain, "vocab_size", where),
            hidden_size=width,
            intermediate_size=_whole(plain, "intermediate_size", where),
            num_hidden_layers=_whole(plain, "num_hidden_layers", where, largest=MOST_LAYERS),
            num_attention_heads=heads,
            num_key_value_heads=_whole(plain, "num_key_value_heads", where, heads),
            head_dim=_whole(plain, "head_dim", where, form.head_dim or max(1, width // heads)),
            max_position_embeddings=_whole(plain, "max_position_embeddings", where, form.positions),
            rope_theta=theta,
            rms_norm_eps=_number(plain, "rms_norm_eps", where, 1e-6),
            initializer_range=_number(plain, "initializer_range", where, 0.02),
            family=family,
            tie_word_embeddings=_flag(plain, "tie_word_embeddings", where, form.tied),
            attention_bias=family != "qwen2" and _flag(plain, "attention_bias", where, False),
            mlp_bias=_flag(plain, "mlp_bias", where, False),
            rope_scaling=scaling,
            no_rope_every=_no_rope(plain, where) if family == "smollm3" else 0,
            research=from_plain(Research, plain.get("research")) if research else None,
        )
    except ConfigError as error:
        raise InputError(error.what, where=where, fix="the folder's config.json is damaged") from None


def _family(plain: Mapping[str, Any], where: str) -> tuple[Family, bool]:
    """The family, and whether it is a research model; InputError for what is not run here, naming what is."""
    kind, names = plain.get("model_type"), plain.get("architectures") or []
    if kind == RESEARCH_TYPE and names == ["SmolforgeResearch"]:
        return "llama", True
    if kind not in FORMATS or (names and names != [FORMATS[kind].architecture]):
        said = ", ".join(map(str, names)) if isinstance(names, list) and names else "no architecture named"
        known = ", ".join(form.architecture for form in FORMATS.values())
        raise InputError(f"this is a `{kind}` model ({said})", where=where, fix=f"run here: {known}")
    _refuse_variants(plain, where)
    return kind, False


def _refuse_variants(plain: Mapping[str, Any], where: str) -> None:
    """What a family's config can ask for and this program does not do."""
    wanted = {
        "hidden_act": ("silu", "silu"),
        "quantization_config": (None, None),
        "pretraining_tp": (1, 1),
        "use_sliding_window": (False, False),
        "partial_rotary_factor": (1, 1),
    }
    for name, (allowed, absent) in wanted.items():
        value = plain.get(name)
        value = absent if value is None else value
        if value != allowed:
            fix = "use a model of that kind"
            if name == "quantization_config":
                fix = "use the unquantised model, or its GGUF file"
            raise InputError(
                f"`{name}` is {str(value)[:80]}; smolforge runs models with {allowed!r} there",
                where=where,
                fix=fix,
            )


def _rope(plain: Mapping[str, Any], default: float, where: str) -> tuple[float, RopeScaling | None]:
    """Rotary base and stretching, from the newer `rope_parameters` or the older `rope_theta` and `rope_scaling`."""
    newer, older = plain.get("rope_parameters"), plain.get("rope_scaling")
    found = newer if newer is not None else older
    if found is not None and not isinstance(found, dict):
        raise InputError(f"the rotary settings are {found!r}, not a table", where=where)
    settings = found or {}
    theta = _number(settings if "rope_theta" in settings else plain, "rope_theta", where, default)
    kind = settings.get("rope_type", settings.get("type", "default"))
    if kind in ("default", None):
        return theta, None
    if kind != "llama3":
        raise InputError(
            f"rotary positions are stretched by `{kind}`",
            where=where,
            fix="models with plain positions or with `llama3` stretching are run here",
        )
    positions = _whole(plain, "max_position_embeddings", where, 2048)
    return theta, RopeScaling(
        factor=_number(settings, "factor", where, None),
        low_freq_factor=_number(settings, "low_freq_factor", where, None),
        high_freq_factor=_number(settings, "high_freq_factor", where, None),
        original_max_position_embeddings=_whole(
            settings, "original_max_position_embeddings", where, positions
        ),
    )


def _scaling_out(scaling: RopeScaling | None) -> dict[str, Any] | None:
    return None if scaling is None else {"rope_type": "llama3", **to_plain(scaling)}


def _no_rope(plain: Mapping[str, Any], where: str) -> int:
    """Every how many layers one has no positions; InputError where they do not come at one interval."""
    layers = _whole(plain, "num_hidden_layers", where, largest=MOST_LAYERS)
    every = _whole(plain, "no_rope_layer_interval", where, 4)
    listed = plain.get("no_rope_layers")
    if listed is None:
        return every if every <= layers else 0
    turned = [bool(one) for one in listed] if isinstance(listed, list) else []
    for candidate in (every, *range(2, layers + 1), 0):
        if turned[:layers] == [not candidate or (layer + 1) % candidate != 0 for layer in range(layers)]:
            return candidate if candidate <= layers else 0
    raise InputError(
        f"`no_rope_layers` is {str(listed)[:80]}",
        where=where,
        fix="models whose layers without positions come at one interval are run here",
    )


def read_json(file: Path, largest_bytes: int = LARGEST_CONFIG_BYTES) -> dict[str, Any]:
    """The JSON object in a file of a model's folder; InputError for anything else."""
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
        raise InputError(f"{file.name} cannot be read ({one_line(error)})", where=str(file)) from None
    if not isinstance(plain, dict):
        raise InputError(f"{file.name} is not a JSON object", where=str(file))
    return plain


def _whole(
    plain: Mapping[str, Any], name: str, where: str, default: int | None = None, largest: int = LARGEST_SIZE
) -> int:
    value = plain.get(name)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= largest:
        raise InputError(
            f"`{name}` is {value!r}, not a sensible whole number",
            where=where,
            fix="the folder's config.json is damaged or of another kind of model",
        )
    return value


def _number(plain: Mapping[str, Any], name: str, where: str, default: float | None) -> float:
    value = plain.get(name)
    value = default if value is None else value
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise InputError(f"`{name}` is {value!r}, not a sensible number", where=where)
    return float(value)


def _flag(plain: Mapping[str, Any], name: str, where: str, default: bool) -> bool:
    value = plain.get(name)
    value = default if value is None else value
    if not isinstance(value, bool):
        raise InputError(f"`{name}` is {value!r}, not true or false", where=where)
    return value


def one_line(error: BaseException) -> str:
    """An error's own words, bounded."""
    return " ".join(str(error).split())[:200]
