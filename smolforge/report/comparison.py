"""A comparison of models for people to read: in the terminal, as Markdown for a model card, as a page, and as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from smolforge.errors import ConfigError
from smolforge.evals.comparison import Comparison, Row, fewer_references
from smolforge.evals.published import NOTES
from smolforge.evals.stats import Interval

COLUMN_GAP = "  "
READ = (
    "Shares of right answers in percent, with 95% intervals; differences over the same items, in points. "
    "Where a difference is inside the noise, nothing is said about which model is better."
)


def as_text(found: Comparison, width: int = 0) -> str:
    """Two tables in columns: scores, and differences from the first model. `width`: columns of the terminal, 0 for no
    bound; published scores that it has no room for are named instead.
    """
    shown = found
    while width and shown.references and _width(_score_table(shown)) > width:
        shown = fewer_references(shown)
    parts = [_columns(_score_table(shown))]
    if len(found.models) > 1:
        parts.append(f"difference from {found.models[0]}, on the same items, in points")
        parts.append(_columns(_change_table(found)))
    hidden = found.references[len(shown.references) :]
    told = [f"No room here for the published scores of {', '.join(hidden)}; `--out FILE.md` writes all."]
    return "\n\n".join([*parts, *_remarks(shown), *(told if hidden else [])])


def as_markdown(found: Comparison) -> str:
    """The same as Markdown tables."""
    parts = [READ, _markdown_table(_score_table(found))]
    if len(found.models) > 1:
        parts += [f"Difference from {found.models[0]}:", _markdown_table(_change_table(found))]
    return "\n\n".join([*parts, *_remarks(found)]) + "\n"


def as_page(found: Comparison) -> str:
    """One self-contained HTML page; every name is escaped."""
    from smolforge.report.pages import filled, template_source

    source, remarks = template_source("comparison.html"), _remarks(found)
    return filled(source, found=found, percent=percent, points=points, mark=_mark, read=READ, remarks=remarks)


def as_json(found: Comparison) -> str:
    """Everything, as shares, in the order of `models` and `published`: for programs."""
    plain = {
        "models": [{"name": n, "form": form} for n, form in zip(found.models, found.forms, strict=True)],
        "published": list(found.references),
        "tasks": [_plain(row) for row in found.rows],
    }
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


WRITERS: Mapping[str, Callable[[Comparison], str]] = {".md": as_markdown, ".html": as_page, ".json": as_json}
"""How a comparison is written, by the ending of the file."""


def writer_of(file: Path) -> Callable[[Comparison], str]:
    """Raises ConfigError for an ending that no writer has, and for a folder that cannot be written to."""
    if file.suffix not in WRITERS:
        raise ConfigError(
            f"`{file}` says nothing of its form", fix=f"end its name in one of {', '.join(WRITERS)}"
        )
    if not os.access(file.parent, os.W_OK):
        raise ConfigError(f"`{file}` cannot be written there", fix="name a folder that is there, and yours")
    return WRITERS[file.suffix]


def write(found: Comparison, file: Path) -> None:
    """Write the file whole, in the form that its ending asks for."""
    from smolforge.report.pages import write_whole

    write_whole(file, writer_of(file)(found))


# -- cells ---------------------------------------------------------------------------------------------


def percent(share: Interval) -> str:
    """`44.0 [38.5, 49.7]`."""
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def points(change: Interval) -> str:
    """`+1.5 [-1.3, +4.4]`."""
    return f"{100 * change.value:+.1f} [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


def _mark(task: str) -> str:
    """A star where a note says what else differs."""
    return f"{task}*" if task in NOTES else task


def _score_table(found: Comparison) -> list[list[str]]:
    heads = [f"{name} ({form})" for name, form in zip(found.models, found.forms, strict=True)]
    published = [f"{name}, published" for name in found.references]
    rows = [["task", "items", "chance", *heads, *published]]
    for row in found.rows:
        known = ["–" if score is None else f"{score:.1f}" for score in row.published]
        chance = "" if row.chance is None else f"{100 * row.chance:.1f}"
        rows.append([_mark(row.task), str(row.items), chance, *map(percent, row.scores), *known])
    return rows


def _change_table(found: Comparison) -> list[list[str]]:
    rows = [["task", *found.models[1:]]]
    for row in found.rows:
        told = [f"{points(row.changes[n])} {row.verdict(n)}" for n in range(1, len(found.models))]
        rows.append([row.task, *told])
    return rows


def _remarks(found: Comparison) -> list[str]:
    told = []
    if found.compared:
        told.append(
            f"{found.shown} of {found.compared} differences of single tasks are more than noise; where there is none at all, "
            f"one in twenty looks like one by chance ({found.compared / 20:.1f} of these)."
        )
    tasks = {row.task for row in found.rows if any(score is not None for score in row.published)}
    told += [f"* {task}: {note}." for task, note in NOTES.items() if task in tasks]
    if found.references:
        told.append(
            "Published: arXiv:2502.02737 and the model cards; whole test sets, the makers' own harness."
        )
    return told


# -- tables --------------------------------------------------------------------------------------------


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]


def _width(rows: Sequence[Sequence[str]]) -> int:
    return sum(_widths(rows)) + len(COLUMN_GAP) * (len(rows[0]) - 1)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = _widths(rows)
    lines = [
        COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    plain = [[cell.replace("|", "\\|").replace("*", "\\*") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in plain]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _plain(row: Row) -> dict[str, Any]:
    return {
        "task": row.task,
        "items": row.items,
        "chance": row.chance,
        "scores": [_bounds(score) for score in row.scores],
        "changes": [{**_bounds(change), "verdict": row.verdict(n)} for n, change in enumerate(row.changes)],
        "published": list(row.published),
    }


def _bounds(found: Interval) -> dict[str, float | None]:
    parts = {"value": found.value, "low": found.low, "high": found.high}
    return {name: round(part, 6) if math.isfinite(part) else None for name, part in parts.items()}
