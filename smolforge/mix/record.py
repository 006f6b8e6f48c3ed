"""What a decision leaves behind for the next one and for people: `mixture.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from smolforge.mix import ledger
from smolforge.mix.decide import Situation, Verdict, contrast_from, look_from
from smolforge.mix.law import Contrast, Look
from smolforge.mix.ledger import Entry

NAME = "mixture.json"


@dataclass(frozen=True)
class Past:
    """What earlier decisions left: shares, tokens spoken for, the plan of the phases left, and all that was seen."""

    weights: Mapping[str, float] = field(default_factory=dict)
    planned: Mapping[str, float] = field(default_factory=dict)
    trained: tuple[Mapping[str, float], ...] = ()
    plan: tuple[Mapping[str, float], ...] = ()
    looks: tuple[Look, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    entries: tuple[Entry, ...] = ()
    predicted: Mapping[str, Sequence[float]] = field(default_factory=dict)
    trust: float = ledger.FIRST_TRUST
    phase: str = ""


def read_past(folder: Path) -> Past:
    """From the folder of a `ChosenMixture`."""
    plain = read_plain(folder)
    return Past(
        weights=plain["weights"],
        planned=plain.get("planned_tokens", {}),
        trained=tuple(plain.get("trained", [])),
        plan=tuple(plain.get("plan", [])),
        looks=tuple(look_from(one) for one in plain.get("looks", [])),
        contrasts=tuple(contrast_from(one) for one in plain.get("contrasts", [])),
        entries=tuple(_entry(one) for one in plain.get("ledger", [])),
        predicted=plain.get("predicted", {}),
        trust=float(plain.get("trust", ledger.FIRST_TRUST)),
        phase=str(plain.get("phase", "")),
    )


def read_plain(folder: Path) -> dict[str, Any]:
    """The file as it is."""
    return json.loads((folder / NAME).read_text(encoding="utf-8"))


def _entry(plain: Mapping[str, Any]) -> Entry:
    return Entry(**{name: value for name, value in plain.items() if name != "inside"})


def came_true(past: Past, look: Look | None) -> tuple[Entry, ...]:
    """What became of the last decision's predictions, now that its phase is measured."""
    if look is None or not past.looks:
        return ()
    before = past.looks[-1].bits
    found = []
    for skill, (middle, low, high) in sorted(past.predicted.items()):
        if skill in look.bits and skill in before:
            came = look.bits[skill][0]
            found.append(Entry(past.phase, skill, before[skill][0], middle, low, high, came))
    return tuple(found)


def write(folder: Path, plain: Mapping[str, Any]) -> None:
    """`mixture.json`."""
    text = json.dumps(_rounded(plain), indent=1, sort_keys=True, ensure_ascii=False)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def of_verdict(now: Situation, verdict: Verdict) -> dict[str, Any]:
    """What the measured rule adds: what it knew, expects, and did not do."""
    refusal = verdict.refusal
    rejected = verdict.wanted if refusal else now.keep[0]
    return {
        "refusal": asdict(refusal) if refusal else None,
        "rejected": {
            "weights": rejected,
            "why": refusal.why if refusal else f"the move is expected to gain {verdict.gain:.4f} bits",
        },
        "gain_bits": verdict.gain,
        "sure": verdict.sure,
        "price_bits": verdict.price,
        "predicted": verdict.predicted,
        "plan": list(verdict.plan[1:]),
        "needs": now.needs,
        "coverage": ledger.coverage(now.entries),
        "widening": ledger.widening(now.entries),
    }


def _rounded(value: Any) -> Any:
    """Numbers as far as they mean anything, so that the bytes do not hang on a processor's last bits."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {str(name): _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
