"""The elements of a JSON array that is too large to be held, one by one, in bounded memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from smolforge.plain_json import NotJson, without_half_pairs

BLOCK_BYTES = 1 << 20
BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


def elements(file: IO[bytes], encoding: str, most_chars: int) -> Iterator[Any]:
    """Each element of the array that the file holds.

    Raises NotJson where the file holds something else, and where an element is damaged or longer than `most_chars`:
    what follows such a one cannot be told from its inside.
    """
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text, place, at_end = "", 0, False

    def more() -> None:
        """What was read is dropped here, not after every element; twice as much comes where one element needs more."""
        nonlocal text, place, at_end
        block = file.read(max(BLOCK_BYTES, len(text) - place))
        at_end = not block
        text, place = text[place:] + decoder.decode(block, final=at_end), 0

    more()
    place = len(text) - len(text.lstrip())
    if not text.startswith("[", place):
        raise NotJson("no array")
    place += 1
    while True:
        place = BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        if text.startswith("]", place):
            return
        try:
            value, place = _DECODER.raw_decode(text, place)
        except RecursionError:
            raise NotJson("too deep") from None
        except ValueError as error:
            if at_end:
                raise NotJson(str(error)[:200]) from None
            if len(text) - place > most_chars:
                raise NotJson("an element is too long, or damaged") from None
            more()
            continue
        yield without_half_pairs(value)
