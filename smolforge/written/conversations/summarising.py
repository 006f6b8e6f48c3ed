"""Summarising: a short passage of five or so sentences, told again in one sentence or named with a title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from smolforge.evals.grade import rouge_l
from smolforge.evals.task import Item
from smolforge.written.conversations.chat import Chat, assistant, key_of, plain_prompt, upper_first, user
from smolforge.written.conversations.sentences import DAYS, draw_name
from smolforge.written.conversations.slots import draw_values, fill, parse_slot, words
from smolforge.written.files import plain_text, texts, ways_of

TIMES = ("eight", "nine", "ten", "eleven", "noon", "one", "two", "three", "four", "five", "six", "seven")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty")
# Measured on a model of 1M parameters: with 0.6, summaries with the wrong name and thing passed.
MIN_THRESHOLD = 0.85
ABOVE_COPYING = 0.05


@dataclass(frozen=True)
class Kind:
    """One kind of passage: slots to fill, sentences with their wordings, the summary and the title."""

    name: str
    slots: Mapping[str, tuple[str, ...]]  # "a,b" holds pairs "x = y"
    sentences: tuple[tuple[bool, tuple[str, ...]], ...]  # (may be left out, wordings)
    summary: str
    title: str


@dataclass(frozen=True)
class Passage:
    kind: str
    sentences: tuple[str, ...]
    summary: str
    title: str

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


@lru_cache(maxsize=1)
def kinds() -> tuple[Kind, ...]:
    """The kinds that `texts/passages.txt` describes."""
    blocks = plain_text("passages").split("\n@ ")[1:]
    return tuple(_parse_kind(block) for block in blocks)


def _parse_kind(block: str) -> Kind:
    name, *lines = block.strip().splitlines()
    slots: dict[str, tuple[str, ...]] = {}
    sentences = []
    marked = {"=": "", "~": ""}
    for line in lines:
        mark, rest = line[0], line[2:]
        if mark in "-?":
            sentences.append((mark == "?", tuple(rest.split(" / "))))
        elif mark in marked:
            marked[mark] = rest
        else:
            slot, values = parse_slot(line)
            slots[slot] = values
    return Kind(name, slots, tuple(sentences), marked["="], marked["~"])


def draw_passage(draw: Random) -> Passage:
    """A passage with its summary and title."""
    kind = draw.choice(kinds())
    first, second = draw_name(draw), draw_name(draw)
    while second.text == first.text:
        second = draw_name(draw)
    days = draw.sample(DAYS, 2)
    values = draw_values(draw, kind.slots)
    values |= {"name": first.text, "they": first.they, "their": first.their, "name2": second.text}
    values |= {"day": days[0], "day2": days[1], "time": draw.choice(TIMES), "number": draw.choice(NUMBERS)}
    values |= {"part": draw.choice(("morning", "evening", "day")), "few": draw.choice(NUMBERS[:4])}
    values |= {f"{slot}_low": value[:1].lower() + value[1:] for slot, value in values.items()}
    sentences = [
        fill(draw.choice(wordings), values)
        for is_optional, wordings in kind.sentences
        if not (is_optional and draw.random() < 0.4)
    ]
    sentences = [upper_first(sentence) for sentence in sentences]
    summary, title = upper_first(fill(kind.summary, values)), fill(kind.title, values)
    return Passage(kind.name, tuple(sentences), summary, title_case(title))


def title_case(text: str) -> str:
    """Capitals for all but the short words."""
    words = [word if word in _SMALL else upper_first(word) for word in text.split()]
    return upper_first(" ".join(words))


_SMALL = frozenset(words("a an and the of in on at to for from by with near under"))


_WAYS = ways_of(texts("conversations"))


def _ask(draw: Random, order: str, text: str) -> str:
    roll = draw.random()
    if roll < 0.5:
        return f"{order}\n\n{text}"
    if roll < 0.75:
        return f"{text}\n\n{order}"
    return f"{order}\n{text}"


def threshold_of(passage: Passage) -> float:
    """Above what any copied sentence, or the whole passage copied, scores."""
    copies = [
        *passage.sentences,
        passage.text,
        " ".join(passage.sentences[:2]),
        " ".join(passage.sentences[-2:]),
    ]
    best_copy = max(rouge_l(copy, passage.summary) for copy in copies)
    return round(max(MIN_THRESHOLD, best_copy + ABOVE_COPYING), 4)


def _summary_chat(draw: Random, passage: Passage) -> Chat:
    messages = [
        user(_ask(draw, draw.choice(_WAYS["summary_orders"]), passage.text)),
        assistant(passage.summary),
    ]
    item = Item(
        id="",
        skill="summarising",
        kind="overlap",
        messages=messages[:-1],
        prompt=plain_prompt(messages[:-1]),
        answer=passage.summary,
        threshold=threshold_of(passage),
        max_new_tokens=48,
    )
    key = key_of("summary", passage.summary)
    if draw.random() < 0.1:
        messages += [user(draw.choice(_WAYS["title_orders"])), assistant(passage.title)]
        return Chat(tuple(messages), (key,))
    return Chat(tuple(messages), (key,), item=item)


def make(draw: Random) -> Chat:
    """A passage and its summary; now and then its title."""
    passage = draw_passage(draw)
    if draw.random() < 0.12:
        messages = (
            user(_ask(draw, draw.choice(_WAYS["title_orders"]), passage.text)),
            assistant(passage.title),
        )
        return Chat(messages, (key_of("summary", passage.summary),))
    return _summary_chat(draw, passage)
