"""Held-out questions of the three skills that our tables and grammars can answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from smolforge.errors import ConfigError
from smolforge.evals.task import Item
from smolforge.written.synthetic import code_functions, exercises_code
from smolforge.written.synthetic.code_functions import Function
from smolforge.written.synthetic.facts import FACTS
from smolforge.written.synthetic.familiar import is_core, is_familiar
from smolforge.written.synthetic.mathematics import problem
from smolforge.written.synthetic.problems import Problem
from smolforge.written.synthetic.relations import Relation, fields, is_held_out, told, wrong_answers

SKILLS = ("knowledge", "mathematics", "code")
CHOICES = 4
MATHEMATICS_CHANCE = 0.03
"""A guess that copies the commonest answer. Measured over held-out items: the commonest number is right 3% of the time."""
_TOPIC_SHARES = {
    "addition": 5, "subtraction": 4, "word problems": 5, "multiplication": 1, "division": 1, "comparing numbers": 1,
    "sequences": 1, "doubling and halving": 1, "rounding": 1, "units": 1,
}  # fmt: skip


def items(skill: str, seed: int, count: int, core: bool = False) -> list[Item]:
    """`count` different held-out items; those of knowledge about the core alone, where that is what is told of.

    knowledge    one right answer and three of the same relation; the fact is told in textbooks, its question never
                 asked; facts on familiar subjects come first, each once before any comes again
    mathematics  operands or scenes that training data never shows: about seven in ten take one easy step
    code         a composition of known pieces that training data never shows
    """
    makers: dict[str, Callable[[str, int, str], Item]] = {
        "knowledge": partial(_knowledge, core),
        "mathematics": _mathematics,
        "code": _code,
    }
    if skill not in makers:
        raise ConfigError(f"there are no generated items of `{skill}`", fix=f"use one of {', '.join(SKILLS)}")
    found: dict[str, Item] = {}
    for attempt in range(count * 50):
        item = makers[skill](f"{seed}/items/{skill}", attempt, f"{skill}-{seed}-{len(found):05d}")
        found.setdefault(str(item.messages[0]["content"]), item)
        if len(found) == count:
            break
    return list(found.values())


def _knowledge(core: bool, stream: str, attempt: int, name: str) -> Item:
    """Each fact once before any fact again, familiar subjects before the rest."""
    order = _asking_order(stream, core)
    return knowledge_item(random.Random(f"{stream}/{attempt}"), order[attempt % len(order)], name)


@cache
def _asking_order(stream: str, core: bool) -> tuple[tuple[Relation, str, str], ...]:
    facts = [
        (relation, subject, answer)
        for relation in FACTS
        if relation.askable
        for subject, answer in relation.pairs
        if is_held_out(relation.key(subject)) and (is_core(relation, subject) or not core)
    ]
    random.Random(stream).shuffle(facts)
    return tuple(sorted(facts, key=lambda fact: not is_familiar(fact[0], fact[1])))


def stem(relation: Relation, subject: str, answer: str) -> str:
    """The beginning of a sentence that the answer continues: "The capital of Peru is"; empty where none fits."""
    for way in relation.statements:
        before, mark, _ = way.partition("{a}")
        if mark and len(before) > 8 and "{an_a}" not in way and before.endswith(" "):
            values = fields(subject, answer)
            text = before.rstrip().format_map(values)
            return text[:1].upper() + text[1:]
    return ""


def knowledge_item(
    rng: random.Random, fact: tuple[Relation, str, str], name: str, question: str = ""
) -> Item:
    """A question with four answers of one relation. The chat form leaves the answering sentence open."""
    relation, subject, answer = fact
    asked = question or told(rng.choice(relation.questions), subject, answer)
    choices = [answer, *wrong_answers(rng, relation, subject, CHOICES - 1)]
    rng.shuffle(choices)
    messages = [{"role": "user", "content": asked}]
    opened = stem(relation, subject, answer)
    if opened:
        messages.append({"role": "assistant", "content": opened})
    return Item(
        id=name, skill="knowledge", kind="choice", messages=messages, prompt=f"Question: {asked}\nAnswer:",
        choices=[f" {choice}" for choice in choices], answer=choices.index(answer), chance=1 / CHOICES, max_new_tokens=32,
    )  # fmt: skip


def _mathematics(stream: str, attempt: int, name: str) -> Item:
    rng = random.Random(f"{stream}/{attempt}")
    topic = rng.choices(tuple(_TOPIC_SHARES), tuple(_TOPIC_SHARES.values()))[0]
    found = problem(rng, topic, kept=True)
    while found.level > 1 and rng.random() < 0.5:
        found = problem(rng, topic, kept=True)
    return mathematics_item(found, name)


def mathematics_item(found: Problem, name: str) -> Item:
    """A problem with one number as its answer."""
    chance = 0.5 if found.topic == "compare" else MATHEMATICS_CHANCE
    return Item(
        id=name, skill="mathematics", kind="exact", messages=[{"role": "user", "content": found.question}],
        prompt=f"Question: {found.question}\nAnswer:", answer=found.answer, chance=chance, max_new_tokens=96,
        stops=["\nQuestion:", "\n\n"], reference=found.solution,
    )  # fmt: skip


def _code(stream: str, attempt: int, name: str) -> Item:
    rng = random.Random(f"{stream}/{attempt}")
    return code_item(rng, code_functions.function(rng, kept=True), name)


def code_item(rng: random.Random, one: Function, name: str, question: str = "") -> Item:
    """A function to write: the base model completes signature and docstring, the tuned one answers in a block."""
    asked: list[dict[str, Any]] = [{"role": "user", "content": question or exercises_code.ask(rng, one)}]
    return Item(
        id=name, skill="code", kind="code", messages=asked, prompt=f'{one.signature}\n    """Return {one.task}."""\n',
        answer=one.asserts(), chance=0.0, max_new_tokens=96, reference=one.body,
    )  # fmt: skip
