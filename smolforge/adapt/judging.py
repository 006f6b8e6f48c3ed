"""Which of several states of a model to keep: the best at the user's matter among those that forgot nothing.

Everything is held against the original, pairwise on the same items and texts. A state is out when general skills, or
the reading of general texts, got worse by more than noise allows; among the others the gain at the user's own matter decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smolforge.evals import stats
from smolforge.evals.measured import Measured
from smolforge.evals.stats import Interval

ORIGINAL = "0-original"
OWN_SKILL = "documents"
OWN_TEXTS = "own"


@dataclass(frozen=True)
class Change:
    """A state against the original. Differences of shares, and of bits per byte relative to the original's.

    own_questions, own_texts          at the user's own matter; texts: less is better
    general_skills, general_texts     everything else, pooled, without skills of which the original answered nothing right:
                                      nothing can be forgotten there; None where nothing was measured
    """

    own_questions: Interval | None
    own_texts: Interval | None
    general_skills: Interval | None
    general_texts: Interval | None

    @property
    def gain(self) -> float:
        """Points of questions gained plus points of bits per byte saved: both count alike. Chosen."""
        questions = self.own_questions.value if self.own_questions else 0.0
        return questions - (self.own_texts.value if self.own_texts else 0.0)

    @property
    def is_shown(self) -> bool:
        """Whether questions or texts of the user's own got better by more than chance gives."""
        questions = self.own_questions is not None and self.own_questions.low > 0
        return questions or (self.own_texts is not None and self.own_texts.high < 0)

    def plain(self) -> dict[str, list[float | None] | None]:
        """Every part as [value, low, high], a bound that is not known as None: JSON has no infinity."""
        found: dict[str, list[float | None] | None] = {}
        for name in ("own_questions", "own_texts", "general_skills", "general_texts"):
            part: Interval | None = getattr(self, name)
            bounds = (part.value, part.low, part.high) if part else ()
            found[name] = [round(x, 5) if math.isfinite(x) else None for x in bounds] or None
        return found

    def spoilt(self, most_forgotten: float) -> str:
        """Why this state is out; empty where it is not."""
        if self.general_skills is not None and self.general_skills.high < 0:
            low, high = (
                f"{100 * bound:+.1f}" for bound in (self.general_skills.low, self.general_skills.high)
            )
            return (
                f"general skills got worse by {-100 * self.general_skills.value:.1f} points [{low}, {high}]"
            )
        if self.general_texts is not None and self.general_texts.value > most_forgotten:
            return f"general texts are read {self.general_texts.value:.1%} worse"
        return ""


def known_general_skills(original: Measured) -> frozenset[str]:
    """Skills beside the user's own matter that can be forgotten."""
    return original.known_skills - {OWN_SKILL}


def compare(before: Measured, after: Measured) -> Change:
    """The change on the items and texts that both have."""
    items = sorted(before.right.keys() & after.right.keys())
    known = known_general_skills(before)
    texts = sorted(before.bits.keys() & after.bits.keys())
    return Change(
        own_questions=_shares(before, after, [i for i in items if i[0] == OWN_SKILL]),
        own_texts=_bits(before, after, [t for t in texts if t[0].startswith(OWN_TEXTS)]),
        general_skills=_shares(before, after, [i for i in items if i[0] in known]),
        general_texts=_bits(before, after, [t for t in texts if not t[0].startswith(OWN_TEXTS)]),
    )


def choose(states: Mapping[str, Measured], most_forgotten: float) -> tuple[str, list[dict[str, Any]]]:
    """The state to keep, and the case of every state in words and numbers; `ORIGINAL` is one of them."""
    before = states[ORIGINAL]
    best, best_gain, cases = ORIGINAL, 0.0, []
    for name in sorted(states):
        change = compare(before, states[name])
        trouble = change.spoilt(most_forgotten) if name != ORIGINAL else ""
        if not trouble and change.gain > best_gain:
            best, best_gain = name, change.gain
        told = {"gain_points": round(100 * change.gain, 3), "is_shown": change.is_shown, "out": trouble}
        cases.append({"state": name, **told, **change.plain()})
    return best, cases


def case_in_words(case: Mapping[str, Any]) -> str:
    """What a state's case of `choose` comes to."""
    if case["out"]:
        return f"out: {case['out']}"
    if case["state"] == ORIGINAL:
        return "what all others are held against"
    told = f"{case['gain_points']:+.1f} points at your own matter"
    return told if case["is_shown"] or case["gain_points"] <= 0 else f"{told}, which may be chance"


def _shares(before: Measured, after: Measured, items: Sequence[tuple[str, str]]) -> Interval | None:
    if not items:
        return None
    return stats.paired_share_difference([before.right[i] for i in items], [after.right[i] for i in items])


def _bits(before: Measured, after: Measured, texts: Sequence[tuple[str, str]]) -> Interval | None:
    """Relative change of bits per byte, over documents."""
    if not texts:
        return None
    old = [before.bits[t][0] for t in texts]
    return stats.paired_ratio_difference(old, [after.bits[t][0] for t in texts], old)
