"""How threads wait for each other, and what products may keep. Both are read once, so before torch is first imported."""

from __future__ import annotations

import os

GENTLE = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}
"""A thread spins some tens of microseconds for the others, then sleeps. Source: measured, docs/LOG.md 2026-11-24."""

PRODUCTS_KEPT = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256"}
"""Programs of PyTorch's products, one for every shape met, about a megabyte each; its own limit is 1,024."""


def wait_gently() -> None:
    """Let waiting threads sleep soon, so that other work on the same cores does not bring training to a halt.

    A thread that spins keeps the one it waits for from running. The products' bound is set along with it. What the user has set is kept.
    """
    for name, value in PRODUCTS_KEPT.items():
        os.environ.setdefault(name, value)
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in GENTLE.items():
            os.environ.setdefault(name, value)
