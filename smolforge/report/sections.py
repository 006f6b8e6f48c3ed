"""The parts of the report as plain values for the page; each is empty while its artifacts are missing."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from smolforge.report import charts, compare
from smolforge.report.compare import Cell, Step
from smolforge.report.reading import Run
from smolforge.units import format_bytes, format_count, format_seconds

LONGEST_TEXT = 700
EXCERPTS_A_RULE = 3
SAMPLES_A_SKILL = 2
MOST_CONVERSATIONS = 6
EXCERPT_ROWS = 20_000
KEPT = "best"
"""The step that chooses among states, in place of a tuning."""


@dataclass(frozen=True)
class MixedPhase:
    """The mixture of one phase: shares by domain, what changed, and why."""

    name: str
    shares: Mapping[str, float]
    changes: Mapping[str, float]
    reasons: Sequence[str]


@dataclass(frozen=True)
class Sample:
    """One question with the answers of several steps, the last step's verdict, and what was wanted."""

    skill: str
    question: str
    answer: str
    wanted: str
    right: bool
    reason: str
    earlier: Sequence[tuple[str, str, bool]]


@dataclass(frozen=True)
class Rule:
    """What one curation rule dropped."""

    name: str
    count: int
    reason: str
    excerpts: Sequence[str]


@dataclass(frozen=True)
class Curated:
    """One corpus: what stayed and what did not."""

    name: str
    kept: int
    dropped: int
    rules: Sequence[Rule]


def mixtures(run: Run) -> list[MixedPhase]:
    """The mixture of every phase that records one, with the change since the phase before."""
    found: list[MixedPhase] = []
    order = {corpus.name: i for i, corpus in enumerate(run.of("Corpus"))}
    for phase in run.phases:
        chosen = run.inputs(phase, "ChosenMixture")
        plain = chosen[0].json("mixture.json") if chosen else None
        shares = _shares(plain.get("weights") if isinstance(plain, dict) else None) or _shares_in(
            phase.config
        )
        if not shares:
            continue
        shares = {d: shares[d] for d in sorted(shares, key=lambda d: order.get(d, len(order)))}
        before = found[-1].shares if found else {}
        changes = {d: shares.get(d, 0.0) - before.get(d, 0.0) for d in {**before, **shares}} if before else {}
        reasons = plain.get("reasons", []) if isinstance(plain, dict) else []
        found.append(MixedPhase(phase.name, shares, changes, [_reason(r) for r in reasons]))
    return found


