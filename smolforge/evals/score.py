"""Scores of a model on held-out items and texts.

Everything that is asked goes to the model in as few calls as there can be, whatever skill it belongs to:
one for all log-probabilities, one for each length of answer. Only the `LanguageModel` protocol is used,
so a quantised model on another runtime is scored by the same code.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, get_args

from smolforge.evals import stats
from smolforge.evals.grade import Form, Grade, cut_answer, grade_answers, has_ended
from smolforge.evals.sandbox import Limits
from smolforge.evals.task import Item, Norm, Score
from smolforge.language_model import LanguageModel, Logprob, Sampling

UNIFORM_BITS_PER_BYTE = 8.0
ANSWER_ROUND_TOKENS = 32
"""Answer lengths are rounded up to this many tokens, so that items of unlike limits share a batch."""
BATCH_ITEMS = 256
CHAT_DOMAIN = "chat"
LIKELIHOOD_KINDS = ("choice", "greedy")
"""Kinds of items whose answers are weighed, not written."""


class TokenCoder(Protocol):
    """What scoring needs of a tokenizer; `text.tokenizer.Tok` is one."""

    start_id: int
    end_ids: tuple[int, ...]

    def encode(self, text: str, allow_special: bool = False) -> list[int]: ...

    def decode(self, ids: Iterable[int], skip_special: bool = False) -> str: ...

    def encode_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
    ) -> tuple[list[int], list[bool]]: ...


@dataclass(frozen=True)
class Judged:
    """One item, what the model answered, and the verdict.

    right_by  of a choice: whether the best one a character, a token and in sum is the right one; `item.norm` is the verdict
    bits      what the right choice costs the model, as `answer_bits` counts it; None where the item has no such answer
    """

    item: Item
    answer: str
    grade: Grade
    right_by: Mapping[Norm, bool] = field(default_factory=dict)
    bits: float | None = None
    bytes: int = 0

    def plain(self) -> dict[str, Any]:
        """As a line of `samples.jsonl`."""
        wanted = self.item.choices[self.item.answer] if self.item.kind == "choice" else self.item.answer
        return {
            "id": self.item.id,
            "skill": self.item.skill,
            "kind": self.item.kind,
            "question": question_of(self.item),
            "answer": self.answer,
            "wanted": wanted if wanted is not None else list(self.item.checks),
            "right": self.grade.right,
            "credit": round(self.grade.credit, 4),
            "metric": self.item.metric,
            "reason": self.grade.reason,
            **({"right_by": dict(self.right_by)} if self.right_by else {}),
            **({"bits": round(self.bits, 4), "bytes": self.bytes} if self.bits is not None else {}),
        }


@dataclass(frozen=True)
class HeldOutText:
    """A held-out document of one domain."""

    id: str
    domain: str
    text: str


def evaluate(
    model: LanguageModel,
    tok: TokenCoder,
    items: Sequence[Item],
    *,
    form: Form,
    limits: Limits | None = None,
    workers: int = 2,
    watch: Any = None,
    start: bool = True,
) -> tuple[list[Score], list[Judged]]:
    """Scores by skill, in alphabetical order, and every judged answer in the order of `items`.

    form   `text`: `prompt` is continued; `chat`: `messages` are answered through the chat template
    watch  called with (items done, items in all)
    start  whether a text prompt begins with the start token
    """
    chosen = [i for i, item in enumerate(items) if item.kind in LIKELIHOOD_KINDS]
    written = [i for i, item in enumerate(items) if item.kind not in LIKELIHOOD_KINDS]
    judged: dict[int, Judged] = {}
    for first in range(0, len(chosen), BATCH_ITEMS):
        part = chosen[first : first + BATCH_ITEMS]
        judged |= zip(part, judge_choices(model, tok, [items[i] for i in part], form, start), strict=True)
        _tell(watch, len(judged), len(items))
    asked = [items[i] for i in written]
    answers = write_answers(
        model, tok, asked, form, lambda done: _tell(watch, len(chosen) + done, len(items)), start
    )
    grades = grade_answers(asked, answers, form, limits, workers)
    for i, answer, grade in zip(written, answers, grades, strict=True):
        judged[i] = Judged(items[i], cut_answer(items[i], answer, form), grade)
    _tell(watch, len(judged), len(items))
    ordered = [judged[i] for i in range(len(items))]
    return score_skills(ordered), ordered


def _tell(watch: Any, done: int, total: int) -> None:
    if watch is not None:
        watch(done, total)


def score_skills(judged: Sequence[Judged]) -> list[Score]:
    """One score a skill: the share of right answers with Wilson's interval, or the mean credit."""
    skills: dict[str, list[Judged]] = {}
    for one in judged:
        skills.setdefault(one.item.skill, []).append(one)
    return [_score_skill(skill, skills[skill]) for skill in sorted(skills)]


