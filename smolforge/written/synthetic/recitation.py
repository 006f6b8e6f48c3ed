"""Exercises in repeating and looking up what was just read.

Copying from the context is the skill on which rewriting, summarising and tool calls stand, and a small model
discovers it late in ordinary text. Here half of every document can only be predicted by copying, which brings
the attention heads that do it forward. Source: induction heads, arXiv:2209.11895; associative recall,
arXiv:2312.04927; the effect on the quick start: measured, docs/LOG.md 2026-11-23.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from smolforge.data.read.documents import Document
from smolforge.written.synthetic.people import BOYS, GIRLS

_THINGS = (
    "apple", "bag", "ball", "basket", "bell", "boat", "book", "bottle", "box", "bread", "bus", "button", "cake",
    "candle", "chair", "clock", "coat", "cup", "door", "drum", "egg", "fence", "flag", "flower", "garden", "glass",
    "hat", "honey", "horse", "house", "jacket", "key", "kite", "ladder", "lamp", "letter", "map", "mirror", "moon",
    "nail", "needle", "orange", "paper", "pear", "pen", "picture", "plate", "pond", "rabbit", "ring", "river", "rope",
    "sandwich", "school", "shoe", "soap", "spoon", "stamp", "stone", "table", "ticket", "tomato", "train", "tree",
    "umbrella", "wagon", "wall", "watch", "window", "wool",
)  # fmt: skip
_DOES = (
    "buys", "carries", "cleans", "draws", "drops", "fetches", "finds", "fixes", "hides", "holds", "keeps", "likes",
    "loses", "moves", "needs", "opens", "paints", "sees", "sells", "sends", "shows", "takes", "wants", "washes",
)  # fmt: skip
_COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "grey", "pink")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAMES = (*GIRLS, *BOYS)
_HEADS, _MIDDLES, _TAILS = (
    ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "gr", "kl", "st", "tr"],
    ["a", "e", "i", "o", "u"],
    ["n", "r", "l", "s", "t", "k", "m", "x"],
)
_ASK_LIST = ("Say after me:", "Repeat the words:", "Copy this list:", "Once more:", "Read it twice:")
_ASK_LINE = ("Repeat this sentence.", "Copy the line.", "Say it again.", "Write down the same words.")


def recitation(seed: int | str, documents: int) -> Iterator[Document]:
    """`documents` exercises; document i depends on seed and i alone."""
    for index in range(documents):
        rng = random.Random(f"{seed}/recitation/{index}")
        style, write = rng.choice(_STYLES)
        text = "\n\n".join(write(rng) for _ in range(rng.randint(1, 4)))
        address = f"smolforge://recitation/{seed}/{index}"
        meta = {"domain": "recitation", "style": style}
        yield Document(f"recitation-{seed}-{index:07d}", "text", address, text, meta)


def invented(rng: random.Random) -> str:
    """A name that no text knows, so that only its letters can be copied."""
    parts = [rng.choice(_HEADS) + rng.choice(_MIDDLES) for _ in range(rng.randint(1, 3))]
    return ("".join(parts) + rng.choice(_TAILS)).capitalize()


def _word(rng: random.Random) -> str:
    return rng.choice(
        (
            rng.choice(_THINGS),
            rng.choice(_NAMES),
            str(rng.randint(0, 99)),
            rng.choice(_COLOURS),
            invented(rng),
        )
    )


def _list(rng: random.Random) -> str:
    words = ", ".join(_word(rng) for _ in range(rng.randint(3, 12)))
    return f"{rng.choice(_ASK_LIST)} {words}.\n{words}."


def _line(rng: random.Random) -> str:
    line = _sentence(rng)
    return f"{rng.choice(_ASK_LINE)}\n{line}\n{line}"


def _sentence(rng: random.Random) -> str:
    name = rng.choice((rng.choice(_NAMES), invented(rng)))
    thing = f"{rng.choice(_COLOURS)} {rng.choice(_THINGS)}"
    amount = rng.choice(("the", f"{rng.randint(2, 60)}", "a"))
    noun = thing if amount in ("the", "a") else f"{thing}s"
    return f"{name} {rng.choice(_DOES)} {amount} {noun} on {rng.choice(_DAYS)}."


def _look_up(rng: random.Random) -> str:
    keys = [*dict.fromkeys(rng.choice((rng.choice(_NAMES), invented(rng))) for _ in range(rng.randint(2, 7)))]
    table = {
        key: rng.choice((str(rng.randint(1, 99)), rng.choice(_THINGS), rng.choice(_COLOURS))) for key in keys
    }
    given = "; ".join(f"{key}: {value}" for key, value in table.items())
    rng.shuffle(keys)
    return f"{given}.\n" + "\n".join(f"{key}? {table[key]}." for key in keys)


def _questions(rng: random.Random) -> str:
    names = rng.sample(_NAMES, rng.randint(1, 3))
    rows = [(name, rng.choice(_DOES), f"the {rng.choice(_COLOURS)} {rng.choice(_THINGS)}") for name in names]
    told = " ".join(f"{name} {does} {thing}." for name, does, thing in rows)
    rng.shuffle(rows)
    asked = "\n".join(f"Who {does} {thing}? {name} {does} {thing}." for name, does, thing in rows)
    return f"{told}\n{asked}"


_STYLES: tuple[tuple[str, Callable[[random.Random], str]], ...] = (
    ("list", _list),
    ("line", _line),
    ("look up", _look_up),
    ("questions", _questions),
)
