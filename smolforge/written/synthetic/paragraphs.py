"""Facts put together into connected sentences: the layer between single facts and whole texts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache

from smolforge.written.synthetic import familiar
from smolforge.written.synthetic.facts import ANSWERS, BY_KIND, FACTS
from smolforge.written.synthetic.kinds import KINDS
from smolforge.written.synthetic.relations import Relation, is_held_out, told
from smolforge.written.synthetic.wording import sentence

Fact = tuple[Relation, str, str]
Chosen = Callable[[Relation, str], bool]


@cache
def facts_of(kind: str, subject: str) -> tuple[Fact, ...]:
    """Every fact we know of a subject."""
    return tuple(
        (relation, subject, ANSWERS[relation.name][subject])
        for relation in BY_KIND[kind]
        if subject in ANSWERS[relation.name]
    )


@cache
def asked_pairs(relation: Relation) -> tuple[Fact, ...]:
    """The facts of a relation that training data may ask about; the others are only told, never asked."""
    return tuple(
        (relation, subject, answer) for subject, answer in relation.pairs if may_ask(relation, subject)
    )


@cache
def may_ask(relation: Relation, subject: str) -> bool:
    """Whether training data may ask this question."""
    return not is_held_out(relation.key(subject))


@cache
def _asked_facts(kind: str, chosen: Chosen | None) -> tuple[Fact, ...]:
    relations = FACTS if kind == "any" else BY_KIND[kind]
    return tuple(fact for relation in relations for fact in _asked_of_relation(relation, chosen))


@cache
def _asked_of_relation(relation: Relation, chosen: Chosen | None) -> tuple[Fact, ...]:
    return tuple(fact for fact in asked_pairs(relation) if chosen is None or chosen(relation, fact[1]))


def some_asked(rng: random.Random, kind: str, count: int) -> list[Fact]:
    """`count` different facts (or all there are) that may be asked, mostly familiar ones. Kind "any" often takes a
    relation first, so that small tables are asked about as well."""
    chosen: Chosen | None = familiar.is_core
    if not isinstance(rng, familiar.CoreChance):
        chosen = familiar.is_familiar if rng.random() < familiar.FAMILIAR_SHARE else None
    pool = _asked_facts(kind, chosen)
    if kind != "any":
        return rng.sample(pool, min(count, len(pool)))
    found: dict[str, Fact] = {}
    while len(found) < count:
        of_one = _asked_of_relation(rng.choice(FACTS), chosen) if rng.random() < 0.4 else ()
        fact = rng.choice(of_one or pool)
        found[fact[0].key(fact[1])] = fact
    return list(found.values())


@cache
def _openers(relation: Relation) -> tuple[str, ...]:
    """Wordings that name one subject before the answer, so that a following "it" can only mean the subject."""
    clear = tuple(way for way in relation.statements if "{pl_s}" not in way and _subject_is_first(way))
    return clear or relation.statements


def _subject_is_first(way: str) -> bool:
    before = way.partition("{a}")[0].partition("{an_a}")[0]
    return any(mark in before for mark in ("{s}", "{an_s}", "{the_s}", "{pos_s}"))


def state(rng: random.Random, fact: Fact) -> str:
    """The fact in a sentence that names its subject."""
    relation, subject, answer = fact
    return told(rng.choice(relation.statements), subject, answer)


def opener(rng: random.Random, fact: Fact) -> str:
    """The fact in a sentence that names its subject in the singular, so that "it" can follow."""
    relation, subject, answer = fact
    return told(rng.choice(_openers(relation)), subject, answer)


def follow(rng: random.Random, fact: Fact) -> str:
    """The fact in a sentence that says "it" of a subject named before."""
    relation, subject, answer = fact
    return told(rng.choice(relation.follow_ups or relation.statements), subject, answer)


def ask(rng: random.Random, fact: Fact) -> str:
    """A question whose answer is this fact; only for facts that may be asked."""
    relation, subject, answer = fact
    return told(rng.choice(relation.questions), subject, answer)


def follow_clause(rng: random.Random, fact: Fact) -> str | None:
    """The fact as a clause after "and", or nothing where no wording of it fits."""
    relation, subject, answer = fact
    ways = [
        way
        for way in relation.follow_ups
        if way.startswith(("Its ", "It ", "{he} ", "{his} ", "The ", "People "))
    ]
    if not ways:
        return None
    text = told(rng.choice(ways), subject, answer)
    return text[0].lower() + text[1:].rstrip(".")


_JOINS = (" In addition, ", " Also, ", " Besides, ", " What is more, ", " Furthermore, ")


def about(rng: random.Random, kind: str, subject: str, most: int, level: str = "middle") -> list[str]:
    """Up to `most` facts of a subject as sentences that follow each other. `level` child keeps them short,
    college joins them into longer ones."""
    facts = list(facts_of(kind, subject))
    rng.shuffle(facts)
    facts = facts[:most]
    facts.sort(key=lambda fact: fact[0].name == "neighbour")  # after two countries, "it" would not be clear
    sentences = [opener(rng, facts[0])]
    index = 1
    while index < len(facts):
        joined = (
            index + 1 < len(facts)
            and level != "child"
            and rng.random() < (0.6 if level == "college" else 0.3)
        )
        text = follow(rng, facts[index])
        clause = follow_clause(rng, facts[index + 1]) if joined and ", and" not in text else None
        if clause:
            text = f"{text.rstrip('.')}, and {clause}."
            index += 1
        elif (
            level == "college" and rng.random() < 0.15 and text.startswith(("Its ", "It ", "The ", "People "))
        ):
            text = f"{rng.choice(_JOINS).strip()} {text[0].lower()}{text[1:]}"
        sentences.append(text)
        index += 1
    same = same_answer(rng, facts[-1])
    if same and rng.random() < 0.3:
        sentences.append(same)
    return sentences


@cache
def _sharing(relation: Relation, answer: str) -> tuple[str, ...]:
    return tuple(subject for subject, other in relation.pairs if other == answer)


_SAME = (
    "The same is true of {0}.",
    "The same can be said of {0}.",
    "This is also true of {0}.",
    "{0} is another example.",
)


def same_answer(rng: random.Random, fact: Fact) -> str | None:
    """ "The same is true of Chile.", where another subject has the same answer."""
    relation, subject, answer = fact
    others = [other for other in _sharing(relation, answer) if other != subject]
    if not others:
        return None
    other = rng.choice(others)
    named = other if other[:1].isupper() or other.startswith("the ") else f"the {other}"
    if relation.kind in ("word", "noun", "verb", "thing", "symbol"):
        return None
    if relation.kind == "element":
        named = other
    return sentence(rng.choice(_SAME).format(named))


_CLASS_WORDS = {"mammal": "Mammals", "bird": "Birds", "reptile": "Reptiles", "amphibian": "Amphibians", "fish": "Fish",
                "insect": "Insects"}  # fmt: skip


def fitting_ideas(rng: random.Random, kind: str, subjects: Sequence[str]) -> list[str]:
    """General truths in random order, without those that belong to other groups of animals than the subjects."""
    ideas = list(KINDS[kind].ideas)
    if kind == "animal":
        groups = {_CLASS_WORDS.get(ANSWERS["animal class"][subject], "") for subject in subjects}
        eaters = {ANSWERS["diet"][subject] for subject in subjects}
        unfit = [word for word in _CLASS_WORDS.values() if word not in groups]
        unfit += ["An animal that eats only"] if "only plants" not in eaters else []
        unfit += ["An animal that eats other"] if "other animals" not in eaters else []
        ideas = [idea for idea in ideas if not idea.startswith(tuple(unfit))]
    rng.shuffle(ideas)
    return ideas


def question_and_answer(rng: random.Random, fact: Fact, form: str = "plain") -> str:
    """One exercise: the question and its short answer, or a whole-sentence answer in form "sentence"."""
    question = ask(rng, fact)
    if form == "sentence" or fact[0].name.endswith("note"):
        return f"Question: {question}\nAnswer: {state(rng, fact)}"
    if form == "letters":
        return f"Q: {question}\nA: {sentence(fact[2])}."
    return f"Question: {question}\nAnswer: {fact[2]}"
