"""The door of `data/read`: documents, conversations and pairs from what Python brings along, a folder, a hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from smolforge.artifacts import Artifact, ChatData, EvalTexts, Facts, PreferenceData, RawDocs
from smolforge.config import config
from smolforge.errors import InputError
from smolforge.stage import Cost, Job, stage

Domain = Literal[
    "web", "code", "mathematics", "prose", "chat", "textbooks", "stories", "exercises", "recitation"
]
OWN_DOMAINS: tuple[Domain, ...] = ("web", "prose", "code", "mathematics")
"""The domains that documents of a user's folder are marked with."""


@config
class PydocConfig:
    """Pages that `pydoc` renders for the standard library and a few installed packages."""

    max_bytes: int = 13_000_000
    packages: tuple[str, ...] = ("click", "jinja2", "starlette", "networkx")


@stage(makes=RawDocs, version=1)
def pydoc_pages(cfg: PydocConfig, job: Job) -> Facts:
    """Real HTML pages without a network: Python's own documentation.

    Writes  documents-*.parquet
    Facts   documents, bytes
    """
    from smolforge.data.read import sources
    from smolforge.data.read.documents import write_documents

    pages = sources.pydoc_pages(max_bytes=cfg.max_bytes, packages=cfg.packages, processes=job.threads)
    return write_documents(job.out, job.log.watch(pages, None, "pages", "rendering documentation"))


@config
class StdlibConfig:
    """Source files of Python's standard library; chosen by a hash of their names beyond `max_bytes`."""

    max_bytes: int = 8_000_000
    max_file_bytes: int = 120_000


@stage(makes=RawDocs, version=1)
def stdlib_code(cfg: StdlibConfig, job: Job) -> Facts:
    """Python source files without a network: the standard library's.

    Writes  documents-*.parquet
    Facts   documents, bytes
    """
    from smolforge.data.read import sources
    from smolforge.data.read.documents import write_documents

    files = sources.stdlib_files(max_bytes=cfg.max_bytes, max_file_bytes=cfg.max_file_bytes)
    return write_documents(job.out, job.log.watch(files, None, "files"))


MOST_NAMED = 8
"""Files left out that are named in the terminal."""


@config
class FolderConfig:
    """The user's own folder.

    path    where it is
    digest  `sources.folder_digest(path)`, so that changed files are noticed
    """

    path: str
    digest: str = ""


def watched_folder(path: str) -> FolderConfig:
    """The config of a folder as it is now: its digest notices changed files. For recipes.

    Raises InputError for a missing or empty folder.
    """
    from smolforge.data.read.sources import folder_digest

    return FolderConfig(path=path, digest=folder_digest(Path(path).expanduser()))


@stage(makes=RawDocs, version=4)
def own_folder(cfg: FolderConfig, job: Job) -> Facts:
    """The documents of the user's folder, each with its domain.

    Writes  documents-*.parquet (the domain stands in `meta`), skipped.jsonl (where, reason, why)
    Facts   documents, bytes, documents_<domain>, bytes_<domain>, conversations, pairs, skipped_<reason>
    Raises  InputError for a missing or empty folder, or one without anything to read
    """
    from smolforge.data.read.documents import RAW_SCHEMA, Document, ParquetWriter, raw_row
    from smolforge.data.read.found import Chat, Pair, Skipped

    facts: dict[str, int] = {"documents": 0, "bytes": 0, "conversations": 0, "pairs": 0}
    left_out: list[str] = []
    with (
        (job.out / "skipped.jsonl").open("w", encoding="utf-8") as skips,
        ParquetWriter(job.out, "documents", RAW_SCHEMA) as out,
    ):
        for found in job.log.watch(read_folder(cfg), None, "records", "reading"):
            if isinstance(found, Document):
                out.add(raw_row(found))
                size_bytes = len(found.text.encode("utf-8", "replace"))
                _count(facts, {"documents": 1, "bytes": size_bytes})
                _count(facts, {f"documents_{found.domain}": 1, f"bytes_{found.domain}": size_bytes})
            elif isinstance(found, Skipped):
                _count(facts, {f"skipped_{found.reason.replace(' ', '_')}": 1})
                left_out.append(f"{found.where} ({found.why or found.reason})")
                skips.write(json.dumps(asdict(found), ensure_ascii=False) + "\n")
            else:
                assert isinstance(found, Chat | Pair)
                _count(facts, {"conversations" if isinstance(found, Chat) else "pairs": 1})
    _say_what_was_left_out(job, left_out)
    if not facts["documents"] + facts["conversations"]:
        raise InputError(
            "the folder holds nothing that can be read", where=cfg.path, fix="add text, pages, code or chats"
        )
    return dict(sorted(facts.items()))


