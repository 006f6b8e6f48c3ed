"""How threads wait for each other. OpenMP reads it once, so before torch is first imported."""

from __future__ import annotations

import os

GENTLE = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}
"""A thread spins some tens of microseconds for the others, then sleeps. Source: measured, docs/LOG.md 2026-11-24."""


def wait_gently() -> None:
    """Let waiting threads sleep soon, so that other work on the same cores does not bring training to a halt.

    A thread that spins keeps the one it waits for from running. What the user has set is kept.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in GENTLE.items():
            os.environ.setdefault(name, value)
