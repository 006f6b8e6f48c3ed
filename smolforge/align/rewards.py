"""What an answer is worth, when a program can tell."""

from __future__ import annotations

from collections.abc import Sequence

from smolforge.evals.grade import grade_answers
from smolforge.evals.sandbox import Limits
from smolforge.evals.task import Item

GRADABLE = frozenset(["exact", "checks", "code", "tool_call", "overlap"])


def can_reward(item: Item) -> bool:
    """Whether a written answer to the item can be graded; choices are scored by likelihood alone."""
    return item.kind in GRADABLE


def reward_answers(
    items: Sequence[Item],
    answers: Sequence[str],
    ended: Sequence[bool],
    *,
    partial: float = 0.5,
    limits: Limits | None = None,
    workers: int = 2,
) -> list[float]:
    """A reward from 0 to 1 for each answer.

    partial  what a wrong answer with full credit would get: 1 for right, `partial * credit` otherwise
    ended    answers that were cut off, not ended by the model, get nothing: learning to stop is part of it
    """
    grades = grade_answers(items, answers, "chat", limits, workers)
    return [
        0.0 if not done else 1.0 if grade.right else partial * grade.credit
        for grade, done in zip(grades, ended, strict=True)
    ]
