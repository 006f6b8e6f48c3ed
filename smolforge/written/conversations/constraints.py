"""Instructions that a program can check: length, layout, words to use or avoid, capitals, beginnings, endings.

A request is a topic with a shape and a style. Every answer passes the checkers of `smolforge.evals.checks`
before it becomes a chat; combinations that contradict each other therefore never appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from smolforge.evals.task import Item
from smolforge.written.conversations.chat import (
    Chat,
    Message,
    assistant,
    key_of,
    plain_prompt,
    upper_first,
    user,
)
from smolforge.written.conversations.shapes import (
    SHAPES,
    STYLES,
    Check,
    Shape,
    Style,
    check,
    fits,
    number_in_words,
)
from smolforge.written.conversations.topics import CATEGORIES, Topic, topics

ASKS = ("Describe {topic}", "Tell me about {topic}", "Write about {topic}", "Say something about {topic}",
        "Write something about {topic}", "Give me a short text about {topic}", "Talk about {topic}")  # fmt: skip


def _request(draw: Random, topic: Topic, shape: Shape | None, style: Style | None) -> str:
    ask = draw.choice(ASKS).format(topic=topic.phrase)
    parts = []
    if shape and draw.random() < 0.6:
        parts.append(f"{ask} {draw.choice(shape.tails)}.")
    elif shape:
        parts.append(f"{ask}. {draw.choice(shape.orders)}")
    else:
        parts.append(f"{ask}.")
    if style:
        order = draw.choice(style.orders)
        parts.insert(draw.choice((0, 1, 1, 1)), order if order.rstrip("'")[-1] in ".!?:," else f"{order}.")
    return " ".join(parts)


def item_of(
    checks: Sequence[Check], answer: str, messages: Sequence[Message], skill: str = "instructions"
) -> Item:
    """The item whose answer must pass `checks`; `answer` is ours, for reading only."""
    return Item(
        id="",
        skill=skill,
        kind="checks",
        messages=list(messages),
        prompt=plain_prompt(messages),
        answer=answer,
        checks=list(checks),
        max_new_tokens=64,
    )


def _topic_chat(draw: Random) -> Chat:
    topic = draw.choice(topics())
    while True:
        roll = draw.random()
        shape = draw.choice(SHAPES)(draw, topic) if roll < 0.8 else None
        style = draw.choice(STYLES) if roll > 0.5 else None
        body = shape or Shape(
            "free", (), (), " ".join(draw.sample(topic.sentences, draw.randrange(1, 3))), ()
        )
        if style is None or fits(body, style):
            break
    answer = style.dress(body.text) if style else body.text
    checks = [*body.checks, *(style.checks if style else ()), check("contains", words=[topic.word])]
    request = user(_request(draw, topic, shape, style))
    key = key_of("instruction", topic.word, body.name, style.name if style else "")
    return Chat((request, assistant(answer)), (key,), item=item_of(checks, answer, [request]))


# -- lists of members of a category -----------------------------------------------------------------------


def _list_format(draw: Random, members: Sequence[str]) -> tuple[str, str, Check]:
    """How a list is asked for, the list, and its check."""
    count = len(members)
    layout = draw.choice(("bullets", "numbered", "lines", "commas"))
    if layout == "bullets":
        order = draw.choice(("Use bullet points.", "Write them as bullet points.", "Make a bullet list."))
        return order, "\n".join(f"- {member}" for member in members), check("bullets", count=count)
    if layout == "numbered":
        order = draw.choice(("Number them.", "Use a numbered list.", "Write a numbered list."))
        lines = [f"{index}. {member}" for index, member in enumerate(members, start=1)]
        return order, "\n".join(lines), check("numbered_list", count=count)
    if layout == "lines":
        order = draw.choice(("Write one on each line.", "Put each on its own line."))
        return order, "\n".join(members), check("exact_lines", count=count)
    order = draw.choice(("Put commas between them.", "Write them in one line with commas."))
    return (
        order,
        ", ".join(members),
        check("exact_words", count=sum(len(member.split()) for member in members)),
    )


def _list_chat(draw: Random) -> Chat:
    category = draw.choice(tuple(CATEGORIES))
    known = CATEGORIES[category]
    count = draw.randrange(2, 6)
    members = draw.sample(known, count)
    order, text, layout = _list_format(draw, members)
    dress = draw.choice((str, str, str.lower, str.upper))
    checks = [layout]
    if dress is str.upper:
        order += draw.choice((" Use capital letters only.", " Write in capitals."))
        checks.append(check("all_capitals"))
    elif dress is str.lower:
        order += draw.choice((" Use lower case only.", " Use no capital letters."))
        checks.append(check("all_lowercase"))
    checks.append(check("one_of", options=[dress(member) for member in known]))
    ask = draw.choice(
        ("Name {n} {c}.", "List {n} {c}.", "Give me {n} {c}.", "Tell me {n} {c}.", "Can you name {n} {c}?")
    )
    request = user(f"{ask.format(n=number_in_words(draw, count), c=category)} {order}")
    answer = dress(text)
    key = key_of("list", category, count, layout["name"], dress.__name__)
    return Chat((request, assistant(answer)), (key,), item=item_of(checks, answer, [request]))


def _two_turns(draw: Random) -> Chat:
    """The same topic asked for again in another form."""
    first, second = _topic_chat(draw), _topic_chat(draw)
    return Chat((*first.messages, *second.messages), (*first.keys, *second.keys))


def make(draw: Random) -> Chat:
    """A request with one or two instructions, and an answer that obeys them."""
    roll = draw.random()
    if roll < 0.22:
        return _list_chat(draw)
    return _topic_chat(draw) if roll < 0.92 else _two_turns(draw)


def plain_answer(draw: Random, topic: Topic, count: int) -> str:
    """`count` sentences about the topic."""
    return " ".join(draw.sample(topic.sentences, count))


def question_about(draw: Random, topic: Topic) -> str:
    """A plain question about the topic."""
    asks = (
        *(f"{ask}." for ask in ASKS),
        "What do you know about {topic}?",
        "Can you tell me something about {topic}?",
    )
    return upper_first(draw.choice(asks).format(topic=topic.phrase))
