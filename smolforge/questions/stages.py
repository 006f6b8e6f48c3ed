"""Stages of what is held out of one's own documents, and of the questions and conversations about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from smolforge.artifacts import ChatData, Corpus, DocumentFacts, EvalTexts, Facts, RawDocs
from smolforge.config import config
from smolforge.errors import ConfigError, InputError
from smolforge.stage import Job, stage

if TYPE_CHECKING:
    from smolforge.questions import Fact


# -- what is held out -----------------------------------------------------------------------------------

LEAST_HELD_OUT = 2
"""Texts of one domain: one for the half that decisions read, one for the half that the report reads."""
MOST_SHARE = 0.5


@config
class HoldOutDocumentsConfig:
    """Documents of the user's own that are never trained on.

    share       of each domain's documents, chosen by a hash of their ids; doubled in a small folder until there are two
    max_texts   of these, at most so many a domain
    text_chars  of each text, at most so many characters are kept
    languages   as in `curate`
    """

    share: float = 0.06
    max_texts: int = 40
    text_chars: int = 6_000
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.share < MOST_SHARE:
            raise ConfigError(f"`share` is {self.share}", fix="use a share above 0 and below 0.5")


@stage(makes=EvalTexts, version=4)
def hold_out_documents(cfg: HoldOutDocumentsConfig, job: Job, *, raw: RawDocs) -> Facts:
    """Some documents of every domain of the user's folder, by which it is seen whether the model reads them better.

    Writes  texts-own_<domain>.jsonl
    Facts   texts, texts_own_<domain>
    Raises  InputError when not even two documents of one domain can be spared
    """
    from smolforge.data.read.stages import OWN_DOMAINS

    share, counts = cfg.share, _hold_out(cfg, job, raw, cfg.share)
    while max(counts.values(), default=0) < LEAST_HELD_OUT and share < MOST_SHARE:
        share = min(MOST_SHARE, 2 * share)
        counts = _hold_out(cfg, job, raw, share)
    if max(counts.values(), default=0) < LEAST_HELD_OUT:
        there = ", ".join(
            f"{raw.facts[f'documents_{domain}']} of {domain}"
            for domain in OWN_DOMAINS
            if raw.facts.get(f"documents_{domain}")
        )
        raise InputError(
            f"fewer than {LEAST_HELD_OUT} documents of the folder could be held out to judge the model by",
            where=f"the folder has {there or 'none'}; the rules for clean text kept {max(counts.values(), default=0)} of half of them",
            fix="give more documents, or longer ones in whole sentences",
        )
    return {"texts": sum(counts.values()), **{f"texts_own_{name}": n for name, n in counts.items()}}


def _hold_out(cfg: HoldOutDocumentsConfig, job: Job, raw: RawDocs, share: float) -> dict[str, int]:
    """Write what is held out at this share; gives the number of texts of every domain that has some."""
    from smolforge.data.clean import held_out as engine
    from smolforge.data.read.stages import OWN_DOMAINS

    how = engine.Choice(share, cfg.max_texts, cfg.text_chars, cfg.languages)
    counts: dict[str, int] = {}
    for domain in OWN_DOMAINS:
        count = engine.write_texts(job.out, domain, raw.path, how, job.threads)
        written = job.out / f"texts-{domain}.jsonl"
        if count:
            written.replace(job.out / f"texts-own_{domain}.jsonl")
            counts[domain] = count
        else:
            written.unlink(missing_ok=True)
    return counts


# -- questions about the documents ----------------------------------------------------------------------


@config
class DocumentFactsConfig:
    """What is asked for in the documents.

    held_out_share  share of the facts that questions are held out about; no conversation gives these away
    """

    held_out_share: float = 0.3
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1:
            raise ConfigError(
                f"`held_out_share` is {self.held_out_share}", fix="use a share above 0 and below 1"
            )


@stage(makes=DocumentFacts, version=2)
def find_document_facts(cfg: DocumentFactsConfig, job: Job, *, corpora: Mapping[str, Corpus]) -> Facts:
    """What the documents say that can be asked: dates, numbers, names, terms, definitions, fields, sections.

    The documents are trained on; the questions ask whether that was taken in, in a form that was never seen.

    Writes  held-out.jsonl, tuning.jsonl
    Facts   facts_<kind>, documents_with_facts, held_out, tuning, dropped_<reason>
    """
    from collections import Counter

    from smolforge.data.read.documents import read_rows
    from smolforge.questions import describe, find_facts, split

    def documents() -> Any:
        for corpus in corpora.values():
            for row in read_rows(corpus.path, columns=["id", "text", "url"]):
                yield str(row["url"] or row["id"]), row["text"]

    dropped: Counter[str] = Counter()
    facts = find_facts(job.log.watch(documents(), None, "documents", "reading"), dropped=dropped)
    sides = split(facts, cfg.held_out_share, cfg.seed)
    _write_facts(job, "held-out", sides.held_out)
    _write_facts(job, "tuning", sides.tuning)
    told = {
        name.replace(" ", "_").replace(":", ""): count for name, count in describe(facts, dropped).items()
    }
    return {"held_out": len(sides.held_out), "tuning": len(sides.tuning), **told}


@config
class StatementsConfig:
    """What the documents state, told without the rest.

    kinds  of facts whose sentences are kept
    """

    kinds: tuple[str, ...] = ("date", "definition", "field", "name", "number", "term")


@stage(makes=Corpus, version=2)
def document_statements(cfg: StatementsConfig, job: Job, *, facts: DocumentFacts) -> Facts:
    """The sentences of every document that state something, under their headings: its knowledge in a tenth of its length.

    Where the time does not suffice for the documents, more of what they say is met, and met more often. Facts on both
    sides are told alike; the documents hold them all. Source: knowledge is taken in by meeting it in several texts,
    arXiv:2409.07431 (there written by a larger model, here taken from the documents).

    Writes  documents-*.parquet
    Facts   documents, bytes, statements
    """
    from smolforge.data.read.documents import CORPUS_SCHEMA, ParquetWriter
    from smolforge.questions import condensed

    found = [fact for side in ("held-out", "tuning") for fact in _read_facts(facts, side)]
    stated = [fact for fact in found if fact.kind in cfg.kinds]
    size_bytes = 0
    with ParquetWriter(job.out, "documents", CORPUS_SCHEMA) as out:
        for source, text in condensed(stated):
            out.add({"id": f"statements/{source}", "text": text, "url": "", "score": 0.0})
            size_bytes += len(text.encode("utf-8", "replace"))
    return {"documents": out.rows, "bytes": size_bytes, "statements": len(stated)}


@config
class DocumentItemsConfig:
    """How many questions with four choices are held out."""

    count: int = 400
    seed: int = 1


@stage(makes=EvalTexts, version=1)
def document_items(cfg: DocumentItemsConfig, job: Job, *, facts: DocumentFacts) -> Facts:
    """Held-out questions about the documents.

    Writes  items-documents.jsonl
    Facts   items, texts
    """
    from collections import Counter

    from smolforge.data.read.documents import write_jsonl
    from smolforge.evals.task import item_to_plain
    from smolforge.questions import choice_items

    held_out, tuning = _read_facts(facts, "held-out"), _read_facts(facts, "tuning")
    dropped: Counter[str] = Counter()
    items = choice_items(held_out, cfg.count, cfg.seed, pool=[*held_out, *tuning], dropped=dropped)
    if not items:
        why = ", ".join(f"{reason}: {count}" for reason, count in dropped.items()) or "no facts were found"
        job.log.say(
            f"  nothing could be asked about the documents ({why}); texts alone will tell what was learned"
        )
    write_jsonl(job.out / "items-documents.jsonl", (item_to_plain(item) for item in items))
    return {"items": len(items), "texts": 0}


@config
class DocumentChatsConfig:
    """Conversations about the documents: from the facts for tuning, or from those held out, to watch a tuning by."""

    side: Literal["tuning", "held-out"] = "tuning"
    count: int = 4_000
    seed: int = 1


@stage(makes=ChatData, version=1)
def document_chats(cfg: DocumentChatsConfig, job: Job, *, facts: DocumentFacts) -> Facts:
    """Questions about the documents with their answers, as conversations.

    Writes  conversations.jsonl
    Facts   conversations
    """
    from smolforge.data.read.documents import write_jsonl
    from smolforge.questions import answer_chats

    rows = answer_chats(_read_facts(facts, cfg.side), cfg.count, cfg.seed)
    return {"conversations": write_jsonl(job.out / "conversations.jsonl", rows)}


def _write_facts(job: Job, name: str, facts: Sequence[Fact]) -> None:
    from smolforge.data.read.documents import write_jsonl

    write_jsonl(job.out / f"{name}.jsonl", (asdict(fact) for fact in facts))


def _read_facts(facts: DocumentFacts, name: str) -> list[Fact]:
    from smolforge.questions import Fact

    lines = (facts.path / f"{name}.jsonl").read_text("utf-8").splitlines()
    plain = [json.loads(line) for line in lines]
    return [Fact(**{**one, "alike": tuple(one["alike"])}) for one in plain]
