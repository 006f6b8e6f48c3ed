"""Fused operations of a Llama step, one signature each, differentiable, for an ordinary `nn.Module`.

    tokens ─ embedding ─┬─ rms_norm ─ linear(q, k, v) ─ rotary_attention ─ linear(o) ─┐
                        └──────────────────────── residual ──────────── add_rms_norm ─┤
                          linear_cross_entropy ← … ← linear(down) ← swiglu ← linear(gate, up)

Where a C compiler serves, CPU tensors in fp32, bf16 and (where the processor multiplies it) fp16 go through C
kernels compiled once for this very machine; CUDA has its own path (`gpu`); everything else (float64, no
compiler, `SMOL_KERNELS=torch`) takes the same operation in plain PyTorch. `describe()` says which, for the record.

Parameters are fp32 masters; the type of the activations decides the type of the products, so a model is
bf16 from the moment `embedding(..., dtype=torch.bfloat16)` made it so. Weight gradients are fp32.
Which of the types is quickest depends on the CPU (`train.precision` decides).

For a fixed number of threads every result is the same bit for bit.

Shapes: B batch, T query time, S key time, D width, H query heads, K key/value heads, E head width,
V vocabulary, F feed-forward, N tokens flat, P rotary table length, R = E / 2.
"""

from smolforge.kernels.ops import (
    Packed,
    adamw_step,
    adamw_steps,
    add_rms_norm,
    attention,
    describe,
    embedding,
    knows,
    linear,
    linear_cross_entropy,
    newton_schulz,
    pack,
    relu_squared,
    rms_norm,
    rotary,
    rotary_attention,
    rotary_tables,
    slowdown,
    soft_capped,
    square_norm,
    square_norms,
    still_tables,
    swiglu,
    times,
    times_wide,
    token_logprobs,
)
from smolforge.kernels.reading import Heads, Places, cached_attention, stream_norm

__all__ = [
    "Heads",
    "Packed",
    "Places",
    "adamw_step",
    "adamw_steps",
    "add_rms_norm",
    "attention",
    "cached_attention",
    "describe",
    "embedding",
    "knows",
    "linear",
    "linear_cross_entropy",
    "newton_schulz",
    "pack",
    "relu_squared",
    "rms_norm",
    "rotary",
    "rotary_attention",
    "rotary_tables",
    "slowdown",
    "soft_capped",
    "square_norm",
    "square_norms",
    "still_tables",
    "stream_norm",
    "swiglu",
    "times",
    "times_wide",
    "token_logprobs",
]
