"""One source through all of curation: text out of pages, then rule by rule, then duplicates.

Row groups of the raw documents are judged in parallel; each result is a file of its own in the work folder,
so that an interrupted run goes on where it was. Duplicates are then found over everything that was kept,
and the corpus is written in the order of the raw documents. The result does not depend on the number of
processes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from smolforge.config import unknown_key
from smolforge.data.clean import decontaminate, dedup, filters, pii, published
from smolforge.data.clean.hashing import normal_words, word_hashes, words_and_signs
from smolforge.data.clean.language import THRESHOLD, check_languages, language_of
from smolforge.data.clean.quality import QualityScorer
from smolforge.data.read.documents import (
    CORPUS_SCHEMA,
    DROPPED_SCHEMA,
    KEEP,
    Document,
    ParquetWriter,
    RowGroup,
    Verdict,
    as_document,
    drop,
    read_group,
    read_rows,
)
from smolforge.data.web.extract import ExtractionError, StrangeLanguage, extract_html, tidy
from smolforge.errors import ConfigError
from smolforge.plain_json import whole_text

EXCERPT_CHARS = 200
SURE = 0.95
"""Probability of another language at which a page is not extracted at all."""
TOO_SHORT = ("too_short", "gopher_short")
SIGNS_COUNT = frozenset(["code", "exercises", "mathematics"])
JUDGED_SCHEMA = pa.schema(
    [
        ("id", pa.string()), ("text", pa.string()), ("url", pa.string()), ("score", pa.float32()),
        ("signature", pa.binary()), ("exact", pa.string()), ("rule", pa.string()), ("reason", pa.string()),
        ("excerpt", pa.string()), ("scrubbed", pa.int32()), ("overlaps", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Curation:
    """What a domain's documents must pass.

    domain     documents marked with another domain are passed over
    rules      sets of rules by name (`rule_sets`), one after the other; empty for the domain's own
    languages  two-letter codes that may stay; none means all. Code is not asked
    quality    the scorer, or None; texts under `min_score` are dropped
    held_out   ids that belong to the evaluation
    before     folders of corpora whose texts must not come again
    """

    domain: str
    rules: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    quality: QualityScorer | None = None
    min_score: float = 0.0
    banned: decontaminate.Banned | None = None
    held_out: frozenset[str] = frozenset()
    bands: dedup.Bands = field(default_factory=dedup.Bands)
    scrub_private: bool = True
    before: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        check_languages(self.languages)
        check_rules(self.rules, self.languages)


def rule_sets() -> list[str]:
    """Names that `rules` may hold: ours by domain, and the papers' own."""
    return [*filters.RULES, *published.SETS]


