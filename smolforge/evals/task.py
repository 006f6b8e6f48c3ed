"""What is asked of a model, and what came of it.

An `Item` is one held-out question. It carries its question in two forms: `prompt`, plain text for a
base model to continue, and `messages`, a conversation for a tuned model to answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Kind = Literal["choice", "exact", "checks", "code", "tool_call", "overlap"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One held-out question.

    kind      choice     the answer is `choices[answer]`; scored by log-probability of each choice's text
              exact      the first number or line of the answer equals `answer`
              checks     every checker in `checks` passes (instruction following)
              code       `answer` is a program of assertions run in the sandbox after the model's code
              tool_call  the call equals `answer` (JSON: name and arguments)
              overlap    word overlap (ROUGE-L F1) with `answer`, counted right from `threshold` upwards
    chance    probability that a blind guess is right
    """

    id: str
    skill: str
    kind: Kind
    messages: Sequence[Mapping[str, Any]]
    prompt: str = ""
    choices: Sequence[str] = ()
    answer: Any = None
    checks: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Mapping[str, Any]] = ()
    threshold: float = 0.5
    chance: float = 0.0
    max_new_tokens: int = 64


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


@dataclass(frozen=True)
class Logprob:
    """Sum of natural-log probabilities of a continuation, its length in tokens, and whether it is the greedy one."""

    total: float
    tokens: int
    is_greedy: bool


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to choose tokens. `temperature` 0 is greedy; `seed` makes sampling repeatable."""

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0


class LanguageModel(Protocol):
    """What evaluation, chat and the server need of a model; prompts and answers are token ids."""

    def logprobs(self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]) -> list[Logprob]:
        """Log-probability of each continuation after its prompt."""
        ...

    def generate(
        self, prompts: Sequence[Sequence[int]], how: Sampling, stop: Sequence[int] = ()
    ) -> list[list[int]]:
        """One answer a prompt, without the stop token."""
        ...
