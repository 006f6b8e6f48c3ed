"""The data stages: sources in, held-out texts, curated corpora, chats and token shards out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from smolforge.artifacts import (
    ChatData,
    Corpus,
    EvalTexts,
    Facts,
    PreferenceData,
    QualityModel,
    RawDocs,
    Tokenizer,
    TokenShards,
)
from smolforge.config import config
from smolforge.errors import ConfigError, InputError
from smolforge.stage import Cost, Job, stage

Domain = Literal["web", "code", "mathematics", "prose", "chat", "textbooks", "stories", "exercises"]
SYNTHETIC = ("textbooks", "stories", "mathematics", "code_exercises")
SYNTHETIC_SKILLS = ("knowledge", "mathematics", "code")
CHAT_SKILLS = ("instructions", "rewriting", "summarising", "tools")


# --- sources ---------------------------------------------------------------------------------------------


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
    from smolforge.data import sources
    from smolforge.data.documents import write_documents

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
    from smolforge.data import sources
    from smolforge.data.documents import write_documents

    files = sources.stdlib_files(max_bytes=cfg.max_bytes, max_file_bytes=cfg.max_file_bytes)
    return write_documents(job.out, job.log.watch(files, None, "files"))


@config
class SyntheticConfig:
    """Text from our generators. `domain`: textbooks, stories, mathematics or code_exercises."""

    domain: str
    bytes: int = 4_000_000
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
    from smolforge.data import synthetic
    from smolforge.data.documents import write_documents

    generate = getattr(synthetic, cfg.domain)
    return write_documents(job.out, _up_to(generate(cfg.seed, cfg.bytes), cfg.bytes, job))


def _up_to(documents: Iterator[Any], limit_bytes: int, job: Job) -> Iterator[Any]:
    total = 0
    for document in documents:
        if total >= limit_bytes:
            return
        total += len(document.text.encode())
        job.log.progress(total, limit_bytes, "bytes", "writing")
        yield document


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

    Raises InputError for a missing folder.
    """
    from smolforge.data.sources import folder_digest

    return FolderConfig(path=path, digest=folder_digest(Path(path).expanduser()))


@stage(makes=RawDocs, version=1)
def own_folder(cfg: FolderConfig, job: Job) -> Facts:
    """The documents of the user's folder, each with its domain.

    Writes  documents-*.parquet (the domain stands in `meta`), skipped.jsonl (where, reason)
    Facts   documents, bytes, documents_<domain>, bytes_<domain>, conversations, pairs, skipped_<reason>
    Raises  InputError for a missing or empty folder, or one without anything to read
    """
    from smolforge.data.documents import RAW_SCHEMA, Document, ParquetWriter, raw_row
    from smolforge.data.readers import Chat, Pair, Skipped

    facts: dict[str, int] = {"documents": 0, "bytes": 0, "conversations": 0, "pairs": 0}
    with (
        (job.out / "skipped.jsonl").open("w", encoding="utf-8") as skips,
        ParquetWriter(job.out, "documents", RAW_SCHEMA) as out,
    ):
        for found in job.log.watch(_folder(cfg), None, "records", "reading"):
            if isinstance(found, Document):
                out.add(raw_row(found))
                size_bytes = len(found.text.encode("utf-8", "replace"))
                _count(facts, {"documents": 1, "bytes": size_bytes})
                _count(facts, {f"documents_{found.domain}": 1, f"bytes_{found.domain}": size_bytes})
            elif isinstance(found, Skipped):
                _count(facts, {f"skipped_{found.reason.replace(' ', '_')}": 1})
                skips.write(json.dumps({"where": found.where, "reason": found.reason}) + "\n")
            else:
                assert isinstance(found, Chat | Pair)
                _count(facts, {"conversations" if isinstance(found, Chat) else "pairs": 1})
    if not facts["documents"] + facts["conversations"]:
        raise InputError(
            "the folder holds nothing that can be read", where=cfg.path, fix="add text, pages, code or chats"
        )
    return dict(sorted(facts.items()))


