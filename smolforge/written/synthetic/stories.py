"""Short stories in simple words: a want or a trouble, a turn, an ending, and talk on the way.

Source: TinyStories, arXiv:2305.07759 (small vocabulary, whole plots); the plots are our own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from smolforge.data.read.documents import Document
from smolforge.written.synthetic.people import Person, elder, two
from smolforge.written.synthetic.story_plots import ENDINGS, HOMES, OPENINGS, PLOTS, TRAITS, WEATHERS, Plot
from smolforge.written.synthetic.wording import sentence

_NAMES = tuple(PLOTS)
_LONG = ("fable", "afraid", "garden", "skill", "gift")
"""Plots that take weeks: the weather of one day would not fit them."""
_WRONG_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])(?!one|uni|use|eu)")


def stories(seed: int | str, documents: int) -> Iterator[Document]:
    """`documents` stories; story i depends on seed and i alone."""
    for index in range(documents):
        rng = random.Random(f"{seed}/stories/{index}")
        plot = rng.choice(_NAMES)
        yield Document(
            f"stories-{seed}-{index:07d}",
            "text",
            f"smolforge://stories/{seed}/{index}",
            story(rng, plot),
            {"domain": "stories", "style": plot},
        )


def story(rng: random.Random, plot: str) -> str:
    """One story of a plot."""
    shape = PLOTS[plot]
    words = _words(rng, shape)
    parts = [] if plot == "fable" else [_say(rng, OPENINGS, words)]
    if plot not in _LONG:
        parts.append(_say(rng, WEATHERS, words))
    for ways in shape.beats:
        if ways[0].startswith("?") and rng.random() < 0.5:
            continue
        parts.append(_say(rng, ways, words).removeprefix("? "))
    if plot != "fable" and rng.random() < 0.6:
        parts.append(_say(rng, ENDINGS, words))
    text = _paragraphs(rng, [part for part in parts if part])
    return f"{_title(rng, plot, words)}\n\n{text}" if rng.random() < 0.3 else text


def _words(rng: random.Random, plot: Plot) -> dict[str, str]:
    """All fields of a story: people with their pronouns, place, and one cast of the plot."""
    hero, friend = two(rng)
    name, grown = elder(rng)
    words = {"home": rng.choice(HOMES), "trait": rng.choice(TRAITS), "o": name}
    for prefix, person in (("", hero), ("f", friend), ("o", grown)):
        words |= _pronouns(prefix, person)
    words |= {"n": hero.name, "f": friend.name}
    cast = dict(zip(plot.slots, rng.choice(plot.casts), strict=True))
    words |= {slot: cell.format_map(words) for slot, cell in cast.items()}
    words |= {f"{slot}cap": sentence(words[slot]) for slot in ("need", "person") if slot in words}
    return words


def _pronouns(prefix: str, person: Person) -> dict[str, str]:
    return {
        f"{prefix}he": person.he,
        f"{prefix}him": person.him,
        f"{prefix}his": person.his,
        f"{prefix}He": person.He,
        f"{prefix}His": person.His,
        f"{prefix}child": person.child,
    }


def _say(rng: random.Random, ways: tuple[str, ...], words: dict[str, str]) -> str:
    return _WRONG_ARTICLE.sub(r"\1n ", sentence(rng.choice(ways).format_map(words)))


def _paragraphs(rng: random.Random, parts: list[str]) -> str:
    """The beats in paragraphs of two to four."""
    paragraphs, start = [], 0
    while start < len(parts):
        size = rng.randint(2, 4)
        if len(parts) - start - size == 1:
            size += 1
        paragraphs.append(" ".join(parts[start : start + size]))
        start += size
    return "\n\n".join(paragraphs)


_TITLES = {
    "lost": "The lost {thing}", "rescue": "{n} and the {animal}", "truth": "{n} tells the truth",
    "afraid": "{n} is brave", "garden": "The {seed}", "baking": "{n} and the {food}", "skill": "How {n} learned something new",
    "share": "One {thing} for two", "fable": "The {proud} and the {modest}", "gift": "A present for {f}",
    "duty": "A promise", "wish": "One wish", "stranger": "A new friend",
}  # fmt: skip


def _title(rng: random.Random, plot: str, words: dict[str, str]) -> str:
    return sentence(_TITLES[plot].format_map(words))
