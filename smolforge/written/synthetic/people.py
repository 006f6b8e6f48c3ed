"""Names and pronouns of the people in our texts."""

from __future__ import annotations

import random
from dataclasses import dataclass

GIRLS = (
    "Anna", "Mia", "Lily", "Sara", "Emma", "Nora", "Lucy", "Ella", "Rosa", "Maya", "Ruth", "Zoe", "Amy", "Clara",
    "Ida", "Jane", "Kate", "Leila", "Nina", "Olga", "Pia", "Tara", "Vera", "Amina", "Yuki", "Ines", "Grace", "Hana",
)  # fmt: skip
BOYS = (
    "Tom", "Ben", "Max", "Leo", "Sam", "Jack", "Noah", "Omar", "Paul", "Finn", "Hugo", "Ivan", "Karl", "Luis",
    "Mark", "Nick", "Otto", "Peter", "Ravi", "Theo", "Tim", "Will", "Adam", "Felix", "Juan", "Kofi", "Bilal", "Dan",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A name with the words that stand for it."""

    name: str
    he: str
    him: str
    his: str
    child: str = "child"

    @property
    def He(self) -> str:
        """The pronoun at the start of a sentence."""
        return self.he.capitalize()

    @property
    def His(self) -> str:
        """The possessive at the start of a sentence."""
        return self.his.capitalize()


def girl(name: str) -> Person:
    """A girl or woman of this name."""
    return Person(name, "she", "her", "her", "girl")


def boy(name: str) -> Person:
    """A boy or man of this name."""
    return Person(name, "he", "him", "his", "boy")


PEOPLE = tuple(girl(name) for name in GIRLS) + tuple(boy(name) for name in BOYS)


def two(rng: random.Random) -> tuple[Person, Person]:
    """Two different people."""
    first, second = rng.sample(PEOPLE, 2)
    return first, second


def elder(rng: random.Random) -> tuple[str, Person]:
    """A grown-up as the family or school calls them, with pronouns."""
    title = rng.choice(("Grandmother", "Grandfather", "Mother", "Father", "Aunt", "Uncle"))
    woman = title in ("Grandmother", "Mother", "Aunt")
    name = f"{title} {rng.choice(GIRLS if woman else BOYS)}" if title in ("Aunt", "Uncle") else title
    return name, girl(name) if woman else boy(name)
