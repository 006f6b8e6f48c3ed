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


@dataclass(frozen=True)
class Persona:
    """A role with the words it begins and ends with; `mark` stands in both or either."""

    role: str
    openings: tuple[str, ...]
    closings: tuple[str, ...]


PERSONAS = (
    Persona("a pirate", ("Arr!", "Ahoy!"), ("Arr, that is the truth, matey.", "So says every pirate, matey.")),
    Persona("a robot", ("Beep boop.", "Beep."), ("End of message.", "My circuits are sure.")),
    Persona("a knight", ("By my sword!", "Noble friend,"), ("I serve the king.", "On my honour.")),
    Persona("a cook", ("Mmm!", "From my kitchen:"), ("Now taste the soup!", "Bon appetit!")),
    Persona("a kind grandmother", ("My dear,", "Oh, sweetheart,"), ("Take care, my dear.", "Now have a cookie.")),
    Persona("a detective", ("I looked into it.", "The case is clear:"), ("Case closed.", "I follow every clue.")),
    Persona("a cat", ("Meow!", "Purr."), ("Now feed me, meow.", "Time for my nap. Meow.")),
    Persona("a wizard", ("By my magic!", "My crystal ball says:"), ("Such is the magic.", "Abracadabra!")),
    Persona("a king", ("Hear me!", "We, the king, say:"), ("The king has spoken.", "Long live the king!")),
    Persona("a ghost", ("Boo!", "Hooo!"), ("Do not be afraid. Boo!", "Now I fade away.")),
    Persona("a sailor", ("Ship ahoy!", "From the deck:"), ("The wind is good.", "Back to the ship!")),
    Persona("a cheerful coach", ("Go, team!", "Listen, champ!"), ("You can do it!", "Keep going, champ!")),
    Persona("a farmer", ("Howdy!", "From the fields:"), ("Back to my cows.", "The harvest waits.")),
    Persona("a teacher", ("Good morning, class.", "Listen, class:"), ("That is the end of the lesson.", "Now do your homework.")),
    Persona("an alien", ("Greetings, Earth people.", "Zorp!"), ("Zorp out.", "Your planet is strange.")),
)  # fmt: skip

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
    name, rule, text, checks = draw.choice(
        (
            ("one", "Answer in one short sentence.", one, [check("exact_sentences", count=1)]),
            ("one", "Your answers are one sentence long.", one, [check("exact_sentences", count=1)]),
            ("two", "Answer in two sentences.", two, [check("exact_sentences", count=2)]),
            (
                "bullets",
                "Always answer with two bullet points.",
                _bullet_list(two),
                [check("bullets", count=2)],
            ),
            (
                "question",
                "Always end with a question.",
                f"{one} {question}",
                [check("ends_with", phrase="?")],
            ),
            (
                "question",
                "Finish every answer with a question.",
                f"{one} {question}",
                [check("ends_with", phrase="?")],
            ),
            (
                "end",
                f"End every answer with '{ending}'",
                f"{one} {ending}",
                [check("ends_with", phrase=ending)],
            ),
            (
                "start",
                f"Start every answer with '{start}'",
                _started(start, one),
                [check("starts_with", phrase=start)],
            ),
        )
    )
    checks = [*checks, check("contains", words=[topic.word])]
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
_FACT_QUESTIONS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("opens", ("When do you open?", "What time do you open?"), "We open at {opens}."),
    ("closes", ("When do you close?", "Until what time are you open?"), "We close at {closes}."),
    (
        "street",
        ("Where are you?", "What is your address?", "Where can I find you?"),
        "You find us in {street}.",
    ),
    (
        "day",
        ("On which day are you closed?", "Is there a day when you are closed?"),
        "We are closed on {day}.",
    ),
    ("name", ("What is your name?", "Who am I talking to?"), "My name is {name}."),
    ("place", ("What is this?", "Where do you work?"), "I am the assistant of the {place}."),
)


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
    asked = draw.sample(_FACT_QUESTIONS, draw.randrange(1, 4))
    messages = [system(rule)]
    for _, questions, answer in asked:
        messages += [user(draw.choice(questions)), assistant(answer.format(**values))]
    slot = asked[-1][0]
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

_PHRASES: Mapping[str, Mapping[str, str]] = {
    "French": {
        "hello": "Bonjour !", "how": "Je vais bien, merci.", "thanks": "Avec plaisir !", "bye": "Au revoir !",
        "name": "Je m'appelle Smol.", "night": "Bonne nuit !", "sorry": "Ce n'est pas grave.",
        "help": "Oui, je peux vous aider.", "birthday": "Joyeux anniversaire !", "tired": "Il faut dormir un peu.",
    },
    "Spanish": {
        "hello": "¡Hola!", "how": "Estoy bien, gracias.", "thanks": "¡De nada!", "bye": "¡Adiós!",
        "name": "Me llamo Smol.", "night": "¡Buenas noches!", "sorry": "No pasa nada.",
        "help": "Sí, puedo ayudar.", "birthday": "¡Feliz cumpleaños!", "tired": "Tienes que dormir un poco.",
    },
    "German": {
        "hello": "Guten Tag!", "how": "Mir geht es gut, danke.", "thanks": "Gern geschehen!", "bye": "Auf Wiedersehen!",
        "name": "Ich heiße Smol.", "night": "Gute Nacht!", "sorry": "Das macht nichts.",
        "help": "Ja, ich kann helfen.", "birthday": "Alles Gute zum Geburtstag!", "tired": "Schlaf ein wenig.",
    },
    "Italian": {
        "hello": "Buongiorno!", "how": "Sto bene, grazie.", "thanks": "Prego!", "bye": "Arrivederci!",
        "name": "Mi chiamo Smol.", "night": "Buona notte!", "sorry": "Non fa niente.",
        "help": "Sì, posso aiutare.", "birthday": "Buon compleanno!", "tired": "Devi dormire un po'.",
    },
}  # fmt: skip
_PHRASE_QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "hello": ("Hello!", "Good morning!", "Hi!"),
    "how": ("How are you?", "How are you today?"),
    "thanks": ("Thank you!", "Thanks a lot!"),
    "bye": ("Goodbye!", "See you tomorrow!"),
    "name": ("What is your name?", "Who are you?"),
    "night": ("Good night!", "I am going to bed."),
    "sorry": ("I am sorry.", "Sorry, I am late."),
    "help": ("Can you help me?", "I need help."),
    "birthday": ("Today is my birthday.", "It is my birthday!"),
    "tired": ("I am tired.", "I am so sleepy."),
}


def _language(draw: Random) -> Chat:
    language = draw.choice(tuple(_PHRASES))
    rule = draw.choice(
        (f"Answer in {language}.", f"You only speak {language}.", f"Always reply in {language}.")
    )
    messages = [system(rule)]
    asked = draw.sample(tuple(_PHRASE_QUESTIONS), draw.randrange(1, 3))
    for name in asked:
        messages += [user(draw.choice(_PHRASE_QUESTIONS[name])), assistant(_PHRASES[language][name])]
    options = [_PHRASES[language][asked[-1]]]
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
