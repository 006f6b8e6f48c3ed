"""What is asked of a model, and what came of it.

An `Item` is one held-out question. It carries its question in two forms: `prompt`, plain text for a
base model to continue, and `messages`, a conversation for a tuned model to answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, get_args

from smolforge.errors import InputError

Kind = Literal["choice", "greedy", "exact", "checks", "code", "tool_call", "overlap"]
Metric = Literal["share", "credit"]
Norm = Literal["character", "token", "sum"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One held-out question.

    kind      choice     the answer is `choices[answer]`; the choice with the highest log-probability wins, a
                         character, a token or in sum, as `norm` says; `contexts` has a prompt for each choice where they differ
              greedy     `choices` holds the answer alone; right where every token of it is the most probable one
              exact      by the rule of `evals.rules` that `rule` names; without one, the final number of the answer
                         equals `answer`, or its first line does where `answer` is no number; a list of texts
                         names aliases; `"#### 18"` asks for the mark
              checks     every `{"name", "args"}` in `checks` passes (`evals.checks`)
              code       `answer` is a program of assertions run in the sandbox after the model's code
              tool_call  the calls equal `answer` (`{"name", "arguments"}` or a list; empty: no call)
              overlap    word overlap (ROUGE-L F1) with `answer`, counted right from `threshold` upwards
    messages  may end with the assistant's turn left open: the answer goes on from there
    code_prefix  code: what stands before the model's code (a signature that `prompt` asks to complete)
    stops     text form: an answer ends where one of these begins; chat_stops: the same of the chat form, for questions
              with worked examples, after which a model goes on to write the next one
    chance    probability that a blind guess is right
    metric    what the skill's score is: the share of right answers, or their mean credit (word overlap, F1)
    reference  a good answer as the model would write it, where `answer` is none (a number without its working, a program
              that tests one)
    """

    id: str
    skill: str
    kind: Kind
    messages: Sequence[Mapping[str, Any]]
    prompt: str = ""
    choices: Sequence[str] = ()
    contexts: Sequence[str] = ()
    answer: Any = None
    norm: Norm = "character"
    rule: str = ""
    reference: str = ""
    checks: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Mapping[str, Any]] = ()
    code_prefix: str = ""
    stops: Sequence[str] = ()
    chat_stops: Sequence[str] = ()
    threshold: float = 0.5
    chance: float = 0.0
    metric: Metric = "share"
    max_new_tokens: int = 64


ITEM_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "skill": str,
    "kind": str,
    "messages": (list, tuple),
    "prompt": str,
    "choices": (list, tuple),
    "contexts": (list, tuple),
    "norm": str,
    "rule": str,
    "reference": str,
    "checks": (list, tuple),
    "tools": (list, tuple),
    "code_prefix": str,
    "stops": (list, tuple),
    "chat_stops": (list, tuple),
    "threshold": (int, float),
    "chance": (int, float),
    "metric": str,
    "max_new_tokens": int,
}


def item_from_plain(plain: Any, where: str) -> Item:
    """The item that a JSON object describes; `InputError` names the field that is wrong."""
    if not isinstance(plain, Mapping):
        raise InputError("a held-out item is not a JSON object", where=where)
    known = {f.name for f in fields(Item)}
    for name in plain:
        if name not in known:
            raise InputError(
                f"a held-out item has an unknown field `{name}`", where=where, fix=f"known: {sorted(known)}"
            )
    for name in ("id", "skill", "kind", "messages"):
        if name not in plain:
            raise InputError(f"a held-out item lacks `{name}`", where=where)
    for name, kind in ITEM_TYPES.items():
        if name in plain and not isinstance(plain[name], kind):
            raise InputError(f"a held-out item's `{name}` has the wrong type", where=where)
    item = Item(**plain)
    if item.kind not in get_args(Kind):
        raise InputError(f"there is no kind of item `{item.kind}`", where=where, fix=f"use {get_args(Kind)}")
    if item.kind == "choice" and not (isinstance(item.answer, int) and 0 <= item.answer < len(item.choices)):
        raise InputError("a choice item's `answer` is not the place of one of its choices", where=where)
    if item.contexts and len(item.contexts) != len(item.choices):
        raise InputError("an item's `contexts` are not one for each of its `choices`", where=where)
    if item.kind == "greedy" and len(item.choices) != 1:
        raise InputError("a greedy item has the answer as its only choice", where=where)
    if item.metric not in get_args(Metric):
        raise InputError(f"there is no metric `{item.metric}`", where=where, fix=f"use {get_args(Metric)}")
    if item.norm not in get_args(Norm):
        raise InputError(f"there is no norm `{item.norm}`", where=where, fix=f"use {get_args(Norm)}")
    return item


def item_to_plain(item: Item) -> dict[str, Any]:
    """The item as JSON values; fields at their default are left out."""
    plain = {}
    for spec in fields(Item):
        value = getattr(item, spec.name)
        if spec.default is MISSING or value != spec.default:
            plain[spec.name] = list(value) if isinstance(value, tuple) else value
    return plain


@dataclass(frozen=True, kw_only=True)
class Score:
    """One task's result. `low` and `high` bound a 95% interval; `unit` is `share` or `bits_per_byte`."""

    skill: str
    value: float
    low: float
    high: float
    chance: float
    items: int
    unit: str = "share"
    detail: Mapping[str, float] = field(default_factory=dict)
