"""What a lab holds, as text: runs, facts, lineage trees, and the difference between two runs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolforge.artifacts import Artifact, Facts
from smolforge.errors import StoreError
from smolforge.facts import PLAIN_WIDTH, change_of, facts_line, facts_told, has_colour, in_lines, painted
from smolforge.log import read_events, terminal_width
from smolforge.outlook import state_of
from smolforge.plan import Step, config_changes
from smolforge.store import COMMAND_RUNS, Store, Tree, facts_before, read_labels, read_record, verify
from smolforge.units import format_bytes, format_count, format_seconds

H100_FLOPS = 990e12
"""Dense bf16 peak of one H100, FLOP/s (the maker's data sheet)."""
ASSUMED_MFU = 0.40
"""Share of that peak a plan counts on; chosen, untested."""


@dataclass(frozen=True)
class Look:
    """How text is shown: `width` is the terminal's columns, 0 for a file, which gets whole lines without colour."""

    width: int = 0
    colour: bool = False

    @classmethod
    def of_terminal(cls) -> Look:
        """That of standard output."""
        return cls(terminal_width(), has_colour(sys.stdout))


def runs_text(store: Store, look: Look = Look()) -> str:
    """One line a run: how far it came, when, how long that took and what it holds on disk."""
    rows = []
    for name in store.runs():
        folder = store.lab / "runs" / name
        labels = read_labels(folder)
        seconds = sum(one["seconds"] for one in labels.values())
        size = sum(size_bytes(store.lab / "artifacts" / one["folder"]) for one in labels.values())
        rows.append(
            [name, _state(store, name), f"{len(labels)} made", format_seconds(seconds), format_bytes(size),
             day_and_time(_changed(folder))]
        )  # fmt: skip
    if not rows:
        return f"no runs in {store.lab} yet; `smol run quickstart` makes one"
    return _table(["run", "state", "artifacts", "took", "size", "changed"], rows, look)


def run_text(store: Store, name: str, look: Look = Look()) -> str:
    """One line a label of one run: when it was made, how long that took, its size, and its facts, scores first."""
    labels, rows, told = read_labels(store.lab / "runs" / name), [], []
    earlier: dict[str, Any] = {}
    for label, one in labels.items():
        folder = store.lab / "artifacts" / one["folder"]
        record = read_record(folder)
        before = facts_before(store.lab, earlier, record) if record else None
        made = (record or {}).get("provenance", {}).get("started")
        rows.append(
            [label, day_and_time(made), format_seconds(one["seconds"]), format_bytes(size_bytes(folder))]
        )
        told.append(facts_told(one["facts"], before, colour=look.colour) if record else ["gone from the lab"])
        earlier[label] = one
    table = _table(["label", "made", "took", "size"], rows, look, told) if rows else "nothing is made yet"
    state = _state(store, name)
    if "▲" in table or "▼" in table:
        table += "\n▲ better and ▼ worse than the scores before, by more than noise"
    if name in COMMAND_RUNS or state == "complete":
        return table
    return f"{table}\n{name} is {state}; its command goes on from there"


def _table(
    heads: list[str], rows: list[list[str]], look: Look, told: Sequence[Sequence[str]] | None = None
) -> str:
    """Rows in columns. What is `told` of each follows it: on a terminal in lines that fit, in a file in the same line."""
    widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]

    def columns(row: list[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))

    if not look.width:
        tails = [", ".join(parts) for parts in told] if told else [""] * len(rows)
        return "\n".join(f"{columns(row)}  {tail}".rstrip() for row, tail in zip(rows, tails, strict=True))
    lines = [painted(columns(heads).rstrip(), "dim", look.colour)]
    for number, row in enumerate(rows):
        lines.append(painted(row[0], "bold", look.colour) + columns(row).rstrip()[len(row[0]) :])
        lines += [in_lines(told[number], look.width, "    ")] if told else []
    return "\n".join(lines)


def _state(store: Store, name: str) -> str:
    if name in COMMAND_RUNS:
        return "kept"
    state = state_of(list(read_events(store.lab / "runs" / name)), store.lab)
    if state.is_finished:
        return "complete"
    if state.working_on:
        return f"at work on {state.working_on}"
    return f"stopped at {state.stopped_at}" if state.stopped_at else "not begun"


def size_bytes(folder: Path) -> int:
    """What a folder's files take; 0 for one that is gone."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def _changed(folder: Path) -> float:
    return max((f.stat().st_mtime for f in folder.iterdir() if f.is_file()), default=folder.stat().st_mtime)


def day_and_time(seconds: float | None) -> str:
    """`2026-11-27 17:50` here, of seconds since 1970."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def artifact_text(store: Store, artifact: Artifact, look: Look = Look()) -> str:
    """Facts, files and lineage of one artifact, and whether its files are as they were sealed."""
    record = read_record(artifact.path) or {}
    lines = [
        f"{record.get('kind', 'Artifact')} {artifact.path}",
        f"  digest   {artifact.digest[:16]}",
        f"  stage    {record.get('stage')} version {record.get('version')}",
        f"  made     {day_and_time(record.get('provenance', {}).get('started'))}",
        *(f"  {name:24} {value}" for name, value in artifact.facts.items()),
        "  config   " + json.dumps(record.get("config"), ensure_ascii=False),
    ]
    damaged = verify(artifact.path)
    lines.append(f"  files    {len(record.get('files', {}))}, {format_bytes(size_bytes(artifact.path))}, ")
    lines[-1] += f"DAMAGED: {', '.join(damaged)}" if damaged else "as sealed"
    lines.append("made from")
    lines.extend(_tree_lines(store.lineage(artifact), "", set()))
    return fitted("\n".join(lines), look)


