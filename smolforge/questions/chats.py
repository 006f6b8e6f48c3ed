"""Conversations about the user's documents, for instruction tuning: every answer is the documents' own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from smolforge.questions import sentences
from smolforge.questions.choosing import stands_in
from smolforge.questions.declaring import is_declared
from smolforge.questions.fact import CLOZE_KINDS, Fact
from smolforge.questions.items import SKILL, rank
from smolforge.questions.wording import (
    according_to,
    place_of,
    question_of,
    quoted,
    subject_question,
    upper_first,
)

Row = dict[str, Any]
Asked = tuple[str, str]
"""What the user says, and the answer."""

ORDER = ("meaning", "field", "gap", "section", "reading", "term", "field", "gap", "section", "absent")
"""The forms of chats in turn; one that has no more facts is left out. Chosen, untested."""
MIN_PASSAGE_SENTENCES = 3
ABSENT_TRIES = 6
PLAIN_LABEL = re.compile(r"[A-Z][a-z]+(?: [a-z]+(?:-[a-z]+)?){0,4}$")
NO_PLAIN_LABEL = frozenset(
    ["total", "male", "female", "other", "note", "description", "from", "to", "rank", "value"]
)
READ = (
    "Read this text.\n\n{text}\n\n{question}",
    "{text}\n\n{question}",
    "{question}\n\n{text}",
    "Text: {text}\n\nQuestion: {question}",
)
ABSENT = (
    "The text says nothing about {topic}.",
    "That is not in the text: it does not mention {topic}.",
    "The text does not mention {topic}, so I cannot tell from it.",
)


def answer_chats(facts: Sequence[Fact], count: int, seed: int) -> list[Row]:
    """At most `count` conversations, `{"id", "skill", "messages", "tools"}`, the forms of `ORDER` in turn.

    meaning, term  what a term means, which term means this
    field          the value of a field or table cell
    gap            what is missing in a sentence, answered with the whole sentence
    section        the beginning of a section, where it is asked to explain or sum up its heading
    reading        a passage and a question, answered with a sentence of the passage
    absent         a passage and a question about something that is not in it
    """
    waiting = {form: _ranked(facts, form, seed) for form in FORMS}
    topics = sorted({f.answer for f in facts if f.kind in ("name", "term")})
    rows: list[Row] = []
    while len(rows) < count and any(waiting.values()):
        for form in ORDER:
            if not waiting[form] or len(rows) == count:
                continue
            fact = waiting[form].pop()
            draw = Random(f"{seed}/{form}/{fact.id}")
            asked = _absent(draw, fact, topics) if form == "absent" else FORMS[form][1](draw, fact)
            if asked is not None:
                rows.append(_row(f"{SKILL}-{form}-{fact.id}", *asked))
    return rows


def _ranked(facts: Sequence[Fact], form: str, seed: int) -> list[Fact]:
    """The facts that a form can use, in a random order of its own, last first."""
    may_use = FORMS[form][0]
    return sorted((f for f in facts if may_use(f)), key=lambda f: rank(seed, form, f.id), reverse=True)


def _row(id: str, question: str, answer: str) -> Row:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"id": id, "skill": SKILL, "messages": messages, "tools": []}


# -- forms ---------------------------------------------------------------------------------------------


def _meaning(draw: Random, fact: Fact) -> Asked:
    name, origin = quoted(fact.subject), according_to(fact)
    if fact.subject.startswith("`"):
        question = draw.choice(
            (f"What does {name} in {place_of(fact)} do?", f"What is {name} in {place_of(fact)} for?")
        )
        return question, f"{name} is described as follows: {fact.answer}."
    ways = (
        f"What is meant by {name}?",
        f"{origin}, what is {name}?",
        f"Define {name}.",
        f"Explain the term {name}.",
        f"What does {name} mean?",
    )
    is_statement = fact.start > 0 and ":" not in fact.before
    return draw.choice(
        ways
    ), fact.sentence if is_statement else f"{upper_first(fact.subject)}: {fact.answer}."


def _term(draw: Random, fact: Fact) -> Asked:
    if fact.subject.startswith("`"):
        return subject_question(fact).asked, f"That is {fact.subject}."
    ways = (
        f"Which term means “{fact.answer}”?",
        f"{according_to(fact)}, what is the word for “{fact.answer}”?",
    )
    return draw.choice(ways), f"The term is {quoted(fact.subject)}."


def _field(draw: Random, fact: Fact) -> Asked:
    if is_declared(fact):
        return question_of(fact).asked, f"{fact.sentence}."
    name = plain_field(fact)
    value = fact.sentence[fact.start :].rstrip(".")
    if not name:
        return question_of(fact).asked, f"{upper_first(value)}."
    owner = fact.title.partition(": ")[0]
    ways = (
        f"What is the {name} of {owner}?",
        f"What is {owner}’s {name}?",
        f"Tell me the {name} of {owner}.",
    )
    return draw.choice(ways), f"The {name} of {owner} is {value}."


def plain_field(fact: Fact) -> str:
    """A field's name where "the … of X" can be said of it; else nothing."""
    name = fact.heading if fact.label.casefold() == "name" and fact.heading else fact.label
    if fact.subject or not PLAIN_LABEL.match(name) or name.casefold() in NO_PLAIN_LABEL or name.endswith("s"):
        return ""
    return "" if fact.heading and name != fact.heading else name.lower()


