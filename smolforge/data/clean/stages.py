"""The door of `data/clean`: what is held out, the quality classifier, curation, conversations as texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolforge.artifacts import ChatData, Corpus, EvalTexts, Facts, QualityModel, RawDocs
from smolforge.config import config
from smolforge.data.read.stages import Domain, FolderConfig, read_folder
from smolforge.errors import ConfigError, InputError
from smolforge.stage import Job, stage

SYNTHETIC_SKILLS = ("knowledge", "mathematics", "code")
CHAT_SKILLS = ("instructions", "rewriting", "summarising", "tools")


# --- evaluation texts ------------------------------------------------------------------------------------


@config
class HoldOutConfig:
    """What is kept from training.

    items         questions for each generated skill; 0 for none
    skills        skills to make questions for
    core          ask about those subjects alone that texts with `core` tell of
    share         share of each source's documents that may be held out, chosen by a hash of their ids
    max_texts     of these, at most so many a domain
    text_chars    of each text, at most so many characters are kept
    languages     as in `curate`
    """

    items: int = 120
    skills: tuple[str, ...] = (*SYNTHETIC_SKILLS, *CHAT_SKILLS)
    core: bool = False
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


@stage(makes=EvalTexts, version=7)
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
    from smolforge.data.clean import held_out as engine

    facts: dict[str, int] = {}
    for skill in cfg.skills if cfg.items else ():
        facts[f"items_{skill}"] = engine.write_items(job.out, skill, cfg.seed, cfg.items, cfg.core)
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


@stage(makes=EvalTexts, version=2)
def own_benchmarks(cfg: FolderConfig, job: Job) -> Facts:
    """The benchmark questions in the user's folder: to decontaminate against.

    Writes  texts-benchmarks.jsonl
    Facts   items, texts
    """
    from smolforge.data.clean import held_out as engine

    return {"items": 0, "texts": engine.write_benchmarks(job.out, read_folder(cfg, benchmarks=True))}


# --- curation --------------------------------------------------------------------------------------------


@config
class QualityConfig:
    """How many texts of each source the quality classifier learns from."""

    texts_per_source: int = 250


@stage(makes=QualityModel, version=2)
def train_quality(cfg: QualityConfig, job: Job, *, sources: Mapping[str, RawDocs]) -> Facts:
    """A small classifier of educational value, learned from a sample of every source.

    Writes  model.json, weights.npz
    Facts   examples, f1 (of "3 or more" on a held-out fifth), correlation, mean_label
    """
    from smolforge.data.clean import held_out as engine
    from smolforge.data.clean import quality

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

    domain           documents marked with another domain are passed over
    rules            sets of rules by name, one after the other; empty for the domain's own. As published: gopher, c4, fineweb
                     (`published.SETS`); ours, milder: reference for pages to look things up in (`filters.RULES`)
    languages        two-letter codes that may stay; empty for all
    min_score        educational value below which a text is dropped
    near_duplicates  estimated similarity at which a text counts as a duplicate
    bands, rows      how MinHash signatures are cut
    overlap_words    length of the runs by which evaluation texts are recognised
    overlap_share    longest common subsequence from which such a text counts as given away
    may_be_empty     a domain of which the source has nothing is no error (a user's own folder)
    """

    domain: Domain
    rules: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    min_score: float = 0.0
    near_duplicates: float = 0.7
    bands: int = 20
    rows: int = 5
    overlap_words: int = 13
    overlap_share: float = 0.6
    scrub_private: bool = True
    may_be_empty: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 5:
            raise ConfigError(f"`min_score` is {self.min_score}", fix="use 0 to 5")
        if not 0 < self.near_duplicates <= 1:
            raise ConfigError(
                f"`near_duplicates` is {self.near_duplicates}", fix="use a share above 0, up to 1"
            )
        if not 0 < self.overlap_share <= 1:
            raise ConfigError(f"`overlap_share` is {self.overlap_share}", fix="use a share above 0, up to 1")
        if min(self.bands, self.rows, self.overlap_words) < 1:
            raise ConfigError("`bands`, `rows` and `overlap_words` must be at least 1")