def _reason(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shares(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {}
    return {str(k): float(v) for k, v in value.items() if isinstance(v, int | float) and v > 0}


def _shares_in(config: Any) -> dict[str, float]:
    """A mixture written into the phase's own config."""
    if not isinstance(config, Mapping):
        return {}
    mixture = config.get("mixture")
    return _shares(mixture.get("weights", mixture)) if isinstance(mixture, Mapping) else {}


def domain_colours(phases: Sequence[MixedPhase]) -> dict[str, int]:
    """One colour number a domain, the same in every drawing."""
    names: dict[str, None] = {}
    for phase in phases:
        names |= dict.fromkeys(phase.shares)
    return {name: i % 9 for i, name in enumerate(names)}


# -- training


def phase_curves(run: Run) -> list[charts.LossPart]:
    """The logged losses of all phases on one axis of tokens."""
    parts, begun = [], 0.0
    for phase in run.phases:
        rows = [r for r in phase.lines("losses.jsonl") if _is_number(r.get("loss"))]
        if not rows:
            continue
        tokens = [float(r.get("tokens", i + 1)) for i, r in enumerate(rows)]
        # A phase may count from its own start or from the start of training.
        shift = begun if tokens[0] < begun else 0.0
        tokens = [t + shift for t in tokens]
        begun = tokens[-1]
        rates = [float(r.get("lr", "nan")) for r in rows]
        parts.append(charts.LossPart(phase.name, tokens, [float(r["loss"]) for r in rows], rates))
    return parts


def tuning_charts(run: Run) -> list[tuple[str, str]]:
    """`(name, chart)` of every tuning step; reward instead of loss where there is one."""
    found = []
    for one in run.tuned:
        rows = list(one.lines("losses.jsonl"))
        name, unit = ("reward", "mean reward") if any("reward" in r for r in rows) else ("loss", "loss")
        rows = [r for r in rows if _is_number(r.get(name))]
        xs = [float(r.get("step", i + 1)) for i, r in enumerate(rows)]
        part = charts.LossPart(one.name, xs, [float(r[name]) for r in rows])
        chart = charts.loss_chart([part], unit=unit, x_name="steps", width=340.0, tall=120.0)
        if chart:
            found.append((f"{one.name}: {unit}", chart))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


# -- scores


def score_charts(steps: Sequence[Step], *, bits: bool) -> list[tuple[str, str]]:
    """`(name, chart)` of every skill, or domain of bits per byte, that was scored twice or more."""
    found = []
    for skill in compare.skills_of(list(steps), bits=bits):
        cells = [(step.name, step.cells[skill]) for step in steps if skill in step.cells]
        values = [(name, c.value, c.low, c.high) for name, c in cells]
        chance = None if bits else cells[-1][1].chance
        if len(cells) < 2:
            continue
        found.append((_short(skill), charts.score_chart(values, chance, is_share=not bits)))
    return found


def score_rows(steps: Sequence[Step], *, bits: bool) -> list[tuple[str, float, int, list[Cell | None]]]:
    """`(skill, chance, items, one cell a step)`."""
    rows = []
    for skill in compare.skills_of(list(steps), bits=bits):
        cells = [step.cells.get(skill) for step in steps]
        last = next(c for c in reversed(cells) if c is not None)
        rows.append((_short(skill), last.chance, last.items, cells))
    return rows


def _short(skill: str) -> str:
    return skill.removeprefix(compare.BITS_PREFIX).replace("_", " ")


def samples(steps: Sequence[Step]) -> list[Sample]:
    """A right and a wrong answer of every skill after the last step, with what earlier steps answered."""
    if not steps:
        return []
    last, found = steps[-1], []
    for skill in sorted({str(s.get("skill")) for s in last.samples.values()}):
        mine = [s for s in last.samples.values() if str(s.get("skill")) == skill]
        chosen = [next((s for s in mine if bool(s.get("right")) == right), None) for right in (True, False)]
        found += [_sample(s, steps[:-1]) for s in chosen if s is not None][:SAMPLES_A_SKILL]
    return found


def conversations(run: Run) -> list[list[tuple[str, str]]]:
    """`[(role, text)]` of every conversation that was held with the run's last model, broken ones left out."""
    held = run.of("Conversations")
    found = []
    for line in islice(held[-1].lines("conversations.jsonl"), MOST_CONVERSATIONS) if held else ():
        messages = line.get("messages")
        turns = [m for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []
        found.append([(str(m.get("role", "")), bounded(m.get("content")).strip()) for m in turns])
    return [one for one in found if one]


def _sample(line: Mapping[str, Any], before: Sequence[Step]) -> Sample:
    earlier = [
        (step.name, bounded(seen.get("answer")).strip(), bool(seen.get("right")))
        for step in before
        if (seen := step.samples.get(str(line.get("id")))) is not None
    ]
    return Sample(
        skill=str(line.get("skill")),
        question=bounded(line.get("question")),
        answer=bounded(line.get("answer")).strip(),
        wanted=bounded(line.get("wanted")).strip(),
        right=bool(line.get("right")),
        reason=bounded(line.get("reason")),
        earlier=earlier,
    )


def bounded(value: Any, most: int = LONGEST_TEXT) -> str:
    """Text of bounded length; control characters are shown as what they are."""
    plain = (
        value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    )
    shown = "".join(c if c >= " " or c in "\n\t" else chr(0x2400 + ord(c)) for c in plain[: most + 1])
    return shown if len(shown) <= most else shown[:most].rstrip() + "…"


# -- curation


def curation(run: Run) -> list[Curated]:
    """What each corpus dropped, by rule, most first."""
    found = []
    for corpus in run.of("Corpus"):
        excerpts = _excerpts(corpus.folder)
        counts = {
            n.removeprefix("dropped_"): int(v) for n, v in corpus.facts.items() if n.startswith("dropped_")
        }
        for rule, (count, _, _) in excerpts.items():
            counts.setdefault(rule, count)
        rules = [
            Rule(rule, count, *(excerpts[rule][1:] if rule in excerpts else ("", [])))
            for rule, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
            if count
        ]
        dropped = int(corpus.facts.get("dropped", sum(rule.count for rule in rules)))
        found.append(Curated(corpus.name, int(corpus.facts.get("documents", 0)), dropped, rules))
    return found


def _excerpts(folder: Path) -> dict[str, tuple[int, str, list[str]]]:
    """Rule → rows seen, its first reason, three excerpts; reads at most `EXCERPT_ROWS` rows a file."""
    import pyarrow
    import pyarrow.parquet

    found: dict[str, tuple[int, str, list[str]]] = {}
    for file in islice(sorted(folder.glob("dropped-*.parquet")), 4):
        try:
            with pyarrow.parquet.ParquetFile(file) as opened:
                batches = opened.iter_batches(EXCERPT_ROWS, columns=["rule", "reason", "excerpt"])
                rows: list[dict[str, Any]] = next((batch.to_pylist() for batch in batches), [])
        except (OSError, pyarrow.ArrowException):
            continue
        for row in rows:
            count, reason, kept = found.get(row["rule"], (0, bounded(row["reason"], 200), []))
            if len(kept) < EXCERPTS_A_RULE and row["excerpt"] and (row["excerpt"] or "").strip():
                kept = [*kept, bounded(row["excerpt"].strip(), 240)]
            found[row["rule"]] = (count + 1, reason, kept)
    return found


# -- cost, export, headline


def costs(run: Run) -> list[dict[str, Any]]:
    """Time, peak memory and FLOPs of every stage that took a tenth of a second or more."""
    longest = max((one.seconds for one in run.made), default=0.0) or 1.0
    return [
        {
            "name": one.label,
            "stage": one.stage,
            "seconds": format_seconds(one.seconds),
            "share": 100 * one.seconds / longest,
            "memory": format_bytes(one.provenance["peak_memory_bytes"])
            if one.provenance.get("peak_memory_bytes")
            else "",
            "flops": scientific(float(one.facts["flops"])) if _is_number(one.facts.get("flops")) else "",
            "reused": one.reused,
        }
        for one in run.made
        if one.seconds >= 0.1
    ]


def scientific(value: float) -> str:
    """2.1e14 as `2.1 × 10¹⁴`."""
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa} × 10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def parity(run: Run) -> list[tuple[str, list[tuple[str, bool, str]]]]:
    """`(export, [(check, passed, what was found)])`."""
    found = []
    for one in run.of("DeviceModel"):
        plain = one.json("parity.json")
        checks = plain.get("checks", []) if isinstance(plain, dict) else plain
        rows: list[tuple[str, bool, str]] = []
        for check in checks if isinstance(checks, list) else []:
            if isinstance(check, Mapping):
                rest = {k: v for k, v in check.items() if k not in ("name", "passed")}
                name = str(check.get("name", "check"))
                rows.append((name, bool(check.get("passed")), _told(rest)))
        if rows:
            found.append((one.name, rows))
    return found


def _told(values: Mapping[str, Any]) -> str:
    parts = [
        f"{k.replace('_', ' ')} {v:.3g}" if isinstance(v, float) else f"{k.replace('_', ' ')} {v}"
        for k, v in values.items()
        if v not in (None, "")
    ]
    return bounded(" · ".join(parts), 300)


def headline(run: Run, steps: Sequence[Step]) -> tuple[str, list[tuple[str, str]]]:
    """The run in one sentence, and its numbers as `(name, value)`."""
    models = run.of("Checkpoint")
    seconds = sum(one.seconds for one in run.made)
    curves = phase_curves(run)
    tokens = curves[-1].tokens[-1] if curves else 0.0
    flops = sum(float(m.facts["flops"]) for m in models if _is_number(m.facts.get("flops")))
    peak = max((int(one.provenance.get("peak_memory_bytes") or 0) for one in run.made), default=0)
    numbers = []
    if models and "parameters" in models[-1].facts:
        numbers.append(("parameters", format_count(models[-1].facts["parameters"])))
    numbers += [("pre-training tokens", format_count(tokens))] if tokens else []
    numbers += [("training compute", f"{scientific(flops)} FLOP")] if flops else []
    numbers.append(("time", format_seconds(seconds)))
    numbers += [("peak memory", format_bytes(peak))] if peak else []
    return _sentence(run, steps, numbers), numbers


def made_on(run: Run) -> list[tuple[str, str]]:
    """When, on what and from what the run was made, as `(name, value)`; what is not known is left out."""
    begun = [
        float(one.provenance["started"]) for one in run.made if _is_number(one.provenance.get("started"))
    ]
    if not begun:
        return []
    last = max(run.made, key=lambda one: float(one.provenance.get("started") or 0.0))
    known, ended = last.provenance, float(last.provenance["started"]) + last.seconds
    machine = " · ".join(filter(None, (str(known.get("processor", "")), str(known.get("machine", "")))))
    config = run.recipe.get("config")
    seed = config.get("seed") if isinstance(config, Mapping) else None
    size = sum(f.stat().st_size for one in run.made for f in one.folder.rglob("*") if f.is_file())
    told = [
        ("date", f"{_utc(min(begun), '%Y-%m-%d %H:%M')} to {_utc(ended, '%Y-%m-%d %H:%M')} UTC"),
        ("machine", machine),
        ("used", _used(known)),
        ("seed", "" if seed is None else str(seed)),
        ("commit", str(known.get("commit") or "")),
        ("on disk", format_bytes(size)),
    ]
    return [(name, value) for name, value in told if value]


def _used(known: Mapping[str, Any]) -> str:
    threads, ranks = known.get("threads"), known.get("ranks") or 1
    if not threads:
        return ""
    told = f"{threads} thread{'s' * (threads != 1)} on {known.get('device', 'cpu')}"
    return told if ranks == 1 else f"{ranks} processes of {told}"


def _utc(seconds: float, form: str) -> str:
    return time.strftime(form, time.gmtime(seconds))


def forgetting(run: Run, steps: Sequence[Step]) -> str:
    """Where a tuning made texts cost more bits: that this is expected, and where to look for what it is worth."""
    names = [
        step.name
        for step in steps
        if step.model is not None
        and step.model not in run.phases
        and any(cell.is_bits and cell.verdict == "worse" for cell in step.cells.values())
    ]
    if not names:
        return ""
    return (
        f"After {_list(names)} texts cost more bits than before, and that is expected: a model that is tuned to answer gives up some of "
        "its fluency in documents, which nobody asks of it any more. Whether its answers became better is said by the scores above."
    )


def _sentence(run: Run, steps: Sequence[Step], numbers: Sequence[tuple[str, str]]) -> str:
    known = dict(numbers)
    if "parameters" not in known:
        return "No model yet: " + (
            f"{len(run.made)} things made so far." if run.made else "nothing is made so far."
        )
    research = any(model.facts.get("research") for model in run.of("Checkpoint"))
    kind = "A research model, which runs here alone," if research else "A model"
    text = f"{kind} of {known['parameters']} parameters"
    if run.phases:
        count = len(run.phases)
        text += (
            f", taught in {count} phase{'s' * (count > 1)} on {known.get('pre-training tokens', '?')} tokens"
        )
    tunings = [one.name for one in run.tuned if one.name != KEPT]
    if tunings:
        text += f", then tuned by {_list(tunings)}"
    scored = [s for s in steps if s.mean(bits=False) is not None]
    if not scored:
        return text + "."
    last = scored[-1]
    shares = [cell for cell in last.cells.values() if not cell.is_bits]
    above = sum(cell.above_chance for cell in shares)
    when = "The best of these states" if last.name == KEPT else f"After {last.name} it"
    return (
        f"{text}. {when} is right in {last.mean(bits=False):.0%} of held-out items on average, "
        f"above chance in {above} of {len(shares)} skills."
    )


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
