"""Facts hidden in long texts, made here from a seed: how much of its context a model can use.

`needle_N`     one sentence with a number stands in unrelated sentences; the depth runs from the start to the end
`needles_N`    four such sentences about one thing; all numbers are asked for, the credit is the share that is found
`retrieval_N`  a list of names with numbers, one of which is asked for; all others are just as likely

N is the length in tokens that a prompt stays below where a token is four characters of the sentences on the average,
and two of the list, for most tokenizers read numbers digit by digit.
The same N gives the same items, whatever model is asked. After Kamradt's needle in a haystack and arXiv:2404.06654.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import written_item

LENGTHS = (512, 1024, 2048, 4096, 8192)
ITEMS = 50
NEEDLES = 4
CHARACTERS_A_TOKEN = {"needle": 4.0, "needles": 4.0, "retrieval": 2.0}
ANSWER_TOKENS = 64
QUESTION_CHARACTERS = 400
"""Kept free for what stands around the text."""

PEOPLE = (
    "The baker", "The teacher", "Her neighbour", "The old sailor", "A young painter", "The gardener",
    "His cousin", "The postman", "The doctor", "A tired traveller",
)  # fmt: skip
DEEDS = (
    "walked along", "looked at", "wrote about", "came back to", "talked about", "waited near", "sat beside",
    "dreamed of", "took a picture of", "told us about",
)  # fmt: skip
THINGS = (
    "the river", "the market", "an empty house", "the harbour", "the long bridge", "a quiet street",
    "the garden", "the railway station", "the hill", "the library",
)  # fmt: skip
TIMES = (
    "in the morning", "after lunch", "on a rainy day", "last summer", "before dinner", "late at night",
    "during the winter", "every Sunday", "at noon", "in early spring",
)  # fmt: skip
NAMES = (
    "amber", "basil", "cedar", "delta", "ember", "falcon", "garnet", "hazel", "indigo", "juniper", "kestrel",
    "lemon", "maple", "nutmeg", "opal", "pepper", "quartz", "raven", "saffron", "tulip",
)  # fmt: skip
KINDS = (
    "lantern", "compass", "violin", "kettle", "ladder", "mirror", "basket", "pillow", "hammer", "bottle",
)  # fmt: skip

Maker = Callable[[random.Random, int, int], tuple[str, str, list[str]]]
"""(source of chance, place of the item, characters) → text, question, what the answer must hold."""


def hay(chance: random.Random, characters: int) -> list[str]:
    """Sentences without any number, together at most `characters` long."""
    sentences: list[str] = []
    while True:
        parts = (chance.choice(part) for part in (PEOPLE, DEEDS, THINGS, TIMES))
        sentence = " ".join(parts) + "."
        characters -= len(sentence) + 1
        if characters < 0:
            return sentences
        sentences.append(sentence)


def needle(chance: random.Random, place: int, characters: int) -> tuple[str, str, list[str]]:
    """One number, at a depth that grows with the place of the item."""
    thing, number = _thing(chance), _number(chance)
    sentence = f"The secret number of the {thing} is {number}."
    sentences = hay(chance, characters - len(sentence) - 1)
    sentences.insert(round(place / (ITEMS - 1) * len(sentences)), sentence)
    return " ".join(sentences), f"What is the secret number of the {thing}?", [number]


def needles(chance: random.Random, place: int, characters: int) -> tuple[str, str, list[str]]:
    """Several numbers of one thing, anywhere; the place of the item decides nothing."""
    del place
    thing = _thing(chance)
    numbers = _different(chance, NEEDLES)
    hidden = [f"One of the secret numbers of the {thing} is {number}." for number in numbers]
    sentences = hay(chance, characters - sum(len(one) + 1 for one in hidden))
    for one in hidden:
        sentences.insert(chance.randint(0, len(sentences)), one)
    return " ".join(sentences), f"What are the {NEEDLES} secret numbers of the {thing}?", numbers


def retrieval(chance: random.Random, place: int, characters: int) -> tuple[str, str, list[str]]:
    """Many names with numbers; the one that is asked for stands deeper with the place of the item."""
    line_characters = 2 * max(map(len, NAMES)) + max(map(len, KINDS)) + len("  : 1234567\n")
    every = [f"{a} {b} {kind}" for a in NAMES for b in NAMES for kind in KINDS]
    chosen = chance.sample(every, min(len(every), characters // line_characters))
    numbers = _different(chance, len(chosen))
    text = "\n".join(f"{name}: {number}" for name, number in zip(chosen, numbers, strict=True))
    asked = round(place / (ITEMS - 1) * (len(chosen) - 1))
    return text, f"Which number belongs to {chosen[asked]}?", [numbers[asked]]


MAKERS: dict[str, Maker] = {"needle": needle, "needles": needles, "retrieval": retrieval}


def items(kind: str, tokens: int, folder: Path | None = None) -> list[Item]:
    """The items of one kind and length; `folder` is not read."""
    del folder
    skill = f"{kind}_{tokens}"
    characters = int((tokens - ANSWER_TOKENS) * CHARACTERS_A_TOKEN[kind]) - QUESTION_CHARACTERS
    return [
        _item(skill, place, *MAKERS[kind](random.Random(f"{skill} {place}"), place, characters))
        for place in range(ITEMS)
    ]


def _item(skill: str, place: int, text: str, question: str, wanted: Sequence[str]) -> Item:
    lead = "Read this and remember the numbers in it.\n\n"
    return written_item(
        id=f"{skill}-{place}",
        skill=skill,
        prompt=f"{lead}{text}\n\nQuestion: {question}\nAnswer:",
        answer=list(wanted),
        rule="contains",
        stops=["\n"],
        metric="credit" if len(wanted) > 1 else "share",
        max_new_tokens=ANSWER_TOKENS,
    )


def _thing(chance: random.Random) -> str:
    return f"{chance.choice(NAMES)} {chance.choice(KINDS)}"


def _number(chance: random.Random) -> str:
    return str(chance.randint(1_000_000, 9_999_999))


def _different(chance: random.Random, count: int) -> list[str]:
    return [str(number) for number in chance.sample(range(1_000_000, 10_000_000), count)]


GENERATED: dict[str, Callable[[Path], list[Item]]] = {
    f"{kind}_{tokens}": partial(items, kind, tokens) for kind in MAKERS for tokens in LENGTHS
}
