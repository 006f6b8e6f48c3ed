"""Before and after an adaptation: what became better, what was forgotten, which state was kept, ten answers side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smolforge.adapt import judging
from smolforge.evals import stats
from smolforge.evals.measured import Measured, read_measured
from smolforge.evals.stats import Interval
from smolforge.report.reading import Made, Run

MOST_WORDS = 900


@dataclass(frozen=True)
class Row:
    """One thing before and after, on the report half; `change` is paired, over the same items or texts."""

    group: str
    name: str
    before: float
    after: float
    change: Interval
    count: int
    is_bits: bool
    is_sum: bool = False

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `within noise`."""
        if not self.change.excludes(0.0):
            return "within noise"
        return "better" if (self.change.value < 0) == self.is_bits else "worse"


@dataclass(frozen=True)
class Adaptation:
    """Everything the report says of an adaptation."""

    rows: list[Row]
    kept: str
    cases: list[Mapping[str, Any]]
    talk: list[Mapping[str, str]]
    reasons: list[str]
    watched: list[tuple[str, list[Mapping[str, Any]], str]]

    @property
    def nothing_to_forget(self) -> bool:
        """Whether the original answered none of the general questions, so that they tell nothing of forgetting."""
        return any(row.group == "general" for row in self.rows) and self.row(ALL_SKILLS) is None

    words = staticmethod(judging.case_in_words)

    def row(self, name: str) -> Row | None:
        """The row of that name."""
        return next((row for row in self.rows if row.name == name), None)


OWN_QUESTIONS, OWN_TEXTS = "questions about your documents", "your documents, bits per byte"
ALL_SKILLS, ALL_TEXTS = "general skills it had", "general texts, bits per byte"


def adaptation(run: Run) -> Adaptation | None:
    """What an adaptation left in the run so far; None for another kind of run."""
    made = {one.label: one for one in run.made}
    if "sizing" not in made or f"decision/{judging.ORIGINAL}" not in made:
        return None
    choice = _plain(made.get("best/model"), "choice.json")
    sizing = _plain(made.get("sizing"), "sizing.json")
    return Adaptation(
        rows=_rows(made),
        kept=str(choice.get("kept", "")),
        cases=list(choice.get("cases", [])),
        talk=[_bounded(line) for line in made["talk"].lines("conversations.jsonl")] if "talk" in made else [],
        reasons=[str(reason) for reason in sizing.get("reasons", [])],
        watched=[
            (label.removesuffix("/model"), list(looks), str(one.facts.get("stopped_early", "no")))
            for label, one in made.items()
            if label.endswith("/model")
            and not one.is_as_it_was
            and isinstance(looks := one.json("watch.json"), list)
        ],
    )


def sentence(found: Adaptation, name: str) -> str:
    """The adaptation in one sentence."""
    told = []
    for row_name, what in ((OWN_QUESTIONS, "questions about your documents"), (ALL_SKILLS, "general skills")):
        row = found.row(row_name)
        if row is not None:
            told.append(f"{what} {row.before:.0%} → {row.after:.0%} right ({row.verdict})")
    row = found.row(OWN_TEXTS)
    if row is not None:
        told.insert(
            1, f"your held-out documents {row.before:.3f} → {row.after:.3f} bits per byte ({row.verdict})"
        )
    if found.kept == judging.ORIGINAL:
        told.append("nothing that was trained was better than the original, so the original was kept")
    return f"{name or 'A model'}, adapted. " + "; ".join(told) + "." if told else ""


def _rows(made: Mapping[str, Made]) -> list[Row]:
    rows: list[Row] = []
    for group, label in (("yours and general", "scores"), ("public", "benchmarks")):
        if f"before/{label}" not in made or f"after/{label}" not in made:
            continue
        old, new = (read_measured(made[f"{when}/{label}"].folder) for when in ("before", "after"))
        rows += _of(old, new) if label == "scores" else _by_skill(old, new, group, bool)
    return rows


def _of(old: Measured, new: Measured) -> list[Row]:
    def is_own(name: str) -> bool:
        return name == judging.OWN_SKILL or name.startswith(judging.OWN_TEXTS)

    known = judging.known_general_skills(old)
    found = [
        _share(old, new, "yours", OWN_QUESTIONS, judging.OWN_SKILL.__eq__, is_sum=True),
        _bits(old, new, "yours", OWN_TEXTS, is_own, is_sum=True),
        _share(old, new, "general", ALL_SKILLS, known.__contains__, is_sum=True),
        *_by_skill(old, new, "general", lambda skill: skill != judging.OWN_SKILL),
        _bits(old, new, "general", ALL_TEXTS, lambda domain: not is_own(domain), is_sum=True),
    ]
    return [row for row in found if row is not None]


def _by_skill(old: Measured, new: Measured, group: str, wanted: Callable[[str], bool]) -> list[Row]:
    skills = sorted({skill for skill, _ in old.right if wanted(skill)})
    rows = [_share(old, new, group, skill.replace("_", " "), skill.__eq__) for skill in skills]
    return [row for row in rows if row is not None]


def _share(
    old: Measured, new: Measured, group: str, name: str, wanted: Callable[[str], bool], is_sum: bool = False
) -> Row | None:
    items = sorted(item for item in old.right.keys() & new.right.keys() if wanted(item[0]))
    if not items:
        return None
    before, after = [old.right[i] for i in items], [new.right[i] for i in items]
    change = stats.paired_share_difference(before, after)
    return Row(
        group, name, sum(before) / len(items), sum(after) / len(items), change, len(items), False, is_sum
    )


def _bits(
    old: Measured, new: Measured, group: str, name: str, wanted: Callable[[str], bool], is_sum: bool = False
) -> Row | None:
    texts = sorted(text for text in old.bits.keys() & new.bits.keys() if wanted(text[0]))
    if not texts:
        return None
    before, after = [old.bits[t][0] for t in texts], [new.bits[t][0] for t in texts]
    sizes = [old.bits[t][1] for t in texts]
    total = math.fsum(sizes)
    change = stats.paired_ratio_difference(before, after, sizes)
    return Row(
        group, name, math.fsum(before) / total, math.fsum(after) / total, change, len(texts), True, is_sum
    )


def _plain(one: Made | None, name: str) -> Mapping[str, Any]:
    plain = one.json(name) if one is not None else None
    return plain if isinstance(plain, Mapping) else {}


def _bounded(line: Mapping[str, Any]) -> dict[str, str]:
    names: Sequence[str] = ("question", "wanted", "before", "after")
    return {name: str(line.get(name) or "")[:MOST_WORDS] for name in names}
