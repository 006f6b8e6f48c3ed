"""Tool calls in a stream of text: `<tool_call>{"name": …, "arguments": {…}}</tool_call>` → a call.

Whatever is not a well-formed call to an offered tool stays text, so that nothing the model wrote is lost.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from smolforge.serve.talk import longest_overlap

OPEN, CLOSE = "<tool_call>", "</tool_call>"
LONGEST_CALL_CHARACTERS = 16_384


@dataclass(frozen=True)
class ToolCall:
    """A call the model asks its user to make; `arguments` is a JSON object."""

    name: str
    arguments: dict[str, Any]


class CallSplitter:
    """Text in; text and tool calls out, in order."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._held = ""
        self._inside = False

    def feed(self, piece: str) -> list[str | ToolCall]:
        """What `piece` completed."""
        if not self._names:
            return [piece] if piece else []
        self._held += piece
        out: list[str | ToolCall] = []
        while (part := self._next()) is not None:
            out.append(part)
        return [part for part in out if part != ""]

    def flush(self) -> list[str | ToolCall]:
        """What is left at the end; a call that lacks only its closing mark still counts."""
        held, self._held = self._held, ""
        if not held:
            return []
        if not self._inside:
            return [held]
        self._inside = False
        return [parse_call(held, self._names) or OPEN + held]

    def _next(self) -> str | ToolCall | None:
        if self._inside:
            body, mark, rest = self._held.partition(CLOSE)
            if not mark and len(self._held) <= LONGEST_CALL_CHARACTERS:
                return None
            self._inside, self._held = False, rest
            return parse_call(body, self._names) or OPEN + body + mark
        text, mark, rest = self._held.partition(OPEN)
        if mark:
            self._inside, self._held = True, rest
            return text
        keep = longest_overlap(text, (OPEN,))
        text, self._held = text[: len(text) - keep], text[len(text) - keep :]
        return text or None


def parse_call(text: str, names: Collection[str]) -> ToolCall | None:
    """The call that `text` spells, or None where it is malformed or names no offered tool."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in names:
        return None
    arguments = value.get("arguments", {})
    return ToolCall(name, arguments) if isinstance(arguments, dict) else None
