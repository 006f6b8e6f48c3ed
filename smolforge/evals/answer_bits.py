"""Bits of the gold answers: how well a model knows what it should say, long before it says it.

A share of right answers stands at chance for most of a small model's training; the bits of the right answer fall
from the first step on, need no generation, and are compared in pairs. They decide; shares are reported.
Source of measuring likelihoods instead of accuracies on small models: DataDecide, arXiv:2504.11393.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from smolforge.evals import stats
from smolforge.evals.grade import Form
from smolforge.evals.score import (
    UNIFORM_BITS_PER_BYTE,
    HeldOutText,
    Judged,
    TokenCoder,
    answer_bytes,
    prompt_ids,
    text_bits,
)
from smolforge.evals.task import Item, Score
from smolforge.language_model import LanguageModel
from smolforge.text.chat import END_TOOL_CALL, TOOL_CALL

FORWARD_SHARE = 1 / 3
"""What reading a token costs against training on it: forward without backward."""


@dataclass(frozen=True)
class Bits:
    """What one item's gold answer, or one text, costs the model. `positions` went through the model for it."""

    skill: str
    id: str
    bits: float
    bytes: int
    positions: int


def gold_answer(item: Item, form: Form) -> str | None:
    """The answer as the model should write it; None where the item has only a test for one."""
    if item.kind == "choice":
        return str(item.choices[item.answer])
    if item.kind == "code":
        return _code(item, form) if item.reference else None
    if item.reference:
        return item.reference
    if item.kind == "tool_call":
        return _calls(item.answer)
    first = item.answer[0] if isinstance(item.answer, list | tuple) and item.answer else item.answer
    if not isinstance(first, str | int | float):
        return None
    return str(first).removeprefix("#### ") or None


def _code(item: Item, form: Form) -> str:
    """A base model goes on after the signature; a tuned one answers in a block."""
    if form == "text":
        return item.reference
    return f"```python\n{item.code_prefix or item.prompt}{item.reference}\n```"


def _calls(wanted: Any) -> str | None:
    calls = wanted if isinstance(wanted, list) else [wanted]
    if not calls or not all(isinstance(call, dict) for call in calls):
        return None
    return "\n".join(f"{TOOL_CALL}{json.dumps(call, ensure_ascii=False)}{END_TOOL_CALL}" for call in calls)


def answer_bits(
    model: LanguageModel, tok: TokenCoder, items: Sequence[Item], form: Form, start: bool = True
) -> list[Bits]:
    """The bits of every gold answer after its question; items without one are left out."""
    asked = [(item, gold) for item in items if (gold := gold_answer(item, form))]
    prompts, continuations = [], []
    for item, gold in asked:
        prompt, follows_word = prompt_ids(tok, item, form, start)
        text = f" {gold}" if follows_word and not gold[:1].isspace() else gold
        prompts.append(prompt)
        continuations.append(tok.encode(text, allow_special=item.kind == "tool_call"))
    found = model.logprobs(prompts, continuations)
    return [
        Bits(item.skill, item.id, -one.total / math.log(2), answer_bytes(gold), len(prompt) + one.tokens)
        for (item, gold), prompt, one in zip(asked, prompts, found, strict=True)
    ]


def with_answer_bits(
    model: LanguageModel, tok: TokenCoder, judged: Sequence[Judged], form: Form, start: bool = True
) -> list[Judged]:
    """The same with the bits of the gold answers that were not weighed with their choices."""
    asked = [one.item for one in judged if one.bits is None and gold_answer(one.item, form)]
    found = iter(answer_bits(model, tok, asked, form, start))
    waiting = {id(item) for item in asked}
    return [
        replace(one, bits=bits.bits, bytes=bits.bytes)
        if id(one.item) in waiting and (bits := next(found))
        else one
        for one in judged
    ]


def held_out_bits(
    model: LanguageModel, tok: TokenCoder, texts: Sequence[HeldOutText], window_tokens: int
) -> list[Bits]:
    """The bits of every text; the skill is `bits_<domain>`."""
    found = text_bits(model, tok, texts, window_tokens)
    return [
        Bits(f"bits_{text.domain}", text.id, bits, answer_bytes(text.text), len(tok.encode(text.text)))
        for text, bits in zip(texts, found, strict=True)
    ]


def bits_scores(found: Sequence[Bits]) -> list[Score]:
    """Bits per byte of every skill with its interval over items, in alphabetical order."""
    skills: dict[str, list[Bits]] = {}
    for one in found:
        skills.setdefault(one.skill, []).append(one)
    return [_score(skill, skills[skill]) for skill in sorted(skills)]


def _score(skill: str, found: Sequence[Bits]) -> Score:
    ratio = stats.ratio_interval([one.bits for one in found], [float(one.bytes) for one in found])
    return Score(
        skill=skill, value=ratio.value, low=max(0.0, ratio.low),
        high=min(UNIFORM_BITS_PER_BYTE * 2, ratio.high), chance=UNIFORM_BITS_PER_BYTE, items=len(found),
        unit="bits_per_byte", detail={"bytes": float(sum(one.bytes for one in found))},
    )  # fmt: skip


def spent_tokens(found: Sequence[Bits]) -> int:
    """What the measuring cost, in tokens trained."""
    return math.ceil(sum(one.positions for one in found) * FORWARD_SHARE)