def _count(facts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, value in more.items():
        facts[name] = facts.get(name, 0) + value


def _folder(cfg: FolderConfig, benchmarks: bool = False) -> Iterator[Any]:
    from smolforge.data import sources

    return sources.folder_found(Path(cfg.path).expanduser(), benchmarks=benchmarks)


# --- conversations and preferences -----------------------------------------------------------------------


@stage(makes=ChatData, version=1)
def own_chats(cfg: FolderConfig, job: Job, *, held_out: EvalTexts | None = None) -> Facts:
    """The conversations of the user's folder, without those that repeat evaluation items.

    Writes  conversations.jsonl
    Facts   conversations, turns, contaminated
    """
    from smolforge.data.readers import Chat

    rows = (found.row for found in _folder(cfg) if isinstance(found, Chat))
    return _write_chats(job, rows, held_out)


@stage(makes=PreferenceData, version=1)
def own_preferences(cfg: FolderConfig, job: Job) -> Facts:
    """The preference pairs of the user's folder.

    Writes  pairs.jsonl
    Facts   pairs
    """
    from smolforge.data.documents import write_jsonl
    from smolforge.data.readers import Pair

    rows = (found.row for found in _folder(cfg) if isinstance(found, Pair))
    return {"pairs": write_jsonl(job.out / "pairs.jsonl", job.log.watch(rows, None, "pairs"))}


@config
class JoinConfig:
    """What is put together has no settings of its own."""


@stage(makes=ChatData, version=1)
def join_chats(cfg: JoinConfig, job: Job, *, parts: Mapping[str, ChatData]) -> Facts:
    """Several sets of conversations as one, in the order of their names.

    Writes  conversations.jsonl
    Facts   conversations, conversations_<part>
    """
    facts = {
        f"conversations_{name}": _append(part.path / "conversations.jsonl", job.out / "conversations.jsonl")
        for name, part in parts.items()
    }
    return {"conversations": sum(facts.values()), **facts}


@stage(makes=PreferenceData, version=1)
def join_pairs(cfg: JoinConfig, job: Job, *, parts: Mapping[str, PreferenceData]) -> Facts:
    """Several sets of preference pairs as one, in the order of their names.

    Writes  pairs.jsonl
    Facts   pairs, pairs_<part>
    """
    facts = {
        f"pairs_{name}": _append(part.path / "pairs.jsonl", job.out / "pairs.jsonl")
        for name, part in parts.items()
    }
    return {"pairs": sum(facts.values()), **facts}


def _append(source: Path, target: Path) -> int:
    """Copy lines of one file to the end of another; how many."""
    count = 0
    with source.open("rb") as lines, target.open("ab") as out:
        for line in lines:
            out.write(line)
            count += 1
    return count


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
    return _write_chats(job, job.log.watch(rows, cfg.count, "conversations"), held_out)


def _write_chats(job: Job, rows: Any, held_out: EvalTexts | None) -> Facts:
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


# --- evaluation texts ------------------------------------------------------------------------------------


@config
class HoldOutConfig:
    """What is kept from training.

    items         questions for each generated skill; 0 for none
    skills        skills to make questions for
    share         share of each source's documents that may be held out, chosen by a hash of their ids
    max_texts     of these, at most so many a domain
    text_chars    of each text, at most so many characters are kept
    languages     as in `curate`
    """

    items: int = 120
    skills: tuple[str, ...] = (*SYNTHETIC_SKILLS, *CHAT_SKILLS)
    seed: int = 1
    share: float = 0.02
    max_texts: int = 40
    text_chars: int = 4_000
    languages: tuple[str, ...] = ("en",)

    def __post_init__(self) -> None:
        if not 0 < self.share < 0.5:
            raise ConfigError(f"`share` is {self.share}", fix="use a share above 0 and below 0.5")
        unknown = set(self.skills) - {*SYNTHETIC_SKILLS, *CHAT_SKILLS}
        if unknown:
            raise ConfigError(
                f"no generator makes items for {sorted(unknown)}", fix="see `HoldOutConfig.skills`"
            )


@stage(makes=EvalTexts, version=1)
def hold_out(
    cfg: HoldOutConfig,
    job: Job,
    *,
    sources: Mapping[str, RawDocs] | None = None,
    chats: ChatData | None = None,
) -> Facts:
    """Questions and texts that no model may train on. `sources` are raw documents by domain.

    Writes  items-<skill>.jsonl, texts-<domain>.jsonl
    Facts   items, texts, items_<skill>, texts_<domain>
    """
    from smolforge.data import held_out as engine

    facts: dict[str, int] = {}
    for skill in cfg.skills if cfg.items else ():
        facts[f"items_{skill}"] = engine.write_items(job.out, skill, cfg.seed, cfg.items)
    how = engine.Choice(cfg.share, cfg.max_texts, cfg.text_chars, cfg.languages)
    for domain, raw in sorted((sources or {}).items()):
        job.log.progress(len(facts), None, "files", domain)
        facts[f"texts_{domain}"] = engine.write_texts(job.out, domain, raw.path, how, job.threads)
    if chats is not None:
        facts["texts_chat"] = engine.write_chats(job.out, chats.path / "conversations.jsonl", how)
    return {
        "items": sum(n for name, n in facts.items() if name.startswith("items_")),
        "texts": sum(n for name, n in facts.items() if name.startswith("texts_")),
        **facts,
    }


@stage(makes=EvalTexts, version=1)
def own_benchmarks(cfg: FolderConfig, job: Job, *, more: EvalTexts | None = None) -> Facts:
    """The benchmark questions in the user's folder, and those of `more`: to decontaminate against.

    Writes  texts-benchmarks.jsonl, and the files of `more`
    Facts   texts, benchmark_questions
    """
    import shutil

    from smolforge.data import held_out as engine

    for path in sorted(more.path.glob("*-*.jsonl")) if more is not None else ():
        shutil.copyfile(path, job.out / path.name)
    count = engine.write_benchmarks(job.out, _folder(cfg, benchmarks=True))
    before = int(more.facts.get("texts", 0)) if more is not None else 0
    items = int(more.facts.get("items", 0)) if more is not None else 0
    return {"items": items, "texts": before + count, "benchmark_questions": count}


# --- curation --------------------------------------------------------------------------------------------


@config
class QualityConfig:
    """How many texts of each source the quality classifier learns from."""

    texts_per_source: int = 250


@stage(makes=QualityModel, version=1)
def train_quality(cfg: QualityConfig, job: Job, *, sources: Mapping[str, RawDocs]) -> Facts:
    """A small classifier of educational value, learned from a sample of every source.

    Writes  model.json, weights.npz
    Facts   examples, f1 (of "3 or more" on a held-out fifth), correlation, mean_label
    """
    from smolforge.data import held_out as engine
    from smolforge.data import quality

    texts: list[tuple[str, str]] = []
    for domain, raw in sorted(sources.items()):
        job.log.progress(len(texts), None, "texts", domain)
        texts += engine.sample_texts(raw.path, domain, cfg.texts_per_source, job.threads)
    scorer, facts = quality.train(texts)
    quality.save(scorer, job.out, facts)
    return facts


@config
class CurateConfig:
    """How one domain is curated.

    domain           whose rules apply (`filters.RULES`); documents marked with another domain are passed over
    languages        two-letter codes that may stay; empty for all
    min_score        educational value below which a text is dropped
    near_duplicates  estimated similarity at which a text counts as a duplicate
    bands, rows      how MinHash signatures are cut
    overlap_words    length of the runs by which evaluation texts are recognised
    may_be_empty     a domain of which the source has nothing is no error (a user's own folder)
    """

    domain: Domain
    languages: tuple[str, ...] = ("en",)
    min_score: float = 0.0
    near_duplicates: float = 0.7
    bands: int = 20
    rows: int = 5
    overlap_words: int = 13
    item_share: float = 0.5
    text_share: float = 0.5
    scrub_private: bool = True
    may_be_empty: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 5:
            raise ConfigError(f"`min_score` is {self.min_score}", fix="use 0 to 5")
        if not 0 < self.near_duplicates <= 1:
            raise ConfigError(
                f"`near_duplicates` is {self.near_duplicates}", fix="use a share above 0, up to 1"
            )
        if min(self.bands, self.rows, self.overlap_words) < 1:
            raise ConfigError("`bands`, `rows` and `overlap_words` must be at least 1")


@stage(makes=Corpus, version=1)
def curate(
    cfg: CurateConfig,
    job: Job,
    *,
    raw: RawDocs,
    quality: QualityModel | None = None,
    held_out: EvalTexts | None = None,
) -> Facts:
    """Extract, filter, score, decontaminate and deduplicate one source.

    Writes  documents-*.parquet (id, text, url, score), dropped-*.parquet (id, rule, reason, excerpt)
    Facts   documents, bytes, dropped, scrubbed, dropped_<rule>
    Raises  InputError when nothing is left, naming the rules that dropped most
    Source  the order of steps: FineWeb, arXiv:2406.17557, section 3
    """
    from smolforge.data import curate as engine
    from smolforge.data.documents import row_groups
    from smolforge.data.workers import ordered_map

    how = _curation(cfg, quality, held_out)
    batches = [
        engine.Batch(group, str(job.work / f"judged-{number:06d}.parquet"))
        for number, group in enumerate(row_groups(raw.path))
    ]
    total, done = sum(batch.group.rows for batch in batches), 0
    # A worker takes about a second to start, so a small source is judged by fewer.
    processes = max(1, min(job.threads, total // 150))
    for count in ordered_map(
        engine.judge_batch, batches, processes=processes, setup=engine.set_up, setup_with=(how,)
    ):
        done += count
        job.log.progress(done, total, "documents", "judging")
    facts = engine.finish([Path(batch.out) for batch in batches], job.out, how)
    if not facts["documents"] and not cfg.may_be_empty:
        worst = sorted((n for n in facts if n.startswith("dropped_")), key=lambda n: -facts[n])[:3]
        said = ", ".join(f"{name.removeprefix('dropped_')} {facts[name]}" for name in worst)
        raise InputError(
            f"curation kept no document of {cfg.domain}",
            where=said or "the source has no document of this domain",
            fix="give more data, or loosen the rules that dropped most",
        )
    return facts


def _curation(cfg: CurateConfig, quality: QualityModel | None, held_out: EvalTexts | None) -> Any:
    from smolforge.data import curate as engine
    from smolforge.data import quality as scorers
    from smolforge.data.dedup import Bands

    banned, ids = None, frozenset[str]()
    if held_out is not None:
        banned = engine.banned_from(
            held_out.path, ngram=cfg.overlap_words, item_share=cfg.item_share, text_share=cfg.text_share
        )
        ids = engine.held_out_ids(held_out.path)
    return engine.Curation(
        domain=cfg.domain,
        languages=cfg.languages,
        quality=scorers.load(quality.path) if quality is not None else None,
        min_score=cfg.min_score,
        banned=banned,
        held_out=ids,
        bands=Bands(cfg.bands, cfg.rows, threshold=cfg.near_duplicates),
        scrub_private=cfg.scrub_private,
    )


@config
class ChatCorpusConfig:
    """Conversations as pre-training text; at most `max_bytes` of them."""

    max_bytes: int = 8_000_000


@stage(makes=Corpus, version=1)
def chat_corpus(
    cfg: ChatCorpusConfig, job: Job, *, data: ChatData, held_out: EvalTexts | None = None
) -> Facts:
    """Conversations in their chat form, as documents of the domain `chat`.

    Writes  documents-*.parquet, dropped-*.parquet
    Facts   documents, bytes, dropped, dropped_<rule>
    """
    from smolforge.data import held_out as engine

    return engine.write_chat_corpus(
        data.path / "conversations.jsonl", job.out, cfg.max_bytes, held_out.path if held_out else None
    )


# --- tokens ----------------------------------------------------------------------------------------------


@config
class TokenizeConfig:
    """Tokens of a shard. `special`: special-token strings in the text become their ids (chat corpora)."""

    shard_tokens: int = 1 << 24
    special: bool = False


@stage(makes=TokenShards, version=1)
def tokenize(cfg: TokenizeConfig, job: Job, *, corpus: Corpus, tokenizer: Tokenizer) -> Facts:
    """One corpus as token ids, each document closed by the end-of-text token.

    Writes  tokens-*.bin (uint16, or uint32 for a vocabulary over 65,536), index.npz
    Facts   tokens, documents, bytes
    """
    from smolforge.data.documents import read_rows
    from smolforge.data.shards import write_shards
    from smolforge.text.tokenizer import load_tokenizer

    total = int(corpus.facts.get("bytes", 0)) / 3.5  # bytes a token: only for the time left
    return write_shards(
        (row["text"] for row in read_rows(corpus.path, columns=["text"])),
        load_tokenizer(tokenizer.path),
        job.out,
        work=job.work,
        shard_tokens=cfg.shard_tokens,
        allow_special=cfg.special,
        tick=lambda tokens: job.log.progress(tokens, max(total, tokens), "tokens"),
    )


# --- hub ------------------------------------------------------------------------------------------------


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


@stage(makes=RawDocs, version=1, cost=_hub_cost)
def hub_documents(cfg: HubConfig, job: Job) -> Facts:
    """Documents of a data set on a hub.

    Writes  documents-*.parquet
    Facts   documents, bytes
    Raises  InputError where the hub, the data set or its files cannot be had
    """
    from smolforge.data import hub
    from smolforge.data.documents import write_documents

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
    return _write_chats(job, job.log.watch(rows, None, "conversations", cfg.repo), held_out)


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
