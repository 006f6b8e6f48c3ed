"""GGUF's names for a model's parts, by family: shared by what writes such files and what reads them.

Source: the key names of the `gguf` package and llama.cpp's converters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smolforge.model.config import Family, ModelConfig

ARCHITECTURES: dict[Family, str] = {
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "smollm3": "smollm3",
}
INTERLEAVED = ("llama", "smollm3")
"""Families of which llama.cpp turns feature 2i together with 2i + 1, where the public checkpoint turns i with i + E/2."""
NO_ROPE_EVERY = {"smollm3": 4}
"""What llama.cpp has built in: a GGUF file has no place for another interval."""
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
WHOLE_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
ROPE_DIVISORS = "rope_freqs.weight"

Array = NDArray[Any]


def gguf_name(public: str) -> str:
    """`model.layers.3.self_attn.q_proj.weight` → `blk.3.attn_q.weight`."""
    stem, _, kind = public.rpartition(".")
    if stem in WHOLE_NAMES:
        return f"{WHOLE_NAMES[stem]}.{kind}"
    layer, _, part = stem.removeprefix("model.layers.").partition(".")
    return f"blk.{layer}.{LAYER_NAMES[part]}.{kind}"


def turned_heads(public: str, config: ModelConfig) -> int:
    """How many heads of this tensor's rows GGUF has in another order; 0 for none."""
    if config.family not in INTERLEAVED:
        return 0
    if ".self_attn.q_proj." in public:
        return config.num_attention_heads
    return config.num_key_value_heads if ".self_attn.k_proj." in public else 0


def interleave(data_R: Array, heads: int) -> Array:
    """Rows of a query or key projection (or of its bias) in GGUF's order."""
    halves_H2E = data_R.reshape(heads, 2, len(data_R) // heads // 2, *data_R.shape[1:])
    return np.ascontiguousarray(halves_H2E.swapaxes(1, 2).reshape(data_R.shape))


def part(data_R: Array, heads: int) -> Array:
    """The inverse of `interleave`."""
    pairs_HE2 = data_R.reshape(heads, len(data_R) // heads // 2, 2, *data_R.shape[1:])
    return np.ascontiguousarray(pairs_HE2.swapaxes(1, 2).reshape(data_R.shape))
