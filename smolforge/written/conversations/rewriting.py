"""Rewriting: chats that ask for a sentence in another form, and the answer."""

from __future__ import annotations

from random import Random
from typing import Any

from smolforge.evals.grade import rouge_l
from smolforge.evals.task import Item
from smolforge.written.conversations.chat import Chat, assistant, key_of, lower_first, plain_prompt, user
from smolforge.written.conversations.rewrites import Rewrite, draw_chain, draw_rewrite
from smolforge.written.conversations.slots import words
from smolforge.written.files import texts, ways_of

# One wrong word in ten is forgiven; measured: with 0.8, leaving out two words passed a third of the items.
MIN_THRESHOLD = 0.9

_ASKS = ways_of(texts("conversations"))["rewrite_asks"]
_THANKS = (("Thank you!", "You are welcome!"), ("Thanks.", "You are welcome."), ("Great, thank you.", "Happy to help!"),
           ("Perfect, thanks!", "Any time!"))  # fmt: skip


def _ask(draw: Random, task: Rewrite) -> str:
    template = draw.choice(_ASKS)
    is_verb_first = task.order.split()[0] in _VERBS_OF_ORDERS
    if "{low}" in template and (not is_verb_first or "." in task.order):
        template = _ASKS[0]
    return template.format(order=task.order, low=lower_first(task.order), source=task.source)


_VERBS_OF_ORDERS = frozenset(
    words(
        "Put Rewrite Change Write Turn Make Say Correct Fix Check Add Shorten Remove Join Combine Replace "
        "Tell"
    )
)


def _key(task: Rewrite) -> str:
    return key_of("rewrite", task.name, task.target)


def _item(task: Rewrite, messages: list[dict[str, Any]]) -> Item:
    """Right means nearly word for word, and more than half the way from the copied sentence to the wanted one."""
    threshold = round(max(MIN_THRESHOLD, (1 + rouge_l(task.source, task.target)) / 2), 4)
    # Copying must fail and the answer must not be guessed from capitals alone: then letter by letter.
    is_exact = task.is_exact or threshold > 0.97
    return Item(
        id="",
        skill="rewriting",
        kind="checks" if is_exact else "overlap",
        messages=messages,
        prompt=plain_prompt(messages),
        answer=task.target,
        checks=[
            {"name": "one_of", "args": {"options": [task.target]}},
            {"name": "exact_lines", "args": {"count": 1}},
        ]
        if is_exact
        else [],
        threshold=threshold,
        max_new_tokens=32,
    )


def _follow_up(draw: Random) -> Chat:
    """A sentence changed, and the result changed again."""
    first, second = draw_chain(draw)
    messages = [
        user(_ask(draw, first)),
        assistant(first.target),
        user(second.order),
        assistant(second.target),
    ]
    return Chat(tuple(messages), (_key(first), _key(second)), item=_item(second, messages[:-1]))


def make(draw: Random) -> Chat:
    """One sentence rewritten; now and then it is changed again, or another task follows, or thanks."""
    roll = draw.random()
    if roll < 0.12:
        return _follow_up(draw)
    tasks = [draw_rewrite(draw)]
    if roll < 0.28:
        tasks.append(draw_rewrite(draw))
    messages = []
    for task in tasks:
        messages += [user(_ask(draw, task)), assistant(task.target)]
    item = _item(tasks[-1], messages[:-1])
    if draw.random() < 0.08:
        asked, answer = draw.choice(_THANKS)
        return Chat((*messages, user(asked), assistant(answer)), tuple(map(_key, tasks)))
    return Chat(tuple(messages), tuple(map(_key, tasks)), item=item)