def _score_skill(skill: str, judged: Sequence[Judged]) -> Score:
    interval = _interval(judged)
    return Score(
        skill=skill,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        chance=math.fsum(one.item.chance for one in judged) / len(judged),
        items=len(judged),
        detail={
            "credit": round(math.fsum(one.grade.credit for one in judged) / len(judged), 6),
            "share_right": round(sum(one.grade.right for one in judged) / len(judged), 6),
            **_by_norm(judged),
            **_answer_bits(judged),
        },
    )


def _by_norm(judged: Sequence[Judged]) -> dict[str, float]:
    """The share of right choices a character, a token and in sum, where every item is a choice."""
    if not all(one.right_by for one in judged):
        return {}
    return {
        f"share_by_{norm}": round(sum(one.right_by[norm] for one in judged) / len(judged), 6)
        for norm in get_args(Norm)
    }


def _answer_bits(judged: Sequence[Judged]) -> dict[str, float]:
    """Bits per byte of the right answers with their interval, over the items that have one in words."""
    known = [(one.bits, float(one.bytes)) for one in judged if one.bits is not None]
    if not known:
        return {}
    ratio = stats.ratio_interval([bits for bits, _ in known], [size for _, size in known])
    found = {
        "": ratio.value,
        "_low": max(0.0, ratio.low),
        "_high": min(2 * UNIFORM_BITS_PER_BYTE, ratio.high),
    }
    return {f"answer_bits{end}": round(value, 6) for end, value in found.items()} | {
        "answer_items": len(known)
    }


def _interval(judged: Sequence[Judged]) -> stats.Interval:
    """The share of right answers, or the mean credit where that is the metric of every item; within 0..1."""
    if all(one.item.metric == "credit" for one in judged):
        mean = stats.mean_interval([one.grade.credit for one in judged])
        return stats.Interval(mean.value, max(0.0, mean.low), min(1.0, mean.high))
    return stats.share_interval(sum(one.grade.right for one in judged), len(judged))


# -- choices -------------------------------------------------------------------------------------------


