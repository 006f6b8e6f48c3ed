"""Choosing and writing what is held out, and samples of sources: texts, questions, conversations.

Choices are made by a hash of the document's id, never by chance, so that they stay the same when a source
grows.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from smolforge.data.clean.curate import Curation, excerpt, guard_of, held_out_ids, judge, lines
from smolforge.data.clean.workers import ordered_map
from smolforge.data.read.documents import (
    CORPUS_SCHEMA,
    DROPPED_SCHEMA,
    Document,
    ParquetWriter,
    RowGroup,
    as_document,
    drop,
    read_group,
    row_groups,
    stable_share,
    write_jsonl,
)
from smolforge.data.read.found import Chat, Found

MAX_BENCHMARK_CHARS = 20_000


@dataclass(frozen=True)
class Choice:
    """Which documents are held out; the fields are those of `stages.HoldOutConfig`."""

    share: float
    max_texts: int
    text_chars: int
    languages: tuple[str, ...]


def write_items(out: Path, skill: str, seed: int, count: int, core: bool = False) -> int:
    """Write items-<skill>.jsonl from the generator of that skill; gives the number of items."""
    from smolforge.written import conversations, synthetic

    if skill in synthetic.SKILLS:
        found = synthetic.items(skill, seed, count, core)
    else:
        found = conversations.items(skill, seed, count)
    return write_jsonl(out / f"items-{skill}.jsonl", (dataclasses.asdict(item) for item in found))


def write_texts(out: Path, domain: str, raw: Path, choice: Choice, processes: int) -> int:
    """Write texts-<domain>.jsonl: held-out documents that pass the domain's rules, as clean text."""
    chosen = _chosen(raw, domain, "held-out", choice.share, choice.max_texts * 4)
    how = Curation(domain=domain, languages=choice.languages)
    texts = _once(_judged(chosen, how, processes))[: choice.max_texts]
    rows = ({"id": id, "text": cut(text, choice.text_chars)} for id, text in sorted(texts))
    return write_jsonl(out / f"texts-{domain}.jsonl", rows)


