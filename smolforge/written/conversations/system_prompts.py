"""System messages: a persona, a format, a language, a name or some facts that the answers must obey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from smolforge.written.conversations.chat import Chat, assistant, key_of, lower_first, system, user
from smolforge.written.conversations.constraints import item_of, plain_answer, question_about
from smolforge.written.conversations.sentences import DAYS, NAMES
from smolforge.written.conversations.shapes import STYLES, Check, check, passes
from smolforge.written.conversations.topics import topics
from smolforge.written.files import cells, table


@dataclass(frozen=True)
class Persona:
    """A role with the words it begins and ends with; `mark` stands in both or either."""

    role: str
    openings: tuple[str, ...]
    closings: tuple[str, ...]


PERSONAS = tuple(
    Persona(row["role"], cells(row["openings"], " / "), cells(row["closings"], " / "))
    for row in table("personas")
)
STYLE_RULES: Mapping[str, tuple[str, ...]] = {
    "lower": ("Always write in lower case.", "You never use capital letters."),
    "upper": ("Always write in capital letters.", "WRITE ALL ANSWERS IN CAPITALS."),
    "quote": ("Put every answer in double quotation marks.",),
    "no-commas": ("You never use commas.",),
}
_PERSONA_RULES = (
    "You are {role}.",
    "You are {role}. Stay in your role.",
    "Talk like {role}.",
    "Play the role of {role}.",
)


def _chat(rule: str, asked: str, answer: str, checks: list[Check], *key: object) -> Chat:
    messages = (system(rule), user(asked), assistant(answer))
    # An answer that broke its own rule would teach the wrong thing: a defect of the tables above.
    assert passes(checks, answer), (rule, answer, checks)
    return Chat(messages, (key_of("system", *key),), item=item_of(checks, answer, messages[:2], "system"))


def _persona(draw: Random) -> Chat:
    persona = draw.choice(PERSONAS)
    rule = draw.choice(_PERSONA_RULES).format(role=persona.role)
    topic = draw.choice(topics())
    text = plain_answer(draw, topic, 1)
    opening = draw.choice(persona.openings)
    text = f"{opening} {text if opening[-1] in '.!:' else lower_first(text)}"
    if draw.random() < 0.6:
        text += f" {draw.choice(persona.closings)}"
    checks = [check("one_of", options=[*persona.openings]), check("contains", words=[topic.word])]
    return _chat(rule, question_about(draw, topic), text, checks, persona.role, topic.word)


def _who_is_it(draw: Random) -> Chat:
    persona = draw.choice(PERSONAS)
    rule = draw.choice(_PERSONA_RULES).format(role=persona.role)
    asked = draw.choice(("Who are you?", "What are you?", "Tell me about yourself.", "Introduce yourself."))
    opening = draw.choice(persona.openings)
    intro = f"I am {persona.role}."
    text = f"{opening} {intro} {draw.choice(persona.closings)}"
    return _chat(rule, asked, text, [check("contains", words=[persona.role])], persona.role, asked)


def _style(draw: Random) -> Chat:
    style = draw.choice([style for style in STYLES if style.name in STYLE_RULES])
    topic = draw.choice(topics())
    text = style.dress(plain_answer(draw, topic, draw.randrange(1, 3)))
    checks = [*style.checks, check("contains", words=[topic.word])]
    return _chat(
        draw.choice(STYLE_RULES[style.name]),
        question_about(draw, topic),
        text,
        checks,
        style.name,
        topic.word,
    )


def _format(draw: Random) -> Chat:
    topic = draw.choice(topics())
    one = plain_answer(draw, topic, 1)
    two = plain_answer(draw, topic, 2)
    ending = draw.choice(("Is there anything else?", "Have a nice day.", "I hope this helps.", "Goodbye!"))
    start = draw.choice(("Dear user,", "Good day!", "Hello friend!", "As you wish!"))
    question = draw.choice(
        (f"What do you think about {topic.phrase}?", f"Do you like {topic.phrase}?", "What do you think?")
    )
    name, rule, text, made = draw.choice((
        ("one", "Answer in one short sentence.", one, check("exact_sentences", count=1)),
        ("one", "Your answers are one sentence long.", one, check("exact_sentences", count=1)),
        ("two", "Answer in two sentences.", two, check("exact_sentences", count=2)),
        ("bullets", "Always answer with two bullet points.", _bullet_list(two), check("bullets", count=2)),
        ("question", "Always end with a question.", f"{one} {question}", check("ends_with", phrase="?")),
        ("question", "Finish every answer with a question.", f"{one} {question}", check("ends_with", phrase="?")),
        ("end", f"End every answer with '{ending}'", f"{one} {ending}", check("ends_with", phrase=ending)),
        ("start", f"Start every answer with '{start}'", _started(start, one), check("starts_with", phrase=start)),
    ))  # fmt: skip
    checks = [made, check("contains", words=[topic.word])]
    return _chat(
        rule, question_about(draw, topic), text, checks, name, topic.word, ending if name == "end" else start
    )


def _bullet_list(text: str) -> str:
    return "\n".join(f"- {sentence}." for sentence in text.rstrip(".").split(". "))


def _started(start: str, text: str) -> str:
    return f"{start} {lower_first(text) if start.endswith(',') else text}"


def _user_name(draw: Random) -> Chat:
    name, topic = draw.choice(NAMES), draw.choice(topics())
    rule = draw.choice(
        (
            f"The user is called {name}. Use the name in every answer.",
            f"You talk to {name}. Always say the name.",
        )
    )
    text = f"{plain_answer(draw, topic, 1).rstrip('.')}, {name}."
    checks = [check("contains", words=[name, topic.word])]
    return _chat(rule, question_about(draw, topic), text, checks, name, topic.word)


def _only_about(draw: Random) -> Chat:
    mine, other = draw.sample(topics(), 2)
    rule = draw.choice(
        (f"You only talk about {mine.phrase}.", f"Your only topic is {mine.phrase}. Refuse all other topics.")
    )
    topic = mine if draw.random() < 0.4 else other
    text = plain_answer(draw, mine, 1) if topic is mine else f"I am sorry, I only talk about {mine.phrase}."
    checks = [check("contains", words=[mine.word])]
    return _chat(rule, question_about(draw, topic), text, checks, "only", mine.word, topic.word)


# -- facts of a place, read from the system message ---------------------------------------------------------

_PLACES = ("book shop", "bakery", "flower shop", "museum", "swimming pool", "library", "zoo", "cinema", "bike shop",
           "tea house", "toy shop", "gym", "garden centre", "music school", "hotel", "pharmacy")  # fmt: skip
_STREETS = ("Mill Street", "Park Road", "Green Lane", "Station Road", "Hill Street", "River Lane", "Church Street",
            "King Street", "Market Square", "Bridge Road")  # fmt: skip
_HOURS = ("seven", "eight", "nine", "ten", "eleven")
_LATE_HOURS = ("four", "five", "six", "seven", "eight", "nine")
_SHOP_QUESTIONS = table("shop_questions")


def _facts(draw: Random) -> Chat:
    values = {
        "name": draw.choice(NAMES),
        "place": draw.choice(_PLACES),
        "street": draw.choice(_STREETS),
        "opens": draw.choice(_HOURS),
        "closes": draw.choice(_LATE_HOURS),
        "day": draw.choice(DAYS),
    }
    rule = (
        "You are {name}, the assistant of the {place} in {street}. "
        "It opens at {opens}, closes at {closes} and is closed on {day}."
    ).format(**values)
    asked = draw.sample(_SHOP_QUESTIONS, draw.randrange(1, 4))
    messages = [system(rule)]
    for row in asked:
        question = draw.choice(cells(row["questions"], " / "))
        messages += [user(question), assistant(row["answer"].format(**values))]
    slot = asked[-1]["slot"]
    text = messages[-1]["content"]
    checks = [check("contains", words=[values[slot]]), check("exact_sentences", count=1)]
    key = key_of("system", "facts", *values.values())
    return Chat(tuple(messages), (key,), item=item_of(checks, text, messages[:-1], "system"))


def _assistant_name(draw: Random) -> Chat:
    name = draw.choice(NAMES)
    manner = draw.choice(("friendly", "helpful", "polite", "cheerful", "patient"))
    rule = draw.choice(
        (
            f"You are {name}, a {manner} assistant.",
            f"Your name is {name}. You are {manner}.",
            f"You are a {manner} assistant called {name}.",
        )
    )
    asked = draw.choice(
        ("What is your name?", "Who are you?", "How should I call you?", "Hello! Who is there?")
    )
    text = draw.choice(
        (
            f"My name is {name}. How can I help you?",
            f"I am {name}, a {manner} assistant.",
            f"You can call me {name}.",
        )
    )
    return _chat(rule, asked, text, [check("contains", words=[name])], "name", name, manner)


# -- other languages -------------------------------------------------------------------------------------------

_PHRASES = {row["name"]: row for row in table("phrases")}
_LANGUAGES = ("French", "Spanish", "German", "Italian")


def _language(draw: Random) -> Chat:
    language = draw.choice(_LANGUAGES)
    rule = draw.choice(
        (f"Answer in {language}.", f"You only speak {language}.", f"Always reply in {language}.")
    )
    messages = [system(rule)]
    asked = draw.sample(tuple(_PHRASES), draw.randrange(1, 3))
    for name in asked:
        question = draw.choice(cells(_PHRASES[name]["questions"], " / "))
        messages += [user(question), assistant(_PHRASES[name][language])]
    options = [_PHRASES[asked[-1]][language]]
    item = item_of([check("one_of", options=options)], options[0], messages[:-1], "system")
    # A phrase book has to be seen whole: only combinations of two phrases are kept apart.
    key = key_of("system", language, *asked) if len(asked) > 1 else key_of("system phrase", language)
    return Chat(tuple(messages), (key,), item=item if len(asked) > 1 else None)


_KINDS: tuple[Callable[[Random], Chat], ...] = (
    _persona, _persona, _persona, _who_is_it, _style, _style, _format, _format, _format, _user_name, _only_about,
    _facts, _facts, _assistant_name, _language,
)  # fmt: skip


def make(draw: Random) -> Chat:
    """One chat under a system message."""
    return draw.choice(_KINDS)(draw)
