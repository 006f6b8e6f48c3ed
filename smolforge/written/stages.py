"""The door of `written`: documents and conversations from our generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from smolforge.artifacts import ChatData, EvalTexts, Facts, RawDocs
from smolforge.config import config
from smolforge.errors import ConfigError
from smolforge.stage import Job, stage

SYNTHETIC = ("textbooks", "stories", "mathematics", "code_exercises", "recitation")


@config
class SyntheticConfig:
    """Text from our generators. `domain`: textbooks, stories, mathematics, code_exercises or recitation.

    core  textbooks tell of few subjects, those often: a short training takes in no others
    """

    domain: str
    bytes: int = 4_000_000
    core: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if self.domain not in SYNTHETIC:
            raise ConfigError(f"`domain` is {self.domain!r}", fix=f"use one of {', '.join(SYNTHETIC)}")
        if self.bytes < 1:
            raise ConfigError(f"`bytes` is {self.bytes}", fix="give at least 1")


@stage(makes=RawDocs, version=1)
def synthetic_documents(cfg: SyntheticConfig, job: Job) -> Facts:
    """Documents written by our generators, in the manner of Cosmopedia and FineMath.

    Writes  documents-*.parquet
    Facts   documents, bytes
    """
    from smolforge.data.read.documents import write_documents
    from smolforge.written import synthetic

    core = {"core": True} if cfg.core and cfg.domain == "textbooks" else {}
    found = getattr(synthetic, cfg.domain)(cfg.seed, cfg.bytes, **core)
    return write_documents(job.out, _up_to(found, cfg.bytes, job))


def _up_to(documents: Iterator[Any], limit_bytes: int, job: Job) -> Iterator[Any]:
    total = 0
    for document in documents:
        if total >= limit_bytes:
            return
        total += len(document.text.encode())
        job.log.progress(total, limit_bytes, "bytes", "writing")
        yield document


@config
class ConversationsConfig:
    """Conversations from our generators; `shares` gives each skill's share, nothing the usual one; `core` as for texts."""

    count: int = 12_000
    core: bool = False
    seed: int = 1
    shares: Mapping[str, float] | None = None


@stage(makes=ChatData, version=3)
def make_conversations(cfg: ConversationsConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """SmolTalk in miniature.

    Writes  conversations.jsonl, overlaps.jsonl
    Facts   conversations, turns, contaminated, items_met
    """
    from smolforge.data.clean.chats import write_chats
    from smolforge.written import conversations

    shares = cfg.shares or conversations.DEFAULT_SHARES
    rows = conversations.conversations(cfg.seed, cfg.count, shares, core=cfg.core)
    watched = job.log.watch(rows, cfg.count, "conversations")
    return dict(write_chats(job.out, watched, held_out.path if held_out else None))
