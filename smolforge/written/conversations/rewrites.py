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
from smolforge.written.files import cells, lines, texts, ways_of


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


_TEXTS = texts("rewrites")
_ORDERS, _FOLLOW_UPS = ways_of(_TEXTS["orders"]), ways_of(_TEXTS["follow_ups"])
_TENSES: tuple[Tense, ...] = ("present", "past", "future")
# Mostly the present: it is what people give.
_MOSTLY_PRESENT: tuple[Tense, ...] = ("present", "present", "past", "future")
_CHANGES: tuple[tuple[Tense, Tense], ...] = (
    ("present", "past"), ("present", "past"), ("present", "future"), ("past", "present"), ("past", "future"),
)  # fmt: skip

# -- tense, question, negation ---------------------------------------------------------------------------


def _tense(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    given, wanted = draw.choice(_CHANGES)
    source, target = clause.statement(given), clause.statement(wanted)
    return Rewrite(wanted, draw.choice(_ORDERS[wanted]), source, target)


def _question(draw: Random) -> Rewrite:
    clause = draw_clause(draw, None if draw.random() < 0.8 else draw_name(draw))
    tense = draw.choice(_MOSTLY_PRESENT)
    return Rewrite(
        "question",
        draw.choice(_ORDERS["question"]),
        clause.statement(tense),
        clause.question(tense),
    )


def _negative(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    tense = draw.choice(_MOSTLY_PRESENT)
    return Rewrite(
        "negative",
        draw.choice(_ORDERS["negative"]),
        clause.statement(tense),
        clause.statement(tense, negative=True),
    )


# -- person -----------------------------------------------------------------------------------------------


def _third_person(draw: Random) -> Rewrite:
    who = draw_name(draw)
    clause = draw_clause(draw, I, own=draw.random() < 0.7)
    tense = draw.choice(_MOSTLY_PRESENT[:3])
    order = draw.choice(_ORDERS["third-person"]).format(who=who.text)
    return Rewrite("third-person", order, clause.statement(tense), clause.about(who).statement(tense))


def _first_person(draw: Random) -> Rewrite:
    who = draw_name(draw)
    clause = draw_clause(draw, who, own=draw.random() < 0.7)
    tense = draw.choice(_MOSTLY_PRESENT[:3])
    order = draw.choice(_ORDERS["first-person"]).format(who=who.text)
    return Rewrite("first-person", order, clause.statement(tense), clause.about(I).statement(tense))


# -- mistakes put right -----------------------------------------------------------------------------------

MISSPELLINGS = dict(pair.split() for pair in _TEXTS["spelling"]["mistakes"].split(","))


def _spelling(draw: Random) -> Rewrite:
    while True:
        target = draw_clause(draw).statement(draw.choice(_TENSES))
        words = target.rstrip(".").split()
        spots = [index for index, word in enumerate(words) if word in MISSPELLINGS]
        if spots:
            break
    spot = draw.choice(spots)
    words[spot] = MISSPELLINGS[words[spot]]
    order = draw.choice(_ORDERS["spelling"])
    return Rewrite("spelling", order, " ".join(words) + ".", target)


def _agreement(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    order = draw.choice(_ORDERS["grammar"])
    return Rewrite("grammar", order, clause.wrong_agreement(), clause.statement())


def _capitals(draw: Random) -> Rewrite:
    clause = draw_clause(draw, draw_name(draw))
    target = clause.statement(draw.choice(_TENSES))
    source = target.lower().rstrip(".")
    order = draw.choice(_ORDERS["capitals"])
    return Rewrite("capitals", order, source, target, is_exact=True)


# -- tone -------------------------------------------------------------------------------------------------

REQUESTS = tuple(
    f"{verb} {thing}" for verb, things in ways_of(_TEXTS["requests"]).items() for thing in things
)
_RUDE = cells(_TEXTS["tone"]["rude"], " / ")
_WHEN = ("", "", "before lunch", "today", "tonight", "tomorrow", "after class", "by noon", "this afternoon",
         "before dinner", "this evening", "after the meeting", *(f"on {day}" for day in DAYS))  # fmt: skip


def _polite(draw: Random) -> Rewrite:
    request = f"{draw.choice(REQUESTS)} {draw.choice(_WHEN)}".strip()
    source = draw.choice(_RUDE).format(request=request, upper=upper_first(request))
    order = draw.choice(_ORDERS["polite"])
    return Rewrite("polite", order, source, f"Could you please {request}?")


# Everyday word, formal word of the same meaning, what fits after both.
_FORMAL_WORDS = [cells(line, " / ") for line in lines(_TEXTS["tone"]["words"])]
_SLANG = [cells(line, " / ") for line in lines(_TEXTS["tone"]["slang"])]


def _formal(draw: Random) -> Rewrite:
    informal, formal = draw.choice(_SLANG)
    plain_word, formal_word, things = draw.choice(_FORMAL_WORDS)
    thing, name, when = draw.choice(things.split("; ")), draw.choice(NAMES), draw.choice(_WHEN)
    rest = f"{thing} {when}".strip()
    low = f"{draw.choice(('Hey', 'Hi', 'Yo'))} {name}, {informal.format(verb=plain_word)} {rest}."
    high = f"Dear {name}, {formal.format(verb=formal_word)} {rest}."
    order = draw.choice(_ORDERS["formal"])
    return Rewrite("formal", order, low, high)


# -- length ------------------------------------------------------------------------------------------------

_FILLERS = lines(_TEXTS["tone"]["fillers"])


def _shorter(draw: Random) -> Rewrite:
    clause = draw_clause(draw)
    tense = draw.choice(_TENSES)
    source = draw.choice(_FILLERS).format(s=clause.mid_sentence(tense))
    order = draw.choice(_ORDERS["shorter"])
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
    order = draw.choice(_ORDERS["join"])
    return Rewrite("join", order, source, target)


# -- words ---------------------------------------------------------------------------------------------------


def _replace_name(draw: Random) -> Rewrite:
    old, new = draw_subject(draw), draw_name(draw)
    while old.text not in NAMES or old.text == new.text or old.they != new.they:
        old, new = draw_subject(draw), draw_name(draw)
    clause = draw_clause(draw, old)
    tense = draw.choice(_TENSES)
    order = draw.choice(_ORDERS["replace-name"]).format(old=old.text, new=new.text)
    return Rewrite("replace", order, clause.statement(tense), clause.about(new).statement(tense))


def _replace_time(draw: Random) -> Rewrite:
    old, new = draw.sample([tail for tail in TAILS if tail], 2)
    clause = replace(draw_clause(draw), tail=old)
    tense = draw.choice(_TENSES)
    order = draw.choice(_ORDERS["replace-time"]).format(old=old, new=new)
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


def draw_chain(draw: Random) -> tuple[Rewrite, Rewrite]:
    """A change of tense, then a second change of its result."""
    clause = draw_clause(draw)
    given, wanted, last = draw.sample(_TENSES, 3)
    source, middle = clause.statement(given), clause.statement(wanted)
    first = Rewrite(wanted, draw.choice(_ORDERS[wanted]), source, middle)
    change = draw.choice((last, "question", "negative"))
    if change == "question":
        target = clause.question(wanted)
    elif change == "negative":
        target = clause.statement(wanted, negative=True)
    else:
        target = clause.statement(last)
    return first, Rewrite(change, draw.choice(_FOLLOW_UPS[change]), middle, target)
