"""What goes wrong while a model is tuned, in words, once each: seen in the figures of the last steps."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

STEPS = 5
"""A trouble must last: so many steps are looked at together, and the first so many are what later ones are held against."""
LONGEST_KL = 0.5
"""Nats a token from the starting model. Chosen: gentle reinforcement stays below a tenth of it."""
SHORT, LONG = 0.5, 2.0
"""How far answers may move in length. Chosen."""
LEAST_DIFFERENT = 0.1
"""Share of questions whose answers differ in reward, below which there is next to nothing to learn. Chosen."""

Figures = Mapping[str, float]


class Doctor:
    """Hears the figures of every step; says each trouble once, when it has lasted."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._first: list[Figures] = []
        self._last: list[Figures] = []
        self.said: list[str] = []

    def look(self, figures: Figures) -> None:
        """At one more step."""
        if len(self._first) < STEPS:
            self._first.append(figures)
        self._last = [*self._last, figures][-STEPS:]
        if len(self._last) == STEPS:
            for name, words in troubles(self._first, self._last).items():
                if name not in self.said:
                    self.said.append(name)
                    self._say(f"  {words}")


def troubles(first: Sequence[Figures], last: Sequence[Figures]) -> dict[str, str]:
    """Name → what it looks like and what to do; `first` and `last` are the figures of as many steps."""
    now = {name: _usual(last, name) for name in last[-1]}
    then = {name: _usual(first, name) for name in first[-1]}
    found: dict[str, str] = {}
    if now.get("reward") == 0:
        found["zero reward"] = (
            "no answer earned anything in the last steps: the questions are too hard; tune on instructions longer, or let "
            "`partial` credit count"
        )
    elif now.get("differing", 1.0) < LEAST_DIFFERENT:
        found["zero variance"] = (
            f"of {now['differing']:.0%} of the questions the answers differ in reward, the others teach nothing: choose "
            "questions of which some answers are right, or sample warmer"
        )
    if now.get("kl", 0.0) > LONGEST_KL:
        found["KL blow-up"] = (
            f"the model is {now['kl']:.2f} nats a token from where it started: lower the rate, or set `kl_weight`"
        )
    length, before = now.get("answer_tokens"), then.get("answer_tokens")
    if length is not None and before and not SHORT * before <= length <= LONG * before:
        found["length"] = (
            f"answers went from {before:.0f} to {length:.0f} tokens: look whether the reward can be had by length alone"
        )
    if now.get("chosen_reward", 0.0) < -max(0.0, now.get("margin", 0.0)):
        found["both sink"] = (
            "the chosen answers became less likely by more than what parts them from the rejected ones: raise `nll_weight`, "
            "or lower the rate"
        )
    return found


def _usual(steps: Sequence[Figures], name: str) -> float:
    """The median, which one odd step does not move."""
    return statistics.median(step[name] for step in steps if name in step)
