"""What others ask of a model, whatever runs it: probabilities and answers, in token ids.

`model.generate` gives it with torch, `device.runtime` with llama.cpp; evaluation, tuning, chat and the server need no more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Logprob:
    """Sum of natural-log probabilities of a continuation, its length in tokens, and whether it is the greedy one."""

    total: float
    tokens: int
    is_greedy: bool


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to choose tokens. `temperature` 0 is greedy; `seed` makes sampling repeatable; with `keep_stop` an answer that
    ended keeps the token that ended it.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0
    keep_stop: bool = False


Ended = Callable[[int, Sequence[int]], bool]
"""(place of the prompt, its answer so far) → whether nothing that follows is wanted."""
Told = Callable[[int], None]
"""Hears how many answers are done."""


class LanguageModel(Protocol):
    """What evaluation, chat and the server need of a model; prompts and answers are token ids."""

    def logprobs(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
    ) -> list[Logprob]:
        """Log-probability of each continuation after its prompt."""
        ...

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        how: Sampling,
        stop: Sequence[int] = (),
        ended: Ended | None = None,
        told: Told | None = None,
    ) -> list[list[int]]:
        """One answer a prompt, without the stop token; `ended` is asked now and then, so some tokens may follow.

        `told` hears now and then how many answers are done.
        """
        ...
