"""How much memory a training takes, so that it can be known before it starts.

Shapes: D width, F feed-forward, H query heads, K key/value heads, E head width.
"""

from __future__ import annotations

from smolforge.model.config import LoraConfig, ModelConfig

CPU_ACTIVATION_BYTES = 1 << 30
"""For activations of one micro-batch on a CPU, whose products are as fast on 2,048 tokens as on more. Chosen."""
MOST_MICRO_TOKENS = 16_384
LEAST_MICRO_TOKENS = 256
LIBRARY_BYTES = 600 << 20
"""Python, PyTorch and what it allocates besides: measured, docs/LOG.md 2026-11-26."""


def activation_bytes(config: ModelConfig, number_bytes: int = 2) -> int:
    """What one position keeps for the way back: inputs of every product, of both norms, of the gate, and the keys."""
    heads = config.num_attention_heads + 2 * config.num_key_value_heads
    query = config.num_attention_heads * config.head_dim
    layer = 5 * config.hidden_size + heads * config.head_dim + 2 * query + 4 * config.intermediate_size
    return number_bytes * (config.num_hidden_layers * layer + 4 * config.hidden_size)


def micro_tokens(asked: int | None, config: ModelConfig) -> int:
    """Positions that go through the model at once: what was asked for, or what keeps activations in bounds."""
    if asked is not None:
        return asked
    fitting = CPU_ACTIVATION_BYTES // activation_bytes(config)
    return max(LEAST_MICRO_TOKENS, min(MOST_MICRO_TOKENS, fitting))


def training_bytes(config: ModelConfig, lora: LoraConfig | None, number_bytes: int = 2) -> int:
    """Peak memory of a training with AdamW on a CPU: weights and their copy for products, gradients, averages, activations."""
    trained = config.parameters if lora is None else lora.parameters(config)
    copies = config.parameters * (2 * number_bytes if number_bytes == 2 else 0)
    kept = micro_tokens(None, config) * activation_bytes(config, number_bytes)
    return LIBRARY_BYTES + 4 * config.parameters + copies + 12 * trained + kept
