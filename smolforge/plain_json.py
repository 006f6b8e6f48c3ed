"""Text and JSON from outside, as UTF-8 can hold them: the one door for records, chat requests and what is made tokens."""

from __future__ import annotations

import json
import re
from typing import Any

HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class NotJson(ValueError):
    """The text is no JSON, or none that can be held: too deep, or with a number of thousands of digits."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; half surrogate pairs, which JSON can spell and UTF-8 cannot, become U+FFFD everywhere."""
    try:
        value = json.loads(text)
        may_hold_halves = isinstance(text, bytes) or HALF_PAIR.search(text)
        return without_half_pairs(value) if may_hold_halves else value
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)[:200]) from None


def without_half_pairs(value: Any) -> Any:
    """The same value with every text in it, names too, as UTF-8 can hold it."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, list):
        return [without_half_pairs(one) for one in value]
    if isinstance(value, dict):
        return {whole_text(name): without_half_pairs(one) for name, one in value.items()}
    return value


def whole_text(text: str) -> str:
    """`text` with its surrogate pairs as one character each, and halves of such as U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