def _say_what_was_left_out(job: Job, left_out: Sequence[str]) -> None:
    """By name, as many as can be read in passing; all of them stand in skipped.jsonl."""
    if not left_out:
        return
    more = f", and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
    job.log.say(f"  left out: {', '.join(left_out[:MOST_NAMED])}{more}")
    job.log.say(f"  all of them, and why: {job.sealed / 'skipped.jsonl'}")


def _count(facts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, value in more.items():
        facts[name] = facts.get(name, 0) + value


def read_folder(cfg: FolderConfig, benchmarks: bool = False) -> Iterator[Any]:
    """What the folder holds, record by record; with `benchmarks`, only the questions of benchmark files."""
    from smolforge.data.read import sources

    return sources.folder_found(Path(cfg.path).expanduser(), benchmarks=benchmarks)


@config
class HubConfig:
    """A data set on a hub, pinned.

    repo        owner/name
    revision    commit or tag; `main` moves, so a release should name a commit
    pattern     which of its files, as in a shell
    domain      slice of the mixture it belongs to; sets which rules curate it
    text_field  where the text stands (documents only)
    limit_bytes how much text is taken
    """

    repo: str
    domain: Domain = "web"
    revision: str = "main"
    pattern: str = "*.parquet"
    text_field: str = "text"
    url_field: str = "url"
    limit_bytes: int = 10**9


def _hub_cost(cfg: HubConfig) -> Cost:
    return Cost(disk_bytes=cfg.limit_bytes // 2)  # Parquet holds text in about half its size


@stage(makes=RawDocs, version=2, cost=_hub_cost)
def hub_documents(cfg: HubConfig, job: Job) -> Facts:
    """Documents of a data set on a hub.

    Writes  documents-*.parquet
    Facts   documents, bytes
    Raises  InputError where the hub, the data set or its files cannot be had
    """
    from smolforge.data.read import hub
    from smolforge.data.read.documents import write_documents

    found = hub.hub_documents(
        cfg.repo,
        revision=cfg.revision,
        pattern=cfg.pattern,
        text_field=cfg.text_field,
        kind="code" if cfg.domain == "code" else "text",
        url_field=cfg.url_field,
        limit_bytes=cfg.limit_bytes,
    )
    return write_documents(job.out, job.log.watch(found, None, "documents", cfg.repo))


# --- conversations and preference pairs ------------------------------------------------------------------


@stage(makes=ChatData, version=4)
def own_chats(cfg: FolderConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """The conversations of the user's folder, without those that repeat evaluation items.

    Writes  conversations.jsonl, overlaps.jsonl
    Facts   conversations, turns, contaminated, items_met
    """
    from smolforge.data.clean.chats import write_chats
    from smolforge.data.read.found import Chat

    rows = (found.row for found in read_folder(cfg) if isinstance(found, Chat))
    return dict(write_chats(job.out, rows, held_out.path if held_out else None))


@stage(makes=PreferenceData, version=4)
def own_preferences(cfg: FolderConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """The preference pairs of the user's folder, without those that repeat evaluation items.

    Writes  pairs.jsonl, overlaps.jsonl
    Facts   pairs, contaminated, items_met
    """
    from smolforge.data.clean.chats import write_pairs
    from smolforge.data.read.found import Pair

    rows = (found.row for found in read_folder(cfg) if isinstance(found, Pair))
    return dict(write_pairs(job.out, job.log.watch(rows, None, "pairs"), held_out.path if held_out else None))


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


@stage(makes=ChatData, version=2)
def hub_chats(cfg: HubConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """Conversations of a data set on a hub (rows with `messages`), without what repeats evaluation items.

    Writes  conversations.jsonl, overlaps.jsonl
    Facts   conversations, turns, contaminated, items_met
    """
    from smolforge.data.clean.chats import write_chats
    from smolforge.data.read import hub

    rows = hub.hub_conversations(
        cfg.repo, revision=cfg.revision, pattern=cfg.pattern, limit_bytes=cfg.limit_bytes
    )
    watched = job.log.watch(rows, None, "conversations", cfg.repo)
    return dict(write_chats(job.out, watched, held_out.path if held_out else None))


@stage(makes=PreferenceData, version=2)
def hub_preferences(cfg: HubConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """Preference pairs of a data set on a hub (rows with `chosen` and `rejected`), without what repeats evaluation items.

    Writes  pairs.jsonl, overlaps.jsonl
    Facts   pairs, contaminated, items_met
    """
    from smolforge.data.clean.chats import write_pairs
    from smolforge.data.read import hub

    rows = hub.hub_pairs(cfg.repo, revision=cfg.revision, pattern=cfg.pattern, limit_bytes=cfg.limit_bytes)
    watched = job.log.watch(rows, None, "pairs", cfg.repo)
    return dict(write_pairs(job.out, watched, held_out.path if held_out else None))
