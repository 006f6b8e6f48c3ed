"""The two halves of what is held out: one that decisions read, one that only the report does.

They are artifacts of two types. A stage that decides takes a `DecisionHalf` and calls `for_decision`, so it can no more be
given the other half than a file of another kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from smolforge.artifacts import DecisionHalf, EvalTexts, Facts, ReportHalf
from smolforge.config import config
from smolforge.errors import ConfigError, InputError
from smolforge.stage import Job, stage

REPORT_ONLY = ("mmlu_pro", "nq_open", "triviaqa", "triviaqa_lm_eval")
"""Benchmarks that SmolLM2's makers kept from their decisions (arXiv:2502.02737, section 4), whole in the report's half."""


@config
class HalfConfig:
    """How what is held out is parted.

    decision_share  share of each file's items or texts, those with the lowest hash of their ids, that decisions may read
    """

    decision_share: float = 0.4

    def __post_init__(self) -> None:
        if not 0 <= self.decision_share <= 1:
            raise ConfigError(f"`decision_share` is {self.decision_share}", fix="use 0 to 1")


@stage(makes=DecisionHalf, version=1)
def decision_half(cfg: HalfConfig, job: Job, *, parts: Mapping[str, EvalTexts]) -> Facts:
    """What decisions read of several sets of held-out items and texts, put together; nothing of `REPORT_ONLY`.

    Writes  items-<skill>.jsonl, texts-<domain>.jsonl
    Facts   items, texts
    """
    return _write(job, ((file, deciding) for file, deciding, _ in _parted(cfg, parts)))


@stage(makes=ReportHalf, version=1)
def report_half(cfg: HalfConfig, job: Job, *, parts: Mapping[str, EvalTexts]) -> Facts:
    """All that `decision_half` leaves out; of two texts or more, each half has one.

    Writes  items-<skill>.jsonl, texts-<domain>.jsonl
    Facts   items, texts
    """
    return _write(job, ((file, reported) for file, _, reported in _parted(cfg, parts)))


def for_decision(texts: EvalTexts) -> Path:
    """The folder of a decision's questions; InputError for any others."""
    if not isinstance(texts, DecisionHalf):
        raise InputError(
            f"a decision may read the decision half alone, not `{type(texts).__name__}`",
            where=str(texts.path),
            fix="give what the stage `decision_half` makes",
        )
    return texts.path


def _parted(cfg: HalfConfig, parts: Mapping[str, EvalTexts]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every file with the lines of each half, in their order; which is which depends on the ids alone."""
    from smolforge.data.read.documents import stable_share

    for part in parts.values():
        for file in sorted(part.path.glob("*-*.jsonl")):
            lines = file.read_text("utf-8").splitlines(keepends=True)
            ranked = sorted(lines, key=lambda line: stable_share(str(json.loads(line)["id"]), "decision"))
            deciding = min(max(1, round(len(lines) * cfg.decision_share)), max(0, len(lines) - 1))
            chosen = set() if _is_for_reports(file) else set(ranked[:deciding])
            yield file, [one for one in lines if one in chosen], [one for one in lines if one not in chosen]


def _is_for_reports(file: Path) -> bool:
    kind, _, name = file.stem.partition("-")
    return kind == "items" and name in REPORT_ONLY


def _write(job: Job, files: Iterator[tuple[Path, Sequence[str]]]) -> Facts:
    counts = {"items": 0, "texts": 0}
    for file, lines in files:
        if lines:
            with (job.out / file.name).open("a", encoding="utf-8") as half:
                half.write("".join(lines))
        counts[file.name.partition("-")[0]] += len(lines)
    return dict(counts)
