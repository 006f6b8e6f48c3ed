"""What a lab holds, as text: runs, facts, lineage trees, and the difference between two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smolforge.artifacts import Artifact
from smolforge.errors import StoreError
from smolforge.plan import Step, config_changes
from smolforge.store import MOST_FACTS_SHOWN, Store, Tree, format_facts, read_labels, read_record, verify
from smolforge.units import format_bytes, format_count, format_seconds

H100_FLOPS = 990e12
"""Dense bf16 peak of one H100, FLOP/s (the maker's data sheet)."""
ASSUMED_MFU = 0.40
"""Share of that peak a plan counts on; chosen, untested."""


def runs_text(store: Store) -> str:
    """One line a run."""
    lines = []
    for name in store.runs():
        labels = read_labels(store.lab / "runs" / name)
        seconds = sum(one["seconds"] for one in labels.values())
        lines.append(f"{name:24} {len(labels):3} artifacts   {format_seconds(seconds)}")
    return "\n".join(lines) or f"no runs in {store.lab} yet; `smol run quickstart` makes one"


def run_text(store: Store, name: str) -> str:
    """One line a label of one run."""
    labels = read_labels(store.lab / "runs" / name)
    width = max((len(label) for label in labels), default=0)
    return "\n".join(
        f"{label:{width}}  {one['folder']:38} {format_seconds(one['seconds']):>8}  {format_facts(one['facts'])}"
        for label, one in labels.items()
    )


def artifact_text(store: Store, artifact: Artifact) -> str:
    """Facts, files and lineage of one artifact, and whether its files are as they were sealed."""
    record = read_record(artifact.path) or {}
    lines = [
        f"{record.get('kind', 'Artifact')} {artifact.path}",
        f"  digest   {artifact.digest[:16]}",
        f"  stage    {record.get('stage')} version {record.get('version')}",
        *(f"  {name:24} {value}" for name, value in artifact.facts.items()),
        "  config   " + json.dumps(record.get("config"), ensure_ascii=False)[:400],
    ]
    size = sum(f.stat().st_size for f in artifact.path.rglob("*") if f.is_file())
    damaged = verify(artifact.path)
    lines.append(f"  files    {len(record.get('files', {}))}, {format_bytes(size)}, ")
    lines[-1] += f"DAMAGED: {', '.join(damaged)}" if damaged else "as sealed"
    lines.append("made from")
    lines.extend(_tree_lines(store.lineage(artifact), "", set()))
    return "\n".join(lines)


def _tree_lines(tree: Tree, indent: str, seen: set[str]) -> Iterator[str]:
    names = list(tree.inputs)
    for number, name in enumerate(names):
        branch = tree.inputs[name]
        last = number == len(names) - 1
        again = branch.name in seen and bool(branch.inputs)
        note = " (above)" if again else f"  {format_facts(branch.record.get('facts', {}))}"
        yield f"{indent}{'└' if last else '├'}─ {name}: {branch.name}{note}"
        seen.add(branch.name)
        if not again:
            yield from _tree_lines(branch, indent + ("   " if last else "│  "), seen)


def diff_text(store: Store, left: str, right: str) -> str:
    """Two runs, field by field: settings, then results."""
    a, b = (_run(store.lab, name) for name in (left, right))
    lines = [f"settings ({left} → {right})"]
    changes = config_changes(a["config"], b["config"])
    lines += [f"  {path}: {json.dumps(x)} → {json.dumps(y)}" for path, x, y in changes] or ["  none differ"]
    lines.append("artifacts")
    same = 0
    for label in [*a["labels"], *(k for k in b["labels"] if k not in a["labels"])]:
        one, other = a["labels"].get(label), b["labels"].get(label)
        if one is None or other is None:
            lines.append(f"  {label}: only in {left if one else right}")
        elif one["digest"] == other["digest"]:
            same += 1
        else:
            lines.append(f"  {label}: {_facts_diff(one['facts'], other['facts'])}")
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


def _facts_diff(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    parts = []
    for name, a, b in config_changes(dict(one), dict(other)):
        if isinstance(a, int | float) and isinstance(b, int | float):
            parts.append(f"{name} {a:.4g} → {b:.4g} ({b - a:+.4g})")
        else:
            parts.append(f"{name} {a} → {b}")
    if len(parts) > MOST_FACTS_SHOWN:
        parts[MOST_FACTS_SHOWN:] = [f"and {len(parts) - MOST_FACTS_SHOWN} more"]
    return ", ".join(parts) or "other bytes, same facts"


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
