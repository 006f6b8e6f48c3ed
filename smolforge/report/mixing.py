"""The decisions about the mixture: what was expected and what came, for the page and as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smolforge.report.reading import Made, Run
from smolforge.report.svg import drawing, element, text, ticks, title
from smolforge.units import format_count

WIDTH, HEIGHT = 250.0, 132.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 8.0, 8.0, 24.0


@dataclass(frozen=True)
class Decided:
    """One phase's decision as it was recorded."""

    phase: str
    plain: Mapping[str, Any]

    @property
    def verdict(self) -> str:
        """In a few words: moved, kept by which rule, or a rule that never refuses."""
        refusal = self.plain.get("refusal")
        if isinstance(refusal, Mapping):
            return f"kept, rule “{refusal.get('rule')}”: {refusal.get('why')}"
        gain, sure = self.plain.get("gain_bits"), self.plain.get("sure")
        if self.plain.get("measured") and isinstance(gain, float) and isinstance(sure, float):
            return f"moved; {gain:.4f} bits per byte expected of it, likely by {sure:.0%}"
        return f"by the rule {self.plain.get('rule', 'of the recipe')}"

    @property
    def rejected(self) -> str:
        """What was not done, and why."""
        other = self.plain.get("rejected")
        if not isinstance(other, Mapping):
            return ""
        shares = _numbers(other.get("weights"))
        listed = ", ".join(
            f"{name} {share:.1%}" for name, share in sorted(shares.items(), key=lambda pair: -pair[1])
        )
        return f"{listed} ({other.get('why')})" if shares else ""

    @property
    def cost(self) -> str:
        """What measuring and trying took of the phase."""
        spent = self.plain.get("spent_tokens")
        return f"{format_count(spent)} tokens" if isinstance(spent, int | float) and spent else ""

    @property
    def trial(self) -> Sequence[str]:
        lines = self.plain.get("trial", [])
        return [str(line) for line in lines] if isinstance(lines, list) else [str(lines)]


@dataclass(frozen=True)
class Skill:
    """One skill's bits per byte after every phase: as predicted with its interval, and as it came."""

    name: str
    predicted: Sequence[tuple[float, float, float] | None]
    came: Sequence[float | None]


def decided(run: Run) -> list[Decided]:
    """The decision that each phase was trained by; empty for a run without a record of one."""
    found = []
    for phase in run.phases:
        chosen = run.inputs(phase, "ChosenMixture")
        plain = chosen[0].json("mixture.json") if chosen else None
        if isinstance(plain, dict) and "rule" in plain:
            found.append(Decided(phase.name, plain))
    return found


def skills(run: Run) -> list[Skill]:
    """What was predicted for the end of each phase and what was measured there, skill by skill."""
    plans = [_predictions(one.plain.get("predicted")) for one in decided(run)]
    measured = [_measured(run, phase) for phase in run.phases]
    names = sorted({name for part in plans for name in part} | {name for part in measured for name in part})
    return [Skill(name, [p.get(name) for p in plans], [m.get(name) for m in measured]) for name in names]


def _measured(run: Run, phase: Made) -> dict[str, float]:
    for one in run.of("SkillBits"):
        if phase.key in one.input_keys:
            return {k: v for k, v in _numbers(one.facts).items() if f"{k}_low" in one.facts}
    return {}


def _predictions(plain: Any) -> dict[str, tuple[float, float, float]]:
    found = {}
    for name, row in list(plain.items()) if isinstance(plain, Mapping) else []:
        if isinstance(row, list) and len(row) == 3 and all(isinstance(n, int | float) for n in row):
            found[str(name)] = (float(row[0]), float(row[1]), float(row[2]))
    return found


def _numbers(plain: Any) -> dict[str, float]:
    if not isinstance(plain, Mapping):
        return {}
    return {str(k): float(v) for k, v in plain.items() if isinstance(v, int | float) and math.isfinite(v)}


def hits(found: Sequence[Skill]) -> tuple[int, int]:
    """How many changes came inside their predicted interval, and of how many."""
    pairs = [
        (plan, came)
        for skill in found
        for plan, came in zip(skill.predicted, skill.came, strict=False)
        if plan is not None and came is not None
    ]
    return sum(low <= came <= high for (_, low, high), came in pairs), len(pairs)


def skill_charts(run: Run) -> list[tuple[str, str]]:
    """`(skill, drawing)`: bars are predicted intervals, points what came."""
    return [
        (one.name.replace("_", " "), _chart(one))
        for one in skills(run)
        if sum(c is not None for c in one.came) > 1
    ]


def _chart(skill: Skill) -> str:
    values = [n for n in skill.came if n is not None]
    values += [n for row in skill.predicted if row is not None for n in row[1:]]
    low, high = min(values), max(values)
    room = 0.08 * (high - low or 1.0)
    low, high = max(0.0, low - room), high + room

    def at_x(place: int) -> float:
        return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / max(1, len(skill.came))

    def at_y(value: float) -> float:
        return TOP + (1 - (value - low) / (high - low or 1.0)) * (HEIGHT - TOP - BOTTOM)

    inside = []
    for mark in ticks(low, high, 4):
        inside.append(element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=at_y(mark), y2=at_y(mark)))
        inside.append(text(LEFT - 5, at_y(mark) + 4, f"{mark:g}", class_="tick", text_anchor="end"))
    told = []
    for place, came in enumerate(skill.came):
        x = at_x(place)
        inside.append(text(x, HEIGHT - 6, str(place + 1), class_="tick", text_anchor="middle"))
        row = skill.predicted[place] if place < len(skill.predicted) else None
        if row is not None:
            bar = title(f"predicted {row[0]:.3f} [{row[1]:.3f}, {row[2]:.3f}]")
            height = max(1.0, at_y(row[1]) - at_y(row[2]))
            inside.append(
                element(
                    "rect",
                    bar,
                    class_="bar",
                    x=x - 7,
                    y=at_y(row[2]),
                    width=14.0,
                    height=height,
                    opacity=0.35,
                )
            )
        if came is not None:
            inside.append(
                element("circle", title(f"measured {came:.3f}"), class_="dot", cx=x, cy=at_y(came), r=3.5)
            )
            told.append(f"{came:.2f}")
    label = f"{skill.name}: bits per byte after each phase {', '.join(told)}"
    return drawing(WIDTH, HEIGHT, *inside, label=label)


def explained(run: Run) -> str:
    """All decisions of a run in words."""
    lines: list[str] = []
    for one in decided(run):
        lines += [f"{one.phase}: {one.verdict}", *(f"  {line}" for line in one.trial)]
        lines += [f"  {reason}" for reason in one.plain.get("reasons", []) if reason not in one.trial]
        lines += [f"  rejected: {one.rejected}"] if one.rejected else []
        lines += [f"  cost: {one.cost}"] if one.cost else []
        lines.append("")
    found = skills(run)
    inside, all_of_them = hits(found)
    if all_of_them:
        lines.append(
            f"predicted and measured, bits per byte: {inside} of {all_of_them} inside their 90% intervals"
        )
        lines += [line for skill in found for line in _told(skill)]
    return "\n".join(lines).rstrip()


def _told(skill: Skill) -> list[str]:
    said = []
    for place, came in enumerate(skill.came):
        row = skill.predicted[place] if place < len(skill.predicted) else None
        if came is not None:
            wanted = f"predicted {row[0]:.3f} [{row[1]:.3f}, {row[2]:.3f}], " if row else ""
            said.append(f"phase {place + 1}: {wanted}came {came:.3f}")
    return [f"  {skill.name}: {'; '.join(said)}"] if said else []