def fitted(text: str, look: Look) -> str:
    """Lines that are too long for the terminal end in …, which says that a file would get the rest."""
    if not look.width:
        return text
    return "\n".join(
        line if len(line) <= look.width else line[: look.width - 1] + "…" for line in text.splitlines()
    )


def _tree_lines(tree: Tree, indent: str, seen: set[str]) -> Iterator[str]:
    names = list(tree.inputs)
    for number, name in enumerate(names):
        branch = tree.inputs[name]
        last = number == len(names) - 1
        again = branch.name in seen and bool(branch.inputs)
        note = " (above)" if again else f"  {facts_line(branch.record.get('facts', {}))}"
        yield f"{indent}{'└' if last else '├'}─ {name}: {branch.name}{note}"
        seen.add(branch.name)
        if not again:
            yield from _tree_lines(branch, indent + ("   " if last else "│  "), seen)


def diff_text(store: Store, left: str, right: str, look: Look = Look()) -> str:
    """Two runs, field by field: settings, then results."""
    a, b = (_run(store.lab, name) for name in (left, right))
    lines = [f"settings ({left} → {right})"]
    changes = config_changes(a["config"], b["config"])
    lines += [f"  {path}: {json.dumps(x)} → {json.dumps(y)}" for path, x, y in changes] or ["  none differ"]
    lines.append("artifacts")
    same, width = 0, look.width or PLAIN_WIDTH
    for label in [*a["labels"], *(k for k in b["labels"] if k not in a["labels"])]:
        one, other = a["labels"].get(label), b["labels"].get(label)
        if one is None or other is None:
            lines.append(f"  {label}: only in {left if one else right}")
        elif one["digest"] == other["digest"]:
            same += 1
        else:
            lines += [f"  {label}", in_lines(_facts_diff(one["facts"], other["facts"], look), width, "    ")]
    lines.append(f"  {same} the same, byte for byte")
    return "\n".join(lines)


def _run(lab: Path, name: str) -> dict[str, Any]:
    folder = lab / "runs" / name
    try:
        recipe = json.loads((folder / "recipe.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise StoreError(
            f"there is no run `{name}`", where=str(lab), fix="`smol show` lists the runs"
        ) from None
    return {"config": recipe["config"], "labels": read_labels(folder)}


def _facts_diff(one: Facts, other: Facts, look: Look) -> list[str]:
    """The facts that differ, scores first, with ▲ or ▼ where a score changed by more than noise."""
    differ = {name for name, *_ in config_changes(dict(one), dict(other))}
    scored = {name for name in differ if change_of(name, other, one)}
    ends = {f"{name}{end}" for name in scored for end in ("_low", "_high")}
    told = facts_told({name: other[name] for name in other if name in scored | ends}, one, colour=look.colour)
    for name, a, b in config_changes(dict(one), dict(other)):
        if name in scored | ends:
            continue
        if isinstance(a, int | float) and isinstance(b, int | float):
            told.append(f"{name} {a:.4g} → {b:.4g} ({b - a:+.4g})")
        else:
            told.append(f"{name} {a} → {b}")
    return told or ["other bytes, same facts"]


def plan_text(steps: list[Step], minutes: float | None = None) -> str:
    """A plan, one line a stage, and what it costs in all. `minutes`: those that the recipe is given and keeps to."""
    width = max((len(step.label) for step in steps), default=0)
    lines = []
    for step in steps:
        known = f"about {format_seconds(step.seconds)}" if step.seconds is not None else ""
        notes = [note for note in (step.reason, "" if step.action == "reuse" else known, _cost(step)) if note]
        lines.append(f"{step.action:8} {step.label:{width}}  {' · '.join(notes)}".rstrip())
    return "\n".join([*lines, "", *_totals(steps, minutes)])


def _cost(step: Step) -> str:
    cost = step.cost
    parts = []
    if cost.parameters:
        parts.append(f"{format_count(cost.parameters)} parameters")
    if cost.tokens:
        parts.append(f"{format_count(cost.tokens)} tokens")
    if cost.flops:
        parts.append(f"{cost.flops:.2e} FLOPs")
    return ", ".join(parts)


def _totals(steps: list[Step], minutes: float | None) -> Iterator[str]:
    todo = [step for step in steps if step.action != "reuse"]
    yield f"{len(steps) - len(todo)} to reuse, {len(todo)} to build"
    known = [step.seconds for step in todo if step.seconds is not None]
    if known:
        yield f"about {format_seconds(sum(known))}, going by the last time ({len(known)} of {len(todo)} known)"
    if minutes is not None and todo:
        yield f"the recipe measures this machine and keeps to about the {minutes:g} minutes it is given"
    flops = sum(step.cost.flops for step in steps)
    tokens = sum(step.cost.tokens for step in steps)
    if flops:
        yield f"training: {format_count(tokens)} tokens, {flops:.2e} FLOPs{_gpu_hours(flops)}"
    disk = sum(step.cost.disk_bytes for step in steps)
    if disk:
        yield f"disk: about {format_bytes(disk)}"


def _gpu_hours(flops: float) -> str:
    hours = flops / (H100_FLOPS * ASSUMED_MFU) / 3600
    if hours < 0.1:
        return ""
    return f"; {hours:,.1f} H100-hours at {ASSUMED_MFU:.0%} of {H100_FLOPS / 1e12:.0f} TFLOP/s"
