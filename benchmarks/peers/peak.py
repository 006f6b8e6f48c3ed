"""The best rate of matrix products on this machine, GFLOP/s: PyTorch's in fp32 and bf16, and ours in fp16."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from contest import CLOCKS
from torch import Tensor

from smolforge.kernels import fused, products

SHAPES = ((4096, 192, 512), (4096, 256, 768), (2048, 1024, 1024), (2048, 2048, 2048))
ROUNDS = 8


def multiplied(left_NK: Tensor, right_MK: Tensor) -> Callable[[], Tensor]:
    """The product of both, ready to be timed."""
    if left_NK.dtype != torch.float16:
        return lambda: torch.mm(left_NK, right_MK.T)
    packed = products.pack([right_MK], torch.float16)
    return lambda: products.times(left_NK, packed)


def measure(clock_name: str) -> dict[str, float]:
    """Number type → the best of a few shapes and rounds."""
    clock, found = CLOCKS[clock_name], {}
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if fused.knows(torch.float16):
        types["fp16"] = torch.float16
    for name, dtype in types.items():
        best = 0.0
        for rows, width, columns in SHAPES:
            multiply = multiplied(
                torch.ones(rows, width, dtype=dtype), torch.ones(columns, width, dtype=dtype)
            )
            flops = 2 * rows * width * columns
            times = max(1, int(2e9 / flops))
            for _ in range(ROUNDS):
                began = clock()
                for _ in range(times):
                    multiply()
                best = max(best, times * flops / (clock() - began) / 1e9)
        found[name] = best
    return found


if __name__ == "__main__":
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(task["threads"])
    Path(sys.argv[2]).write_text(json.dumps(measure(task["clock"])), encoding="utf-8")
