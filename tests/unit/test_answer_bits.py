"""Bits of gold answers: what counts as one, and that better models need fewer."""

from __future__ import annotations

import math

import pytest

from smolforge.evals.answer_bits import answer_bits, bits_scores, gold_answer, spent_tokens
from smolforge.evals.task import Item
from smolforge.language_model import Logprob

ASKED = [{"role": "user", "content": "?"}]


def item(kind, **more):
    return Item(id="1", skill="s", kind=kind, messages=ASKED, prompt="Q:", **more)


@pytest.mark.parametrize(
    ("one", "form", "gold"),
    [
        (item("choice", choices=["a", "b"], answer=1), "text", "b"),
        (item("exact", answer=["12", "twelve"]), "text", "12"),
        (item("exact", answer="#### 18"), "text", "18"),
        (item("exact", answer="12", reference="5 and 7. The answer is 12."), "chat", "5 and 7. The answer is 12."),
        (item("checks", answer="three words here"), "chat", "three words here"),
        (item("checks"), "chat", None),
        (item("code", answer="assert f() == 1"), "text", None),
        (item("code", answer="assert f() == 1", reference="    return 1"), "text", "    return 1"),
        (
            item("tool_call", answer={"name": "look", "arguments": {"at": "x"}}),
            "chat",
            '<tool_call>{"name": "look", "arguments": {"at": "x"}}</tool_call>',
        ),
        (item("tool_call", answer=[]), "chat", None),
    ],
)  # fmt: skip
def test_the_gold_answer_of_every_kind(one, form, gold):
    assert gold_answer(one, form) == gold


def test_code_is_answered_in_a_block_in_chat():
    one = Item(
        id="1",
        skill="s",
        kind="code",
        messages=ASKED,
        prompt="def f():\n",
        answer="",
        reference="    return 1",
    )
    assert gold_answer(one, "chat") == "```python\ndef f():\n    return 1\n```"


class Letters:
    """A tokenizer of bytes."""

    start_id, end_ids = 0, (1,)

    def encode(self, text, allow_special=False):
        return list(text.encode())

    def encode_chat(self, messages, tools=None, add_generation_prompt=False):
        return list(str(messages[-1]["content"]).encode()), []


class Certain:
    """A model that gives every byte the same probability."""

    def __init__(self, bits):
        self.bits = bits

    def logprobs(self, prompts, continuations):
        return [Logprob(-self.bits * len(c) * math.log(2), len(c), False) for c in continuations]


def test_bits_are_per_byte_of_the_answer_and_reading_costs_a_third():
    items = [item("exact", answer="four"), item("exact", answer="seventeen"), item("checks")]
    found = answer_bits(Certain(3.0), Letters(), items, "text")
    assert len(found) == 2
    score = bits_scores(found)[0]
    assert score.value == pytest.approx(3.0 * 15 / 13)  # a space before each word
    assert score.items == 2
    positions = sum(len("Q:") + 1 + len(a) + 1 for a in ("four", "seventeen"))
    assert spent_tokens(found) == math.ceil(positions / 3)
    assert bits_scores(answer_bits(Certain(2.0), Letters(), items, "text"))[0].value < score.value
