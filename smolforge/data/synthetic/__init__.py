"""Synthetic pre-training data, and questions that it prepares for: facts, stories, mathematics and code.

Everything here is written by grammars over tables of our own, the same on every machine: item i of a generator
depends on its seed and on i alone. `is_held_out` splits contents into a side to train on and a side to ask.
"""

from smolforge.data.documents import Document
from smolforge.data.synthetic.exercises_code import code_exercises
from smolforge.data.synthetic.facts import FACTS
from smolforge.data.synthetic.mathematics import mathematics
from smolforge.data.synthetic.questions import items
from smolforge.data.synthetic.recitation import recitation
from smolforge.data.synthetic.relations import Relation, is_held_out
from smolforge.data.synthetic.stories import stories
from smolforge.data.synthetic.textbooks import textbooks
from smolforge.errors import ConfigError

__all__ = [
    "FACTS",
    "Relation",
    "code_exercises",
    "held_out_texts",
    "is_held_out",
    "items",
    "mathematics",
    "recitation",
    "stories",
    "textbooks",
]

_WRITERS = {"textbooks": textbooks, "stories": stories, "mathematics": mathematics, "code": code_exercises}


def held_out_texts(domain: str, seed: int, count: int) -> list[Document]:
    """Documents of a seed stream that training never uses, for bits per byte. The domains: textbooks, stories,
    mathematics, code."""
    if domain not in _WRITERS:
        raise ConfigError(f"there is no generator of `{domain}`", fix=f"use one of {', '.join(_WRITERS)}")
    return list(_WRITERS[domain](f"held-out-{seed}", count))
