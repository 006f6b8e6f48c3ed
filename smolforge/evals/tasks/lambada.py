"""LAMBADA, the last word of a passage (arXiv:1606.06031): right where every token of it is the most probable one.

The texts are OpenAI's, with their capitals; the word is what follows the last space, its punctuation included.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Row, Source, greedy_item, read_first, text_field

TEST = Source(place="lambada/test", columns=("text",), repo="EleutherAI/lambada_openai")
IN_CONTEXT = Source(place="core/lambada_openai", columns=("context", "continuation"))


def items(folder: Path) -> list[Item]:
    """The test passages."""
    source, rows = read_first(folder, TEST, IN_CONTEXT)
    read_row = _published if source is TEST else _in_context
    made = []
    for number, row in enumerate(rows):
        passage, word = read_row(row, f"lambada, row {number + 1}")
        made.append(greedy_item(id=f"lambada-{number}", skill="lambada", prompt=passage, answer=word))
    return made


def _published(row: Row, where: str) -> tuple[str, str]:
    passage, space, word = text_field(row, "text", where).rpartition(" ")
    if not space or not word:
        raise InputError("a passage does not end in a word", where=where)
    return passage, word


def _in_context(row: Row, where: str) -> tuple[str, str]:
    return text_field(row, "context", where), text_field(row, "continuation", where)
