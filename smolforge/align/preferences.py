"""Preference pairs from a model's own answers: sample several, grade them, keep the best and the worst."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from smolforge.align.conversations import Conversation, Message, prompt_ids
from smolforge.align.rewards import can_reward, reward_answers
from smolforge.evals.task import Item
from smolforge.language_model import Sampling
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.transformer import Llama
from smolforge.text.chat import IM_END, pieces
from smolforge.text.tokenizer import Tok

QUESTIONS_AT_ONCE = 64
OVERLAP_THRESHOLD = 0.8
"""Overlap from which a free answer counts as right, so that no reference answer is put above it. Chosen, untested."""


@dataclass(frozen=True)
class Question:
    """A conversation up to the answer, the rule that grades it, and the data's own answer."""

    id: str
    skill: str
    messages: Sequence[Message]
    tools: Sequence[Any]
    item: Item
    reference: str


def choose_questions(
    conversations: Sequence[Conversation], count: int, skills: Sequence[str], seed: int
) -> list[Question]:
    """`count` questions, the same for the same seed, taken from the skills in turn."""
    by_skill: dict[str, list[Question]] = {}
    for conversation in conversations:
        question = as_question(conversation)
        if question is not None and (not skills or question.skill in skills):
            by_skill.setdefault(question.skill, []).append(question)
    queues = [
        sorted(by_skill[skill], key=lambda q: _rank(q, seed), reverse=True) for skill in sorted(by_skill)
    ]
    chosen: list[Question] = []
    while len(chosen) < count and any(queues):
        chosen += [queue.pop() for queue in queues if queue][: count - len(chosen)]
    return chosen


def _rank(question: Question, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{question.skill}\n{question.id}".encode()).digest()


def as_question(conversation: Conversation) -> Question | None:
    """The question that a conversation's last answer answers; None when it does not end with one."""
    messages = list(conversation.messages)
    if len(messages) < 2 or messages[-1].get("role") != "assistant":
        return None
    reference = answer_text(messages[-1])
    asked, item = messages[:-1], conversation.item
    if item is not None and can_reward(item):
        asked = list(item.messages)
        reference = _answer_to(asked, messages)
    elif reference.strip():
        item = Item(
            id=conversation.id, skill=conversation.skill, kind="overlap", messages=asked, answer=reference,
            threshold=OVERLAP_THRESHOLD,
        )  # fmt: skip
    else:
        return None
    return Question(conversation.id, conversation.skill, asked, conversation.tools, item, reference)


def _answer_to(asked: Sequence[Message], messages: Sequence[Message]) -> str:
    """The turn that follows the question in its conversation, which may go on (a call, its result, words); else nothing."""
    place = len(asked)
    follows = place < len(messages) and list(messages[:place]) == list(asked)
    return answer_text(messages[place]) if follows and messages[place].get("role") == "assistant" else ""


def answer_text(message: Message) -> str:
    """An assistant's turn as the text a model would write, its calls included."""
    return "".join(piece.text for piece in pieces([message]) if piece.learn).removesuffix(IM_END)


class _Answer(NamedTuple):
    text: str
    worth: float
    ended: bool


class Sampler:
    """Asks a model and ranks its answers; counts how many were right."""

    def __init__(
        self,
        model: Llama,
        tok: Tok,
        *,
        answers: int,
        temperature: float,
        max_new_tokens: int,
        min_margin: float,
        use_reference: bool,
        seed: int,
        workers: int,
    ) -> None:
        self._reader = TorchLanguageModel(model)
        self._tok = tok
        self._answers = answers
        self._temperature = temperature
        self._max_new_tokens = max_new_tokens
        self._min_margin = min_margin
        self._use_reference = use_reference
        self._seed = seed
        self._workers = workers
        self.sampled = 0
        self.right = 0
        self.wrong_references = 0

    def pairs(self, questions: Sequence[Question], watch: Callable[[int, int], None]) -> list[dict[str, Any]]:
        """At most one pair a question, as lines of `pairs.jsonl`."""
        found = []
        for start in range(0, len(questions), QUESTIONS_AT_ONCE):
            part = questions[start : start + QUESTIONS_AT_ONCE]
            for question, answers in zip(part, self._ask(part, start), strict=True):
                pair = self._pair(question, answers)
                if pair is not None:
                    found.append(pair)
            watch(start + len(part), len(questions))
        return found

    def _ask(self, questions: Sequence[Question], start: int) -> list[list[_Answer]]:
        """The answers to each question, in the order in which they were sampled."""
        prompts = [
            prompt_ids(self._tok, q.messages, q.tools) for q in questions for _ in range(self._answers)
        ]
        how = Sampling(
            max_new_tokens=self._max_new_tokens, temperature=self._temperature, seed=self._seed + start
        )
        ids = self._reader.generate(prompts, how, self._tok.end_ids)
        texts = [self._tok.decode(answer).strip() for answer in ids]
        ended = [len(answer) < self._max_new_tokens for answer in ids]
        items = [q.item for q in questions for _ in range(self._answers)]
        worth = reward_answers(items, texts, ended, workers=self._workers)
        self.sampled += len(worth)
        self.right += sum(value == 1.0 for value in worth)
        answers = [_Answer(*one) for one in zip(texts, worth, ended, strict=True)]
        n = self._answers
        return [answers[i : i + n] for i in range(0, len(answers), n)]

    def _pair(self, question: Question, answers: Sequence[_Answer]) -> dict[str, Any] | None:
        """The best answer and the worst, of equals the first that was sampled.

        One that was cut off is never the worst: with the end of turn that it did not write, it is no answer of the model's.
        """
        best = max(answers, key=lambda answer: answer.worth)
        whole = [answer for answer in answers if answer.ended and answer.text]
        if not whole:
            return None
        worst = min(whole, key=lambda answer: answer.worth)
        high, chosen = best.worth, best.text
        if high < 1.0 and self._use_reference and self._is_right(question):
            high, chosen = 1.0, question.reference
        if high - worst.worth < self._min_margin or chosen == worst.text:
            return None
        pair = {
            "id": question.id,
            "skill": question.skill,
            "messages": list(question.messages),
            "chosen": chosen,
            "rejected": worst.text,
            "margin": round(high - worst.worth, 4),
        }
        return {**pair, "tools": list(question.tools)} if question.tools else pair

    def _is_right(self, question: Question) -> bool:
        """Whether the data's own answer is there and passes the check that the model's answers had to pass."""
        if not question.reference.strip():
            return False
        [worth] = reward_answers([question.item], [question.reference], [True], workers=self._workers)
        self.wrong_references += worth < 1.0
        return worth == 1.0
