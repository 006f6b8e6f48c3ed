"""Rewriting tasks: the same sentence in another tense, person, tone or form, and mistakes put right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from smolforge.written.conversations.chat import upper_first
from smolforge.written.conversations.sentences import (
    DAYS,
    NAMES,
    TAILS,
    I,
    Tense,
    draw_clause,
    draw_name,
    draw_subject,
)


@dataclass(frozen=True)
class Rewrite:
    """One task: its name, what is asked, the sentence given and the sentence wanted.

    `is_exact` asks for the answer letter by letter, where only capitals or punctuation change.
    """

    name: str
    order: str
    source: str
    target: str
    is_exact: bool = False


_TENSES: tuple[Tense, ...] = ("present", "past", "future")
# Mostly the present: it is what people give.
_MOSTLY_PRESENT: tuple[Tense, ...] = ("present", "present", "past", "future")
_CHANGES: tuple[tuple[Tense, Tense], ...] = (
    ("present", "past"), ("present", "past"), ("present", "future"), ("past", "present"), ("past", "future"),
)  # fmt: skip

# -- tense, question, negation ---------------------------------------------------------------------------

_TENSE_ORDERS = {
    "past": (
        "Put this sentence in the past tense",
        "Rewrite in the past tense",
        "Change this to the past tense",
        "Write this sentence as if it happened already",
    ),
    "future": (
        "Put this sentence in the future tense",
        "Rewrite in the future tense with 'will'",
        "Change this to the future tense",
        "Write this sentence as if it will happen later",
    ),
    "present": (
        "Put this sentence in the present tense",
        "Rewrite in the present tense",
        "Change this to the present tense",
    ),
}
_QUESTION_ORDERS = (
    "Turn this sentence into a question",
    "Make a question from this sentence",
    "Rewrite this as a yes or no question",
    "Change this statement into a question",
)
_NEGATIVE_ORDERS = (
    "Make this sentence negative",
    "Rewrite this sentence with 'not'",
    "Say the opposite with 'not'",
    "Turn this into a negative sentence",
)


def _tense(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    given, wanted = draw.choice(_CHANGES)
    source, target = clause.statement(given), clause.statement(wanted)
    return Rewrite(wanted, draw.choice(_TENSE_ORDERS[wanted]), source, target)


def _question(draw: Random) -> Rewrite:
    clause = draw_clause(draw, None if draw.random() < 0.8 else draw_name(draw))
    tense = draw.choice(_MOSTLY_PRESENT)
    return Rewrite(
        "question",
        draw.choice(_QUESTION_ORDERS),
        clause.statement(tense),
        clause.question(tense),
    )


def _negative(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    tense = draw.choice(_MOSTLY_PRESENT)
    return Rewrite(
        "negative",
        draw.choice(_NEGATIVE_ORDERS),
        clause.statement(tense),
        clause.statement(tense, negative=True),
    )


# -- person -----------------------------------------------------------------------------------------------


def _third_person(draw: Random) -> Rewrite:
    who = draw_name(draw)
    clause = draw_clause(draw, I, own=draw.random() < 0.7)
    tense = draw.choice(_MOSTLY_PRESENT[:3])
    order = draw.choice(
        (
            f"Rewrite this in the third person, about {who.text}",
            f"Change 'I' to {who.text}",
            f"{who.text} said this. Write it about {who.text}",
            f"Put this in the third person. The speaker is {who.text}",
        )
    )
    return Rewrite("third-person", order, clause.statement(tense), clause.about(who).statement(tense))


def _first_person(draw: Random) -> Rewrite:
    who = draw_name(draw)
    clause = draw_clause(draw, who, own=draw.random() < 0.7)
    tense = draw.choice(_MOSTLY_PRESENT[:3])
    order = draw.choice(
        (
            "Rewrite this in the first person",
            f"Write this as if you were {who.text}",
            f"Change {who.text} to 'I'",
            "Tell this from your own point of view, with 'I'",
        )
    )
    return Rewrite("first-person", order, clause.statement(tense), clause.about(I).statement(tense))


# -- mistakes put right -----------------------------------------------------------------------------------

# Right and wrong spelling of words that the sentences use.
MISSPELLINGS = {
    "morning": "mornning", "afternoon": "afternon", "evening": "evning", "breakfast": "brekfast",
    "school": "shcool", "friend": "freind", "dinner": "diner", "lunch": "lunsh", "weekend": "weekand",
    "holidays": "hollidays", "work": "wrok", "great": "graet", "Monday": "Munday", "Tuesday": "Teusday",
    "Wednesday": "Wensday", "Thursday": "Thirsday", "Friday": "Firday", "Saturday": "Saterday",
    "Sunday": "Sundey", "letter": "leter", "kitchen": "kichen", "window": "windwo", "windows": "windwos",
    "house": "huose", "bread": "bred", "apple": "aple", "apples": "aples", "teacher": "techer",
    "mother": "mohter", "father": "fahter", "museum": "musuem", "library": "libary", "children": "childern",
    "sister": "sistre", "brother": "bruther", "parents": "parants", "neighbour": "nieghbour",
    "picture": "pictrue", "umbrella": "umbrela", "flowers": "flouers", "ticket": "tiket", "doctor": "docter",
    "water": "watter", "coffee": "cofee", "chocolate": "choclate", "story": "storry", "piano": "paino",
    "mountain": "mountian", "message": "mesage", "medicine": "medecine", "blanket": "blankit",
    "castle": "castel", "bridge": "brigde", "farmer": "framer", "bottle": "botle", "birthday": "brithday",
}  # fmt: skip
_FIX_ORDERS = (
    "Correct this sentence",
    "Fix the mistake in this sentence",
    "Please correct the mistake",
    "There is a mistake here. Write it correctly",
)


def _spelling(draw: Random) -> Rewrite:
    while True:
        target = draw_clause(draw).statement(draw.choice(_TENSES))
        words = target.rstrip(".").split()
        spots = [index for index, word in enumerate(words) if word in MISSPELLINGS]
        if spots:
            break
    spot = draw.choice(spots)
    words[spot] = MISSPELLINGS[words[spot]]
    order = draw.choice(
        ("Fix the spelling", "Correct the spelling mistake", "Check the spelling", *_FIX_ORDERS)
    )
    return Rewrite("spelling", order, " ".join(words) + ".", target)


def _agreement(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    order = draw.choice(("Fix the grammar", "Correct the grammar", "Fix the verb", *_FIX_ORDERS))
    return Rewrite("grammar", order, clause.wrong_agreement(), clause.statement())


def _capitals(draw: Random) -> Rewrite:
    clause = draw_clause(draw, draw_name(draw))
    target = clause.statement(draw.choice(_TENSES))
    source = target.lower().rstrip(".")
    order = draw.choice(
        (
            "Add the capital letters and the full stop",
            "Fix the capital letters and the full stop",
            "Correct the capitals and the full stop",
        )
    )
    return Rewrite("capitals", order, source, target, is_exact=True)


# -- tone -------------------------------------------------------------------------------------------------

REQUESTS = tuple(
    f"{verb} {thing}"
    for verb, things in {
        "close": ("the window", "the door", "the gate", "the box"),
        "open": ("the window", "the door", "the curtains", "the shop"),
        "send me": ("the report", "your address", "the photos", "the list", "a copy"),
        "bring me": ("a cup of tea", "the book", "my coat", "a glass of water", "the keys"),
        "show me": ("your ticket", "the map", "the way", "the new room", "your work"),
        "tell me": ("your name", "the answer", "the time", "your plan", "the price"),
        "give me": ("a pen", "the phone", "your number", "a hand", "the salt"),
        "clean": ("the table", "your room", "the kitchen", "the board", "your desk"),
        "turn down": ("the music", "the radio", "the heating", "the lights"),
        "call": ("the doctor", "my mother", "a taxi", "the office", "the school"),
        "finish": ("your work", "the report", "your homework", "the letter"),
        "read": ("this letter", "the rules", "page ten", "my message", "the notes"),
        "wait": ("outside", "at the gate", "for me", "in the hall"),
        "buy": ("some milk", "two tickets", "fresh bread", "a new pen"),
        "move": ("your car", "the chairs", "the table", "your bag"),
        "help me": ("with the bags", "with this box", "in the kitchen", "with my homework"),
        "check": ("the oven", "your answers", "the door", "the numbers"),
        "water": ("the plants", "the garden", "the roses", "the trees"),
    }.items()
    for thing in things
)
_WHEN = ("", "", "before lunch", "today", "tonight", "tomorrow", "after class", "by noon", "this afternoon",
         "before dinner", "this evening", "after the meeting", *(f"on {day}" for day in DAYS))  # fmt: skip


def _polite(draw: Random) -> Rewrite:
    request = f"{draw.choice(REQUESTS)} {draw.choice(_WHEN)}".strip()
    rude = draw.choice(
        (
            "{upper}!",
            "{upper} now!",
            "I want you to {request}.",
            "{upper}.",
            "You must {request}!",
            "Hurry up and {request}!",
        )
    )
    source = rude.format(request=request, upper=upper_first(request))
    order = draw.choice(
        (
            "Make this more polite",
            "Rewrite this politely",
            "Say this in a polite way",
            "Make this sound friendlier",
        )
    )
    return Rewrite("polite", order, source, f"Could you please {request}?")


# Everyday word → formal word of the same meaning; both fit into the sentences below.
_FORMAL_WORDS = (
    ("buy", "purchase", "the tickets; the new machine; the house; the paper; the books; the old car"),
    ("get", "receive", "the report; the letter; the order; the money; the answer; the keys"),
    ("need", "require", "the report; the room; the papers; the money; the new machine; the answer"),
    ("help with", "assist with", "the plan; the report; the project; the repairs; the move; the party"),
    ("ask about", "enquire about", "the price; the room; the order; the trip; the lesson; the job"),
    ("look at", "examine", "the plan; the report; the papers; the contract; the budget; the photos"),
    ("talk about", "discuss", "the plan; the price; the project; the contract; the budget; the trip"),
    ("fix", "repair", "the machine; the roof; the car; the door; the clock; the heating"),
    ("check", "verify", "the report; the numbers; the order; the papers; the address; the bill"),
    ("start", "commence", "the project; the lesson; the meeting; the repairs; the work; the course"),
    ("show", "demonstrate", "the new machine; the plan; the method; the game; the project; the results"),
    ("choose", "select", "the room; the date; the colour; the team; the menu; the winner"),
    ("set up", "arrange", "the meeting; the room; the trip; the party; the lesson; the visit"),
    ("put off", "postpone", "the meeting; the trip; the lesson; the repairs; the visit; the party"),
    ("end", "conclude", "the meeting; the lesson; the project; the talks; the course; the work"),
)
_SLANG = (
    ("I'm gonna {verb}", "I am going to {verb}"),
    ("I can't {verb}", "I cannot {verb}"),
    ("I wanna {verb}", "I would like to {verb}"),
    ("we've gotta {verb}", "we have to {verb}"),
    ("I'll {verb}", "I will {verb}"),
    ("we won't {verb}", "we will not {verb}"),
    ("I didn't {verb}", "I did not {verb}"),
    ("we're gonna {verb}", "we are going to {verb}"),
)


def _formal(draw: Random) -> Rewrite:
    informal, formal = draw.choice(_SLANG)
    plain_word, formal_word, things = draw.choice(_FORMAL_WORDS)
    thing, name, when = draw.choice(things.split("; ")), draw.choice(NAMES), draw.choice(_WHEN)
    rest = f"{thing} {when}".strip()
    low = f"{draw.choice(('Hey', 'Hi', 'Yo'))} {name}, {informal.format(verb=plain_word)} {rest}."
    high = f"Dear {name}, {formal.format(verb=formal_word)} {rest}."
    order = draw.choice(
        (
            "Make this more formal",
            "Rewrite this in formal English",
            "Make this sound professional",
            "Write this for a formal letter",
        )
    )
    return Rewrite("formal", order, low, high)


# -- length ------------------------------------------------------------------------------------------------

_FILLERS = (
    "To be honest, I really think that {s}.", "As you may already know, {s}.", "Well, I just wanted to say that {s}.",
    "It is a well known fact that {s}.", "If I remember it correctly, {s}.", "I am writing to let you know that {s}.",
    "You will be happy to hear that {s}.", "What I am trying to say is that {s}.",
    "There is no doubt at all that {s}.", "In my own personal opinion, {s}, you know.",
    "At the end of the day, {s}, and that is that.", "Believe it or not, {s}, just like that.",
)  # fmt: skip


def _shorter(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    tense = draw.choice(_TENSES)
    source = draw.choice(_FILLERS).format(s=clause.mid_sentence(tense))
    order = draw.choice(
        (
            "Make this shorter",
            "Shorten this sentence",
            "Say this with fewer words",
            "Make this concise",
            "Remove the words that are not needed",
        )
    )
    return Rewrite("shorter", order, source, clause.statement(tense))


def _join(draw: Random) -> Rewrite:
    """Two things one person did, in one sentence."""
    subject = draw_name(draw)
    first = replace(draw_clause(draw, subject, own=False), tail="")
    second = replace(draw_clause(draw, subject, own=False), tail="")
    while second.verb == first.verb:
        second = replace(draw_clause(draw, subject, own=False), tail="")
    tense = draw.choice(_MOSTLY_PRESENT[:3])
    source = f"{first.statement(tense)} {upper_first(subject.they)} {second.predicate(tense)}."
    target = f"{subject.text} {first.predicate(tense)} and {second.predicate(tense)}."
    order = draw.choice(
        (
            "Join these two sentences with 'and'",
            "Make one sentence out of these two",
            "Combine the two sentences",
        )
    )
    return Rewrite("join", order, source, target)


# -- words ---------------------------------------------------------------------------------------------------


def _replace_name(draw: Random) -> Rewrite:
    old, new = draw_subject(draw), draw_name(draw)
    while old.text not in NAMES or old.text == new.text or old.they != new.they:
        old, new = draw_subject(draw), draw_name(draw)
    clause = draw_clause(draw, old)
    tense = draw.choice(_TENSES)
    order = draw.choice(
        (
            f"Replace {old.text} with {new.text}",
            f"Change the name {old.text} to {new.text}",
            f"Write {new.text} in place of {old.text}",
        )
    )
    return Rewrite("replace", order, clause.statement(tense), clause.about(new).statement(tense))


def _replace_time(draw: Random) -> Rewrite:
    old, new = draw.sample([tail for tail in TAILS if tail], 2)
    clause = replace(draw_clause(draw), tail=old)
    tense = draw.choice(_TENSES)
    order = draw.choice(
        (f"Replace '{old}' with '{new}'", f"Change '{old}' to '{new}'", f"Write '{new}' in place of '{old}'")
    )
    return Rewrite("replace", order, clause.statement(tense), replace(clause, tail=new).statement(tense))


REWRITES: tuple[Callable[[Random], Rewrite], ...] = (
    _tense, _tense, _tense, _question, _question, _negative, _third_person, _first_person, _spelling,
    _agreement, _capitals, _polite, _polite, _formal, _shorter, _join, _replace_name, _replace_time,
)  # fmt: skip


def draw_rewrite(draw: Random) -> Rewrite:
    """A task whose answer differs from what is given."""
    while True:
        task = draw.choice(REWRITES)(draw)
        if task.source != task.target:
            return task


_FOLLOW_UPS = {
    "past": ("Now put it in the past tense.", "And in the past tense?", "Now write it in the past."),
    "present": ("Now put it in the present tense.", "And in the present tense?"),
    "future": ("Now put it in the future tense.", "And in the future tense?", "Now with 'will', please."),
    "question": ("Now make it a question.", "Turn that into a question.", "And as a question?"),
    "negative": ("Now make it negative.", "Now with 'not', please.", "And the opposite with 'not'?"),
}


def draw_chain(draw: Random) -> tuple[Rewrite, Rewrite]:
    """A change of tense, then a second change of its result."""
    clause = draw_clause(draw)
    given, wanted, last = draw.sample(_TENSES, 3)
    source, middle = clause.statement(given), clause.statement(wanted)
    first = Rewrite(wanted, draw.choice(_TENSE_ORDERS[wanted]), source, middle)
    change = draw.choice((last, "question", "negative"))
    if change == "question":
        target = clause.question(wanted)
    elif change == "negative":
        target = clause.statement(wanted, negative=True)
    else:
        target = clause.statement(last)
    return first, Rewrite(change, draw.choice(_FOLLOW_UPS[change]), middle, target)
