"""Synthetic pre-training data, and questions that it prepares for: facts, stories, mathematics and code.

Everything here is written by grammars over tables of our own, the same on every machine: item i of a generator
depends on its seed and on i alone. `is_held_out` splits contents into a side to train on and a side to ask.
"""

from smolforge.data.read.documents import Document
from smolforge.errors import ConfigError
from smolforge.written.synthetic.exercises_code import code_exercises
from smolforge.written.synthetic.facts import FACTS
from smolforge.written.synthetic.mathematics import mathematics
from smolforge.written.synthetic.questions import SKILLS, items
from smolforge.written.synthetic.recitation import recitation
from smolforge.written.synthetic.relations import Relation, is_held_out
from smolforge.written.synthetic.stories import stories
from smolforge.written.synthetic.textbooks import textbooks

__all__ = [
    "FACTS",
    "SKILLS",
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
