"""Forms that a text can be asked for: shapes (what it is made of) and styles (how it is dressed)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from smolforge.evals.checks import run_checks
from smolforge.written.conversations.chat import lower_first
from smolforge.written.conversations.slots import words
from smolforge.written.conversations.topics import Topic
from smolforge.written.files import texts, ways_of

Check = dict[str, Any]
# Capitals cost about twice the tokens; longer texts would not fit into the answer.
MAX_UPPER_CHARACTERS = 90
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six")
_WORD = re.compile(r"[a-zA-Z]+")
# Words too common to ask for or forbid.
_SMALL_WORDS = frozenset(
    words(
        "the a an of in on at to for from by with and or is are has have can we you us our not it its "
        "most many some all"
    )
)


@dataclass(frozen=True)
class Shape:
    """A text and the request that leads to it: `tail` continues "Describe the sea", `order` stands alone."""

    name: str
    tails: tuple[str, ...]
    orders: tuple[str, ...]
    text: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Style:
    """How a text is dressed, with the orders that ask for it."""

    name: str
    orders: tuple[str, ...]
    dress: Callable[[str], str]
    checks: tuple[Check, ...]


def check(name: str, **args: Any) -> Check:
    return {"name": name, "args": args}


def passes(checks: Sequence[Mapping[str, Any]], text: str) -> bool:
    return all(verdict.ok for verdict in run_checks(checks, text))


def number_in_words(draw: Random, count: int) -> str:
    return draw.choice((NUMBER_WORDS[count], str(count)))


# -- shapes ---------------------------------------------------------------------------------------------


_FORMS = {kind: ways_of(form) for kind, form in texts("shapes").items()}


def _shape(kind: str, text: str, *checks: Check, **values: object) -> Shape:
    """The shape of `texts/shapes.toml` with its fields filled."""
    form = {name: tuple(way.format(**values) for way in ways) for name, ways in _FORMS[kind].items()}
    return Shape(form["name"][0], form["tails"], form["orders"], text, checks)


def _sentences(draw: Random, topic: Topic) -> Shape:
    count = draw.randrange(1, 4)
    n, s = number_in_words(draw, count), "" if count == 1 else "s"
    text = " ".join(draw.sample(topic.sentences, count))
    return _shape("sentences", text, check("exact_sentences", count=count), count=count, n=n, s=s)


def _bullets(draw: Random, topic: Topic) -> Shape:
    count = draw.randrange(2, 5)
    n = number_in_words(draw, count)
    text = "\n".join(f"- {sentence}" for sentence in draw.sample(topic.sentences, count))
    return _shape("bullets", text, check("bullets", count=count), count=count, n=n)


def _numbered(draw: Random, topic: Topic) -> Shape:
    count = draw.randrange(2, 5)
    n = number_in_words(draw, count)
    sentences = enumerate(draw.sample(topic.sentences, count), start=1)
    text = "\n".join(f"{index}. {sentence}" for index, sentence in sentences)
    return _shape("numbered", text, check("numbered_list", count=count), count=count, n=n)


def _stars(draw: Random, topic: Topic) -> Shape:
    text = "\n***\n".join(draw.sample(topic.sentences, 2))
    return _shape("stars", text, check("starred_paragraphs", count=2))


def _two_answers(draw: Random, topic: Topic) -> Shape:
    return _shape("two-answers", "\n******\n".join(draw.sample(topic.sentences, 2)), check("two_answers"))


def _max_words(draw: Random, topic: Topic) -> Shape:
    sentence = draw.choice(topic.sentences)
    limit = min(n for n in (6, 8, 10, 12, 15) if n >= len(sentence.split()))
    return _shape("max-words", sentence, check("max_words", count=limit), limit=limit)


def _min_words(draw: Random, topic: Topic) -> Shape:
    text = " ".join(draw.sample(topic.sentences, 3))
    limit = max(n for n in (10, 12, 15) if n <= len(text.split()))
    return _shape("min-words", text, check("min_words", count=limit), limit=limit)


def _times(draw: Random, topic: Topic) -> Shape:
    count = draw.randrange(1, 4)
    names = {1: "once", 2: draw.choice(("twice", "two times")), 3: draw.choice(("three times", "3 times"))}
    text = " ".join(draw.sample(topic.sentences, count))
    asked = check("exact_times", word=topic.word, count=count)
    return _shape("times", text, asked, count=count, word=topic.word, times=names[count])


def _own_words(topic: Topic, sentence: str) -> list[str]:
    words = [word.lower() for word in _WORD.findall(sentence)]
    return [word for word in words if word not in _SMALL_WORDS and word not in topic.word.split()]


def _include(draw: Random, topic: Topic) -> Shape:
    sentence = draw.choice(topic.sentences)
    word = draw.choice(_own_words(topic, sentence))
    return _shape("include", sentence, check("contains", words=[word]), word=word)


def _avoid(draw: Random, topic: Topic) -> Shape:
    avoided, *others = draw.sample(topic.sentences, len(topic.sentences))
    word = draw.choice(_own_words(topic, avoided))
    others = [sentence for sentence in others if word not in _own_words(topic, sentence)]
    text = " ".join(others[: draw.randrange(1, 3)])
    return _shape("avoid", text, check("not_contains", words=[word]), word=word)


def _angle_title(draw: Random, topic: Topic) -> Shape:
    text = " ".join(draw.sample(topic.sentences, draw.randrange(1, 3)))
    return _shape("angle-title", f"<<{topic.phrase.title()}>>\n{text}", check("double_angle_title"))


def _heading(draw: Random, topic: Topic) -> Shape:
    text = " ".join(draw.sample(topic.sentences, draw.randrange(1, 3)))
    return _shape("heading", f"# {topic.phrase.title()}\n{text}", check("title_case_heading"))


def _json(draw: Random, topic: Topic) -> Shape:
    key, value = draw.choice((("topic", "text"), ("name", "fact"), ("word", "sentence")))
    text = json.dumps({key: topic.word, value: draw.choice(topic.sentences)})
    return _shape("json", text, check("json_format", keys=[key, value]), key=key, value=value)


def _postscript(draw: Random, topic: Topic) -> Shape:
    first, last = draw.sample(topic.sentences, 2)
    return _shape("postscript", f"{first}\nP.S. {last}", check("postscript"))


def _sections(draw: Random, topic: Topic) -> Shape:
    first, last = draw.sample(topic.sentences, 2)
    marker = draw.choice(("Section", "Part"))
    text = f"{marker} 1\n{first}\n{marker} 2\n{last}"
    return _shape("sections", text, check("min_sections", marker=marker, count=2), marker=marker)


def _with_word(draw: Random, topic: Topic, dress: Callable[[str], str]) -> str:
    """A sentence of the topic in which its word is dressed."""
    word = rf"\b{re.escape(topic.word)}\b"
    return re.sub(word, lambda m: dress(m.group()), draw.choice(topic.sentences), flags=re.IGNORECASE)


def _highlight(draw: Random, topic: Topic) -> Shape:
    text = _with_word(draw, topic, lambda word: f"*{word}*")
    return _shape("highlight", text, check("min_highlights", count=1), word=topic.word)


def _capital_word(draw: Random, topic: Topic) -> Shape:
    text = _with_word(draw, topic, lambda _: topic.word.upper())
    asked = (check("min_capital_words", count=1), check("one_of", options=[topic.word.upper()]))
    return _shape("capital-word", text, *asked, word=topic.word)


SHAPES: tuple[Callable[[Random, Topic], Shape], ...] = (
    _sentences, _sentences, _sentences, _bullets, _bullets, _numbered, _stars, _two_answers, _max_words,
    _min_words, _times, _times, _include, _avoid, _angle_title, _heading, _json, _postscript, _sections,
    _highlight, _capital_word,
)  # fmt: skip


# -- styles ---------------------------------------------------------------------------------------------

_WAYS = ways_of(texts("conversations"))


def _begin(phrase: str) -> Style:
    def dress(text: str) -> str:
        return f"{phrase} {text if phrase[-1] in '!:' else lower_first(text)}"

    orders = (
        f"Start with '{phrase}'",
        f"Begin your answer with '{phrase}'",
        f"The first words must be '{phrase}'",
    )
    return Style(f"start-{phrase}", orders, dress, (check("starts_with", phrase=phrase),))


def _end(phrase: str) -> Style:
    orders = (
        f"End with '{phrase}'",
        f"Finish your answer with '{phrase}'",
        f"The last words must be '{phrase}'",
    )
    return Style(
        f"end-{phrase}", orders, lambda text: f"{text} {phrase}", (check("ends_with", phrase=phrase),)
    )


STYLES: tuple[Style, ...] = (
    Style("lower", ("Write in lower case only.", "Use no capital letters.", "Use small letters only."), str.lower,
          (check("all_lowercase"),)),
    Style("upper", ("Write in capital letters only.", "Use only capitals.", "Write everything in upper case."), str.upper,
          (check("all_capitals"),)),
    Style("quote", ("Put the whole answer in double quotation marks.", "Wrap your answer in double quotes."),
          lambda text: f'"{text}"', (check("quotation"),)),
    Style("no-commas", ("Do not use commas.", "Use no commas."), str, (check("no_commas"),)),
    Style("no-digits", ("Do not use digits.", "Write no numbers with digits."), str, (check("no_digits"),)),
    *map(_begin, _WAYS["beginnings"]),
    *map(_end, _WAYS["endings"]),
)  # fmt: skip

# Layouts that quotation marks or a phrase around them would spoil.
_PLAIN_ONLY = words("json bullets numbered stars two-answers angle-title heading sections postscript")


def fits(shape: Shape, style: Style) -> bool:
    """True if the style leaves the shape intact."""
    is_plain_only = shape.name.startswith(_PLAIN_ONLY)
    if is_plain_only and style.name not in ("lower", "upper", "no-commas", "no-digits"):
        return False
    if shape.name.startswith("json") and style.name in ("upper", "no-commas"):
        return False
    if style.name == "upper" and len(shape.text) > MAX_UPPER_CHARACTERS:
        return False
    text = style.dress(shape.text)
    return passes([*shape.checks, *style.checks], text)