LITTLE_KEPT = 0.5
"""Share of a folder's bytes below which it is said how little was kept."""


@stage(makes=Corpus, version=7)
def curate(
    cfg: CurateConfig,
    job: Job,
    *,
    raw: RawDocs,
    quality: QualityModel | None = None,
    held_out: EvalTexts | None = None,
    before: Mapping[str, Corpus] | None = None,
) -> Facts:
    """Extract, filter, score, decontaminate and deduplicate one source. What stands in the corpora `before` must not come again.

    Writes  documents-*.parquet (id, text, url, score), dropped-*.parquet (id, rule, reason, excerpt), overlaps.jsonl
    Facts   documents, bytes, dropped, scrubbed, items_met, dropped_<rule>
    Raises  InputError when nothing is left, naming the rules that dropped most
    Source  the order of steps: FineWeb, arXiv:2406.17557, section 3
    """
    from smolforge.data.clean import curate as engine
    from smolforge.data.clean.workers import ordered_map
    from smolforge.data.read.documents import row_groups

    how = _curation(cfg, quality, held_out, before or {})
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
    worst = sorted((n for n in facts if n.startswith("dropped_")), key=lambda n: -facts[n])[:3]
    said = ", ".join(f"{name.removeprefix('dropped_')} {facts[name]}" for name in worst)
    _say_where_little_was_kept(cfg, job, raw, facts["bytes"], said)
    if not facts["documents"] and not cfg.may_be_empty:
        raise InputError(
            f"curation kept no document of {cfg.domain}",
            where=said or "the source has no document of this domain",
            fix="give more data, or loosen the rules that dropped most",
        )
    return facts


def _say_where_little_was_kept(
    cfg: CurateConfig, job: Job, raw: RawDocs, kept_bytes: int, rules: str
) -> None:
    """A folder of the user's of which most is dropped is worth a word; pages are mostly markup, so these are not counted."""
    from smolforge.units import format_bytes

    there = int(raw.facts.get(f"bytes_{cfg.domain}", 0))
    if cfg.domain != "web" and kept_bytes < LITTLE_KEPT * there:
        job.log.say(
            f"  of {format_bytes(there)} of {cfg.domain} only {format_bytes(kept_bytes)} were kept; dropped by {rules} "
            "(documents); dropped-*.parquet names every one"
        )


def _curation(
    cfg: CurateConfig,
    quality: QualityModel | None,
    held_out: EvalTexts | None,
    before: Mapping[str, Corpus],
) -> Any:
    from smolforge.data.clean import curate as engine
    from smolforge.data.clean import quality as scorers
    from smolforge.data.clean.dedup import Bands

    banned, ids = None, frozenset[str]()
    if held_out is not None:
        banned = engine.banned_from(held_out.path, ngram=cfg.overlap_words, share=cfg.overlap_share)
        ids = engine.held_out_ids(held_out.path)
    return engine.Curation(
        domain=cfg.domain,
        rules=cfg.rules,
        languages=cfg.languages,
        quality=scorers.load(quality.path) if quality is not None else None,
        min_score=cfg.min_score,
        banned=banned,
        held_out=ids,
        bands=Bands(cfg.bands, cfg.rows, threshold=cfg.near_duplicates),
        scrub_private=cfg.scrub_private,
        before=tuple(corpus.path for _, corpus in sorted(before.items())),
    )


@config
class ChatCorpusConfig:
    """Conversations as pre-training text; at most `max_bytes` of them."""

    max_bytes: int = 8_000_000


@stage(makes=Corpus, version=2)
def chat_corpus(
    cfg: ChatCorpusConfig, job: Job, *, data: ChatData, held_out: EvalTexts | None = None
) -> Facts:
    """Conversations in their chat form, as documents of the domain `chat`.

    Writes  documents-*.parquet, dropped-*.parquet, overlaps.jsonl
    Facts   documents, bytes, dropped, items_met
    """
    from smolforge.data.clean import held_out as engine

    return engine.write_chat_corpus(
        data.path / "conversations.jsonl", job.out, cfg.max_bytes, held_out.path if held_out else None
    )
