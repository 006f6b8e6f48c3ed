"""One self-contained HTML page about a run, made from what the store holds; finished or not."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from smolforge.report import charts, compare, mixing, sections
from smolforge.report.adaptation import adaptation
from smolforge.report.adaptation import sentence as told
from smolforge.report.beside import beside
from smolforge.report.pages import filled, template_source, write_whole
from smolforge.report.prediction import promises
from smolforge.report.reading import Run, read_run
from smolforge.report.road import road
from smolforge.units import format_bytes, format_count, format_seconds

NAME = "report.html"


def build_report(run_folder: Path, artifacts_folder: Path, other: Path | None = None) -> Path:
    """Write `report.html` into the run's folder, whole or not at all; returns its path. `other`: the folder of another run
    of the same lab, to stand beside it.
    """
    page = render(
        read_run(run_folder, artifacts_folder), read_run(other, artifacts_folder) if other else None
    )
    target = run_folder / NAME
    write_whole(target, page)
    return target


def render(run: Run, other: Run | None = None) -> str:
    """The page's HTML. Everything from artifacts is escaped; only our own drawings are markup."""
    filters = {
        "count": format_count,
        "bytes": format_bytes,
        "duration": format_seconds,
        "points": _points,
        "plain": compare.plain_name,
    }
    source = template_source("page.html")
    script = source.split("<script>", 1)[1].split("</script>", 1)[0]
    return filled(source, filters, script_digest=_digest(script), **_values(run, other))


def _values(run: Run, other: Run | None) -> dict[str, Any]:
    steps = compare.read_steps(run)
    phases = sections.mixtures(run)
    colours = sections.domain_colours(phases)
    shares = {
        phase.label: mixed.shares for phase in run.phases for mixed in phases if mixed.name == phase.name
    }
    sentence, numbers = sections.headline(run, steps)
    adapted = adaptation(run)
    if adapted is not None:
        sentence = told(adapted, _base_name(run)) or sentence
    return {
        "adapted": adapted,
        "run": run,
        "beside": beside(run, other) if other else None,
        "sentence": sentence,
        "numbers": numbers,
        "made_on": sections.made_on(run),
        "forgetting": sections.forgetting(run, steps),
        "readings": charts.readings(sections.phase_curves(run)),
        "road": Markup(road(run, steps, shares, colours)),
        "steps": steps,
        "judgements": compare.judge_steps(run, steps),
        "skill_rows": sections.score_rows(steps, bits=False),
        "skill_charts": _marked(sections.score_charts(steps, bits=False)),
        "bits_steps": [step for step in steps if step.mean(bits=True) is not None],
        "bits_rows": sections.score_rows([s for s in steps if s.mean(bits=True) is not None], bits=True),
        "bits_charts": _marked(sections.score_charts(steps, bits=True)),
        "loss": Markup(charts.loss_chart(sections.phase_curves(run), unit="loss")),
        "tuning": _marked(sections.tuning_charts(run)),
        "phases": phases,
        "decided": mixing.decided(run),
        "mixing_charts": _marked(mixing.skill_charts(run)),
        "mixing_hits": mixing.hits(mixing.skills(run)),
        "colours": colours,
        "samples": sections.samples(steps),
        "conversations": sections.conversations(run),
        "curated": sections.curation(run),
        "costs": sections.costs(run),
        "promises": promises(run),
        "parity": sections.parity(run),
        "config": json.dumps(run.recipe, indent=2, ensure_ascii=False) if run.recipe else "",
    }


def _base_name(run: Run) -> str:
    return next((str(one.facts["name"]) for one in run.made if one.facts.get("name")), "")


def _marked(drawn: list[tuple[str, str]]) -> list[tuple[str, Markup]]:
    return [(name, Markup(chart)) for name, chart in drawn]


def _points(cell: compare.Cell | None, value: float) -> str:
    """A share as percent, bits as they are."""
    if cell is not None and cell.is_bits:
        return f"{value:.3f}"
    return f"{100 * value:.1f}"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
