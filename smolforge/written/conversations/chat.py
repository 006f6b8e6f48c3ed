"""What every component makes: one chat, the keys of what it teaches, and the question of who may see it.

A *key* names the content of a task without its wording: the sentence and the transformation, the tool and
its arguments. Keys decide the split, so a held-out task is new in content and not only in phrasing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from smolforge.evals.task import Item

# Chosen, untested: one content in eight is kept for evaluation; combinations are plentiful.
HELD_OUT_ONE_IN = 8

Message = dict[str, Any]


@dataclass(frozen=True)
class Chat:
    """A conversation with the keys of its contents; `item` asks for its last answer and says how to score it."""

    messages: tuple[Message, ...]
    keys: tuple[str, ...]
    tools: tuple[dict[str, Any], ...] = ()
    item: Item | None = None


Component = Callable[[Random], Chat]


def is_held_out(key: str) -> bool:
    """True for the fixed eighth of all contents that training never sees."""
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_ONE_IN == 0


def key_of(*parts: object) -> str:
    """One string for the parts of a content, lower case, so that capitals do not make it a new one."""
    return "|".join(str(part) for part in parts).lower()


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def plain_prompt(messages: Sequence[Message]) -> str:
    """The conversation as plain text that a base model continues with the answer."""
    names = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
    lines = [f"{names[message['role']]}: {message['content']}" for message in messages]
    return "\n".join([*lines, "Assistant:"])


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
