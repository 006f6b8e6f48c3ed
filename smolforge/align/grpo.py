"""Group-relative policy optimisation with rewards that a program checks.

For each question a group of answers is sampled from the model as it is; each answer's advantage is its
reward against its group's; the clipped policy-gradient loss moves the model towards the better ones.

Shapes: B rows (answers), T positions, N counted targets flat, Q questions, G answers a question.

Source: Shao and others, arXiv:2402.03300, section 4.1; the loss summed over tokens and the higher upper
clip from DAPO, arXiv:2503.14476, section 3; leaving out the deviation from Dr. GRPO, arXiv:2503.20783.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smolforge.align.rows import counted_logprobs, logprobs_of, rows_of, sum_rows
from smolforge.data.tokens.batches import Batch, Example, shuffled
from smolforge.errors import InputError
from smolforge.language_model import Sampling
from smolforge.model.generate import TorchLanguageModel
from smolforge.model.transformer import Llama
from smolforge.train.loss import Loss, LossSum, MicroBatch

ADVANTAGE, OLD, REFERENCE = "advantage_B", "old_BT", "reference_BT"
TINY_DEVIATION = 1e-4

Judge = Callable[[Sequence[int], Sequence[Sequence[int]], Sequence[bool]], list[float]]
"""`judge(questions, answers, ended)`: a reward for each answer to the question of that number."""


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How answers are sampled and used.

    questions, group   questions a round, answers a question
    updates            optimiser steps made from one round of answers
    by_deviation       divide advantages by the group's standard deviation
    """

    questions: int
    group: int
    max_new_tokens: int
    length: int
    temperature: float = 1.0
    updates: int = 1
    by_deviation: bool = True
    seed: int = 0
    micro_tokens: int = 16_384


def group_advantages(rewards: np.ndarray, group: int, *, by_deviation: bool = True) -> np.ndarray:
    """Rewards less their group's mean, by default in units of its standard deviation; one group after another."""
    by_group = rewards.reshape(-1, group)
    centred = by_group - by_group.mean(1, keepdims=True)
    centred[by_group.max(1) == by_group.min(1)] = (
        0.0  # the mean of six equal rewards is not always that reward
    )
    if by_deviation:
        centred = centred / (by_group.std(1, ddof=1, keepdims=True) + TINY_DEVIATION)
    return centred.reshape(-1)