def _once(texts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Every text once: a copy would count twice, and stand in both halves of what is held out."""
    found: dict[str, tuple[str, str]] = {}
    for id, text in texts:
        found.setdefault(" ".join(text.split()).lower(), (id, text))
    return list(found.values())


def sample_texts(raw: Path, domain: str, count: int, processes: int) -> list[tuple[str, str]]:
    """(id, text) of `count` documents as they come out of extraction, before any rule."""
    chosen = _chosen(raw, domain, "quality", 1.0, count)
    # No rule is asked: the classifier should see what is bad, too.
    how = Curation(domain=domain, languages=(), scrub_private=False)
    return _extracted(chosen, how, processes)


def cut(text: str, limit_chars: int) -> str:
    """The beginning of a text, up to the last whole line (or word) within the limit."""
    if len(text) <= limit_chars:
        return text
    head = text[:limit_chars]
    for mark in ("\n", " "):
        if mark in head[limit_chars // 2 :]:
            return head[: head.rindex(mark)]
    return head


def _chosen(raw: Path, domain: str, salt: str, share: float, count: int) -> list[Document]:
    """At most `count` documents of the domain, those with the lowest hash; one row group in memory."""
    best: list[tuple[float, str, RowGroup, int]] = []
    for group in row_groups(raw):
        for place, row in enumerate(read_group(group, ["id", "meta"])):
            value = stable_share(row["id"], salt)
            marked = as_document({**row, "kind": "text", "url": "", "text": ""}).domain
            if value >= share or (marked and marked != domain):
                continue
            entry = (-value, row["id"], group, place)
            if len(best) < count:
                heapq.heappush(best, entry)  # type: ignore[misc]
            elif entry[:2] > best[0][:2]:
                heapq.heapreplace(best, entry)  # type: ignore[misc]
    wanted: dict[RowGroup, list[tuple[float, int]]] = {}
    for value, _id, group, place in best:
        wanted.setdefault(group, []).append((-value, place))
    found = []
    for group, places in wanted.items():
        rows = read_group(group)
        found += [(value, as_document(rows[place])) for value, place in places]
    return [document for _, document in sorted(found, key=lambda pair: (pair[0], pair[1].id))]


_HOW: Curation | None = None


def _set_up(how: Curation) -> None:
    global _HOW
    _HOW = how


def _judge_one(document: Document) -> tuple[str, str] | None:
    assert _HOW is not None
    judged = judge(document, _HOW)
    return (document.id, judged.text) if judged.verdict.keep else None


def _extract_one(document: Document) -> tuple[str, str] | None:
    from smolforge.data.clean.curate import text_of
    from smolforge.data.web.extract import ExtractionError

    try:
        text = text_of(document)
    except ExtractionError:
        return None
    return (document.id, text) if text.strip() else None


def _judged(documents: list[Document], how: Curation, processes: int) -> list[tuple[str, str]]:
    processes = max(1, min(processes, len(documents) // 200))
    found = ordered_map(_judge_one, documents, processes=processes, setup=_set_up, setup_with=(how,))
    return [pair for pair in found if pair is not None]


def _extracted(documents: list[Document], how: Curation, processes: int) -> list[tuple[str, str]]:
    processes = max(1, min(processes, len(documents) // 200))
    found = ordered_map(_extract_one, documents, processes=processes, setup=_set_up, setup_with=(how,))
    return [pair for pair in found if pair is not None]


def write_chats(out: Path, conversations: Path, choice: Choice) -> int:
    """Write texts-chat.jsonl: held-out conversations in chat form."""
    from smolforge.text.chat import render

    rows = []
    for chat in lines(conversations):
        value = stable_share(str(chat["id"]), "held-out")
        if value < choice.share:
            rows.append((value, str(chat["id"]), render(chat["messages"], chat.get("tools") or None)))
    best = sorted(rows)[: choice.max_texts]
    texts = (
        {"id": id, "text": cut(text, choice.text_chars)}
        for _, id, text in sorted(best, key=lambda row: row[1])
    )
    return write_jsonl(out / "texts-chat.jsonl", texts)


def write_benchmarks(out: Path, found: Iterable[Found]) -> int:
    """Write texts-benchmarks.jsonl: the words of every benchmark record; gives their number."""

    def rows() -> Iterable[dict[str, str]]:
        for record in found:
            if isinstance(record, Document):
                yield {"id": record.id, "text": record.text[:MAX_BENCHMARK_CHARS]}
            elif isinstance(record, Chat):
                asked = [m["content"] for m in record.row["messages"] if m["role"] == "user"]
                yield {"id": record.row["id"], "text": asked[-1][:MAX_BENCHMARK_CHARS] if asked else ""}

    return write_jsonl(out / "texts-benchmarks.jsonl", rows())


def write_chat_corpus(
    conversations: Path, out: Path, max_bytes: int, held_out: Path | None
) -> dict[str, int]:
    """Conversations as documents in chat form; gives the facts of a corpus."""
    from smolforge.text.chat import render

    ids = held_out_ids(held_out) if held_out else frozenset()
    guard = guard_of(held_out)
    size_bytes = 0
    with (
        ParquetWriter(out, "documents", CORPUS_SCHEMA) as kept,
        ParquetWriter(out, "dropped", DROPPED_SCHEMA) as lost,
    ):
        for chat in lines(conversations):
            id = str(chat["id"])
            text = render(chat["messages"], chat.get("tools") or None)
            said = "\n".join(str(m.get("content") or "") for m in chat["messages"])
            verdict = drop("held_out", "kept for evaluation") if id in ids else guard.check(id, said)
            if not verdict.keep:
                lost.add({"id": id, "rule": verdict.rule, "reason": verdict.reason, "excerpt": excerpt(text)})
            elif size_bytes < max_bytes:
                kept.add({"id": id, "text": text, "url": "", "score": 0.0})
                size_bytes += len(text.encode())
    facts = {"documents": kept.rows, "bytes": size_bytes, "dropped": lost.rows}
    return facts | guard.write(out)