def _gap(draw: Random, fact: Fact) -> Asked:
    # The answer begins like that of a held-out question: with the sentence itself.
    return question_of(fact).asked, fact.sentence


def _section(draw: Random, fact: Fact) -> Asked:
    if fact.subject != fact.heading:
        name = quoted(fact.title or fact.subject)
        ways = [f"What is {name} about?", f"How does {name} begin?", f"What does {name} say first?"]
    else:
        name = quoted(fact.heading)
        ways = [f"Explain {name}.", f"What do the documents say about {name}?"]
        if fact.title:
            ways += [
                f"Sum up the section {name} of {quoted(fact.title)}.",
                f"{according_to(fact)}, what is there to say on {name}?",
            ]
    return draw.choice(ways), fact.answer


def _reading(draw: Random, fact: Fact) -> Asked:
    topic = fact.answer.strip('“”"')
    if fact.kind == "date" and fact.alike[1] in ("decade", "century"):
        topic = f"the {topic}"
    ways = [
        f"Which sentence of the text mentions {topic}? Quote it.",
        f"What does the text say about {topic}?",
    ]
    if fact.kind == "number":
        ways = [f"Which sentence of the text has the number {topic} in it?"]
    return _read(draw, fact.passage, draw.choice(ways)), f"The text says: “{fact.sentence}”"


def _absent(draw: Random, fact: Fact, topics: Sequence[str]) -> Asked | None:
    """A question about a name or term from elsewhere; None where six drawn at random all stand in the passage."""
    for topic in draw.sample(topics, min(ABSENT_TRIES, len(topics))):
        if not stands_in(topic, fact.passage):
            question = _read(draw, fact.passage, f"What does the text say about {topic}?")
            return question, draw.choice(ABSENT).format(topic=topic)
    return None


def _read(draw: Random, passage: str, question: str) -> str:
    return draw.choice(READ).format(text=passage, question=question)


def _is_readable(fact: Fact) -> bool:
    """Whether a fact's passage holds its sentence, others besides, and its answer once."""
    return (
        fact.kind in CLOZE_KINDS
        and fact.sentence in fact.passage
        and len(sentences.split(fact.passage)) >= MIN_PASSAGE_SENTENCES
        and len(re.findall(rf"(?<!\w){re.escape(fact.answer)}(?!\w)", fact.passage)) == 1
    )


def _is_kind(kind: str) -> Callable[[Fact], bool]:
    return lambda fact: fact.kind == kind


FORMS: Mapping[str, tuple[Callable[[Fact], bool], Callable[[Random, Fact], Asked]]] = {
    "meaning": (_is_kind("definition"), _meaning),
    "term": (_is_kind("definition"), _term),
    "field": (_is_kind("field"), _field),
    "gap": (lambda fact: fact.kind in CLOZE_KINDS, _gap),
    "section": (_is_kind("section"), _section),
    "reading": (_is_readable, _reading),
    "absent": (_is_readable, _reading),
}
"""Which facts a form can use, and how it uses one."""
