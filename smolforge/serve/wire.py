"""OpenAI's JSON: requests checked on the way in, answers and errors shaped on the way out.

Fields we do not know are ignored, as clients send many; fields we know but cannot honour are refused,
because an answer that silently ignores `n=3` or `response_format` is a wrong answer.
Source: the OpenAI API reference, chat completions and completions; limits of ours are chosen, untested.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from smolforge.language_model import Sampling
from smolforge.plain_json import whole_text, without_half_pairs
from smolforge.serve.talk import CHAT_SAMPLING, Reply
from smolforge.serve.tools import ToolCall

MOST_MESSAGES = 2_000
MOST_TOOLS = 64
MOST_STOPS = 16
MOST_TOKENS = 1_000_000
DEEPEST = 40
ROLES = ("system", "user", "assistant", "tool")
REFUSED: Mapping[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "best_of": (None, 1),
    "logprobs": (None, False, 0),
    "top_logprobs": (None, 0),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "logit_bias": (None, {}),
    "echo": (None, False),
    "suffix": (None, ""),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
}
"""Fields that change the answer and that we do not offer, with the values that mean "as usual"."""


class ApiError(Exception):
    """A refusal in OpenAI's shape: HTTP status, message, and the field at fault."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self) -> dict[str, Any]:
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(
            self.status, "invalid_request_error" if self.status < 500 else "server_error"
        )
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A checked request for an answer to `messages`."""

    messages: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...]
    how: Sampling
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    shorten: bool


@dataclass(frozen=True, kw_only=True)
class TextRequest:
    """A checked request to continue `prompt`."""

    prompt: str
    how: Sampling
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool


def parse_json(body: bytes) -> dict[str, Any]:
    """A request body as an object; refuses everything that is not plain JSON."""
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not valid JSON: {_short(error)}") from None
    if not isinstance(value, dict):
        raise ApiError(400, "the body should be a JSON object")
    if _deeper_than(value, DEEPEST):
        raise ApiError(400, f"the body is nested deeper than {DEEPEST} levels")
    return value


def parse_chat(value: Mapping[str, Any], model: str) -> ChatRequest:
    """A chat completion request; `truncation: "auto"` lets the oldest turns be left out."""
    _check_common(value, model)
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "`messages` should be a list with at least one message", param="messages")
    if len(messages) > MOST_MESSAGES:
        raise ApiError(400, f"`messages` has more than {MOST_MESSAGES} entries", param="messages")
    parsed = tuple(_message(m, f"messages[{i}]") for i, m in enumerate(messages))
    truncation = _choice(value, "truncation", ("auto", "disabled"), "disabled")
    return ChatRequest(
        messages=parsed,
        tools=_tools(value),
        how=_sampling(value, CHAT_SAMPLING.max_new_tokens),
        stop=_stop(value),
        stream=_flag(value, "stream"),
        include_usage=_include_usage(value),
        shorten=truncation == "auto",
    )


def parse_text(value: Mapping[str, Any], model: str) -> TextRequest:
    """A plain completion request; its default length is the 16 tokens of OpenAI's API."""
    _check_common(value, model)
    prompt = value.get("prompt", "")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    return TextRequest(
        prompt=_text(prompt, "prompt"),
        how=_sampling(value, 16),
        stop=_stop(value),
        stream=_flag(value, "stream"),
        include_usage=_include_usage(value),
    )


def _check_common(value: Mapping[str, Any], model: str) -> None:
    for name, usual in REFUSED.items():
        if name in value and value[name] not in usual:
            raise ApiError(
                400, f"`{name}` is not offered by this server", param=name, code="unsupported_parameter"
            )
    asked = value.get("model", model)
    if asked != model:
        raise ApiError(
            404,
            f"there is no model `{_short(asked)}` here; use `{model}`",
            param="model",
            code="model_not_found",
        )


def _message(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ApiError(400, f"`{where}` should be an object", param=where)
    role = value.get("role")
    role = "system" if role == "developer" else role
    if role not in ROLES:
        raise ApiError(400, f"`{where}.role` should be one of {', '.join(ROLES)}", param=f"{where}.role")
    calls = value.get("tool_calls") if role == "assistant" else None
    content = value.get("content")
    if content is None and not calls and role != "assistant":
        raise ApiError(400, f"`{where}.content` is missing", param=f"{where}.content")
    message: dict[str, Any] = {"role": role, "content": _content(content, f"{where}.content")}
    if calls:
        message["tool_calls"] = [
            _past_call(c, f"{where}.tool_calls[{i}]") for i, c in enumerate(_list(calls, where))
        ]
    return message


def _content(value: Any, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_part(part, f"{where}[{i}]") for i, part in enumerate(value))
    return _text(value, where)


def _part(value: Any, where: str) -> str:
    if not isinstance(value, dict) or value.get("type") != "text":
        raise ApiError(400, f"`{where}` should be a text part; this model reads only text", param=where)
    return _text(value.get("text"), f"{where}.text")


def _past_call(value: Any, where: str) -> dict[str, Any]:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict):
        raise ApiError(400, f"`{where}.function` should be an object", param=where)
    name = _text(function.get("name"), f"{where}.function.name")
    try:
        # Many clients send an empty text for a call without arguments.
        spelled = _text(function.get("arguments", "{}"), f"{where}.function.arguments").strip()
        arguments = json.loads(spelled or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict) or _deeper_than(arguments, DEEPEST):
        raise ApiError(400, f"`{where}.function.arguments` should be a JSON object as text", param=where)
    return {"name": name, "arguments": arguments}


