"""Small English: articles, plurals, lists, capitals. Every generator words its sentences through these."""

from __future__ import annotations

from collections.abc import Sequence

_IRREGULAR = {
    "child": "children", "man": "men", "woman": "women", "person": "people", "foot": "feet", "tooth": "teeth",
    "mouse": "mice", "goose": "geese", "ox": "oxen", "leaf": "leaves", "loaf": "loaves", "wolf": "wolves",
    "calf": "calves", "knife": "knives", "shelf": "shelves", "half": "halves", "sheep": "sheep", "fish": "fish",
    "deer": "deer", "moose": "moose", "salmon": "salmon", "trout": "trout", "squid": "squid", "fly": "flies",
    "octopus": "octopuses", "hippopotamus": "hippopotamuses", "platypus": "platypuses", "potato": "potatoes",
    "tomato": "tomatoes", "kangaroo": "kangaroos", "wife": "wives", "life": "lives", "mango": "mangoes",
    "buffalo": "buffaloes", "mosquito": "mosquitoes", "clownfish": "clownfish", "swordfish": "swordfish",
    "starfish": "starfish", "jellyfish": "jellyfish", "goldfish": "goldfish", "elf": "elves", "scarf": "scarves",
    "cod": "cod", "tuna": "tuna", "inch": "inches", "yak": "yaks", "millennium": "millennia", "quiz": "quizzes", "hertz": "hertz",
}  # fmt: skip
_AN_SOUNDS = ("a", "e", "i", "o", "u")
_AN_EXCEPTIONS = ("uni", "use", "euro", "one", "ewe", "uk", "ut", "uran")
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]


def article(noun: str) -> str:
    """`noun` with "a" or "an" in front, by its sound: an hour, a unicorn, an 8, a 7."""
    low = noun.lower()
    if low.startswith(("hour", "honest", "heir")):
        return f"an {noun}"
    if low[0].isdigit():
        digits = low.split()[0].rstrip(".,%")
        eleven = digits in ("11", "18") or (len(digits) in (5, 8) and digits[:2] in ("11", "18"))
        return f"an {noun}" if low[0] == "8" or eleven else f"a {noun}"
    vowel = low.startswith(_AN_SOUNDS) and not low.startswith(_AN_EXCEPTIONS)
    return f"an {noun}" if vowel else f"a {noun}"


def plural(noun: str) -> str:
    """More than one of `noun`; only the last word changes."""
    first, _, last = noun.rpartition(" ")
    lead = f"{first} " if first else ""
    if last in _IRREGULAR:
        return lead + _IRREGULAR[last]
    if last.endswith(("s", "x", "z", "ch", "sh")):
        return f"{lead}{last}es"
    if last.endswith("y") and last[-2] not in "aeiou":
        return f"{lead}{last[:-1]}ies"
    return f"{lead}{last}s"


def counted(count: int, noun: str) -> str:
    """ "1 apple", "3 apples"."""
    return f"{count} {noun if count == 1 else plural(noun)}"


def in_words(count: int) -> str:
    """Numbers to twenty as words, larger ones as digits."""
    return _SMALL[count] if 0 <= count < len(_SMALL) else str(count)


def sentence(text: str) -> str:
    """`text` with its first letter capital and nothing else changed."""
    return text[:1].upper() + text[1:]


def possessive(name: str) -> str:
    """ "Peru's", "the Netherlands'"."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def and_list(parts: Sequence[str], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"
