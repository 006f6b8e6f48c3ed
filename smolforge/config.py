"""Typed, frozen configs: `@config` classes, canonical JSON out, strict JSON in, `--set path=value`.

A config says *what* is made and is part of an artifact's identity; where and on which machine it is
made belongs to `stage.Job`. Unknown names, wrong types and impossible values are `ConfigError`s that
name the field.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, dataclass_transform

from smolforge.errors import ConfigError
from smolforge.units import parse_count

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def config(cls: type[T]) -> type[T]:
    """A frozen, keyword-only dataclass. Checks across fields belong in its `__post_init__`."""
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def to_plain(value: Any, where: str = "") -> Any:
    """A config as JSON-ready values; raises for anything without one stable meaning."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"`{where}` is {value}, which cannot be recorded", fix="use a finite number")
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: to_plain(getattr(value, f.name), _join(where, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(k): to_plain(v, _join(where, str(k))) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(v, _join(where, str(i))) for i, v in enumerate(value)]
    raise ConfigError(f"`{where}` holds a {type(value).__name__}, which cannot be part of a config")


def canonical_json(value: Any) -> str:
    """One text for one meaning: sorted keys, no spaces; the text that is hashed."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def from_plain(kind: Any, plain: Any, where: str = "") -> Any:
    """Build a value of type `kind` from JSON values, strictly; the inverse of `to_plain`."""
    origin = typing.get_origin(kind)
    if kind is Any:
        return plain
    if origin in (typing.Union, types.UnionType):
        return _from_union(kind, plain, where)
    if origin is typing.Literal:
        if plain not in typing.get_args(kind):
            raise ConfigError(
                f"`{where}` is {plain!r}", fix=f"use one of {', '.join(map(str, typing.get_args(kind)))}"
            )
        return plain
    if dataclasses.is_dataclass(kind):
        return _from_mapping(kind, plain, where)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        _expect(isinstance(plain, Mapping), where, "a table of names and values", plain)
        item = typing.get_args(kind)[1]
        return {name: from_plain(item, v, _join(where, name)) for name, v in plain.items()}
    if origin in (tuple, list):
        _expect(isinstance(plain, list | tuple), where, "a list", plain)
        item = typing.get_args(kind)[0]
        return origin(from_plain(item, v, _join(where, str(i))) for i, v in enumerate(plain))
    if kind is float:
        is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
        _expect(is_number and math.isfinite(plain), where, "a number", plain)
        return float(plain)
    if kind is int:
        _expect(isinstance(plain, int) and not isinstance(plain, bool), where, "a whole number", plain)
        return plain
    if kind in (str, bool, type(None)):
        _expect(
            isinstance(plain, kind), where, {str: "text", bool: "true or false"}.get(kind, "nothing"), plain
        )
        return plain
    raise ConfigError(f"`{where}` has a type that configs do not support: {kind}")


def _from_union(kind: Any, plain: Any, where: str) -> Any:
    options = typing.get_args(kind)
    if plain is None and type(None) in options:
        return None
    failures = []
    for option in options:
        if option is type(None):
            continue
        try:
            return from_plain(option, plain, where)
        except ConfigError as error:
            failures.append(error)
    raise failures[0]


def _from_mapping(cls: Any, plain: Any, where: str) -> Any:
    _expect(isinstance(plain, Mapping), where or cls.__name__, f"a table for {cls.__name__}", plain)
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]
    for name in plain:
        if name not in names:
            raise unknown_key(_join(where, name), name, names)
    values = {name: from_plain(hints[name], v, _join(where, name)) for name, v in plain.items()}
    missing = [f.name for f in dataclasses.fields(cls) if f.name not in values and _required(f)]
    if missing:
        raise ConfigError(f"`{_join(where, missing[0])}` is missing", fix=f"{cls.__name__} needs it")
    return cls(**values)


def set_paths(value: T, settings: Sequence[tuple[str, str]]) -> T:
    """A copy of config `value` with each dotted path replaced by its text, type-checked.

    `set_paths(cfg, [("phases.0.tokens", "2M")])`. Entries of tables are addressed by name. All settings
    are made before the config is checked as a whole, so that shares can be changed two at a time.
    """
    plain = to_plain(value)
    for path, text in settings:
        names = path.split(".")
        kind = _kind_at(value, type(value), names, path)
        place = plain
        for name in names[:-1]:
            place = place[int(name) if isinstance(place, list) else name]
        last = int(names[-1]) if isinstance(place, list) else names[-1]
        place[last] = to_plain(from_plain(kind, _parse(kind, text, path), path))
    return from_plain(type(value), plain)


def check_settled_above(cfg: Any, places: Mapping[str, str]) -> None:
    """Refuse a nested setting that the recipe takes from another: `{"tuning.seed": "seed"}`. It would be ignored.

    Either may stand: the nested field's own default, or what the other says.
    """
    for path, name in places.items():
        part, _, field_name = path.partition(".")
        inner = getattr(cfg, part)
        default = next(field.default for field in dataclasses.fields(inner) if field.name == field_name)
        value, above = getattr(inner, field_name), getattr(cfg, name)
        if value not in (default, above):
            raise ConfigError(f"`{path}` is taken from `{name}`", fix=f"set `{name}` instead")


def _kind_at(value: Any, kind: Any, names: Sequence[str], full: str) -> Any:
    """The declared type of the field at the end of the path; ConfigError where there is none."""
    if not names:
        return kind
    head, rest = names[0], names[1:]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        known = [f.name for f in dataclasses.fields(value)]
        if head not in known:
            raise unknown_key(full, head, known)
        return _kind_at(getattr(value, head), typing.get_type_hints(type(value))[head], rest, full)
    if isinstance(value, tuple | list):
        if not head.isdigit() or int(head) >= len(value):
            raise ConfigError(f"`{full}`: no entry {head}", fix=f"use 0 to {len(value) - 1}")
        return _kind_at(value[int(head)], _item_type(kind), rest, full)
    if isinstance(value, Mapping):
        if head not in value:
            raise unknown_key(full, head, list(value))
        return _kind_at(value[head], _item_type(kind, 1), rest, full)
    raise ConfigError(f"`{full}` goes deeper than the setting it names", fix=f"stop before `.{head}`")


def _parse(kind: Any, text: str, where: str) -> Any:
    """What a person typed, as the JSON value its type asks for."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        if text in ("none", "null") and type(None) in typing.get_args(kind):
            return None
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if kind is str or typing.get_origin(kind) is typing.Literal:
        return text
    if kind is int:
        return _count(text, where) if not text.lstrip().startswith("-") else _number(int, text, where)
    if kind is float:
        return _number(float, text, where)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"`{where}` is `{text}`", fix="write true or false")
        return text.lower() == "true"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise ConfigError(f"`{where}` cannot take `{text}`", fix="write the value as JSON") from None


def _count(text: str, where: str) -> int:
    try:
        return parse_count(text)
    except ConfigError as error:
        raise ConfigError(f"`{where}`: {error.what}", fix=error.fix) from None


def _number(kind: type, text: str, where: str) -> Any:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"`{where}` is `{text}`", fix="write a number")
    return number


def _item_type(kind: Any, index: int = 0) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):  # a table that may be left out
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    arguments = typing.get_args(kind)
    return arguments[index] if arguments else Any


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _expect(ok: bool, where: str, wanted: str, got: Any) -> None:
    if not ok:
        raise ConfigError(f"`{where}` should be {wanted}, not {got!r}")


def unknown_key(path: str, name: str, names: list[str], kind: str = "setting") -> ConfigError:
    """An unknown setting, or another `kind` of name, with the nearest known one."""
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return ConfigError(f"there is no {kind} `{path}`", fix=f"{hint}known here: {', '.join(names)}")
