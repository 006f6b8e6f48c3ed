"""Scores step by step: what changed since the step before, and whether that is more than noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from smolforge.evals import stats
from smolforge.intervals import Interval, independent_difference
from smolforge.report.reading import Made, Run

Verdict = Literal["better", "worse", "within noise"]
Outcome = Literal["yes", "partly", "no", "unclear"]
BITS_PREFIX = "bits_"


@dataclass(frozen=True)
class Cell:
    """One skill after one step; `change` is against the same skill at the step before."""

    value: float
    low: float
    high: float
    chance: float
    items: int
    unit: str
    change: Interval | None = None
    is_paired: bool = False

    @property
    def is_bits(self) -> bool:
        return self.unit == "bits_per_byte"

    @property
    def verdict(self) -> Verdict | None:
        """What the change means; less is better for bits per byte."""
        if self.change is None:
            return None
        if not self.change.excludes(0.0):
            return "within noise"
        return "better" if (self.change.value < 0) == self.is_bits else "worse"

    @property
    def above_chance(self) -> bool:
        """Whether the whole interval lies above chance."""
        return self.high < self.chance if self.is_bits else self.low > self.chance


@dataclass(frozen=True)
class Step:
    """The scores of one checkpoint."""

    name: str
    form: str
    scores: Made
    model: Made | None
    cells: Mapping[str, Cell]
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def mean(self, *, bits: bool) -> float | None:
        """Plain mean over skills, or over domains of bits per byte."""
        values = [cell.value for cell in self.cells.values() if cell.is_bits == bits]
        return math.fsum(values) / len(values) if values else None


def read_steps(run: Run) -> list[Step]:
    """All scored steps in order, each compared with the last that has the same skill."""
    steps: list[Step] = []
    for made in run.of("Scores"):
        plain = made.json("scores.json")
        if not isinstance(plain, list) or made.label.startswith(("before/", "after/")):
            continue  # an adaptation's two ends are compared with each other, in a section of their own
        if made.label.endswith("/decision"):  # the report reads what no decision has
            continue
        models = run.inputs(made, "Checkpoint", "DeviceModel")
        form = str(made.config.get("form", "")) if isinstance(made.config, Mapping) else ""
        samples = {str(line.get("id")): line for line in made.lines("samples.jsonl")}
        bits = {(str(x.get("domain")), str(x.get("id"))): x for x in made.lines("bits.jsonl")}
        cells = {}
        for score in plain:
            cell = _cell(score)
            if cell is not None:
                cells[str(score["skill"])] = _compared(str(score["skill"]), cell, steps, samples, bits)
        steps.append(Step(made.name, form, made, models[0] if models else None, cells, samples))
    return steps


def skills_of(steps: list[Step], *, bits: bool) -> list[str]:
    """Names in order of first appearance."""
    found: dict[str, None] = {}
    for step in steps:
        found |= dict.fromkeys(name for name, cell in step.cells.items() if cell.is_bits == bits)
    return list(found)


def _cell(score: Any) -> Cell | None:
    try:
        return Cell(
            value=float(score["value"]),
            low=float(score["low"]),
            high=float(score["high"]),
            chance=float(score["chance"]),
            items=int(score["items"]),
            unit=str(score.get("unit", "share")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _compared(
    skill: str, cell: Cell, steps: list[Step], samples: Mapping[str, Any], bits: Mapping[tuple[str, str], Any]
) -> Cell:
    before = next((s for s in reversed(steps) if skill in s.cells), None)
    if before is None:
        return cell
    paired = (
        _paired_bits(skill, before, bits) if cell.is_bits else _paired_share(skill, before.samples, samples)
    )
    change = paired or difference(before.cells[skill], cell)
    # What is shown is the difference of the two values shown; pairing only narrows its bounds.
    value = cell.value - before.cells[skill].value
    fixed = Interval(value, change.low, change.high)
    return Cell(**{**cell.__dict__, "change": fixed, "is_paired": paired is not None})


def against(skill: str, step: Step, other: Step) -> Cell:
    """The cell of a skill, with its change from that of another step, of this run or of another."""
    cell = Cell(**{**step.cells[skill].__dict__, "change": None, "is_paired": False})
    bits = {(str(x.get("domain")), str(x.get("id"))): x for x in step.scores.lines("bits.jsonl")}
    return _compared(skill, cell, [other], step.samples, bits)


def _paired_share(skill: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Interval | None:
    ids = [i for i, line in after.items() if line.get("skill") == skill]
    earlier = [i for i, line in before.items() if line.get("skill") == skill]
    if not ids or sorted(ids) != sorted(earlier):
        return None
    return stats.paired_share_difference(
        [bool(before[i].get("right")) for i in ids], [bool(after[i].get("right")) for i in ids]
    )


def _paired_bits(skill: str, before: Step, after: Mapping[tuple[str, str], Any]) -> Interval | None:
    domain = skill.removeprefix(BITS_PREFIX)
    earlier = {str(x.get("id")): x for x in before.scores.lines("bits.jsonl") if x.get("domain") == domain}
    now = {text: line for (where, text), line in after.items() if where == domain}
    if not now or set(now) != set(earlier):
        return None
    ids = sorted(now)
    try:
        return stats.paired_ratio_difference(
            [float(earlier[i]["bits"]) for i in ids],
            [float(now[i]["bits"]) for i in ids],
            [float(now[i]["bytes"]) for i in ids],
        )
    except (KeyError, TypeError, ValueError):
        return None


def difference(before: Cell, after: Cell) -> Interval:
    """After minus before for two scores over different items."""
    old, new = (Interval(cell.value, cell.low, cell.high) for cell in (before, after))
    return independent_difference(old, new)


@dataclass(frozen=True)
class Judgement:
    """Whether a step improved what it is meant to improve, in one sentence."""

    step: str
    aim: str
    outcome: Outcome
    sentence: str


def judge_steps(run: Run, steps: list[Step]) -> list[Judgement]:
    """One judgement for every step that has one before it."""
    found = []
    for before, step in itertools.pairwise(steps):
        aim, skills = _aim(run, step)
        changed = {
            name: step.cells[name] for name in skills if name in step.cells and step.cells[name].change
        }
        if changed:
            found.append(_judge(step, aim, changed, before, pooled(before, step, changed)))
    return found


def _aim(run: Run, step: Step) -> tuple[str, list[str]]:
    shares = [name for name, cell in step.cells.items() if not cell.is_bits]
    bits = [name for name, cell in step.cells.items() if cell.is_bits]
    if step.model in run.phases:
        return "every skill and domain", [*shares, *bits]
    rewarded = [name for name in _rewarded_skills(run, step.model) if name in shares]
    if rewarded:
        return "the skills it rewards", rewarded
    return "the chat skills", shares


def _rewarded_skills(run: Run, model: Made | None) -> list[str]:
    """Skills that preference pairs or rewards are about; empty for other steps."""
    if model is None:
        return []
    named = model.config.get("skills") if isinstance(model.config, Mapping) else None
    if isinstance(named, list) and named:
        return [str(name) for name in named]
    pairs = run.inputs(model, "PreferenceData")
    return sorted({str(line.get("skill")) for one in pairs for line in one.lines("pairs.jsonl")})


def pooled(before: Step, after: Step, skills: Iterable[str]) -> Interval | None:
    """The change over all items of two skills or more together, in pairs; None where they are not the same items."""
    wanted = {name for name in skills if name in after.cells and not after.cells[name].is_bits}
    ids = [i for i, line in after.samples.items() if line.get("skill") in wanted]
    if len(wanted) < 2 or not ids or any(i not in before.samples for i in ids):
        return None
    return stats.paired_share_difference(
        [bool(before.samples[i].get("right")) for i in ids],
        [bool(after.samples[i].get("right")) for i in ids],
    )


def _judge(
    step: Step, aim: str, changed: Mapping[str, Cell], before: Step, together: Interval | None
) -> Judgement:
    better = [name for name, cell in changed.items() if cell.verdict == "better"]
    worse = [name for name, cell in changed.items() if cell.verdict == "worse"]
    same = [name for name in changed if name not in better and name not in worse]
    told = [
        f"{_told(names, changed)} {what}"
        for names, what in ((better, "improved"), (worse, "got worse"))
        if names
    ]
    if not told:
        told = ["not shown to help: no skill changed by more than noise"]
    elif same:
        told.append(f"{_told(same, changed)} stayed within noise")
    outcome: Outcome = ("partly" if worse else "yes") if better else ("no" if worse else "unclear")
    if together is not None:
        value, low, high = (f"{100 * x:+.1f}" for x in (together.value, together.low, together.high))
        told.append(f"all questions together {value} points [{low}, {high}], in pairs")
        if together.excludes(0.0) and outcome != "partly":
            outcome = "yes" if together.value > 0 else "no"
    note = "" if step.form == before.form else f" Asked as {step.form} from here on, as {before.form} before."
    return Judgement(step.name, aim, outcome, "; ".join(told) + "." + note)


def _told(names: list[str], among: Mapping[str, Cell]) -> str:
    """Skills by name; domains of bits per byte together; only a count where there are many."""
    parts = []
    for is_bits, what in ((True, "domains"), (False, "skills")):
        mine = [plain_name(name) for name in names if among[name].is_bits == is_bits]
        all_of_them = sum(cell.is_bits == is_bits for cell in among.values())
        if len(mine) == all_of_them > 1:
            parts.append(f"{'both' if all_of_them == 2 else f'all {all_of_them}'} {what}")
        elif is_bits and len(mine) > 1:
            parts.append(f"{len(mine)} of {all_of_them} domains")
        else:
            parts += mine
    return _list(parts)


def plain_name(skill: str) -> str:
    """A score's name as people say it."""
    if skill.startswith(BITS_PREFIX):
        return f"bits per byte of {skill.removeprefix(BITS_PREFIX)}"
    return skill.replace("_", " ")


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
