"""Several models on the same items: scores with intervals, differences in pairs, and whether they are more than noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from smolforge.errors import InputError
from smolforge.evals import stats
from smolforge.evals.measured import Measured
from smolforge.evals.published import ARC, PUBLISHED
from smolforge.evals.stats import Interval

ARC_PARTS = ("arc_easy", "arc_challenge")
MEAN = "mean of all tasks"


@dataclass(frozen=True)
class Row:
    """One task. Shares between 0 and 1.

    scores     of each model
    changes    of each model against the first, over the same items; the first is its own reference
    published  of each reference, where it is known
    """

    task: str
    items: int
    chance: float | None
    scores: Sequence[Interval]
    changes: Sequence[Interval]
    published: Sequence[float | None]

    def verdict(self, place: int) -> str:
        """`better` or `worse` than the first model, or `inside the noise`."""
        change = self.changes[place]
        if not change.excludes(0.0):
            return "inside the noise"
        return "better" if change.value > 0 else "worse"


@dataclass(frozen=True)
class Comparison:
    """A table: a row a task, a column a model. `shown`, of `compared`: differences that are more than noise."""

    models: Sequence[str]
    forms: Sequence[str]
    references: Sequence[str]
    rows: Sequence[Row]

    @property
    def compared(self) -> int:
        """How many differences of single tasks there are."""
        return len(self._tasks()) * (len(self.models) - 1)

    @property
    def shown(self) -> int:
        """How many of these exclude zero."""
        return sum(row.changes[n].excludes(0.0) for row in self._tasks() for n in range(1, len(self.models)))

    def _tasks(self) -> list[Row]:
        return [row for row in self.rows if row.chance is not None]


def fewer_references(found: Comparison) -> Comparison:
    """The same without the last of the published models."""
    rows = [replace(row, published=row.published[:-1]) for row in found.rows]
    return replace(found, references=found.references[:-1], rows=rows)


def lay_side_by_side(
    models: Sequence[tuple[str, Measured]],
    forms: Sequence[str],
    chances: Mapping[str, float],
    references: Sequence[str],
) -> Comparison:
    """The comparison of models that answered the same items. `chances`: of each task.

    Raises InputError where the items are not the same.
    """
    names = [name for name, _ in models]
    first = models[0][1].right
    for name, one in models:
        if one.right.keys() != first.keys():
            raise InputError(
                f"`{name}` and `{names[0]}` did not answer the same items", fix="evaluate both again"
            )
    tasks = sorted({task for task, _ in first})
    measured = [one for _, one in models]
    rows = [_task_row(task, measured, chances[task], references) for task in tasks]
    by_task = {row.task: row for row in rows}
    if all(part in by_task for part in ARC_PARTS):
        parts = [by_task[part] for part in ARC_PARTS]
        place = rows.index(max(parts, key=rows.index)) + 1
        rows.insert(place, _mean_row(ARC, parts, [PUBLISHED[name].get(ARC) for name in references]))
    if len(tasks) > 1:
        rows.append(_mean_row(MEAN, list(by_task.values()), [None] * len(references)))
    return Comparison(names, list(forms), list(references), rows)


def _task_row(task: str, models: Sequence[Measured], chance: float, references: Sequence[str]) -> Row:
    items = [key for key in models[0].right if key[0] == task]
    if all(key in one.credit for one in models for key in items):
        credits = [[one.credit[key] for key in items] for one in models]
        scores = [_within(stats.mean_interval(credit)) for credit in credits]
        changes = [stats.paired_mean_difference(credits[0], credit) for credit in credits]
    else:
        answers = [[one.right[key] for key in items] for one in models]
        scores = [stats.share_interval(sum(right), len(right)) for right in answers]
        changes = [stats.paired_share_difference(answers[0], right) for right in answers]
    return Row(
        task=task,
        items=len(items),
        chance=chance,
        scores=scores,
        changes=changes,
        published=[PUBLISHED[name].get(task) for name in references],
    )


def _within(found: Interval) -> Interval:
    """The interval of a mean credit, between 0 and 1."""
    return Interval(found.value, max(0.0, found.low), min(1.0, found.high))


def _mean_row(name: str, rows: Sequence[Row], published: Sequence[float | None]) -> Row:
    """Every task counts alike, whatever its number of items."""

    def means(column: Callable[[Row], Sequence[Interval]]) -> list[Interval]:
        return [mean_of(part) for part in zip(*(column(row) for row in rows), strict=True)]

    return Row(
        task=name,
        items=sum(row.items for row in rows),
        chance=None,
        scores=means(lambda row: row.scores),
        changes=means(lambda row: row.changes),
        published=list(published),
    )


def mean_of(parts: Sequence[Interval]) -> Interval:
    """The mean of independent estimates, from their intervals alone.

    Source: Zou and Donner 2008, "Construction of confidence limits about effect measures" (MOVER).
    """
    value = math.fsum(part.value for part in parts) / len(parts)
    below = math.sqrt(math.fsum((part.value - part.low) ** 2 for part in parts)) / len(parts)
    above = math.sqrt(math.fsum((part.high - part.value) ** 2 for part in parts)) / len(parts)
    return Interval(value, value - below, value + above)
