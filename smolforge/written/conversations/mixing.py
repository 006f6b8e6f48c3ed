"""The components mixed into one data set, and the items and chats that are kept from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from smolforge.errors import ConfigError
from smolforge.evals.task import Item, item_to_plain
from smolforge.written.conversations import (
    constraints,
    everyday,
    function_calling,
    reading,
    rewriting,
    summarising,
    system_prompts,
)
from smolforge.written.conversations.baselines import blind_chance, is_copy_right
from smolforge.written.conversations.chat import Chat, Component, is_held_out, plain_prompt

Row = dict[str, Any]

COMPONENTS: Mapping[str, Component] = {
    "everyday": everyday.make,
    "system": system_prompts.make,
    "instructions": constraints.make,
    "rewriting": rewriting.make,
    "summarising": summarising.make,
    "tools": function_calling.make,
    "reading": reading.make,
}
# Skills whose chats the generators of `smolforge.written.synthetic` make.
SYNTHETIC_SKILLS = ("mathematics", "code", "knowledge")
SKILLS = (*COMPONENTS, *SYNTHETIC_SKILLS)
ITEM_SKILLS = ("instructions", "rewriting", "summarising", "tools")

# Chosen, untested: near SmolTalk in kind, with more of the copying tasks that a small model finds hard.
DEFAULT_SHARES: Mapping[str, float] = {
    "everyday": 0.14,
    "system": 0.07,
    "instructions": 0.16,
    "rewriting": 0.17,
    "summarising": 0.10,
    "tools": 0.09,
    "reading": 0.06,
    "mathematics": 0.10,
    "code": 0.05,
    "knowledge": 0.06,
}
MIXED_SHARE = 0.08
PROSE_SEED = 1_000_000
"""Added to the seed of pre-training chats, so that equal seeds do not give the rows of the tuning set."""
_MIXABLE = ("instructions", "rewriting", "summarising")
_MAX_TRIES = 200


def conversations(
    seed: int,
    count: int,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    *,
    mixed_share: float = MIXED_SHARE,
    core: bool = False,
) -> Iterator[Row]:
    """`count` training rows, skills in the given shares and in a fixed order; no content that is held out.

    A row is {"id", "skill", "messages", "tools"} and, where the answer can be checked, "item". In
    `mixed_share` of the rows without tools and system message an unrelated task comes first. `core`: questions on facts
    ask about few subjects (`synthetic.familiar`).
    Raises ConfigError for an unknown skill or shares that do not add up to 1.
    """
    _check_shares(shares)
    skills = _skill_order(seed, count, shares)
    sources = {skill: _rows_of(skill, seed, skills.count(skill), core) for skill in shares}
    for index, skill in enumerate(skills):
        draw = Random(f"mix/{seed}/{index}")
        row = next(sources[skill])
        if draw.random() < mixed_share:
            row = _after_another_task(draw, row)
        yield row


def chat_prose(seed: int, count: int) -> Iterator[Row]:
    """Rows for the pre-training domain `chat`: the same contents held out, other rows than tuning sees."""
    shares = {skill: share for skill, share in DEFAULT_SHARES.items() if skill in COMPONENTS}
    whole = sum(shares.values())
    shares = {skill: share / whole for skill, share in shares.items()}
    for row in conversations(seed + PROSE_SEED, count, shares):
        yield {**row, "id": f"prose-{row['id']}"}


def held_out_chats(seed: int, count: int) -> Iterator[Row]:
    """Whole conversations with contents that training never sees, the components in turn."""
    names = tuple(COMPONENTS)
    for index in range(count):
        skill = names[index % len(names)]
        chat = _draw(skill, Random(f"held-out-chat/{seed}/{index}"), held_out=True)
        yield _row(f"{skill}-held-{seed}-{index:06d}", skill, chat)


def items(skill: str, seed: int, count: int) -> list[Item]:
    """`count` held-out questions of a skill, each with another content and its measured chance."""
    if skill not in ITEM_SKILLS:
        raise ConfigError(
            f"no items of skill `{skill}`", where="items", fix=f"one of {', '.join(ITEM_SKILLS)}"
        )
    found: list[Item] = []
    seen: set[tuple[str, ...]] = set()
    for index in range(count * _MAX_TRIES):
        if len(found) == count:
            break
        chat = _draw(skill, Random(f"item/{skill}/{seed}/{index}"), held_out=True)
        if chat.item is None or len(chat.keys) != 1 or chat.keys in seen or is_copy_right(chat.item):
            continue
        seen.add(chat.keys)
        found.append(replace(chat.item, id=f"{skill}-item-{seed}-{len(found):05d}"))
    if len(found) < count:
        raise ConfigError(
            f"only {len(found)} different held-out questions of `{skill}`, {count} wanted",
            fix="ask for fewer",
        )
    return [replace(item, chance=blind_chance(item, found)) for item in found]


# -- rows ---------------------------------------------------------------------------------------------------


def _rows_of(skill: str, seed: int, count: int, core: bool) -> Iterator[Row]:
    if skill in COMPONENTS:
        return _own_rows(skill, seed, count)
    return _synthetic_rows(skill, seed, count, core)


def _own_rows(skill: str, seed: int, count: int) -> Iterator[Row]:
    """Rows of one component; a chat seen before is drawn again while there are new ones to find."""
    seen: set[bytes] = set()
    for index in range(count):
        draw = Random(f"{skill}/{seed}/{index}")
        chat = _draw(skill, draw, held_out=False)
        for _ in range(5):
            digest = _digest(chat)
            if digest not in seen:
                break
            chat = _draw(skill, draw, held_out=False)
        seen.add(_digest(chat))
        yield _row(f"{skill}-{seed}-{index:06d}", skill, chat)


def _synthetic_rows(skill: str, seed: int, count: int, core: bool) -> Iterator[Row]:
    from smolforge.written.synthetic import chats

    makers: Mapping[str, Callable[[int, int], Iterator[Row]]] = {
        "mathematics": chats.mathematics_chats,
        "code": chats.code_chats,
        "knowledge": partial(chats.knowledge_chats, core=core),
    }
    for row in makers[skill](seed, count):
        yield {**row, "skill": skill, "tools": row.get("tools", [])}


def _draw(skill: str, draw: Random, *, held_out: bool) -> Chat:
    """A chat on the wanted side of the split: all contents held out, or none."""
    make = COMPONENTS[skill]
    while True:
        chat = make(draw)
        sides = {is_held_out(key) for key in chat.keys}
        if sides == {held_out}:
            return chat


def _row(name: str, skill: str, chat: Chat) -> Row:
    row: Row = {"id": name, "skill": skill, "messages": list(chat.messages), "tools": list(chat.tools)}
    if chat.item is not None:
        row["item"] = item_to_plain(replace(chat.item, id=name))
    return row


def _digest(chat: Chat) -> bytes:
    return hashlib.sha256(json.dumps([chat.messages, chat.tools]).encode()).digest()


def _after_another_task(draw: Random, row: Row) -> Row:
    """The row with an unrelated task before it; its item, if any, still asks for the last answer."""
    if row["tools"] or row["messages"][0]["role"] == "system":
        return row
    skill = draw.choice(_MIXABLE)
    before = list(_draw(skill, draw, held_out=False).messages)
    mixed = {**row, "id": f"{row['id']}-after-{skill}", "messages": [*before, *row["messages"]]}
    if "item" in row:
        messages = [*before, *row["item"]["messages"]]
        mixed["item"] = {
            **row["item"],
            "id": mixed["id"],
            "messages": messages,
            "prompt": plain_prompt(messages),
        }
    return mixed


# -- shares ---------------------------------------------------------------------------------------------------


def _check_shares(shares: Mapping[str, float]) -> None:
    for skill, share in shares.items():
        if skill not in SKILLS:
            raise ConfigError(f"unknown skill `{skill}`", where="shares", fix=f"one of {', '.join(SKILLS)}")
        if share < 0:
            raise ConfigError(f"the share of `{skill}` is {share}", where="shares", fix="give 0 or more")
    whole = sum(shares.values())
    if abs(whole - 1) > 1e-6:
        raise ConfigError(f"the shares add up to {whole:g}", where="shares", fix="make them add up to 1")


def _skill_order(seed: int, count: int, shares: Mapping[str, float]) -> Sequence[str]:
    """The skill of each row: exact shares by largest remainder, shuffled."""
    exact = {skill: share * count for skill, share in shares.items()}
    counts = {skill: int(value) for skill, value in exact.items()}
    by_remainder = sorted(exact, key=lambda skill: (counts[skill] - exact[skill], skill))
    for skill in by_remainder[: count - sum(counts.values())]:
        counts[skill] += 1
    order = [skill for skill in shares for _ in range(counts[skill])]
    Random(f"order/{seed}").shuffle(order)
    return order
