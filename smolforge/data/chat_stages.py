"""Stages that make conversations and preference pairs: generated, from a folder, from a hub, put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from smolforge.artifacts import Artifact, ChatData, EvalTexts, Facts, PreferenceData
from smolforge.config import config
from smolforge.data.source_stages import FolderConfig, HubConfig, read_folder
from smolforge.stage import Job, stage


@stage(makes=ChatData, version=3)
def own_chats(cfg: FolderConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """The conversations of the user's folder, without those that repeat evaluation items.

    Writes  conversations.jsonl
    Facts   conversations, turns, contaminated
    """
    from smolforge.data.readers import Chat

    rows = (found.row for found in read_folder(cfg) if isinstance(found, Chat))
    return write_chats(job, rows, held_out)


@stage(makes=PreferenceData, version=3)
def own_preferences(cfg: FolderConfig, job: Job) -> Facts:
    """The preference pairs of the user's folder.

    Writes  pairs.jsonl
    Facts   pairs
    """
    from smolforge.data.documents import write_jsonl
    from smolforge.data.readers import Pair

    rows = (found.row for found in read_folder(cfg) if isinstance(found, Pair))
    return {"pairs": write_jsonl(job.out / "pairs.jsonl", job.log.watch(rows, None, "pairs"))}


@config
class JoinConfig:
    """How sets are put together. `most` bounds each set; a larger one is sampled, evenly and by `seed`."""

    most: int | None = None
    seed: int = 1


@stage(makes=ChatData, version=1)
def join_chats(cfg: JoinConfig, job: Job, *, parts: Mapping[str, ChatData]) -> Facts:
    """Several sets of conversations as one, in the order of their names.

    Writes  conversations.jsonl
    Facts   conversations, conversations_<part>
    """
    return _join(cfg, job.out, "conversations", parts)


@stage(makes=PreferenceData, version=1)
def join_pairs(cfg: JoinConfig, job: Job, *, parts: Mapping[str, PreferenceData]) -> Facts:
    """Several sets of preference pairs as one, in the order of their names.

    Writes  pairs.jsonl
    Facts   pairs, pairs_<part>
    """
    return _join(cfg, job.out, "pairs", parts)


def _join(cfg: JoinConfig, out: Path, what: str, parts: Mapping[str, Artifact]) -> Facts:
    import random

    facts: dict[str, int] = {}
    with (out / f"{what}.jsonl").open("wb") as joined:
        for name, part in parts.items():
            lines = (part.path / f"{what}.jsonl").read_bytes().splitlines(keepends=True)
            places: Sequence[int] = range(len(lines))
            if cfg.most is not None and len(lines) > cfg.most:
                places = sorted(random.Random(f"{cfg.seed}/{name}").sample(places, cfg.most))
            joined.writelines(lines[place] for place in places)
            facts[f"{what}_{name}"] = len(places)
    return {what: sum(facts.values()), **facts}


@config
class ConversationsConfig:
    """Conversations from our generators; `shares` gives each skill's share, nothing the usual one."""

    count: int = 12_000
    seed: int = 1
    shares: Mapping[str, float] | None = None


@stage(makes=ChatData, version=1)
def make_conversations(cfg: ConversationsConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """SmolTalk in miniature.

    Writes  conversations.jsonl
    Facts   conversations, turns, contaminated
    """
    from smolforge.data import conversations

    rows = conversations.conversations(cfg.seed, cfg.count, cfg.shares or conversations.DEFAULT_SHARES)
    return write_chats(job, job.log.watch(rows, cfg.count, "conversations"), held_out)


def write_chats(job: Job, rows: Any, held_out: EvalTexts | None) -> Facts:
    """Write conversations.jsonl without what repeats evaluation items; gives conversations, turns, contaminated."""
    from smolforge.data import curate as engine
    from smolforge.data import decontaminate
    from smolforge.data.documents import write_jsonl

    banned = None
    if held_out is not None:
        banned = engine.banned_from(held_out.path, ngram=13, item_share=0.5, text_share=0.5)
    facts = {"turns": 0, "contaminated": 0}

    def clean() -> Iterator[Mapping[str, Any]]:
        for row in rows:
            said = "\n".join(str(m.get("content") or "") for m in row["messages"])
            if banned is not None and not decontaminate.check(said, banned).keep:
                facts["contaminated"] += 1
                continue
            facts["turns"] += len(row["messages"])
            yield row

    count = write_jsonl(job.out / "conversations.jsonl", clean())
    return {"conversations": count, **facts}


@stage(makes=ChatData, version=1)
def hub_chats(cfg: HubConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """Conversations of a data set on a hub (rows with `messages`), without what repeats evaluation items.

    Writes  conversations.jsonl
    Facts   conversations, turns, contaminated
    """
    from smolforge.data import hub

    rows = hub.hub_conversations(
        cfg.repo, revision=cfg.revision, pattern=cfg.pattern, limit_bytes=cfg.limit_bytes
    )
    return write_chats(job, job.log.watch(rows, None, "conversations", cfg.repo), held_out)


@stage(makes=PreferenceData, version=1)
def hub_preferences(cfg: HubConfig, job: Job) -> Facts:
    """Preference pairs of a data set on a hub (rows with `chosen` and `rejected` messages).

    Writes  pairs.jsonl
    Facts   pairs
    """
    from smolforge.data import hub
    from smolforge.data.documents import write_jsonl

    rows = hub.hub_pairs(cfg.repo, revision=cfg.revision, pattern=cfg.pattern, limit_bytes=cfg.limit_bytes)
    return {"pairs": write_jsonl(job.out / "pairs.jsonl", job.log.watch(rows, None, "pairs", cfg.repo))}
