"""Another run beside this one: which settings differ, and what that did to the scores of the last step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smolforge.plan import config_changes
from smolforge.report import compare
from smolforge.report.compare import Cell
from smolforge.report.reading import Run

MOST_SETTINGS = 40


@dataclass(frozen=True)
class Beside:
    """Two runs. `rows`: `(skill, this run's cell, the other's)`, this run's change being against the other's.

    settings   `(path, here, there)` of those that differ, at most 40 of them; `more`: how many are left out
    """

    name: str
    step: str
    other_step: str
    settings: Sequence[tuple[str, str, str]]
    more: int
    rows: Sequence[tuple[str, Cell, Cell]]

    @property
    def told(self) -> str:
        """How many scores differ by more than noise."""
        verdicts = [cell.verdict for _, cell, _ in self.rows]
        parts = [f"{verdicts.count(what)} {what}" for what in ("better", "worse") if what in verdicts]
        return f"{' and '.join(parts) or 'none'} of {len(verdicts)} by more than noise"


def beside(run: Run, other: Run) -> Beside | None:
    """The last scored steps of both, over the same items where they were asked the same; None where one has no scores."""
    mine, theirs = compare.read_steps(run), compare.read_steps(other)
    if not mine or not theirs:
        return None
    here, there = mine[-1], theirs[-1]
    rows = [
        (compare.plain_name(skill), compare.against(skill, here, there), there.cells[skill])
        for skill in here.cells
        if skill in there.cells
    ]
    changes = config_changes(_config(other), _config(run))
    settings = [(path, _short(new), _short(old)) for path, old, new in changes]
    return Beside(
        other.name, here.name, there.name, settings[:MOST_SETTINGS], len(settings[MOST_SETTINGS:]), rows
    )


def _config(run: Run) -> Mapping[str, Any]:
    config = run.recipe.get("config")
    return config if isinstance(config, Mapping) else {}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
