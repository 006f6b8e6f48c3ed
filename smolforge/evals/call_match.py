"""Function calls compared as the Berkeley Function Calling Leaderboard compares them: as syntax, not by running them.

An answer lists the values that are accepted for each argument; an empty text among them says that the argument may be
left out. Texts agree without capitals, spaces and light punctuation; a whole number stands for a decimal one but not
the other way round; calls that are asked for together may come in any order.
Source: Patil et al., "The Berkeley Function Calling Leaderboard", and the checker published with it (AST evaluation).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

LIGHT = re.compile(r"[ ,./\-_*^]")
OPTIONAL = ""
TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "float": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "tuple": (list,),
    "dict": (dict,),
    "object": (dict,),
}
SCHEMA_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}

Call = Mapping[str, Any]
Function = Mapping[str, Any]


def calls_fault(
    wanted: Sequence[Mapping[str, Any]], given: Sequence[Call], functions: Sequence[Function]
) -> str:
    """What is wrong with the calls, in a few words; empty where nothing is.

    wanted     `{function name: {argument: [accepted values]}}`, one a call
    given      `{"name", "arguments"}`
    functions  those that were offered
    """
    if len(wanted) != len(given):
        return f"{len(given)} calls where {len(wanted)} are needed"
    left = list(given)
    for one in wanted:
        faults = [(call_fault(one, call, functions), place) for place, call in enumerate(left)]
        fitting = next((place for fault, place in faults if not fault), None)
        if fitting is None:
            return faults[0][0]
        del left[fitting]
    return ""


def call_fault(wanted: Mapping[str, Any], given: Call, functions: Sequence[Function]) -> str:
    """The same for one call."""
    [(name, accepted)] = wanted.items()
    if given["name"] != name:
        return f"`{given['name']}` called, not `{name}`"
    function = next((one for one in functions if one.get("name") == name), None)
    if function is None:
        return f"`{name}` was not offered"
    return _arguments_fault(accepted, given["arguments"], function.get("parameters") or {})


def _arguments_fault(
    accepted: Mapping[str, Sequence[Any]], given: Mapping[str, Any], schema: Mapping[str, Any]
) -> str:
    known = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in given:
            return f"`{name}` is missing"
    for name, value in given.items():
        if name not in known or name not in accepted:
            return f"there is no argument `{name}`"
        if fault := _value_fault(value, accepted[name], known[name]):
            return f"`{name}` {fault}"
    absent = [name for name, values in accepted.items() if name not in given and OPTIONAL not in values]
    return f"`{absent[0]}` is missing" if absent else ""


def _value_fault(value: Any, accepted: Sequence[Any], schema: Mapping[str, Any]) -> str:
    kinds = TYPES.get(str(schema.get("type")))
    names_a_variable = (
        any(isinstance(one, str) and one for one in accepted) and schema.get("type") != "string"
    )
    if kinds and not _is_of(value, kinds) and not (names_a_variable and isinstance(value, str)):
        return f"is no {schema.get('type')}"
    return "" if any(same(one, value) for one in accepted) else "has another value"


def _is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def same(accepted: Any, value: Any) -> bool:
    """Whether a value is the accepted one; within objects, each field has a list of accepted values of its own."""
    if isinstance(accepted, str) and isinstance(value, str):
        return standard(accepted) == standard(value)
    if isinstance(accepted, list) and isinstance(value, list):
        return len(accepted) == len(value) and all(map(same, accepted, value))
    if isinstance(accepted, dict) and isinstance(value, dict):
        return _same_fields(accepted, value)
    if isinstance(accepted, bool) or isinstance(value, bool):
        return accepted is value
    return isinstance(accepted, int | float) and isinstance(value, int | float) and accepted == value


def _same_fields(accepted: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    """Each field against its list of accepted values."""
    for name, values in accepted.items():
        listed = values if isinstance(values, list) else [values]
        if name not in value and OPTIONAL not in listed:
            return False
        if name in value and not any(same(one, value[name]) for one in listed):
            return False
    return value.keys() <= accepted.keys()


def standard(text: str) -> str:
    """Without capitals, spaces and light punctuation; one kind of quote."""
    return LIGHT.sub("", text).lower().replace("'", '"')


def as_tool(function: Function) -> dict[str, Any]:
    """The function as a tool whose parameters are JSON Schema: the leaderboard's own names of types are translated."""
    return {**function, "parameters": _schema(function.get("parameters") or {})}


def _schema(part: Any) -> Any:
    if isinstance(part, list):
        return [_schema(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    translated = {name: _schema(value) for name, value in part.items()}
    kind = part.get("type")
    return {**translated, "type": SCHEMA_TYPES.get(kind, kind)} if isinstance(kind, str) else translated
