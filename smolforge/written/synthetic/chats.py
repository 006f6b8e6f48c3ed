"""The training side of the three skills as conversations: a question, and an answer in short whole sentences."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from smolforge.evals.task import Item, item_to_plain
from smolforge.written.files import texts, ways_of
from smolforge.written.synthetic import exercises_code, familiar, questions
from smolforge.written.synthetic import paragraphs as para
from smolforge.written.synthetic.code_functions import function
from smolforge.written.synthetic.mathematics import problem
from smolforge.written.synthetic.wording import sentence

Row = dict[str, Any]
_WAYS = ways_of(texts("conversations"))


def _row(name: str, skill: str, messages: list[Row], item: Item | None) -> Row:
    row: Row = {"id": name, "skill": skill, "messages": messages, "tools": []}
    if item is not None:
        row["item"] = item_to_plain(item)
    return row


def _user(text: str) -> Row:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Row:
    return {"role": "assistant", "content": text}


def knowledge_chats(seed: int, count: int, core: bool = False) -> Iterator[Row]:
    """Questions on facts; about a fifth ask for two or three facts in a row. Held-out questions never occur."""
    for index in range(count):
        rng = (familiar.CoreChance if core else random.Random)(f"{seed}/chats/knowledge/{index}")
        facts = para.some_asked(rng, "any", rng.choice((1, 1, 1, 1, 2, 3)))
        messages: list[Row] = []
        question = ""
        for place, fact in enumerate(facts):
            question = para.ask(rng, fact)
            messages += [
                _user(rng.choice(_WAYS["questions"]).format(question) if place == 0 else question),
                _assistant(_told(rng, fact)),
            ]
        item = None
        if facts[-1][0].askable:
            item = questions.knowledge_item(rng, facts[-1], f"knowledge-{seed}-{index:06d}", question)
            messages_of_item = [*messages[:-1], *item.messages[1:]]
            item = replace(item, messages=messages_of_item)
        elif rng.random() < 0.3:
            messages += [_user(rng.choice(_WAYS["thanks"])), _assistant(rng.choice(_WAYS["welcome"]))]
        yield _row(f"knowledge-{seed}-{index:06d}", "knowledge", messages, item)


def _told(rng: random.Random, fact: para.Fact) -> str:
    """The fact as an answer: mostly the sentence that held-out questions leave open, at times two sentences."""
    relation, subject, answer = fact
    first = questions.stem(relation, subject, answer)
    ways = [way for way in relation.statements if "{a}" in way and "{an_a}" not in way]
    if first and rng.random() < 0.5 and ways:
        chosen = next(way for way in ways if len(way.partition("{a}")[0]) > 8)
        text = para.told(chosen, subject, answer)
    else:
        text = para.state(rng, fact)
    others = [
        other
        for other in para.facts_of(relation.kind, subject)
        if other[0] is not relation and other[0].follow_ups
    ]
    if others and relation.follow_ups and "{pl_s}" not in text and rng.random() < 0.15:
        opened = para.opener(rng, fact)
        text = f"{opened} {para.follow(rng, rng.choice(others))}"
    return text


def mathematics_chats(seed: int, count: int) -> Iterator[Row]:
    """Problems with brief steps and "The answer is N."; some are followed by a second problem."""
    for index in range(count):
        rng = random.Random(f"{seed}/chats/mathematics/{index}")
        messages: list[Row] = []
        for place in range(rng.choice((1, 1, 1, 1, 2))):
            found = problem(rng)
            lead = (
                rng.choice(("{0}", "{0}", "{0}", "{0}", "Can you help me? {0}", "{0} Show the steps."))
                if place == 0
                else "{0}"
            )
            messages += [_user(lead.format(found.question)), _assistant(found.solution)]
        item = replace(
            questions.mathematics_item(found, f"mathematics-{seed}-{index:06d}"), messages=messages[:-1]
        )
        yield _row(item.id, "mathematics", messages, item)


def code_chats(seed: int, count: int) -> Iterator[Row]:
    """Tasks answered with a function in a fenced block, often with an example or a word on how it works."""
    for index in range(count):
        rng = random.Random(f"{seed}/chats/code/{index}")
        one = function(rng)
        asked = exercises_code.ask(rng, one)
        loop = bool(one.loop) and rng.random() < 0.1
        if loop:
            asked = f"{asked} Use a loop."
        code = one.source(loop=loop, docstring=rng.random() < 0.5).rstrip()
        parts = [f"```python\n{code}\n```"]
        if rng.random() < 0.3:
            parts.insert(
                0, rng.choice(("Here is the function:", "This function does it:", sentence("here you are:")))
            )
        if rng.random() < 0.4:
            parts.append(exercises_code.shown(rng, one))
        item = questions.code_item(rng, one, f"code-{seed}-{index:06d}", asked)
        yield _row(item.id, "code", [_user(asked), _assistant("\n\n".join(parts))], item)
