"""What a model says by itself, to be learned again beside new texts: a guard against forgetting that needs no data.

Asked for nothing but a user's turn, a tuned model writes the kind of question it was tuned on; its answer to that is
its own. A model is left close to where it was by being trained on what it would have said anyway.
Source: Magpie, arXiv:2406.08464 (questions from the template alone); self-synthesised rehearsal, arXiv:2403.01244.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from smolforge.language_model import LanguageModel, Sampling
from smolforge.text.tokenizer import Tok

AT_ONCE = 128
MARK = "\ue000"
"""Stands for a user's words while it is found out where they begin: no template looks at it."""
LEAST_WORDS, MOST_WORDS = 3, 150
MOST_REPEATED = 0.5
"""Share of a text's words that may have been there before; more is a model that goes in circles."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """How much is asked for, and how freely it is said.

    seconds      no round is begun that would end later, but the first; rounds are of `AT_ONCE`
    question_tokens, answer_tokens, text_tokens  the longest
    temperature  of questions and texts; answers are said more soberly
    """

    seconds: float = math.inf
    question_tokens: int = 128
    answer_tokens: int = 320
    text_tokens: int = 256
    temperature: float = 1.0
    answer_temperature: float = 0.7
    top_p: float = 0.95
    seed: int = 0


def chats(
    model: LanguageModel, tok: Tok, count: int, how: Rehearsal, tick: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """At most `count` conversations of one turn each, as lines of `conversations.jsonl`; fewer where little is sound."""
    prefix, seen = user_prefix(tok), set[str]()
    for start in _rounds(count, how.seconds):
        ask = Sampling(
            max_new_tokens=how.question_tokens,
            temperature=how.temperature,
            top_p=how.top_p,
            seed=how.seed * 1_000_003 + start,
        )
        rows = min(AT_ONCE, count - start)
        asked = model.generate([prefix] * rows, ask, tok.end_ids, None, _halves(tick, 2 * start))
        questions = []
        for ids in asked:
            text = tok.decode(ids, skip_special=True).strip()
            if len(ids) < how.question_tokens and is_sound(text) and text.lower() not in seen:
                seen.add(text.lower())
                questions.append(text)
        yield from _answered(model, tok, questions, start, how, _halves(tick, 2 * start + rows))
        tick(min(count, start + AT_ONCE))


def _answered(
    model: LanguageModel,
    tok: Tok,
    questions: Sequence[str],
    start: int,
    how: Rehearsal,
    told: Callable[[int], None],
) -> Iterator[dict[str, Any]]:
    turns = [[{"role": "user", "content": question}] for question in questions]
    answer = Sampling(
        max_new_tokens=how.answer_tokens,
        temperature=how.answer_temperature,
        top_p=how.top_p,
        seed=how.seed * 1_000_003 + start + 1,
    )
    prompts = [tok.encode_chat(turn, None, True)[0] for turn in turns]
    answers = model.generate(prompts, answer, tok.end_ids, None, told)
    for number, (turn, ids) in enumerate(zip(turns, answers, strict=True)):
        text = tok.decode(ids, skip_special=True).strip()
        if text and len(ids) < how.answer_tokens and not goes_in_circles(text):
            messages = [*turn, {"role": "assistant", "content": text}]
            yield {"id": f"rehearsed-{start + number}", "skill": "general", "messages": messages}


def texts(
    model: LanguageModel, tok: Tok, count: int, how: Rehearsal, tick: Callable[[int], None]
) -> Iterator[tuple[str, str]]:
    """At most `count` (id, text) as the model writes them after nothing."""
    for start in _rounds(count, how.seconds):
        write = Sampling(
            max_new_tokens=how.text_tokens,
            temperature=how.temperature,
            top_p=how.top_p,
            seed=how.seed * 1_000_003 + start,
        )
        rows = [[tok.start_id]] * min(AT_ONCE, count - start)
        found = model.generate(rows, write, tok.end_ids, None, _halves(tick, 2 * start, 2))
        for number, ids in enumerate(found):
            text = tok.decode(ids, skip_special=True).strip()
            if len(text.split()) >= 20 and not goes_in_circles(text):
                yield f"rehearsed-{start + number}", text
        tick(min(count, start + AT_ONCE))


def _rounds(count: int, seconds: float) -> Iterator[int]:
    """Where each round begins, while there is time for one more as long as those before."""
    began = time.monotonic()
    for number, start in enumerate(range(0, count, AT_ONCE)):
        spent = time.monotonic() - began
        if number and spent * (number + 1) / number > seconds:
            return
        yield start


def _halves(tick: Callable[[int], None], before: int, each: int = 1) -> Callable[[int], None]:
    """Hears how many are asked or answered, `each` of a row's two halves, and tells whole rows."""
    return lambda done: tick((before + each * done) // 2)


def user_prefix(tok: Tok) -> list[int]:
    """What stands before a user's first words, the default system turn included."""
    before = tok.render([{"role": "user", "content": MARK}]).partition(MARK)[0]
    return tok.encode(before, allow_special=True)


def is_sound(question: str) -> bool:
    """Whether this can be a user's turn: some words, not too many, no fragment of a template."""
    words = question.split()
    return LEAST_WORDS <= len(words) <= MOST_WORDS and not goes_in_circles(question) and "<|" not in question


def goes_in_circles(text: str) -> bool:
    """Whether runs of four words come again too often."""
    words = text.lower().split()
    runs = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    return bool(runs) and 1 - len(set(runs)) / len(runs) > MOST_REPEATED
