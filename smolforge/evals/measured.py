"""What an evaluation left behind, item by item, so that two models can be compared in pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.evals import stats
from smolforge.intervals import Interval


@dataclass(frozen=True)
class Measured:
    """One model's answers and bits: (skill, item) → right, (domain, text) → (bits, bytes).

    credit  (skill, item) → 0..1, of the skills whose score is the mean of it
    """

    right: Mapping[tuple[str, str], bool]
    bits: Mapping[tuple[str, str], tuple[float, float]]
    credit: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def share_right(self) -> float:
        """Of all items together."""
        return sum(self.right.values()) / max(1, len(self.right))

    @property
    def known_skills(self) -> frozenset[str]:
        """Those of which it answered something right: of the others it can forget nothing."""
        return frozenset(skill for (skill, _), right in self.right.items() if right)


def read_measured(scores: Path) -> Measured:
    """From a `Scores` folder."""
    samples = _lines(scores / "samples.jsonl")
    bits = _lines(scores / "bits.jsonl")
    return Measured(
        right={(str(s["skill"]), str(s["id"])): bool(s["right"]) for s in samples},
        credit={
            (str(s["skill"]), str(s["id"])): float(s["credit"])
            for s in samples
            if s.get("metric") == "credit"
        },
        bits={(str(b["domain"]), str(b["id"])): (float(b["bits"]), float(b["bytes"])) for b in bits},
    )


def pooled_change(before: Measured, after: Measured) -> Interval:
    """The difference over all items together, in pairs; InputError where they are not the same."""
    if before.right.keys() != after.right.keys():
        raise InputError("the two models did not answer the same items", fix="evaluate both again")
    return stats.paired_share_difference(
        list(before.right.values()), [after.right[item] for item in before.right]
    )


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
