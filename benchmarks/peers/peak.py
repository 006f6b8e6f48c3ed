"""The best rate of PyTorch's matrix products on this machine, in both number types, GFLOP/s."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from contest import CLOCKS

SHAPES = ((4096, 192, 512), (4096, 256, 768), (2048, 1024, 1024), (2048, 2048, 2048))
ROUNDS = 8


def measure(clock_name: str) -> dict[str, float]:
    """Number type → the best of a few shapes and rounds."""
    clock, found = CLOCKS[clock_name], {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        best = 0.0
        for rows, width, columns in SHAPES:
            left, right = torch.ones(rows, width, dtype=dtype), torch.ones(columns, width, dtype=dtype)
            flops = 2 * rows * width * columns
            times = max(1, int(2e9 / flops))
            for _ in range(ROUNDS):
                began = clock()
                for _ in range(times):
                    torch.mm(left, right.T)
                best = max(best, times * flops / (clock() - began) / 1e9)
        found[name] = best
    return found


if __name__ == "__main__":
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(task["threads"])
    Path(sys.argv[2]).write_text(json.dumps(measure(task["clock"])), encoding="utf-8")
