"""Reading: a question that a sentence or two just given answers, or the sentence said again.

The plainest use of what stands in the question. A small model learns to copy here, which rewriting,
summarising and calls all rest on. Measured: after 2M tokens without these, 1M parameters kept the form of
an answer and put other names into it.
"""

from __future__ import annotations

from random import Random

from smolforge.written.conversations.chat import Chat, assistant, key_of, upper_first, user
from smolforge.written.conversations.constraints import item_of
from smolforge.written.conversations.sentences import Clause, Tense, draw_clause, draw_name
from smolforge.written.conversations.shapes import check

_TENSES: tuple[Tense, ...] = ("present", "past", "past", "future")
_AGAIN = ("Repeat this sentence: {s}", "Say this again: {s}", "Copy this sentence.\n{s}", 'Repeat after me: "{s}"',
          "Write this sentence once more: {s}", "Please repeat: {s}")  # fmt: skip
_LAYOUTS = ("{text} {question}", "{text}\n{question}", "{question}\n{text}", "Read this: {text}\n{question}",
            "Text: {text}\nQuestion: {question}")  # fmt: skip


def _two_clauses(draw: Random) -> tuple[Clause, Clause]:
    """What two people did, no deed twice."""
    first, second = draw_clause(draw, draw_name(draw)), draw_clause(draw, draw_name(draw))
    while second.subject.text == first.subject.text or second.verb == first.verb or second.tail == first.tail:
        second = draw_clause(draw, draw_name(draw))
    return first, second


def _question(draw: Random, clause: Clause, tense: Tense) -> tuple[str, str]:
    """A question about the clause, and its answer."""
    kinds = ["who", "what"]
    if clause.tail and not clause.tail.startswith("with"):
        kinds.append("when")
    kind = draw.choice(kinds)
    if kind == "who":
        return clause.who(tense), clause.subject.text
    if kind == "what":
        return clause.what(tense), clause.thing
    return clause.when(tense), clause.tail


def _asked(draw: Random) -> Chat:
    tense = draw.choice(_TENSES)
    clauses = list(_two_clauses(draw))
    if draw.random() < 0.4:
        clauses.pop()
    question, found = _question(draw, draw.choice(clauses), tense)
    text = " ".join(clause.statement(tense) for clause in clauses)
    request = user(draw.choice(_LAYOUTS).format(text=text, question=question))
    answer = f"{upper_first(found)}."
    item = item_of(
        [check("contains", words=[found]), check("max_words", count=6)], answer, [request], "reading"
    )
    return Chat((request, assistant(answer)), (key_of("reading", text),), item=item)


def _repeated(draw: Random) -> Chat:
    sentence = draw_clause(draw).statement(draw.choice(_TENSES))
    request = user(draw.choice(_AGAIN).format(s=sentence))
    return Chat((request, assistant(sentence)), (key_of("repeat", sentence),))


def make(draw: Random) -> Chat:
    """A question about one or two sentences, or a sentence to repeat."""
    return _repeated(draw) if draw.random() < 0.3 else _asked(draw)