class RolloutBatches:
    """Batches of the model's own answers: `next()` samples from the model as training has made it so far.

    Groups whose answers all earn the same say nothing and are left out; `figures` describe the last round (the mean
    reward, the share of questions whose answers differ in it, tokens an answer, the share of answers that ended). The state carries the answers that were sampled but not yet used, so a resumed training
    sees exactly what it would have seen.
    """

    def __init__(
        self,
        model: Llama,
        reference: Llama | None,
        prompts: Sequence[Sequence[int]],
        judge: Judge,
        how: Rollout,
        *,
        stop: Sequence[int],
        rounds: int,
    ) -> None:
        if not prompts:
            raise InputError(
                "no question has an answer that can be checked", fix="give conversations with an `item`"
            )
        self._model, self._reference = model, reference
        self._prompts, self._judge, self._how = prompts, judge, how
        self._stop, self._rounds = tuple(stop), rounds
        self._round = 0
        self._pending: list[dict[str, Any]] = []
        self.figures: dict[str, float] = {}

    def count_batches(self) -> int:
        """How many batches all rounds give."""
        return self._rounds * self._how.updates

    def next(self) -> Batch | None:
        """The next batch; a round in which no group differs gives batches without any counted target."""
        if not self._pending:
            if self._round >= self._rounds:
                return None
            self._pending = self._sample_round()
            self._round += 1
        return self._batch(self._pending.pop(0))

    def _sample_round(self) -> list[dict[str, Any]]:
        how = self._how
        questions = self._questions(self._round)
        prompts = [list(self._prompts[q]) for q in questions for _ in range(how.group)]
        sampling = Sampling(
            max_new_tokens=how.max_new_tokens, temperature=how.temperature, seed=_seed(how.seed, self._round),
            keep_stop=True,
        )  # fmt: skip
        answers = TorchLanguageModel(self._model).generate(prompts, sampling, self._stop)
        ended = [bool(answer) and answer[-1] in self._stop for answer in answers]
        numbers = [q for q in questions for _ in range(how.group)]
        said = [answer[:-1] if done else answer for answer, done in zip(answers, ended, strict=True)]
        rewards = np.array(self._judge(numbers, said, ended))
        self.figures = _round_figures(rewards, how.group, [len(answer) for answer in answers], ended)
        advantages = group_advantages(rewards, how.group, by_deviation=how.by_deviation)
        rows = [
            {"prompt": prompt, "answer": list(answer), "advantage": float(advantage)}
            for prompt, answer, advantage in zip(prompts, answers, advantages, strict=True)
            if answer
        ]
        kept = [row for row in rows if row["advantage"] != 0.0] or rows[:1]
        return self._split(kept)

    def _split(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The round's answers as `updates` parts, mixed, each with what the loss compares them to."""
        how = self._how
        order = shuffled(len(rows), how.seed, "answers", self._round).tolist()
        parts = [order[i :: how.updates] or order[:1] for i in range(how.updates)]
        made = []
        for part in parts:
            chosen = [rows[i] for i in part]
            record: dict[str, Any] = {"rows": chosen, "figures": self.figures}
            batch = rows_of([_example(row) for row in chosen], how.length)
            if how.updates > 1:
                record[OLD] = self._logprobs(self._model, batch)
            if self._reference is not None:
                record[REFERENCE] = self._logprobs(self._reference, batch)
            made.append(record)
        return made

    def _logprobs(self, model: Llama, batch: Batch) -> list[list[float]]:
        return list(logprobs_of(model, batch, self._how.micro_tokens, self._how.temperature).tolist())

    def _batch(self, record: Mapping[str, Any]) -> Batch:
        batch = rows_of([_example(row) for row in record["rows"]], self._how.length)
        extra = {ADVANTAGE: np.array([row["advantage"] for row in record["rows"]], dtype=np.float32)}
        for name in (OLD, REFERENCE):
            if name in record:
                extra[name] = np.array(record[name], dtype=np.float32)
        self.figures = record["figures"]
        weights_BT = batch.weights_BT * (extra[ADVANTAGE] != 0)[:, None]
        return replace(batch, extra=extra, weights_BT=weights_BT.astype(np.float32))

    def _questions(self, number: int) -> list[int]:
        """The questions of a round: a walk through all of them in a new order each time around."""
        count, wanted = len(self._prompts), self._how.questions
        places = range(number * wanted, (number + 1) * wanted)
        orders = {
            epoch: shuffled(count, self._how.seed, "questions", epoch)
            for epoch in {p // count for p in places}
        }
        return [int(orders[place // count][place % count]) for place in places]

    def state(self) -> dict[str, Any]:
        """JSON-ready: rounds sampled, and the answers not yet used."""
        return {"round": self._round, "pending": self._pending, "figures": self.figures}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`; the model must be restored too."""
        self._round, self._pending = state["round"], list(state["pending"])
        self.figures = dict(state["figures"])


def _round_figures(
    rewards: np.ndarray, group: int, lengths: Sequence[int], ended: Sequence[bool]
) -> dict[str, float]:
    by_group = rewards.reshape(-1, group)
    return {
        "reward": float(rewards.mean()),
        "differing": float((by_group.max(1) > by_group.min(1)).mean()),
        "answer_tokens": float(np.mean(lengths)),
        "ended": float(np.mean(ended)),
    }


def _example(row: Mapping[str, Any]) -> Example:
    prompt, answer = row["prompt"], row["answer"]
    weights = np.concatenate([np.zeros(len(prompt), np.float32), np.ones(len(answer), np.float32)])
    return Example(np.array([*prompt, *answer], dtype=np.int64), weights)


def _seed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/round/{number}".encode()).digest()[:8], "little")


def grpo_loss(
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.28,
    kl_weight: float = 0.0,
    by_answer: bool = False,
    temperature: float = 1.0,
) -> Loss:
    """Loss over answers.

    clip_low, clip_high  how far a token's probability may move from where it was sampled
    kl_weight            weight of the KL divergence from the starting model
    by_answer            every answer weighs the same, as first published; else every token does
    temperature          at which the answers were sampled: the policy that is bettered is the one that wrote them
    """

    def loss(model: Llama, batch: MicroBatch) -> LossSum:
        rows = batch.tokens_BT.shape[0]
        logprob_N, row_N, place_N = counted_logprobs(model, batch, temperature)
        advantage_N = batch.extra[ADVANTAGE][row_N]
        old_N = batch.extra[OLD][row_N, place_N] if OLD in batch.extra else logprob_N.detach()
        reference_N = batch.extra[REFERENCE][row_N, place_N] if REFERENCE in batch.extra else None
        token_N, figures = policy_terms(
            logprob_N, old_N, reference_N, advantage_N, clip_low, clip_high, kl_weight
        )
        if by_answer:
            counts_B = sum_rows(torch.ones_like(token_N), row_N, rows).clamp_min(1)
            answers = float((batch.weights_BT > 0).any(1).sum())
            shares = {name: value * answers / max(1, len(token_N)) for name, value in figures.items()}
            return LossSum((token_N / counts_B[row_N]).sum(), answers, shares)
        return LossSum(token_N.sum(), float(len(token_N)), figures)

    return loss


def policy_terms(
    logprob_N: Tensor,
    old_N: Tensor,
    reference_N: Tensor | None,
    advantage_N: Tensor,
    clip_low: float,
    clip_high: float,
    kl_weight: float,
) -> tuple[Tensor, dict[str, float]]:
    """The loss of every token, and figures for the log, summed.

    The KL estimate is exp(r) - r - 1 with r the log-ratio of the reference to the model: never
    negative, and unbiased. Source: arXiv:2402.03300, equation 4.
    """
    ratio_N = torch.exp(logprob_N - old_N)
    clipped_N = ratio_N.clamp(1 - clip_low, 1 + clip_high)
    token_N = -torch.minimum(ratio_N * advantage_N, clipped_N * advantage_N)
    figures = {"clipped": float((ratio_N != clipped_N).sum())}
    if reference_N is not None:
        difference_N = reference_N - logprob_N
        kl_N = torch.exp(difference_N) - difference_N - 1
        token_N = token_N + kl_weight * kl_N
        figures["kl"] = float(kl_N.detach().sum())
    return token_N, figures
