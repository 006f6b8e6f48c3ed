"""Function calling: a request, the call that serves it, its result, and the answer in words.

Every argument stands in the request, so a call is copied rather than invented. Some chats offer no tool
that fits, some leave an argument out and are asked for it, and some need two calls.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from smolforge.evals.task import Item
from smolforge.written.conversations.chat import (
    Chat,
    Message,
    assistant,
    key_of,
    plain_prompt,
    upper_first,
    user,
)
from smolforge.written.conversations.toolbox import TOOLS, Tool, Values
from smolforge.written.files import texts, ways_of

MAX_TOOLS = 3

_WAYS = ways_of(texts("conversations"))


def call_message(calls: list[tuple[Tool, Values]]) -> Message:
    """The assistant's turn that makes the calls."""
    tool_calls = [{"name": tool.name, "arguments": arguments} for tool, arguments in calls]
    return {"role": "assistant", "content": "", "tool_calls": tool_calls}


def result_message(result: Values) -> Message:
    return {"role": "tool", "content": json.dumps(result, ensure_ascii=False)}


def _tell(draw: Random, tool: Tool, arguments: Values, result: Values) -> str:
    values = {**arguments, **result}
    values |= {f"{name}_upper": upper_first(str(value)) for name, value in values.items()}
    return draw.choice(tool.tells).format(**values)


def _key(tool: Tool, arguments: Values) -> str:
    return key_of("call", tool.name, *arguments.values())


def _schemas(draw: Random, *needed: Tool) -> tuple[dict[str, Any], ...]:
    """The needed tools among others, in any order."""
    count = draw.randrange(max(1, len(needed)), MAX_TOOLS + 1)
    others = [tool for tool in TOOLS if tool not in needed]
    offered = [*needed, *draw.sample(others, count - len(needed))]
    draw.shuffle(offered)
    return tuple(tool.schema for tool in offered)


def _item(
    tool: Tool, arguments: Values, messages: list[Message], schemas: tuple[dict[str, Any], ...]
) -> Item:
    shown = [{"role": "system", "content": f"Tools: {json.dumps(list(schemas))}"}, *messages]
    return Item(
        id="",
        skill="tools",
        kind="tool_call",
        messages=messages,
        prompt=plain_prompt(shown),
        answer={"name": tool.name, "arguments": arguments},
        tools=schemas,
        max_new_tokens=64,
    )


def _one_call(draw: Random) -> Chat:
    tool = draw.choice(TOOLS)
    arguments = tool.draw(draw)
    result = tool.result(draw, arguments)
    ask = draw.choice(_WAYS["tool_asks"]).format(ask=draw.choice(tool.asks).format(**arguments))
    schemas = _schemas(draw, tool)
    asked = [user(ask)]
    messages = [*asked, call_message([(tool, arguments)]), result_message(result)]
    messages.append(assistant(_tell(draw, tool, arguments, result)))
    return Chat(tuple(messages), (_key(tool, arguments),), schemas, _item(tool, arguments, asked, schemas))


def _missing_argument(draw: Random) -> Chat:
    """The request lacks something; the assistant asks before it calls."""
    tool = draw.choice([tool for tool in TOOLS if tool.missing])
    arguments = tool.draw(draw)
    result = tool.result(draw, arguments)
    assert tool.missing is not None
    ask, question, name = tool.missing
    asked = [user(ask.format(**arguments)), assistant(question), user(str(arguments[name]))]
    messages = [*asked, call_message([(tool, arguments)]), result_message(result)]
    messages.append(assistant(_tell(draw, tool, arguments, result)))
    schemas = _schemas(draw, tool)
    return Chat(tuple(messages), (_key(tool, arguments),), schemas, _item(tool, arguments, asked, schemas))


def _two_calls(draw: Random) -> Chat:
    first, second = draw.sample(TOOLS, 2)
    calls = [(first, first.draw(draw)), (second, second.draw(draw))]
    results = [tool.result(draw, arguments) for tool, arguments in calls]
    asks = [draw.choice(tool.asks).format(**arguments) for tool, arguments in calls]
    tells = [
        _tell(draw, tool, arguments, result) for (tool, arguments), result in zip(calls, results, strict=True)
    ]
    messages = (
        user(f"{asks[0]}{draw.choice((' ', ' And then: ', ' Also: ', ' One more thing: '))}{asks[1]}"),
        call_message(calls),
        *map(result_message, results),
        assistant(" ".join(tells)),
    )
    return Chat(messages, tuple(_key(*call) for call in calls), _schemas(draw, first, second))


def _no_tool_fits(draw: Random) -> Chat:
    wanted, *offered = draw.sample(TOOLS, draw.randrange(2, MAX_TOOLS + 2))
    arguments = wanted.draw(draw)
    ask = draw.choice(wanted.asks).format(**arguments)
    can = " and ".join(
        [", ".join(tool.can for tool in offered[:-1]), offered[-1].can] if offered[:-1] else [offered[-1].can]
    )
    messages = (user(ask), assistant(draw.choice(_WAYS["no_tool"]).format(can=can)))
    return Chat(messages, (_key(wanted, arguments),), tuple(tool.schema for tool in offered))


def make(draw: Random) -> Chat:
    """Mostly one call; else an argument is missing, two calls are needed, or no tool fits."""
    roll = draw.random()
    if roll < 0.76:
        return _one_call(draw)
    if roll < 0.84:
        return _missing_argument(draw)
    return _two_calls(draw) if roll < 0.88 else _no_tool_fits(draw)
