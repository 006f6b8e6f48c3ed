"""The chat template, once: as pieces for training, as text for people, as Jinja for everybody else.

ChatML. A turn is `<|im_start|>role`, a newline, the content, `<|im_end|>`, a newline. No default system
message is put in. Tools stand in the system turn between `<tools>` and `</tools>`; a call is
`<tool_call>{"name": …, "arguments": …}</tool_call>`; its result is a turn of role `tool`.

`pieces` says which parts of a conversation are control tokens, which are words, and which of them a
model learns to say. Words are never searched for control tokens, so nothing a user writes can open or
close a turn. `CHAT_TEMPLATE` renders the same text (property-tested against `render`), but programs
that render first and tokenize afterwards lose that protection.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from smolforge.errors import InputError

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
TOOL_CALL = "<tool_call>"
END_TOOL_CALL = "</tool_call>"
TOOL_RESPONSE = "<tool_response>"
END_TOOL_RESPONSE = "</tool_response>"
TOOLS = "<tools>"
END_TOOLS = "</tools>"
FIM_PREFIX = "<fim_prefix>"
FIM_MIDDLE = "<fim_middle>"
FIM_SUFFIX = "<fim_suffix>"

ROLES = ("system", "user", "assistant", "tool")
MAX_MESSAGES = 4096
MAX_TOOL_CALLS = 16
MAX_CALL_CHARACTERS = 16_384
MAX_CALL_DEPTH = 16

CHAT_TEMPLATE = """\
{%- for message in messages %}
    {%- if loop.first and tools and message.role != 'system' %}
        {{- '<|im_start|>system\\n<tools>[' }}
        {%- for tool in tools %}
            {{- (tool.function if tool.function is defined else tool) | tojson }}
            {{- '' if loop.last else ', ' }}
        {%- endfor %}
        {{- ']</tools><|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- set content = message.content if message.content is defined and message.content else '' %}
    {%- if content is not string %}
        {%- set content = content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join('') %}
    {%- endif %}
    {%- if message.role == 'tool' %}
        {{- '<tool_response>' + content + '</tool_response>' }}
    {%- else %}
        {{- content }}
    {%- endif %}
    {%- if loop.first and tools and message.role == 'system' %}
        {{- ('\\n' if content else '') + '<tools>[' }}
        {%- for tool in tools %}
            {{- (tool.function if tool.function is defined else tool) | tojson }}
            {{- '' if loop.last else ', ' }}
        {%- endfor %}
        {{- ']</tools>' }}
    {%- endif %}
    {%- if message.role == 'assistant' and message.tool_calls is defined and message.tool_calls %}
        {%- for tool_call in message.tool_calls %}
            {%- set call = tool_call.function if tool_call.function is defined else tool_call %}
            {{- '\\n' if content or not loop.first else '' }}
            {{- '<tool_call>{"name": ' + (call.name | tojson) + ', "arguments": ' }}
            {%- set arguments = call.arguments if call.arguments else {} %}
            {{- arguments if arguments is string else (arguments | tojson) }}
            {{- '}</tool_call>' }}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


@dataclass(frozen=True)
class Piece:
    """A run of text with one meaning.

    kind   control  one special token, by its own id
           words    ordinary text; special-token strings in it stay text
           start    ordinary text that must not be tokenized together with what follows
    learn  whether the assistant is trained to say it
    """

    text: str
    kind: Literal["control", "words", "start"]
    learn: bool = False


def pieces(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None = None,
    add_generation_prompt: bool = False,
) -> list[Piece]:
    """A conversation cut where meaning changes; raises `InputError` for a malformed message."""
    check(messages)
    out: list[Piece] = []
    if tools and messages and messages[0]["role"] != "system":
        out += [*_opening("system"), *_tools(tools, ""), *_closing(False)]
    for index, message in enumerate(messages):
        out += _turn(message, tools if index == 0 else None)
    if add_generation_prompt:
        out += _opening("assistant")
    return out


def render(
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None = None,
    add_generation_prompt: bool = False,
) -> str:
    """The conversation as one text; what `CHAT_TEMPLATE` renders."""
    return "".join(piece.text for piece in pieces(messages, tools, add_generation_prompt))


def fim_pieces(prefix: str, suffix: str) -> list[Piece]:
    """Fill-in-the-middle prompt, prefix first; the model continues with the middle.

    Source: Bavarian et al., arXiv:2207.14255, PSM order.
    """
    return [
        Piece(FIM_PREFIX, "control"),
        Piece(prefix, "words"),
        Piece(FIM_SUFFIX, "control"),
        Piece(suffix, "words"),
        Piece(FIM_MIDDLE, "control"),
    ]


def parse_tool_calls(text: str) -> list[dict[str, Any]] | None:
    """The calls in an assistant's answer as `[{"name", "arguments"}]`.

    None when there is none, or when any of them is not exactly a JSON object with a name (text) and
    arguments (object): half-understood calls are not made. Bounded in number, length and depth.
    """
    calls: list[dict[str, Any]] = []
    rest = text
    while TOOL_CALL in rest:
        _, _, rest = rest.partition(TOOL_CALL)
        body, closed, rest = rest.partition(END_TOOL_CALL)
        call = _parse_call(body) if closed and len(calls) < MAX_TOOL_CALLS else None
        if call is None:
            return None
        calls.append(call)
    return calls or None


def _turn(message: Mapping[str, Any], tools: Sequence[Mapping[str, Any]] | None) -> Iterator[Piece]:
    role = message["role"]
    learn = role == "assistant"
    content = content_text(message.get("content"))
    yield from _opening(role)
    if role == "tool":
        yield Piece(TOOL_RESPONSE, "control")
    if content:
        yield Piece(content, "words", learn)
    if role == "tool":
        yield Piece(END_TOOL_RESPONSE, "control")
    if role == "system" and tools:
        yield from _tools(tools, content)
    if learn:
        yield from _calls(message.get("tool_calls") or (), content)
    yield from _closing(learn)


def _opening(role: str) -> Iterator[Piece]:
    """The assistant's header ends a token where generation starts; other headers run into their words."""
    yield Piece(IM_START, "control")
    yield Piece(f"{role}\n", "start" if role == "assistant" else "words")


def _closing(learn: bool) -> Iterator[Piece]:
    yield Piece(IM_END, "control", learn)
    yield Piece("\n", "words")


def _tools(tools: Sequence[Mapping[str, Any]], content: str) -> Iterator[Piece]:
    if content:
        yield Piece("\n", "words")
    yield Piece(TOOLS, "control")
    yield Piece("[" + ", ".join(_json(tool.get("function", tool)) for tool in tools) + "]", "words")
    yield Piece(END_TOOLS, "control")


def _calls(calls: Sequence[Mapping[str, Any]], content: str) -> Iterator[Piece]:
    for index, call in enumerate(calls):
        inner = call.get("function", call)
        arguments = inner["arguments"] or {}
        text = arguments if isinstance(arguments, str) else _json(arguments)
        if content or index:
            yield Piece("\n", "words", True)
        yield Piece(TOOL_CALL, "control", True)
        yield Piece(f'{{"name": {_json(inner["name"])}, "arguments": {text}}}', "words", True)
        yield Piece(END_TOOL_CALL, "control", True)


def content_text(content: Any) -> str:
    """A message's content as text: a string, nothing, or a list of text parts as some clients send it.

    Raises InputError for parts that are no text (pictures, sounds).
    """
    if not content:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list | tuple) else [content]
    texts = [
        part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None
        for part in parts
    ]
    if not all(isinstance(text, str) for text in texts):
        raise InputError("a message's content is not text", fix="give a string, or parts of the type `text`")
    return "".join(str(text) for text in texts)


def calls_text(calls: Sequence[Mapping[str, Any]], after_content: bool) -> str:
    """An answer's tool calls as the text that follows its content."""
    return "".join(piece.text for piece in _calls(calls, "said" if after_content else ""))


def arguments_of(arguments: Any) -> Any:
    """A call's arguments as a table; text that is no JSON object stays as it is, nothing is an empty table."""
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        parsed = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        return arguments
    return parsed if isinstance(parsed, dict) else arguments


def with_tools_in_system(
    messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The conversation with the tools at the end of its system turn, for templates that have no place for them."""
    first = dict(messages[0]) if messages and messages[0].get("role") == "system" else {"role": "system"}
    said = content_text(first.get("content"))
    listed = "".join(piece.text for piece in _tools(tools, said))
    rest = messages[1:] if messages and messages[0].get("role") == "system" else messages
    return [{**first, "content": said + listed}, *(dict(message) for message in rest)]


def _json(value: Any) -> str:
    """What `tojson` of chat templates writes: spaces after `,` and `:`, letters unescaped, order kept."""
    return json.dumps(value, ensure_ascii=False)


def check(messages: Sequence[Mapping[str, Any]], roles: Collection[str] | None = ROLES) -> None:
    """Refuse a malformed conversation, naming the message; `roles` None lets a template decide on those."""
    if len(messages) > MAX_MESSAGES:
        raise InputError(f"a conversation of {len(messages)} messages", fix=f"use at most {MAX_MESSAGES}")
    for index, message in enumerate(messages):
        where = f"message {index}"
        role = message.get("role") if isinstance(message, Mapping) else None
        if not isinstance(role, str) or (roles is not None and role not in roles):
            raise InputError(
                f"a message has the role {role!r}", where=where, fix=f"use one of {', '.join(roles or ROLES)}"
            )
        try:
            content_text(message.get("content"))
        except InputError as error:
            raise InputError(error.what, where=where, fix=error.fix) from None
        for call in message.get("tool_calls") or ():
            inner = call.get("function", call) if isinstance(call, Mapping) else None
            if (
                not isinstance(inner, Mapping)
                or not isinstance(inner.get("name"), str)
                or "arguments" not in inner
            ):
                raise InputError(
                    "a tool call lacks its name or arguments", where=where, fix='give {"name", "arguments"}'
                )


def _parse_call(body: str) -> dict[str, Any] | None:
    if len(body) > MAX_CALL_CHARACTERS:
        return None
    try:
        call = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
        return None
    name, arguments = call["name"], call["arguments"]
    if (
        not isinstance(name, str)
        or not name
        or not isinstance(arguments, dict)
        or _depth(arguments) > MAX_CALL_DEPTH
    ):
        return None
    return {"name": name, "arguments": arguments}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _depth(value: Any) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_depth, inner), default=0)
    return 0
