"""Recognises what one JSON or Parquet record is: a chat, a preference pair, or a text.

Forms read: messages / conversations (role, content or from, value); prompt or instruction with an answer;
chosen and rejected, as answers, message lists or "Human: … Assistant: …" transcripts; text, content, html.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from smolforge.data.read.decoding import decode
from smolforge.data.read.documents import Kind
from smolforge.plain_json import NotJson, parse_json

ROLES = {
    "system": "system", "user": "user", "human": "user", "prompter": "user", "assistant": "assistant",
    "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
    "tool": "tool", "function": "tool", "observation": "tool", "ipython": "tool",
}  # fmt: skip
QUESTION_FIELDS = ("instruction", "prompt", "question", "query")
ANSWER_FIELDS = ("output", "response", "completion", "answer", "answers")
TEXT_FIELDS: tuple[tuple[str, Kind], ...] = (
    ("html", "html"),
    ("xml", "html"),
    ("text", "text"),
    ("content", "text"),
    ("markdown", "markdown"),
    ("body", "text"),
    ("code", "code"),
    ("articlebody", "text"),
    ("document", "text"),
    ("raw_content", "text"),
    ("story", "text"),
    ("article", "text"),
    ("passage", "text"),
)
CHAT_FIELDS = ("messages", "conversations", "conversation")
CONTENT_FIELDS = frozenset(
    [name for name, _ in TEXT_FIELDS] + ["html_b64", "chosen", *CHAT_FIELDS, *QUESTION_FIELDS]
)
"""A record without any of these is none that is known here."""
FIELDS = CONTENT_FIELDS | {
    *ANSWER_FIELDS, "rejected", "input", "context", "skill", "category", "task", "tools", "lang", "language", "path", "file",
    "url", "id", "title", "license", "repo",
}  # fmt: skip
"""All that is looked at, in whatever case it is written."""
TURN = re.compile(r"\n\n(Human|Assistant): ?")
MAX_TURNS = 400


def text_of(row: Mapping[str, Any]) -> tuple[Kind, str] | None:
    """(kind, text) of a record that holds a document, or None."""
    for name, kind in TEXT_FIELDS:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return kind, value
    packed = row.get("html_b64")
    if isinstance(packed, str):
        try:
            return "html", decode(base64.b64decode(packed))
        except (binascii.Error, ValueError):
            return None
    return None


def messages_of(value: Any) -> list[dict[str, Any]] | None:
    """A list of turns in our form, or None where `value` is no conversation."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = parse_json(value)
        except NotJson:
            return None
    if not isinstance(value, Sequence) or isinstance(value, str) or not 0 < len(value) <= MAX_TURNS:
        return None
    turns = []
    for item in value:
        if not isinstance(item, Mapping):
            return None
        role = ROLES.get(str(item.get("role") or item.get("from") or "").lower())
        content = item.get("content", item.get("value"))
        content = "" if content is None else content
        if role is None or not isinstance(content, str):
            return None
        turn: dict[str, Any] = {"role": role, "content": content.strip()}
        calls = _tool_calls(item.get("tool_calls"))
        if calls:
            turn["tool_calls"] = calls
        turns.append(turn)
    return turns


def _tool_calls(value: Any) -> list[dict[str, Any]]:
    calls = []
    for item in value if isinstance(value, Sequence) and not isinstance(value, str) else ():
        call = item.get("function", item) if isinstance(item, Mapping) else None
        if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
            continue
        arguments = call.get("arguments", call.get("parameters", {}))
        if isinstance(arguments, str):
            try:
                arguments = parse_json(arguments) if arguments.strip() else {}
            except NotJson:
                continue
        calls.append({"name": call["name"], "arguments": arguments})
    return calls


def chat_of(row: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """The record as one of our conversations, or None. One without an answer is none."""
    messages = next((m for n in CHAT_FIELDS if (m := messages_of(row.get(n)))), None)
    if messages is None:
        messages = _question_and_answer(row)
    if messages is None or not _is_whole(messages):
        return None
    skill = next(
        (str(row[n]) for n in ("skill", "category", "task") if isinstance(row.get(n), str) and row[n]), "chat"
    )
    return {"id": where, "skill": skill, "messages": messages, "tools": _tools(row.get("tools"))}


def _tools(value: Any) -> list[Any]:
    if isinstance(value, str) and value.strip():
        try:
            value = parse_json(value)
        except NotJson:
            return []
    return [t for t in value if isinstance(t, Mapping)] if isinstance(value, list) else []


def _is_whole(messages: list[dict[str, Any]]) -> bool:
    """Some user's turn, and after it an assistant's that says or does something."""
    asked = False
    for turn in messages:
        asked = asked or turn["role"] == "user"
        if asked and turn["role"] == "assistant" and (turn["content"] or turn.get("tool_calls")):
            return True
    return False


def _question_and_answer(row: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    question = next((row[n] for n in QUESTION_FIELDS if isinstance(row.get(n), str) and row[n].strip()), None)
    answer = next((row[n] for n in ANSWER_FIELDS if isinstance(row.get(n), str) and row[n].strip()), None)
    if question is None or answer is None:
        return None
    extra = next((row[n] for n in ("input", "context") if isinstance(row.get(n), str) and row[n].strip()), "")
    asked = f"{question.strip()}\n\n{extra.strip()}" if extra else question.strip()
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer.strip()}]


def pair_of(row: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """The record as one of our preference pairs, or None."""
    chosen, rejected = row.get("chosen"), row.get("rejected")
    if not chosen or not rejected:
        return None
    split = _split_pair(row, chosen, rejected)
    if split is None:
        return None
    messages, good, bad = split
    if not messages or not good or not bad or good == bad:
        return None
    skill = str(row.get("skill") or "chat")
    return {"id": where, "skill": skill, "messages": messages, "chosen": good, "rejected": bad, "margin": 1.0}


def _split_pair(
    row: Mapping[str, Any], chosen: Any, rejected: Any
) -> tuple[list[dict[str, Any]], str, str] | None:
    """(shared turns, better answer, worse answer)."""
    prompt = row.get("prompt", row.get("messages", row.get("question")))
    if isinstance(chosen, str) and isinstance(rejected, str):
        if prompt:
            messages = messages_of(prompt)
            if messages is None and isinstance(prompt, str):
                messages = [{"role": "user", "content": prompt.strip()}]
            return (messages, chosen.strip(), rejected.strip()) if messages else None
        chosen, rejected = _transcript(chosen), _transcript(rejected)
    good, bad = messages_of(chosen), messages_of(rejected)
    if not good or not bad or good[-1]["role"] != "assistant" or bad[-1]["role"] != "assistant":
        return None
    if good[:-1] != bad[:-1]:  # two conversations that part earlier share no one prompt
        return None
    return good[:-1], good[-1]["content"], bad[-1]["content"]


def _transcript(text: str) -> list[dict[str, Any]] | None:
    """Turns of "\\n\\nHuman: …\\n\\nAssistant: …"."""
    parts = TURN.split(text)
    if len(parts) < 3:
        return None
    turns = zip(parts[1::2], parts[2::2], strict=True)
    return [{"role": ROLES[who.lower()], "content": said.strip()} for who, said in turns]
