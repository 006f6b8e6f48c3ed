"""Templates with slots, as the text files of this folder use them.

`thing: a ball; a cup` gives one slot its values; `animal,sound: dog = bark; cat = meow` fills two slots
together. `{thing}` in a template is replaced, `{Thing}` gets a capital, and values may hold slots themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from smolforge.written.conversations.chat import upper_first

_SLOT = re.compile(r"\{(\w+)\}")
_A = re.compile(r"\b([Aa])(?= (?!one|uni|use|eu)[aeiou])")
_DEPTH = 3


def parse_slot(line: str) -> tuple[str, tuple[str, ...]]:
    """The slot (or slots) of a line and the values."""
    slot, values = line.split(": ", 1)
    return slot, tuple(values.split("; "))


def draw_values(draw: Random, slots: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """One value for every slot."""
    values: dict[str, str] = {}
    for names, options in slots.items():
        values |= dict(zip(names.split(","), draw.choice(options).split(" = "), strict=True))
    return values


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its slots filled, "a" turned into "an" where a vowel came after it."""
    for _ in range(_DEPTH):
        if "{" not in template:
            break
        template = _SLOT.sub(lambda match: _value(match.group(1), values), template)
    return _A.sub(r"\1n", template)


def _value(slot: str, values: Mapping[str, str]) -> str:
    return values[slot] if slot in values else upper_first(values[slot.lower()])


def words(text: str) -> tuple[str, ...]:
    """The words of a text, in order: how this folder writes down long lists."""
    return tuple(text.split())
