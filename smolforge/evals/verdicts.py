"""Open questions judged by another model: ratings from 1 to 10 (MT-Bench), and which of two answers is better.

A judge's words become a verdict by the published patterns. A reply without a verdict is broken: it is left out of the
score and counted beside it. Pairs are asked in both orders; where the orders disagree nobody wins.
Source: Zheng et al., "Judging LLM-as-a-judge with MT-Bench and Chatbot Arena", arXiv:2306.05685.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from smolforge.errors import InputError
from smolforge.evals import stats
from smolforge.evals.judge import Judge, Message
from smolforge.evals.task import Score

RATINGS = (re.compile(r"\[\[(\d+\.?\d*)\]\]"), re.compile(r"\[(\d+\.?\d*)\]"))
LOWEST, HIGHEST = 1.0, 10.0
WINNER = re.compile(r"\[\[([ABC])\]\]")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
NEED_REFERENCE = ("math", "reasoning", "coding", "arena-hard-200")
PAIR = "pair-v2"

Template = Mapping[str, str]
Told = Callable[[int], None] | None


@dataclass(frozen=True)
class OpenQuestion:
    """A question of one or more turns. `references`: good answers to the turns, where they are known."""

    id: str
    category: str
    turns: Sequence[str]
    references: Sequence[str] = ()
    temperature: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What a judge made of one question; `value` is None for a broken reply."""

    id: str
    category: str
    value: float | None
    replies: Sequence[str]


# -- ratings -------------------------------------------------------------------------------------------


def rating(reply: str) -> float | None:
    """The first rating in double brackets, else in single ones; None where there is none between 1 and 10."""
    found = next((match for pattern in RATINGS if (match := pattern.search(reply))), None)
    value = float(found.group(1)) if found else None
    return value if value is not None and LOWEST <= value <= HIGHEST else None


def rate(
    judge: Judge,
    templates: Mapping[str, Template],
    questions: Sequence[OpenQuestion],
    answers: Sequence[Sequence[str]],
    told: Told = None,
) -> list[Verdict]:
    """A rating for every turn of every question."""
    asked, owners = [], []
    for question, said in zip(questions, answers, strict=True):
        for turn in range(len(question.turns)):
            asked.append(_rating_request(templates, question, said, turn))
            owners.append((f"{question.id}-{turn + 1}", question.category))
    replies = judge.ask_all(asked, told)
    return [
        Verdict(id, category, rating(reply), [reply])
        for (id, category), reply in zip(owners, replies, strict=True)
    ]


def _rating_request(
    templates: Mapping[str, Template], question: OpenQuestion, said: Sequence[str], turn: int
) -> list[Message]:
    """The published prompt: with the reference where the category has one, with both turns for the second."""
    kind = "math-" if question.references and question.category in NEED_REFERENCE else ""
    words = {"question": question.turns[0], "answer": said[0]}
    words |= {f"question_{n}": text for n, text in enumerate(question.turns, start=1)}
    words |= {f"answer_{n}": text for n, text in enumerate(said, start=1)}
    words |= {f"ref_answer_{n}": text for n, text in enumerate(question.references, start=1)}
    return filled(templates, f"single-{kind}v1{'-multi-turn' if turn else ''}", words)


def filled(templates: Mapping[str, Template], name: str, words: Mapping[str, str]) -> list[Message]:
    """A judge's prompt with its places filled once: braces in an answer stay what they are."""
    if name not in templates:
        raise InputError(
            f"there is no judge prompt `{name}`", fix=f"there are {', '.join(sorted(templates))}"
        )

    def put(place: re.Match[str]) -> str:
        return words.get(place.group(1), place.group())

    template = templates[name]
    asked = {"role": "user", "content": PLACEHOLDER.sub(put, template["prompt_template"])}
    system = template.get("system_prompt") or ""
    return [{"role": "system", "content": system}, asked] if system else [asked]


# -- pairs ---------------------------------------------------------------------------------------------


def winner(reply: str) -> str | None:
    """`A`, `B` or `C` (a tie): the last in double brackets, for a judge may quote the others first."""
    found = WINNER.findall(reply)
    return found[-1] if found else None


def compare(
    judge: Judge,
    templates: Mapping[str, Template],
    questions: Sequence[OpenQuestion],
    answers: Sequence[str],
    others: Sequence[str],
    told: Told = None,
) -> list[Verdict]:
    """1 where the answer beats the other's in both orders, 0 where it loses in both, a half in between."""
    asked = []
    for question, answer, other in zip(questions, answers, others, strict=True):
        for first, second in ((answer, other), (other, answer)):
            words = {"question": question.turns[0], "answer_a": first, "answer_b": second}
            asked.append(filled(templates, PAIR, words))
    replies = judge.ask_all(asked, told)
    return [
        Verdict(question.id, question.category, pair_value(*pair), pair)
        for question, pair in zip(questions, zip(replies[::2], replies[1::2], strict=True), strict=True)
    ]


def pair_value(straight: str, turned: str) -> float | None:
    """From the replies in both orders; None where either is broken."""
    first, second = winner(straight), winner(turned)
    if first is None or second is None:
        return None
    return {("A", "B"): 1.0, ("B", "A"): 0.0}.get((first, second), 0.5)


# -- scores --------------------------------------------------------------------------------------------


def rating_scores(skill: str, verdicts: Sequence[Verdict], low: float, high: float, unit: str) -> list[Score]:
    """The mean over all verdicts, then over each category; broken ones are counted in the detail.

    Raises InputError where the judge gave no verdict at all.
    """
    categories = sorted({one.category for one in verdicts})
    parts = [(skill, list(verdicts))]
    if len(categories) > 1:
        parts += [(f"{skill}_{name}", [v for v in verdicts if v.category == name]) for name in categories]
    scores = [_mean(name, part, low, high, unit) for name, part in parts]
    if scores[0] is None:
        raise InputError(
            "none of the judge's replies holds a verdict", fix="look at samples.jsonl; ask another judge"
        )
    return [score for score in scores if score is not None]


def _mean(skill: str, verdicts: Sequence[Verdict], low: float, high: float, unit: str) -> Score | None:
    values = [one.value for one in verdicts if one.value is not None]
    if not values:
        return None
    found = stats.mean_interval(values)
    return Score(
        skill=skill,
        value=found.value,
        low=max(low, found.low),
        high=min(high, found.high),
        chance=0.5 if unit == "share" else low,
        items=len(values),
        unit=unit,
        detail={"broken": len(verdicts) - len(values), "undecided": sum(value == 0.5 for value in values)},
    )