def _tools(value: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    tools = _list(value.get("tools"), "tools")
    if len(tools) > MOST_TOOLS:
        raise ApiError(400, f"`tools` has more than {MOST_TOOLS} entries", param="tools")
    parsed = []
    for i, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ApiError(400, f"`tools[{i}]` should be a function with a name", param=f"tools[{i}]")
        parsed.append(without_half_pairs(function))
    choice = value.get("tool_choice", "auto")
    if choice not in (None, "auto", "none"):
        raise ApiError(
            400, "`tool_choice` can be auto or none", param="tool_choice", code="unsupported_parameter"
        )
    return () if choice == "none" else tuple(parsed)


def _sampling(value: Mapping[str, Any], usual_tokens: int) -> Sampling:
    temperature = _number(value, "temperature", 0.0, 2.0, CHAT_SAMPLING.temperature)
    seed = _whole_number(value, "seed", -(2**63), 2**63 - 1, None)
    tokens = _whole_number(value, "max_completion_tokens", 1, MOST_TOKENS, None)
    if tokens is None:
        tokens = _whole_number(value, "max_tokens", 1, MOST_TOKENS, usual_tokens)
    return replace(
        CHAT_SAMPLING,
        max_new_tokens=tokens or usual_tokens,
        temperature=temperature,
        top_p=_number(value, "top_p", 0.0, 1.0, CHAT_SAMPLING.top_p) or 1e-6,
        top_k=_whole_number(value, "top_k", 0, 2**31, 0) or 0,
        repetition_penalty=_number(value, "repetition_penalty", 0.1, 10.0, 1.0),
        seed=secrets.randbits(31) if seed is None else seed % 2**31,
    )


def _stop(value: Mapping[str, Any]) -> tuple[str, ...]:
    stop = value.get("stop")
    stops = [stop] if isinstance(stop, str) else _list(stop, "stop")
    if len(stops) > MOST_STOPS:
        raise ApiError(400, f"`stop` has more than {MOST_STOPS} entries", param="stop")
    return tuple(_text(s, f"stop[{i}]") for i, s in enumerate(stops) if s != "")


def _include_usage(value: Mapping[str, Any]) -> bool:
    options = value.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise ApiError(400, "`stream_options` should be an object", param="stream_options")
    return bool((options or {}).get("include_usage"))


def _flag(value: Mapping[str, Any], name: str) -> bool:
    flag = value.get(name)
    if flag is not None and not isinstance(flag, bool):
        raise ApiError(400, f"`{name}` should be true or false", param=name)
    return bool(flag)


def _choice(value: Mapping[str, Any], name: str, options: Sequence[str], usual: str) -> str:
    choice = value.get(name)
    if choice is not None and choice not in options:
        raise ApiError(400, f"`{name}` should be one of {', '.join(options)}", param=name)
    return choice or usual


def _number(value: Mapping[str, Any], name: str, least: float, most: float, usual: float) -> float:
    number = value.get(name)
    if number is None:
        return usual
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ApiError(400, f"`{name}` should be a number", param=name)
    if not least <= number <= most:
        raise ApiError(400, f"`{name}` should be between {least} and {most}", param=name)
    return float(number)


def _whole_number(
    value: Mapping[str, Any], name: str, least: int, most: int, usual: int | None
) -> int | None:
    number = value.get(name)
    if number is None:
        return usual
    if isinstance(number, bool) or not isinstance(number, int):
        raise ApiError(400, f"`{name}` should be a whole number", param=name)
    if not least <= number <= most:
        raise ApiError(400, f"`{name}` should be between {least} and {most}", param=name)
    return number


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ApiError(400, f"`{where}` should be a list", param=where)
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ApiError(400, f"`{where}` should be text", param=where)
    return whole_text(value)


def _deeper_than(value: Any, levels: int) -> bool:
    """Whether a JSON value is nested deeper than `levels`; walks level by level, so depth costs no stack."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not layer:
            return False
    return True


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else text[:117] + "…"


# ---- answers


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The outer fields that all chunks of one answer share."""

    id: str
    object: str
    created: int
    model: str

    @staticmethod
    def new(kind: str, model: str) -> Shape:
        prefix = "cmpl" if kind.startswith("text") else "chatcmpl"
        return Shape(
            id=f"{prefix}-{secrets.token_hex(12)}", object=kind, created=math.floor(time.time()), model=model
        )

    def around(self, choices: list[dict[str, Any]], **extra: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": self.object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **extra,
        }


def choice(**fields: Any) -> list[dict[str, Any]]:
    """The one choice that we offer."""
    return [{"index": 0, "logprobs": None, "finish_reason": None, **fields}]


def call_body(call: ToolCall) -> dict[str, Any]:
    """A tool call as OpenAI's clients read it: the arguments are JSON text."""
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {
        "id": f"call_{secrets.token_hex(9)}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def usage(reply: Reply) -> dict[str, int]:
    """Tokens read and written."""
    read, written = reply.prompt_tokens, reply.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
