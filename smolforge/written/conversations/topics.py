"""What the assistant can talk about: topics with four true sentences each, and categories with members."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from smolforge.written.files import plain_text, table


@dataclass(frozen=True)
class Topic:
    """`phrase` names it in a question ("the sea"), `word` stands exactly once in each sentence."""

    phrase: str
    word: str
    sentences: tuple[str, ...]


@lru_cache(maxsize=1)
def topics() -> tuple[Topic, ...]:
    """The topics of `texts/topics.txt`."""
    lines = [line for line in plain_text("topics").splitlines() if line and not line.startswith("#")]
    return tuple(_parse(line) for line in lines)


def _parse(line: str) -> Topic:
    phrase, word, *sentences = line.split(" | ")
    return Topic(phrase, word, tuple(sentences))


CATEGORIES = {row["category"]: tuple(row["members"].split(",")) for row in table("categories")}
