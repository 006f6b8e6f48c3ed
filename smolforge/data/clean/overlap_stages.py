"""Stages around evaluation texts in training data: all of them watched at once, all that were met in one list."""

from __future__ import annotations

from collections.abc import Mapping

from smolforge.artifacts import Artifact, ChatData, EvalTexts, Facts, Overlaps
from smolforge.config import config
from smolforge.errors import InputError
from smolforge.stage import Job, stage


@config
class WatchConfig:
    """Evaluation texts are put together as they are."""


@stage(makes=EvalTexts, version=1)
def watch_texts(cfg: WatchConfig, job: Job, *, parts: Mapping[str, EvalTexts]) -> Facts:
    """Every evaluation text there is, to decontaminate against: own questions, held-out texts, public benchmarks.

    Writes  the files of every part; those of one name one after the other
    Facts   items, texts
    """
    for _, part in sorted(parts.items()):
        for path in sorted(part.path.glob("*-*.jsonl")):
            with (job.out / path.name).open("ab") as out:
                out.write(path.read_bytes())
    return {name: sum(int(part.facts.get(name, 0)) for part in parts.values()) for name in ("items", "texts")}


@config
class CleanChatsConfig:
    """Conversations are judged as documents are."""


@stage(makes=ChatData, version=1)
def clean_chats(cfg: CleanChatsConfig, job: Job, *, data: ChatData, held_out: EvalTexts) -> Facts:
    """Conversations that may be trained on: none that are held out themselves, none that repeat evaluation texts.

    Writes  conversations.jsonl, overlaps.jsonl
    Facts   conversations, turns, contaminated, items_met
    """
    from smolforge.data.clean.chats import write_chats
    from smolforge.data.read.documents import read_jsonl

    rows = read_jsonl(data.path / "conversations.jsonl")
    watched = job.log.watch(rows, int(data.facts.get("conversations", 0)) or None, "conversations")
    return dict(write_chats(job.out, watched, held_out.path))


@config
class OverlapsConfig:
    """share  longest common subsequence from which an item counts as met"""

    share: float = 0.6


@stage(makes=Overlaps, version=1)
def list_overlaps(cfg: OverlapsConfig, job: Job, *, sources: Mapping[str, Artifact]) -> Facts:
    """Which evaluation texts were met in which training data, so that scores can be given without them.

    Writes  overlaps.jsonl, items.jsonl
    Facts   items, documents, items_<task>
    Raises  InputError for a source that was not checked
    """
    from smolforge.data.read.documents import read_jsonl, write_jsonl

    rows = []
    for name, source in sorted(sources.items()):
        path = source.path / "overlaps.jsonl"
        if not path.exists():
            raise InputError(
                "no evaluation text was looked for in this data", where=name, fix="make it again"
            )
        rows += [{"source": name, **row} for row in read_jsonl(path)]
    write_jsonl(job.out / "overlaps.jsonl", rows)
    met = sorted({(row["task"], row["item"]) for row in rows if row["share"] >= cfg.share})
    write_jsonl(job.out / "items.jsonl", [{"task": task, "item": item} for task, item in met])
    by_task = {f"items_{task}": sum(1 for other, _ in met if other == task) for task, _ in met}
    documents = len({(row["source"], row["document"]) for row in rows if row["share"] >= cfg.share})
    return {"items": len(met), "documents": documents, **by_task}
