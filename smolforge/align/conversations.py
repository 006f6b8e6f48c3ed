"""Conversations and preference pairs from their files, and as token ids.

Files may come from anywhere, so every line is checked; an answer's text is never searched for control
tokens other than those of a tool call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smolforge.data.tokens.batches import Example
from smolforge.errors import InputError
from smolforge.evals.task import Item, item_from_plain
from smolforge.text.chat import END_TOOL_CALL, TOOL_CALL
from smolforge.text.tokenizer import Tok

CALL_MARK = re.compile(f"({re.escape(TOOL_CALL)}|{re.escape(END_TOOL_CALL)})")

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Conversation:
    """One conversation; `item`, where there is one, says how its last answer can be checked."""

    id: str
    skill: str
    messages: Sequence[Message]
    tools: Sequence[Mapping[str, Any]] = ()
    item: Item | None = None


@dataclass(frozen=True)
class Pair:
    """Two answers to one conversation; `chosen` is the better by `margin`."""

    id: str
    skill: str
    messages: Sequence[Message]
    chosen: str
    rejected: str
    tools: Sequence[Mapping[str, Any]] = ()
    margin: float = 1.0


def read_conversations(folder: Path) -> list[Conversation]:
    """The conversations of a `ChatData` folder; `InputError` names the line at fault."""
    made: list[Conversation] = []
    for where, row in _read_lines(folder / "conversations.jsonl"):
        item = row.get("item")
        made.append(
            Conversation(
                id=str(row.get("id", len(made))),
                skill=str(row.get("skill", "chat")),
                messages=_messages(row, where),
                tools=row.get("tools") or (),
                item=item_from_plain(item, where) if item else None,
            )
        )
    return made


def read_pairs(folder: Path) -> list[Pair]:
    """The pairs of a `PreferenceData` folder; `InputError` names the line at fault."""
    made: list[Pair] = []
    for where, row in _read_lines(folder / "pairs.jsonl"):
        if not isinstance(row.get("chosen"), str) or not isinstance(row.get("rejected"), str):
            raise InputError("a pair lacks the text of `chosen` or `rejected`", where=where)
        made.append(
            Pair(
                id=str(row.get("id", len(made))),
                skill=str(row.get("skill", "chat")),
                messages=_messages(row, where),
                chosen=row["chosen"],
                rejected=row["rejected"],
                tools=row.get("tools") or (),
                margin=float(row.get("margin", 1.0)),
            )
        )
    return made


def _read_lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if not file.is_file():
        raise InputError(f"there is no {file.name}", where=str(file.parent))
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{file.name}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise InputError("a line is not JSON", where=where) from None
            if not isinstance(row, dict):
                raise InputError("a line is not a JSON object", where=where)
            yield where, row


def _messages(row: Mapping[str, Any], where: str) -> list[Message]:
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InputError("a conversation has no messages", where=where)
    return messages


def conversation_example(tok: Tok, conversation: Conversation) -> Example:
    """Ids of a conversation; the loss counts the assistant's words, calls and the mark that ends its turn."""
    ids, learn = tok.encode_chat(conversation.messages, list(conversation.tools) or None)
    return Example(np.array(ids, dtype=np.int64), np.array(learn, dtype=np.float32))


def prompt_ids(tok: Tok, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[int]:
    """Ids up to where the assistant begins to answer."""
    return tok.encode_chat(messages, list(tools) or None, add_generation_prompt=True)[0]


def answer_ids(tok: Tok, text: str) -> list[int]:
    """Ids of an answer; tool-call marks become control tokens, nothing else does."""
    ids: list[int] = []
    for part in CALL_MARK.split(text):
        if part in tok.specials and CALL_MARK.fullmatch(part):
            ids.append(tok.specials[part])
        else:
            ids += tok.encode(part)
    return ids


def answer_example(tok: Tok, prompt: Sequence[int], answer: Sequence[int], *, ended: bool = True) -> Example:
    """Prompt and answer as one example; only the answer, and the end of its turn, is counted."""
    said = [*answer, tok.turn_end_id] if ended else list(answer)
    weights = np.concatenate([np.zeros(len(prompt), np.float32), np.ones(len(said), np.float32)])
    return Example(np.array([*prompt, *said], dtype=np.int64), weights)
