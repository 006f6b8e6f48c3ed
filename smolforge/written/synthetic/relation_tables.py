"""From a column of a table to a relation with its wordings."""

from __future__ import annotations

from collections.abc import Sequence

from smolforge.written.synthetic import tables_nature as nature
from smolforge.written.synthetic.relations import Relation

Rows = Sequence[Sequence[str]]


def rows(table: str) -> list[list[str]]:
    """The rows of a table, each a list of cells."""
    return [line.split("|") for line in table.strip().splitlines()]


def relation_of(
    name: str,
    kind: str,
    table: str | Rows,
    column: int,
    *,
    ask: str,
    say: str,
    then: str = "",
    subject: int = 0,
    askable: bool = True,
) -> Relation:
    """A relation from one column of a table. Wordings are one a line; several answers are parted by commas
    when the first cell of the table says so (no answer of ours holds a comma otherwise)."""
    cells = rows(table) if isinstance(table, str) else table
    pairs: list[tuple[str, str]] = []
    also: dict[str, tuple[str, ...]] = {}
    for row in cells:
        if row[column] == "-" or row[subject] == "-":
            continue
        first, *others = row[column].split(",") if name in _SEVERAL else [row[column]]
        pairs.append((row[subject], first))
        others += _ALSO.get(name, {}).get(row[subject], "").split(",")
        also[row[subject]] = tuple(other for other in others if other and other != first)
    pool = tuple(sorted({answer for _, answer in pairs}))
    return Relation(
        name=name,
        kind=kind,
        questions=_lines(ask),
        statements=_lines(say),
        follow_ups=_lines(then),
        pairs=tuple(pairs),
        also=also,
        pool=pool,
        askable=askable and len(pool) >= 4,
    )


_ALSO: dict[str, dict[str, str]] = {
    "field": {
        "Marie Curie": "physics,chemistry",
        "Louis Pasteur": "medicine,chemistry",
        "Gregor Mendel": "biology",
        "Michael Faraday": "chemistry",
        "Isaac Newton": "mathematics,astronomy",
        "Galileo Galilei": "physics",
        "Johannes Kepler": "mathematics",
        "Alan Turing": "mathematics",
        "Grace Hopper": "mathematics",
        "Edward Jenner": "biology",
        "Alexander Fleming": "biology",
        "Rosalind Franklin": "biology",
        "Carl Friedrich Gauss": "astronomy,physics",
        "Leonhard Euler": "physics",
        "Ada Lovelace": "computer science",
        "Alfred Nobel": "engineering",
        "Nikola Tesla": "physics",
    },
    "family": dict.fromkeys(
        ("helium", "fluorine", "neon", "chlorine", "argon", "bromine", "krypton", "iodine", "xenon", "radon"),
        "nonmetal",
    ),
    "opposite": {
        "light": "heavy",
        "true": "wrong",
        "right": "false",
        "tall": "small,low",
        "high": "short",
        "loud": "calm",
        "noisy": "calm",
        "thick": "narrow",
        "wide": "thin",
        "big": "short",
        "hard": "weak",
        "strong": "soft",
        "kind": "dangerous",
        "rich": "empty",
        "build": "end",
    },
    "tool": {
        "carpenter": "hammer,drill",
        "mechanic": "wrench,hammer,drill",
        "plumber": "spanner",
        "baker": "pan",
        "cook": "oven",
        "farmer": "spade",
        "tailor": "scissors",
        "bricklayer": "hammer,wheel",
        "miner": "hammer,drill",
        "gardener": "tractor,scissors,hose",
        "painter": "pan",
        "beekeeper": "brush",
        "scientist": "telescope",
        "astronomer": "camera",
        "barber": "brush",
    },
    "river mouth": {
        "the Ganges": "the Indian Ocean",
        "the Indus": "the Indian Ocean",
        "the Niger": "the Atlantic Ocean",
        "the Mississippi": "the Atlantic Ocean",
    },
    "unit kind": {"pound": "money"},
    "young": {
        "fox": "kit,pup",
        "wolf": "cub",
        "raccoon": "cub",
        "squirrel": "pup",
        "otter": "kit",
        "mole": "kit",
        "beaver": "pup",
        "skunk": "cub",
        "frog": "larva",
        "toad": "larva",
        "salmon": "hatchling",
        "butterfly": "larva",
        "fly": "larva",
        "bat": "kit",
        "hedgehog": "pup",
        "rabbit": "pup",
        "moose": "fawn",
        "mouse": "kit",
        "cat": "cub,kit",
        "tortoise": "chick",
        "pig": "hoglet",
        "dog": "cub",
        "salamander": "tadpole",
        "newt": "tadpole",
        "beetle": "larva",
        "monkey": "cub",
        "gorilla": "cub",
    }
    | {
        row[0]: "chick,hatchling,gosling" if row[0] != "duck" else "chick,hatchling"
        for row in rows(nature.ANIMALS)
        if row[1] in ("bird", "reptile")
    }
    | {row[0]: "larva,grub,maggot,nymph" for row in rows(nature.ANIMALS) if row[1] in ("insect",)},
    "plant kind": {row[0]: "tree" for row in rows(nature.PLANTS) if row[1] == "fruit"}
    | {"sunflower": "grain", "maize": "vegetable"},
    "plant part": {row[0]: "fruit" for row in rows(nature.PLANTS) if row[2] == "seed"}
    | {
        "potato": "root",
        "broccoli": "stalk",
        "celery": "leaf",
        "rose": "flower",
        "tulip": "flower,bulb",
        "daisy": "flower",
        "onion": "leaf",
        "garlic": "root",
    },
    "planet colour": {
        "Uranus": "blue,deep blue",
        "Neptune": "blue,pale blue",
        "Earth": "deep blue,pale blue",
        "Saturn": "pale yellow,orange and white",
        "Venus": "golden",
    },
    "instrument family": {"piano": "string", "harpsichord": "string", "organ": "woodwind"},
}
"""Answers that somebody could defend: not taught, and never offered as wrong ones."""
_SEVERAL = frozenset(("language", "neighbour", "mountain country"))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines() if line.strip())


def reversed_rows(table: str, column: int) -> list[list[str]]:
    """Rows (answer, subject) for the answers that belong to one subject only."""
    cells = [row for row in rows(table) if row[column] != "-"]
    values = [row[column] for row in cells]
    return [[row[column], row[0]] for row in cells if values.count(row[column]) == 1]
