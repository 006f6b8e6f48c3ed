"""The two halves of what is held out: one that decisions read, one that only the report does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from smolforge.artifacts import EvalTexts, Facts
from smolforge.config import config
from smolforge.stage import Job, stage


@config
class HalfConfig:
    """Which half of the items and texts is kept: `decision` is read while decisions are taken, `report` never is.

    decision_share  share of each file's items or texts, those with the lowest hash of their ids, that decisions may read
    """

    half: Literal["decision", "report"]
    decision_share: float = 0.4


@stage(makes=EvalTexts, version=1)
def half_of(cfg: HalfConfig, job: Job, *, parts: Mapping[str, EvalTexts]) -> Facts:
    """One half of several sets of held-out items and texts, put together; of two texts or more, each half has one.

    Writes  items-<skill>.jsonl, texts-<domain>.jsonl
    Facts   items, texts
    """
    from smolforge.data.read.documents import stable_share

    counts = {"items": 0, "texts": 0}
    for part in parts.values():
        for file in sorted(part.path.glob("*-*.jsonl")):
            lines = file.read_text("utf-8").splitlines(keepends=True)
            ranked = sorted(lines, key=lambda line: stable_share(str(json.loads(line)["id"]), "decision"))
            deciding = min(max(1, round(len(lines) * cfg.decision_share)), max(0, len(lines) - 1))
            chosen = set(ranked[:deciding] if cfg.half == "decision" else ranked[deciding:])
            kept = [line for line in lines if line in chosen]
            if kept:
                with (job.out / file.name).open("a", encoding="utf-8") as half:
                    half.write("".join(kept))
            counts[file.name.partition("-")[0]] += len(kept)
    return dict(counts)
