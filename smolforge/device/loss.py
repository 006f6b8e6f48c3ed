"""What a file has lost against the model it was made from: nats a token, on texts it was not fitted on.

Read back from the file itself, as `gguf` dequantises it, so that a block written wrongly counts as well. What a device
computes with besides (activations in eight bits, say) is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from smolforge.device.gguf_in import read_weights, shape_of
from smolforge.device.header import read_header
from smolforge.model.transformer import Llama
from smolforge.model.weights import model_of

AT_A_TIME = 4


def read_back(file: Path) -> Llama:
    """The file's model with fp32 weights."""
    header = read_header(file)
    config = shape_of(header)
    weights = {name: torch.from_numpy(array) for name, array in read_weights(header, config).items()}
    return model_of(config, weights).eval()


def nats_of(model: Llama, rows: Sequence[Sequence[int]]) -> list[float]:
    """Mean negative log-likelihood of a token in each row, the first left out."""
    found: list[float] = []
    with torch.no_grad():
        for start in range(0, len(rows), AT_A_TIME):
            tokens_BT = torch.tensor(rows[start : start + AT_A_TIME])
            told_BTV = torch.log_softmax(model(tokens_BT)[:, :-1], -1)
            found += told_BTV.gather(-1, tokens_BT[:, 1:, None]).mean((1, 2)).neg().tolist()
    return found
