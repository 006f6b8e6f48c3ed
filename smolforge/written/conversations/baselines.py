"""What a blind answer scores: the answers of other items, or the question copied back."""

from __future__ import annotations

from collections.abc import Sequence

from smolforge.evals.grade import grade_answers
from smolforge.evals.task import Item

MAX_BLIND_ANSWERS = 100


def is_right(item: Item, text: str) -> bool:
    """Whether `text` answers an item of a kind that needs no sandbox."""
    return grade_answers([item], [text], "chat")[0].right


def is_copy_right(item: Item) -> bool:
    """Whether the question copied back counts as an answer; such an item asks for too little."""
    return is_right(item, str(item.messages[-1]["content"]))


def blind_chance(item: Item, others: Sequence[Item]) -> float:
    """Share of right answers among those given to other items."""
    if item.kind == "tool_call":
        found = [other.answer == item.answer for other in others[:MAX_BLIND_ANSWERS] if other is not item]
    else:
        found = [is_right(item, str(o.answer)) for o in others[:MAX_BLIND_ANSWERS] if o is not item]
    return round(sum(found) / len(found), 4) if found else 0.0
