"""The mixtures of all remaining phases together: what is worth most over the worlds that are still possible.

Utility counts bits per byte by need; what falls behind the mixture that would be kept counts twice, and skills that are
only guarded count where they get worse by more than a little. Scarce teachers move late by themselves, since what is
seen late is remembered and what is repeated counts less.

Shapes: D draws, S skills, K sources, P phases left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smolforge.mix.law import Array, Draws, World, anchor, counting, remembered

GUARD_ROOM = 0.01
CLOSENESS = 0.02
"""Bits that a mixture must gain for every nat it moves from the one believed in. Its form is olmix's, arXiv:2602.12237; the
size is chosen: theirs (0.05) kept first plans near even shares (docs/LOG.md, 2026-11-27)."""
STEPS = 150


@dataclass(frozen=True)
class Task:
    """What is to be planned.

    phases_P   tokens of the phases left; low_PK, high_PK: bounds of their shares; centre_K: what is believed in
    needs_S    weight of each skill of the draws, adding up to 1; guards_S: whether it is only guarded
    close      bits for every nat of distance from the centre; 0 where nobody declared one
    """

    world: World
    phases_P: Array
    low_PK: Array
    high_PK: Array
    centre_K: Array
    needs_S: Array
    guards_S: Array
    close: float = CLOSENESS


def bits_after(task: Task, draws: Draws, shares_PK: Array) -> Array:
    """Bits per byte of every skill at the end of the phases, D S."""
    u_K, v_K, _ = counting(task.world, _tokens(task, shares_PK))
    return draws.bits(u_K, v_K, task.world.offset, anchor(task.world))


def worth(task: Task, draws: Draws, shares_PK: Array, kept_DS: Array) -> Array:
    """Utility in every world, D; `kept_DS` are the bits after the mixture that would be kept."""
    return _utility(task, bits_after(task, draws, shares_PK), kept_DS)[0]


def _utility(task: Task, bits_DS: Array, kept_DS: Array) -> tuple[Array, Array]:
    behind = bits_DS - kept_DS
    loss = bits_DS * task.needs_S + np.maximum(behind, 0.0) * task.needs_S
    guarded = np.maximum(behind - GUARD_ROOM, 0.0) * task.guards_S
    slope = task.needs_S * (1.0 + (behind > 0)) + task.guards_S * (behind > GUARD_ROOM)
    return -(loss + guarded).sum(axis=1), -slope


def plan(task: Task, draws: Draws, start_PK: Array, steps: int = STEPS) -> Array:
    """Shares of the phases left that are worth most on average over the draws; P K, within the bounds.

    Exponentiated gradients with projection; the best point met is the answer, the start included.
    """
    shares = within(np.maximum(start_PK, 1e-6), task.low_PK, task.high_PK)
    kept_DS = bits_after(task, draws, shares)
    best, best_value = shares, _value(task, draws, shares, kept_DS)
    step = 0.5
    for _ in range(steps):
        slope = _slope(task, draws, shares, kept_DS)
        slope = slope - (slope * shares).sum(axis=1, keepdims=True)
        scale = np.abs(slope).max()
        if scale < 1e-9:
            break
        trial = within(shares * np.exp(step * slope / scale), task.low_PK, task.high_PK)
        value = _value(task, draws, trial, kept_DS)
        if value > best_value:
            shares, best, best_value, step = trial, trial, value, min(0.5, step * 1.2)
        else:
            step *= 0.5
            if step < 1e-3:
                break
    return best


def _value(task: Task, draws: Draws, shares_PK: Array, kept_DS: Array) -> float:
    moved = shares_PK * np.log(np.maximum(shares_PK, 1e-9) / np.maximum(task.centre_K, 1e-3))
    weight = task.phases_P / task.phases_P.sum()
    return float(worth(task, draws, shares_PK, kept_DS).mean() - task.close * (moved.sum(axis=1) @ weight))


def _slope(task: Task, draws: Draws, shares_PK: Array, kept_DS: Array) -> Array:
    tokens = _tokens(task, shares_PK)
    u_K, v_K, du_PK = counting(task.world, tokens)
    now_K, offset = anchor(task.world), task.world.offset
    bits_DS = draws.bits(u_K, v_K, offset, now_K)
    by_bits = _utility(task, bits_DS, kept_DS)[1] / len(bits_DS)
    by_u_K = np.einsum("ds,dsk->k", by_bits, draws.slopes(u_K, offset, now_K))
    by_v_K = np.einsum("ds,dsk->k", by_bits, draws.harm_DSK)
    past = len(task.world.trained_PK)
    lengths = tokens.sum(axis=1)
    memory_P = remembered(task.world, lengths)
    dv_P = memory_P / (memory_P @ lengths)
    by_tokens = by_u_K * du_PK[past:] + by_v_K * dv_P[past:, None]
    near = np.log(np.maximum(shares_PK, 1e-9) / np.maximum(task.centre_K, 1e-3)) + 1
    weight = (task.phases_P / task.phases_P.sum())[:, None]
    return by_tokens * task.phases_P[:, None] - task.close * weight * near


def _tokens(task: Task, shares_PK: Array) -> Array:
    return np.vstack([task.world.trained_PK, shares_PK * task.phases_P[:, None]])


def within(wanted_PK: Array, low_PK: Array, high_PK: Array) -> Array:
    """Rows proportional to `wanted` within their bounds, by bisection over one factor a row."""
    left, right = np.full((len(wanted_PK), 1), -30.0), np.full((len(wanted_PK), 1), 30.0)
    for _ in range(60):
        factor = (left + right) / 2
        short = np.clip(wanted_PK * np.exp(factor), low_PK, high_PK).sum(axis=1, keepdims=True) < 1
        left, right = np.where(short, factor, left), np.where(short, right, factor)
    shares = np.clip(wanted_PK * np.exp(right), low_PK, high_PK)
    return shares / shares.sum(axis=1, keepdims=True)
