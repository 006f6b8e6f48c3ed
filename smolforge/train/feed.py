"""How batches reach the device: copies that nobody waits for, and documents as FlashAttention wants them.

On the CPU a batch's arrays are used as they are. Shapes: B rows, T positions, C documents + 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def placed(array: np.ndarray, device: torch.device) -> Tensor:
    """The array as a tensor on `device`; for CUDA by way of pinned memory, so that the host need not wait."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def placed_documents(
    starts_BT: np.ndarray, weights_BT: np.ndarray, device: torch.device
) -> tuple[Tensor | None, Tensor | None]:
    """Document starts, and for CUDA their bounds too; (None, None) where every row is one document there."""
    if device.type != "cuda":
        return placed(starts_BT, device), None
    if not starts_BT.any():
        return None, None
    return placed(starts_BT, device), placed(document_bounds(starts_BT, weights_BT), device)


def document_bounds(starts_BT: np.ndarray, weights_BT: np.ndarray) -> np.ndarray:
    """Where documents begin in the flattened rows, and the end of the last: C places, int32.

    Padding, which is one document a position, counts as one document a run: nobody reads what it attends
    to, and FlashAttention's work grows with the number of documents.
    """
    length = starts_BT.shape[1]
    begins_BT = starts_BT == np.arange(length)
    ends_BT = np.concatenate([begins_BT[:, 1:], np.ones((len(begins_BT), 1), bool)], axis=1)
    padding_BT = begins_BT & ends_BT & (weights_BT == 0)
    begins_BT[:, 1:] &= ~(padding_BT[:, 1:] & padding_BT[:, :-1])
    return np.append(np.flatnonzero(begins_BT), begins_BT.size).astype(np.int32)
