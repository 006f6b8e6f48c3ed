"""In which number type the products of training run."""

from __future__ import annotations

from pathlib import Path

import torch

from smolforge import kernels
from smolforge.errors import ConfigError
from smolforge.train.config import Compute


def compute_dtype(wanted: Compute, device: str) -> torch.dtype:
    """The type for `wanted`; `auto` takes a half-precision one where the hardware multiplies it at a higher rate.

    Decided by what the processor says of itself, not by timing it, so that a busy machine decides as an
    idle one does. Source: measured, docs/LOG.md 2026-11-23: bf16 products ran at 4.5 times fp32 on Zen 5 and
    below fp32 on an Intel core with AVX-512-BF16 but without AMX, whose fp16 products run at twice fp32.
    """
    on_cpu = not device.startswith("cuda")
    if wanted == "float32":
        return torch.float32
    if wanted == "bfloat16":
        return torch.bfloat16
    if wanted == "float16":
        if on_cpu and kernels.knows(torch.float16):
            return torch.float16
        raise ConfigError(
            "fp16 training needs a processor that multiplies it (AVX-512-FP16) and the C kernels",
            where="compute",
            fix="use auto; `smol doctor` says what this machine has",
        )
    if wanted != "auto":
        raise ConfigError(f"`compute` is {wanted!r}", fix="use auto, float32, bfloat16 or float16")
    if not on_cpu:
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if _cpu_has_fast_bf16():
        return torch.bfloat16
    return torch.float16 if kernels.knows(torch.float16) else torch.float32


def _cpu_has_fast_bf16() -> bool:
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return False
    first, _, _ = file.read_text(encoding="utf-8", errors="replace").partition("\n\n")
    lines = [line.partition(":") for line in first.splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in lines}
    flags = set(fields.get("flags", "").split())
    if "amx_bf16" in flags:
        return True
    return fields.get("vendor_id") == "AuthenticAMD" and "avx512_bf16" in flags
