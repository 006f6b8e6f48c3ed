"""What is said at the end of a run: scores, answers, what it took, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smolforge.facts import PLAIN_WIDTH, has_colour, painted, score_rows
from smolforge.log import terminal_width
from smolforge.models import talking_label
from smolforge.show import size_bytes
from smolforge.store import Store, facts_before, read_record
from smolforge.tries import answers_given
from smolforge.units import format_bytes, format_seconds


def closing_lines(store: Store, run: str, report: Path) -> Iterator[str]:
    """The last lines of a run that is complete."""
    seconds = sum(label["seconds"] for label in store.labels.values())
    size = sum(size_bytes(store.lab / "artifacts" / label["folder"]) for label in store.labels.values())
    yield (
        f"\n{run} is complete: {len(store.labels)} artifacts, {format_seconds(seconds)} of work, "
        f"{format_bytes(size)} on disk"
    )
    yield from _scores(store)
    yield from _answers(store, run)
    yield from _next(store, run, report)


def _scores(store: Store) -> Iterator[str]:
    """The last scores of the run, with what changed since those before them."""
    scored = [label for label, one in store.labels.items() if one["stage"] == "evaluate"]
    if not scored:
        return
    label = scored[-1]
    one = store.labels[label]
    earlier: dict[str, Any] = {name: store.labels[name] for name in scored[:-1]}
    record: Mapping[str, Any] = read_record(store.lab / "artifacts" / one["folder"]) or {}
    before = facts_before(store.lab, earlier, record)
    rows = list(score_rows(one["facts"], before))
    wide = max((len(row[0]) for row in rows), default=0)
    note = ", 95% interval" + ("; change since the scores before, ▲ ▼ more than noise" if before else "")
    yield f"  {label}{note}"
    for name, value, interval, change, verdict in rows:
        line = f"    {name:{wide}}  {value:>5}  {interval:14} "
        yield (line + painted(change, verdict or "dim", has_colour(store.log.show))).rstrip()


def _answers(store: Store, run: str) -> Iterator[str]:
    """Three answers, each question and answer in one line that fits."""
    answers = answers_given(store, run)
    if not answers:
        return
    width = (terminal_width(store.log.show) or PLAIN_WIDTH) - 6
    right = sum(right for *_, right in answers)
    yield f"  answers to questions it had never seen, written at `--temperature 0`; {right} of these {len(answers)} are right"
    for question, answer, is_right in answers:
        yield f"    > {_cut(question, width)}"
        yield f"    {'✓' if is_right else '✗'} {_cut(' '.join(answer.split()) or '(nothing)', width)}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _next(store: Store, run: str, report: Path) -> Iterator[str]:
    option = "" if str(store.lab) == "lab" else f" --lab {shlex.quote(str(store.lab))}"
    name = shlex.quote(run)
    yield f"  report  smol report {name} --open{option}     ({report})"
    if talking_label(store, run):
        yield f"  talk    smol chat {name}{option}     or  smol serve {name}{option}"
    if not any(label["stage"] == "take-in-model" for label in store.labels.values()):
        yield "  next    smol chat smollm2-135m-instruct       a real SmolLM2, and"
        yield "          smol run adapt --set data=FOLDER      makes it yours with your documents"
