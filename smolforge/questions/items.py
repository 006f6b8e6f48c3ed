"""Held-out questions from facts: multiple choice, and short answers to write."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smolforge.evals.task import Item
from smolforge.questions.choosing import MOST_OF_ANSWER, Balance, Pool
from smolforge.questions.fact import CLOZE_KINDS, Fact, Tally
from smolforge.questions.spans import code_class, term_class
from smolforge.questions.wording import Question, question_of, subject_question, unit_of

SKILL = "documents"
EXACT_TOKENS = 16
PLAIN_NUMBER = re.compile(r"\d[\d,]*$")
PLAIN_NAME = re.compile(r"[A-Z][\w’-]+(?: [A-Z][\w’-]+){0,2}$")


def choice_items(
    facts: Sequence[Fact],
    count: int,
    seed: int,
    *,
    pool: Sequence[Fact] | None = None,
    dropped: Tally | None = None,
) -> list[Item]:
    """At most `count` questions with four choices, spread over kinds and documents.

    pool     where wrong answers come from; `facts` themselves where nothing is given
    dropped  counts facts that could not be asked, by reason
    """
    dropped = Tally() if dropped is None else dropped
    pools = _pools(facts if pool is None else pool)
    limits = _Limits(count, facts)
    chosen: list[tuple[_Asked, list[str]]] = []
    for fact in _spread(list(filter(_may_choose, facts)), seed):
        if len(chosen) == count:
            break
        if not limits.allow(fact):
            dropped["question: enough of its answer or document"] += 1
            continue
        asked = _Asked(fact, asks_subject(fact, seed))
        candidates = pools[asked.asks_subject].candidates(fact, seed)
        if not candidates:
            dropped["question: too few wrong answers of its class"] += 1
            continue
        limits.note(fact)
        chosen.append((asked, candidates))
    balance = Balance(asked.question.answer for asked, _ in chosen)
    items = [_choice_item(asked, balance.choose(candidates), seed) for asked, candidates in chosen]
    return sorted(items, key=lambda item: item.id)


def exact_items(facts: Sequence[Fact], count: int, seed: int) -> list[Item]:
    """At most `count` questions whose answer, a number, a year or a short name, is to be written."""
    usable = [
        f
        for f in facts
        if f.kind in CLOZE_KINDS and (PLAIN_NUMBER.match(f.answer) or PLAIN_NAME.match(f.answer))
    ]
    limits = _Limits(count, usable)
    chosen: list[Item] = []
    for fact in _spread(usable, seed):
        if len(chosen) < count and limits.allow(fact):
            limits.note(fact)
            asked = f"{question_of(fact).asked}\n\nWrite only what is missing."
            chosen.append(
                Item(
                    id=f"{SKILL}-exact-{fact.id}", skill=SKILL, kind="exact", messages=[{"role": "user", "content": asked}],
                    prompt=f"Question: {asked}\nAnswer:", answer=fact.answer, stops=("\n",), max_new_tokens=EXACT_TOKENS,
                )
            )  # fmt: skip
    return sorted(chosen, key=lambda item: item.id)


# -- which facts ---------------------------------------------------------------------------------------


def rank(seed: int, *parts: str) -> bytes:
    """A place in an order that depends on the seed and the parts alone."""
    return hashlib.blake2b(
        "\x00".join([str(seed), *parts]).encode("utf-8", "replace"), digest_size=8
    ).digest()


def _spread(facts: Sequence[Fact], seed: int) -> Iterator[Fact]:
    """Facts of all kinds in turn, each kind in an order of its own: gaps at the end of a sentence first.

    Names come in every second turn only: of a hundred questions that were read, 13 of 21 for names were good,
    73 of 79 for all else.
    """
    kinds: dict[str, list[Fact]] = {}
    for fact in sorted(facts, key=lambda f: (_is_in_the_middle(f), rank(seed, f.id))):
        kinds.setdefault(fact.kind, []).append(fact)
    turns = [
        (place * (2 if kind == "name" else 1), kind, fact)
        for kind, row in kinds.items()
        for place, fact in enumerate(row)
    ]
    return (fact for _, _, fact in sorted(turns, key=lambda turn: turn[:2]))


def _is_in_the_middle(fact: Fact) -> bool:
    return fact.kind in CLOZE_KINDS and not fact.ends_sentence and not unit_of(fact)


class _Limits:
    """Keeps one document, one sentence, one answer and one field from filling the questions."""

    def __init__(self, count: int, facts: Sequence[Fact]) -> None:
        sources = max(1, len({fact.source for fact in facts}))
        self._most_of_source = max(3, -(-4 * count // sources))
        self._most_of_label = max(2, count // 12)
        self._seen: Counter[tuple[str, str]] = Counter()

    def _places(self, fact: Fact) -> list[tuple[tuple[str, str], int]]:
        places = [(("source", fact.source), self._most_of_source), (("sentence", fact.sentence), 1)]
        if fact.kind == "field":
            return [*places, (("label", fact.label.casefold()), self._most_of_label)]
        return [
            *places,
            (("answer", fact.answer.casefold()), MOST_OF_ANSWER),
            (("subject", fact.subject.casefold() or fact.id), 1),
        ]

    def allow(self, fact: Fact) -> bool:
        return all(self._seen[place] < most for place, most in self._places(fact))

    def note(self, fact: Fact) -> None:
        self._seen.update(place for place, _ in self._places(fact))


# -- multiple choice -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A fact, and whether its subject is asked for instead of its answer."""

    fact: Fact
    asks_subject: bool

    @property
    def question(self) -> Question:
        return subject_question(self.fact) if self.asks_subject else question_of(self.fact)


def asks_subject(fact: Fact, seed: int) -> bool:
    """Half of the definitions are asked for the term, half for the meaning."""
    return fact.kind == "definition" and rank(seed, "direction", fact.id)[0] % 2 == 0


def _pools(facts: Sequence[Fact]) -> dict[bool, Pool]:
    """The pool of answers, and under True that of the subjects of definitions."""
    answers = Pool(lambda fact: fact.answer, lambda fact: fact.alike).add(filter(_may_choose, facts))
    subjects = Pool(lambda fact: fact.subject, subject_class).add(f for f in facts if f.kind == "definition")
    return {False: answers, True: subjects}


def _may_choose(fact: Fact) -> bool:
    """Whether a fact can stand in a choice: a name that no list knows may name anything, unless of two words."""
    is_known = fact.kind != "name" or not fact.alike[1].startswith("after") or fact.alike[2] == "2 words"
    return fact.kind != "section" and is_known


def subject_class(fact: Fact) -> tuple[str, ...]:
    """The class of a definition's subject."""
    if fact.subject.startswith("`"):
        return ("symbol", code_class(fact.subject))
    return ("subject", *term_class(fact.subject))


def _choice_item(asked: _Asked, wrong: Sequence[str], seed: int) -> Item:
    question, id = asked.question, asked.fact.id
    choices = sorted([question.answer, *wrong], key=lambda choice: rank(seed, id, choice))
    return Item(
        id=f"{SKILL}-{id}",
        skill=SKILL,
        kind="choice",
        messages=question.messages,
        prompt=question.prompt,
        choices=[choice + question.unit for choice in choices],
        answer=choices.index(question.answer),
        chance=1 / len(choices),
    )