def judge_choices(
    model: LanguageModel, tok: TokenCoder, items: Sequence[Item], form: Form, start: bool = True
) -> list[Judged]:
    """The choice with the highest log-probability wins: a character (its leading space not counted), a token or in sum.

    Source of the first: the "cloze" formulation that SmolLM2 reports, arXiv:2502.02737, section 4.
    """
    prompts: list[list[int]] = []
    continuations: list[list[int]] = []
    for item in items:
        asked = [prompt_ids(tok, one, form, start) for one in _for_each_choice(item)]
        for choice, (prompt, follows_word) in zip(
            item.choices, asked * (len(item.choices) // len(asked)), strict=True
        ):
            prompts.append(prompt)
            continuations.append(
                tok.encode(f" {choice}" if follows_word and not choice[:1].isspace() else choice)
            )
    found = iter(model.logprobs(prompts, continuations))
    return [_judge(item, [next(found) for _ in item.choices]) for item in items]


def _for_each_choice(item: Item) -> list[Item]:
    """The item as it is asked for each of its choices; once where all are asked alike."""
    if not item.contexts:
        return [item]
    return [
        replace(item, prompt=context, messages=[{"role": "user", "content": context}])
        for context in item.contexts
    ]


def _judge(item: Item, found: Sequence[Logprob]) -> Judged:
    if item.kind == "choice":
        return _judge_choice(item, found)
    grade = Grade(found[0].is_greedy, float(found[0].is_greedy), "" if found[0].is_greedy else "another word")
    bits = -found[0].total / math.log(2)
    answer = item.choices[0] if grade.right else ""
    return Judged(item, answer, grade, bits=bits, bytes=answer_bytes(item.choices[0]))


def _judge_choice(item: Item, found: Sequence[Logprob]) -> Judged:
    rates = {norm: _rates(item, found, norm) for norm in get_args(Norm)}
    chosen = {norm: max(range(len(found)), key=rate.__getitem__) for norm, rate in rates.items()}
    best, rate = chosen[item.norm], rates[item.norm]
    weights = [math.exp(one - rate[best]) for one in rate]
    right = best == item.answer
    reason = "" if right else f"`{item.choices[item.answer][:60]}` was less likely"
    return Judged(
        item,
        item.choices[best],
        Grade(right, weights[item.answer] / math.fsum(weights), reason),
        {norm: place == item.answer for norm, place in chosen.items()},
        -found[item.answer].total / math.log(2),
        answer_bytes(item.choices[item.answer]),
    )


def _rates(item: Item, found: Sequence[Logprob], norm: Norm) -> list[float]:
    """Log-probability of each choice a character, a token or in sum."""
    lengths = {
        "character": [len(choice.strip()) for choice in item.choices],
        "token": [one.tokens for one in found],
        "sum": [1] * len(found),
    }[norm]
    return [one.total / max(1, length) for one, length in zip(found, lengths, strict=True)]


def answer_bytes(answer: str) -> int:
    """UTF-8 bytes of a right answer, at least one."""
    return max(1, len(answer.encode("utf-8", "replace")))


def prompt_ids(tok: TokenCoder, item: Item, form: Form, start: bool = True) -> tuple[list[int], bool]:
    """Token ids of the question, and whether an answer's first word needs a space before it."""
    if form == "text":
        bare = item.prompt.rstrip(" ")
        return [*([tok.start_id] if start else []), *tok.encode(bare)], bool(bare) and not bare[-1].isspace()
    messages = list(item.messages)
    begun = str(messages.pop()["content"]) if messages and messages[-1]["role"] == "assistant" else ""
    ids, _ = tok.encode_chat(messages, list(item.tools) or None, add_generation_prompt=True)
    bare = begun.rstrip(" ")
    return [*ids, *tok.encode(bare)], bool(bare) and not bare[-1].isspace()


# -- written answers -----------------------------------------------------------------------------------


def write_answers(
    model: LanguageModel,
    tok: TokenCoder,
    items: Sequence[Item],
    form: Form,
    watch: Any = None,
    start: bool = True,
) -> list[str]:
    """The model's greedy answer to each item; `watch` is called with the number of those that are done."""
    groups: dict[int, list[int]] = {}
    prompts = [prompt_ids(tok, item, form, start)[0] for item in items]
    for i in sorted(range(len(items)), key=lambda i: len(prompts[i])):
        rounded = -(-items[i].max_new_tokens // ANSWER_ROUND_TOKENS) * ANSWER_ROUND_TOKENS
        groups.setdefault(rounded, []).append(i)
    answers, done = [""] * len(items), 0
    for length_tokens, rows in sorted(groups.items()):

        def ended(place: int, ids: Sequence[int], rows: list[int] = rows) -> bool:
            return has_ended(items[rows[place]], tok.decode(list(ids)), form)

        def told(count: int, before: int = done) -> None:
            if watch is not None:
                watch(before + count)

        how = Sampling(max_new_tokens=length_tokens)
        # Most answers in chat end by their end token alone.
        looked_at = ended if form == "text" or any(items[i].chat_stops for i in rows) else None
        written = model.generate([prompts[i] for i in rows], how, tok.end_ids, looked_at, told)
        for i, ids in zip(rows, written, strict=True):
            answers[i] = tok.decode(ids[: items[i].max_new_tokens])
        done += len(rows)
    return answers


# -- bits per byte -------------------------------------------------------------------------------------


def bits_per_byte(
    model: LanguageModel, tok: TokenCoder, texts: Sequence[HeldOutText], window_tokens: int = 512
) -> list[Score]:
    """Bits per UTF-8 byte of each domain, low is good; `skill` is `bits_<domain>`, chance 8 bits."""
    return score_domains(texts, text_bits(model, tok, texts, window_tokens))


def text_bits(
    model: LanguageModel, tok: TokenCoder, texts: Sequence[HeldOutText], window_tokens: int = 512
) -> list[float]:
    """Bits that the model needs for each text.

    Long texts are scored in windows that do not overlap; each begins after the start token or the last
    token of the one before, so every token is scored exactly once.
    """
    prompts: list[list[int]] = []
    continuations: list[list[int]] = []
    owners: list[int] = []
    for place, held in enumerate(texts):
        # Held-out chats are trained on with their control tokens: spelled as letters they would be another language.
        ids = [tok.start_id, *tok.encode(held.text, allow_special=held.domain == CHAT_DOMAIN)]
        for start in range(1, len(ids), window_tokens):
            prompts.append(ids[start - 1 : start])
            continuations.append(ids[start : start + window_tokens])
            owners.append(place)
    bits = [0.0] * len(texts)
    for owner, found in zip(owners, model.logprobs(prompts, continuations), strict=True):
        bits[owner] -= found.total / math.log(2)
    return bits


def score_domains(texts: Sequence[HeldOutText], bits: Sequence[float]) -> list[Score]:
    """Bits per byte of each domain, with the interval over its documents, at most from 0 to twice what guessing needs."""
    domains: dict[str, list[int]] = {}
    for place, held in enumerate(texts):
        domains.setdefault(held.domain, []).append(place)
    scores = []
    for domain in sorted(domains):
        places = domains[domain]
        sizes = [float(len(texts[p].text.encode("utf-8", "replace"))) for p in places]
        ratio = stats.ratio_interval([bits[p] for p in places], sizes)
        scores.append(
            Score(
                skill=f"bits_{domain}",
                value=ratio.value,
                low=max(0.0, ratio.low),
                high=min(UNIFORM_BITS_PER_BYTE * 2, ratio.high),
                chance=UNIFORM_BITS_PER_BYTE,
                items=len(places),
                unit="bits_per_byte",
                detail={"bytes": math.fsum(sizes)},
            )
        )
    return scores


# -- what to ask ---------------------------------------------------------------------------------------


def question_of(item: Item) -> str:
    """The question as a person would put it."""
    asked = [str(m.get("content") or "") for m in item.messages if m.get("role") == "user"]
    return asked[-1] if asked else item.prompt


def choose_items(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """`count` items (0: all), the same ones for the same seed whatever their order, so that scores can be paired."""

    def rank(item: Item) -> bytes:
        return hashlib.sha256(f"{seed}\n{item.skill}\n{item.id}".encode()).digest()

    return sorted(sorted(items, key=rank)[: count or None], key=lambda item: item.id)


def cut_texts(texts: Sequence[HeldOutText], most_bytes: int) -> list[HeldOutText]:
    """Whole texts in order while they fit, the last one cut at a character."""
    kept, room = [], most_bytes
    for held in texts:
        data = held.text.encode("utf-8", "replace")
        if room <= 0:
            break
        if data:
            kept.append(HeldOutText(held.id, held.domain, data[:room].decode("utf-8", "ignore")))
        room -= len(data)
    return [held for held in kept if held.text]
