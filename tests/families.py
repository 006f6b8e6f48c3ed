"""Small shapes of every family that is loaded, with everything that tells one from another switched on."""

from __future__ import annotations

from dataclasses import replace

from smolforge.model.config import ModelConfig, RopeScaling

PLAIN = ModelConfig(
    vocab_size=259,
    hidden_size=96,
    intermediate_size=160,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=96,
)
STRETCHED = RopeScaling(factor=8.0, original_max_position_embeddings=32)
"""Pairs on both sides of the passage and within it, at a head of 32 and a base of 500,000."""

FAMILIES = {
    "llama": PLAIN,
    "llama3": replace(PLAIN, rope_theta=500_000.0, rope_scaling=STRETCHED),
    "llama3-untied": replace(PLAIN, tie_word_embeddings=False, rope_theta=500_000.0, rope_scaling=STRETCHED),
    "llama-biased": replace(PLAIN, attention_bias=True, mlp_bias=True),
    "qwen2": replace(PLAIN, family="qwen2", rope_theta=1_000_000.0, rms_norm_eps=1e-6),
    "qwen2-untied": replace(PLAIN, family="qwen2", tie_word_embeddings=False),
    "qwen3": replace(PLAIN, family="qwen3", rope_theta=1_000_000.0, rms_norm_eps=1e-6),
    "smollm3": replace(PLAIN, family="smollm3", num_hidden_layers=5, no_rope_every=4, rope_theta=5_000_000.0),
}