def check_rules(rules: Sequence[str], languages: Sequence[str]) -> None:
    """Raises `ConfigError` for an unknown set, and for a language that a published set has no limits for."""
    for name in rules:
        if name not in rule_sets():
            raise unknown_key(name, name, rule_sets(), "set of rules")
    strange = sorted(set(languages) - set(published.LANGUAGES)) or ([] if languages else ["every language"])
    named = [name for name in rules if name in published.SETS]
    if named and strange:
        raise ConfigError(
            f"the rules of {named[0]} have no limits for {', '.join(strange)}",
            fix=f"name languages among {published.known_languages()}; or take the rules `reference`, which do without",
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A document after all rules but duplicates: its verdict, and the text if it stays."""

    verdict: Verdict
    text: str
    score: float = 0.0
    scrubbed: int = 0
    overlaps: tuple[decontaminate.Overlap, ...] = ()


FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
TARGET = r"\([^()\n]{0,2000}(?:\([^()\n]{0,200}\)[^()\n]{0,500})?\)"
IMAGE = re.compile(rf"\[?!\[[^\[\]]{{0,1000}}\]{TARGET}(?:\]{TARGET})?")
TAG = re.compile(
    r"</?(?:p|div|img|a|br|h[1-6]|center|sub|sup|details|summary|table|tr|td|th|picture|source)\b[^>]{0,500}>"
)
LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((?:https?:|/|\.|#)[^)\s]{0,500}\)")


COMMENT_LINE = re.compile(r"\s*(#|//|/\*|\*|--|;|%|\"\"\"|\Z)|\s*$")
LICENCE = re.compile(r"copyright|licen[cs]e|all rights reserved|SPDX", re.IGNORECASE)
MAX_LICENCE_LINES = 80


def without_licence(text: str) -> str:
    """Code without the comment at its head that states a licence: it is the same in thousands of files.

    Source: StarCoder's preparation of The Stack, arXiv:2305.06161, section 3.
    """
    found = text.split("\n")
    end = 0
    while end < min(len(found), MAX_LICENCE_LINES) and COMMENT_LINE.match(found[end]):
        end += 1
        if found[end - 1].rstrip().endswith("*/"):
            break
    head = "\n".join(found[:end])
    # A docstring may open the file; it is not ours to cut.
    if '"""' in head or not LICENCE.search(head):
        return text
    return "\n".join(found[end:]).lstrip("\n")


def text_of(document: Document, is_wanted: Callable[[str], bool] | None = None) -> str:
    """The text of a raw document: a page's main content, Markdown without badges, code without its licence.

    `is_wanted` as in `extract_html`.
    """
    if document.kind == "html":
        return extract_html(document.text, is_wanted)
    text = document.text
    if document.kind == "markdown":
        text = FRONT_MATTER.sub("", text)
        text = LINK.sub(r"\1", TAG.sub("", IMAGE.sub("", text)))
    if document.kind == "code":
        text = without_licence(text)
    return tidy(text)


def judge(document: Document, how: Curation) -> Judged:
    """One document through every rule but duplicates."""
    if document.id in how.held_out:
        return Judged(drop("held_out", "kept for evaluation"), document.text)
    try:
        text = whole_text(text_of(document, _asks_for_language(how)))
    except StrangeLanguage as page:
        verdict = drop("language", f"{language_of(page.text)[0]}, by its paragraphs")
        return Judged(verdict, page.text)
    except ExtractionError as error:
        return Judged(drop("extraction", str(error)), document.text)
    if not text.strip():
        return Judged(drop("extraction", "no text found"), document.text)
    code, probability = ("", 0.0) if how.domain == "code" else language_of(text)
    verdict, text = by_rules(text, filters.ENGLISH if how.domain == "code" else code, how)
    if verdict.rule not in TOO_SHORT:
        # A page in a language that is not wanted may break a rule too: its language is the truer reason.
        language = _in_languages(code, probability, how)
        verdict = verdict if language.keep else language
    if not verdict.keep:
        return Judged(verdict, text)
    scrubbed = 0
    if how.scrub_private:
        text, counts = pii.scrub(text, code=document.kind == "code")
        scrubbed = sum(counts.values())
    spelled = normal_words(text)
    words = word_hashes(spelled)
    score = how.quality.score_words(words) if how.quality else 0.0
    if how.quality and score < how.min_score:
        return Judged(drop("low_quality", f"score {score:.2f}"), text, score)
    met: list[decontaminate.Overlap] = []
    if how.banned is not None:
        met = decontaminate.overlaps(spelled, how.banned, words)
        verdict = decontaminate.verdict_of(met, how.banned)
    return Judged(verdict, text, score, scrubbed, tuple(met))


def by_rules(text: str, language: str, how: Curation) -> tuple[Verdict, str]:
    """The first verdict against a text, and what the rules leave of it (C4's take lines away)."""
    for name in how.rules or (how.domain,):
        if name in filters.RULES:
            verdict = filters.judge(text, name, language)
        else:
            verdict, text = published.judge(text, [name], language)
        if not verdict.keep:
            return verdict, text
    return KEEP, text


def _asks_for_language(how: Curation) -> Callable[[str], bool] | None:
    """Whether a page's paragraphs may be in a wanted language; nothing where all are wanted."""
    if not how.languages or how.domain == "code":
        return None

    def is_wanted(text: str) -> bool:
        code, probability = language_of(text)
        return not code or code in how.languages or probability < SURE

    return is_wanted


def _in_languages(code: str, probability: float, how: Curation) -> Verdict:
    if not how.languages or how.domain == "code":
        return KEEP
    if not code and how.domain == "mathematics":
        return KEEP
    if code in how.languages and probability >= THRESHOLD:
        return KEEP
    return drop("language", f"{code or 'none'} ({probability:.2f})")


_HOW: Curation | None = None


def set_up(how: Curation) -> None:
    """Give a worker process its rules."""
    global _HOW
    _HOW = how


@dataclass(frozen=True, slots=True)
class Batch:
    """A row group, and the file its judged documents go to."""

    group: RowGroup
    out: str


def judge_batch(batch: Batch) -> int:
    """Judge one row group into its file; gives the number of documents looked at."""
    how = _HOW
    assert how is not None
    out = Path(batch.out)
    if out.exists():  # finished before an interruption
        return batch.group.rows
    rows = []
    for raw in read_group(batch.group):
        document = as_document(raw)
        if not document.domain or document.domain == how.domain:
            rows.append(_row(document, judge(document, how), how))
    unfinished = out.with_suffix(".tmp")
    pq.write_table(pa.Table.from_pylist(rows, schema=JUDGED_SCHEMA), unfinished, compression="lz4")
    unfinished.rename(out)
    return batch.group.rows


def _row(document: Document, judged: Judged, how: Curation) -> dict[str, Any]:
    keep = judged.verdict.keep
    met = decontaminate.rows_of(document.id, judged.overlaps, how.banned) if how.banned is not None else []
    row: dict[str, Any] = dict.fromkeys(JUDGED_SCHEMA.names)
    row |= {"id": document.id, "url": document.url, "score": judged.score, "scrubbed": judged.scrubbed}
    row |= {"rule": judged.verdict.rule, "reason": judged.verdict.reason, "text": judged.text if keep else ""}
    row["overlaps"] = json.dumps(met, ensure_ascii=False) if met else ""
    if keep:
        row["exact"], row["signature"] = _fingerprints(judged.text, how)
    else:
        row["excerpt"] = excerpt(judged.text)
    return row


def _fingerprints(text: str, how: Curation) -> tuple[str, bytes]:
    """What equal and similar texts are known by: (exact hash, signature)."""
    # Where signs carry the meaning, worksheets that differ in them alone are no duplicates.
    words = words_and_signs(text) if how.domain in SIGNS_COUNT else normal_words(text)
    return dedup.exact_hash_of(words), dedup.signature_of(word_hashes(words), how.bands).tobytes()


def excerpt(text: str) -> str:
    """The beginning of a text on one line."""
    return whole_text(" ".join(text[: EXCERPT_CHARS * 4].split())[:EXCERPT_CHARS])


def finish(batches: Sequence[Path], out: Path, how: Curation) -> dict[str, int]:
    """Find duplicates over all judged batches and write the corpus; gives the facts."""
    duplicate_of = _find_duplicates(batches, how)
    dropped: Counter[str] = Counter()
    met: list[dict[str, Any]] = []
    size_bytes, scrubbed, index = 0, 0, 0
    with (
        ParquetWriter(out, "documents", CORPUS_SCHEMA) as kept,
        ParquetWriter(out, "dropped", DROPPED_SCHEMA) as lost,
    ):
        for row in _rows(batches):
            met += json.loads(row["overlaps"] or "[]")
            if not row["rule"]:
                if index in duplicate_of:
                    row |= _as_duplicate(row, *duplicate_of[index])
                index += 1
            if row["rule"]:
                dropped[row["rule"]] += 1
                lost.add({name: row[name] for name in DROPPED_SCHEMA.names})
                continue
            kept.add({name: row[name] for name in CORPUS_SCHEMA.names})
            size_bytes += len(row["text"].encode())
            scrubbed += row["scrubbed"]
    facts = {"documents": kept.rows, "bytes": size_bytes, "dropped": lost.rows, "scrubbed": scrubbed}
    facts |= decontaminate.write_met(out, met) if how.banned is not None else {}
    return facts | {f"dropped_{rule}": count for rule, count in sorted(dropped.items())}


def _as_duplicate(row: dict[str, Any], first: str, similarity: float) -> dict[str, str]:
    rule = "exact_duplicate" if similarity == 1.0 else "near_duplicate"
    return {"rule": rule, "reason": f"{similarity:.0%} like {first}", "excerpt": excerpt(row["text"])}


def _find_duplicates(batches: Sequence[Path], how: Curation) -> dict[int, tuple[str, float]]:
    """{number of a text among those that passed: (id of the text like it that stays, similarity)}."""
    ids: list[str] = []
    exact: list[str] = []
    signatures: list[Any] = []
    before = 0
    for is_known, found in ((True, _known_before(how)), (False, _passed(batches))):
        for id, whole, signature in found:
            ids.append(id)
            exact.append(whole)
            signatures.append(np.frombuffer(signature, dtype=np.uint32))
            before += is_known
    if not ids:
        return {}
    twins = dedup.duplicates(np.stack(signatures), exact, how.bands)
    return {index - before: (ids[first], share) for index, (first, share) in twins.items() if index >= before}


def _known_before(how: Curation) -> Iterator[tuple[str, str, bytes]]:
    for folder in how.before:
        for row in read_rows(folder, columns=["id", "text"]):
            yield (row["id"], *_fingerprints(row["text"], how))


def _passed(batches: Sequence[Path]) -> Iterator[tuple[str, str, bytes]]:
    for row in _rows(batches, ["id", "signature", "exact", "rule"]):
        if not row["rule"]:
            yield row["id"], row["exact"], row["signature"]


def _rows(batches: Sequence[Path], columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    for path in batches:
        yield from pq.read_table(path, columns=columns).to_pylist()


def item_text(item: dict[str, Any]) -> str:
    """The words of an evaluation item that must not stand in a training text: its question."""
    prompt = item.get("prompt") or ""
    asked = [str(m.get("content") or "") for m in item.get("messages", ()) if m.get("role") == "user"]
    return asked[-1] if asked else str(prompt)


def banned_from(
    folder: Path, *, ngram: int = decontaminate.NGRAM, share: float = decontaminate.SHARE
) -> decontaminate.Banned:
    """The index over an evaluation folder: items-*.jsonl and texts-*.jsonl."""
    texts = []
    for path in sorted(folder.glob("items-*.jsonl")):
        task = path.stem.removeprefix("items-")
        texts += [decontaminate.EvalText(task, str(row.get("id")), item_text(row)) for row in lines(path)]
    for path in sorted(folder.glob("texts-*.jsonl")):
        # Benchmark questions come as texts too, but are judged like items.
        task, is_item = path.stem.removeprefix("texts-"), path.stem == "texts-benchmarks"
        texts += [
            decontaminate.EvalText(task, str(row["id"]), row["text"], is_item=is_item) for row in lines(path)
        ]
    return decontaminate.index(texts, ngram=ngram, share=share)


def guard_of(folder: Path | None) -> decontaminate.Guard:
    """What keeps the texts of an evaluation folder out of training data; without a folder, nothing is kept out."""
    return decontaminate.Guard(None if folder is None else banned_from(folder))


def held_out_ids(folder: Path) -> frozenset[str]:
    """Ids of the documents that stand in an evaluation folder."""
    return frozenset(str(row["id"]) for path in sorted(folder.glob("texts-*.jsonl")) for row in lines(path))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)
