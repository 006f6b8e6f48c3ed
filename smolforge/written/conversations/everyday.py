"""Everyday talk: greetings, feelings, hobbies, plans, advice, and who Smol is, in turns that hang together.

The scenes are written down in `texts/everyday.txt`; names, pets, foods and days fill their slots, and some
chats end with a question about what was said before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from smolforge.written.conversations.chat import Chat, Message, assistant, key_of, upper_first, user
from smolforge.written.conversations.constraints import question_about
from smolforge.written.conversations.sentences import DAYS, NAMES
from smolforge.written.conversations.slots import draw_values, fill, parse_slot
from smolforge.written.conversations.topics import topics
from smolforge.written.files import plain_text, texts, ways_of

_MARKS = {">": "user", "<": "assistant", "?": "question", "!": "reply"}


@dataclass(frozen=True)
class Scene:
    """Exchanges in order, each a choice of wordings, and questions that look back on them."""

    name: str
    slots: Mapping[str, tuple[str, ...]]
    exchanges: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    memories: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


@lru_cache(maxsize=1)
def scenes() -> Mapping[str, Scene]:
    """The scenes of `texts/everyday.txt` by name."""
    blocks = plain_text("everyday").split("\n@ ")[1:]
    return {scene.name: scene for scene in map(_parse_scene, blocks)}


def _parse_scene(block: str) -> Scene:
    name, *lines = block.strip().splitlines()
    slots: dict[str, tuple[str, ...]] = {}
    said: dict[str, list[tuple[str, ...]]] = {role: [] for role in _MARKS.values()}
    for line in filter(None, lines):
        if line[0] in _MARKS and line[1] == " ":
            said[_MARKS[line[0]]].append(tuple(line[2:].split(" / ")))
        else:
            slot, values = parse_slot(line)
            slots[slot] = values
    exchanges = tuple(zip(said["user"], said["assistant"], strict=True))
    return Scene(name, slots, exchanges, tuple(zip(said["question"], said["reply"], strict=True)))


_OPENING = ("greeting",)
_CLOSING = ("thanks", "goodbye")


def _say(
    draw: Random, exchange: tuple[Sequence[str], Sequence[str]], values: Mapping[str, str]
) -> list[Message]:
    asked, answer = (upper_first(fill(draw.choice(wordings), values)) for wordings in exchange)
    return [user(asked), assistant(answer)]


def play(draw: Random, scene: Scene, *, is_last: bool = True) -> list[Message]:
    """The scene, perhaps with a question that looks back; the last scene of a chat may stop after any answer."""
    values = draw_values(draw, scene.slots)
    values["day"] = draw.choice(DAYS)
    values["name"], values["me"] = draw.sample(NAMES, 2)
    count = draw.randrange(1, len(scene.exchanges) + 1) if is_last else len(scene.exchanges)
    messages = [message for exchange in scene.exchanges[:count] for message in _say(draw, exchange, values)]
    if scene.memories and draw.random() < 0.5:
        said = " ".join(message["content"] for message in messages).lower()
        memory = draw.choice(scene.memories)
        asked = _say(draw, memory, values)
        # A question may look back only on what has been said.
        if all(fill(f"{{{slot}}}", values).lower() in said for slot in _slots_of(memory[1])):
            messages += asked
    return messages


def _slots_of(wordings: Sequence[str]) -> list[str]:
    return [part.split("}")[0] for part in wordings[0].split("{")[1:]]


_MORE = ways_of(texts("conversations"))["more"]
_LAST = (
    ("Thank you!", "You are welcome!"),
    ("That is interesting.", "I am glad you like it."),
    ("I see.", "Ask me more if you like!"),
)


def _about_a_topic(draw: Random) -> Chat:
    """A plain question about a topic, and what else there is to say."""
    topic = draw.choice(topics())
    sentences = draw.sample(topic.sentences, len(topic.sentences))
    count = draw.randrange(1, 3)
    messages = [user(question_about(draw, topic)), assistant(" ".join(sentences[:count]))]
    if draw.random() < 0.5:
        messages += [user(draw.choice(_MORE)), assistant(" ".join(sentences[count : count + 2]))]
    if draw.random() < 0.2:
        asked, answer = draw.choice(_LAST)
        messages += [user(asked), assistant(answer)]
    return Chat(tuple(messages), (key_of("about", *(message["content"] for message in messages)),))


def make(draw: Random) -> Chat:
    """A question about a topic, or a scene or two of small talk."""
    return _about_a_topic(draw) if draw.random() < 0.15 else _small_talk(draw)


def _small_talk(draw: Random) -> Chat:
    """One scene, or two after each other; greeted and closed now and then."""
    names = sorted(scenes())
    chosen = [draw.choice(names)]
    if draw.random() < 0.2:
        chosen.append(
            draw.choice([name for name in names if name not in (*chosen, *_OPENING, "not-understood")])
        )
    messages: list[Message] = []
    if draw.random() < 0.2 and chosen[0] not in (*_OPENING, *_CLOSING):
        messages += _say(draw, scenes()["greeting"].exchanges[0], {})
    is_closed = draw.random() < 0.2 and chosen[-1] not in _CLOSING
    for name in chosen:
        messages += play(draw, scenes()[name], is_last=name == chosen[-1] and not is_closed)
    if is_closed:
        messages += _say(draw, scenes()[draw.choice(_CLOSING)].exchanges[0], {})
    return Chat(tuple(messages), (key_of("everyday", *(message["content"] for message in messages)),))
