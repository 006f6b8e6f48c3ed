"""What curation kept and dropped, for people to look at: by rule, near each limit, by score, duplicates, licences."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

EXCERPT_CHARS = 200
SCORE_STEPS = 10
"""Bars of the histogram, of half a point each."""
MOST_CLUSTERS = 10
NUMBER = re.compile(r"\d+(?:\.\d+)?")
ALIKE = re.compile(r"(?P<share>\d+%) like (?P<first>.+)", re.DOTALL)
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Sample:
    """A document: its id, why it was dropped or its score, and how it begins."""

    id: str
    said: str
    excerpt: str


@dataclass(frozen=True)
class Rule:
    """What one rule dropped; `samples` from both ends of what the rule measured, and one by chance."""

    name: str
    count: int
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Bar:
    """Documents of one half point of educational value, `low` to `low` + 0.5."""

    low: float
    kept: int
    dropped: int
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Cluster:
    """Duplicates of one kept text; `count` of them, some shown."""

    first: Sample
    count: int
    members: Sequence[Sample]


@dataclass(frozen=True)
class Look:
    """A corpus as it is looked at. `licences` is None where the raw documents are not at hand."""

    name: str
    documents: int
    text_bytes: int
    dropped: int
    rules: Sequence[Rule]
    bars: Sequence[Bar]
    kept: Sequence[Sample]
    clusters: Sequence[Cluster]
    licences: Mapping[str, int] | None
    met: Mapping[str, int]

    @property
    def is_scored(self) -> bool:
        """Whether educational value was asked for."""
        return any(bar.low > 0 and bar.kept + bar.dropped for bar in self.bars)


@dataclass
class _Chosen:
    """A few of many samples: the least, the most and one by the hash of its id, so that all are the same every time."""

    count: int = 0
    least: tuple[float, Sample] | None = None
    most: tuple[float, Sample] | None = None
    any: tuple[str, Sample] | None = None

    def add(self, sample: Sample) -> None:
        self.count += 1
        found = NUMBER.search(sample.said)
        value = float(found.group()) if found else 0.0
        mark = hashlib.blake2b(sample.id.encode("utf-8", "replace"), digest_size=8).hexdigest()
        if self.least is None or value < self.least[0]:
            self.least = value, sample
        if self.most is None or value > self.most[0]:
            self.most = value, sample
        if self.any is None or mark < self.any[0]:
            self.any = mark, sample

    def samples(self) -> list[Sample]:
        chosen = [one[1] for one in (self.least, self.any, self.most) if one is not None]
        return list({sample.id: sample for sample in chosen}.values())


@dataclass
class _Clusters:
    """Duplicates by the text that was kept instead."""

    members: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    sizes: Counter[str] = field(default_factory=Counter)
    firsts: dict[str, str] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        match = ALIKE.fullmatch(sample.said)
        if match is not None:
            self.sizes[match["first"]] += 1
            if len(self.members[match["first"]]) < 3:
                self.members[match["first"]].append(Sample(sample.id, match["share"], sample.excerpt))

    def largest(self) -> list[Cluster]:
        return [
            Cluster(Sample(first, "", self.firsts.get(first, "")), count, self.members[first])
            for first, count in self.sizes.most_common(MOST_CLUSTERS)
        ]


def look_at(folder: Path, name: str, raw: Sequence[Path] = ()) -> Look:
    """Read a corpus folder, a row group at a time. `raw`: the documents it was made from, for their licences."""
    by_rule: dict[str, _Chosen] = defaultdict(_Chosen)
    clusters = _Clusters()
    low_scores: Counter[int] = Counter()
    for row in _rows(folder, "dropped", ["id", "rule", "reason", "excerpt"]):
        sample = Sample(row["id"], row["reason"], row["excerpt"] or "")
        by_rule[row["rule"]].add(sample)
        if row["rule"].endswith("_duplicate"):
            clusters.add(sample)
        if row["rule"] == "low_quality" and (found := NUMBER.search(row["reason"])):
            low_scores[_step(float(found.group()))] += 1
    kept: dict[int, _Chosen] = defaultdict(_Chosen)
    every, text_bytes, ids = _Chosen(), 0, set()
    for row in _rows(folder, "documents", ["id", "text", "score"]):
        excerpt = " ".join(row["text"][: EXCERPT_CHARS * 2].split())[:EXCERPT_CHARS]
        sample = Sample(row["id"], f"score {row['score']:.2f}", excerpt)
        kept[_step(row["score"])].add(sample)
        every.add(sample)
        text_bytes += len(row["text"].encode())
        ids.add(row["id"])
        if row["id"] in clusters.sizes:
            clusters.firsts[row["id"]] = excerpt
    dropped = sorted(by_rule.items(), key=lambda one: -one[1].count)
    bars = [
        Bar(n / 2, kept[n].count, low_scores[n], kept[n].samples() if n in kept else [])
        for n in range(SCORE_STEPS)
    ]
    return Look(
        name, every.count, text_bytes, sum(one.count for _, one in dropped),
        [Rule(rule, one.count, one.samples()) for rule, one in dropped],
        bars, every.samples(), clusters.largest(), _licences(raw, ids), _met(folder),
    )  # fmt: skip


def _step(score: float) -> int:
    return min(SCORE_STEPS - 1, max(0, int(2 * score)))


def _rows(folder: Path, name: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob(f"{name}-*.parquet")):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, columns=columns).to_pylist()


def _licences(raw: Sequence[Path], ids: set[str]) -> Mapping[str, int] | None:
    if not raw:
        return None
    found: Counter[str] = Counter()
    for folder in raw:
        for row in _rows(folder, "documents", ["id", "meta"]):
            if row["id"] in ids:
                found[str(json.loads(row["meta"] or "{}").get("license") or NOT_STATED)] += 1
    return dict(found.most_common())


def _met(folder: Path) -> Mapping[str, int]:
    """Evaluation items by task that documents were dropped for."""
    path = folder / "overlaps.jsonl"
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    met = {(row["task"], row["item"]) for row in rows if row["is_dropped"]}
    return dict(Counter(task for task, _ in met).most_common())


# -- in the terminal -----------------------------------------------------------------------------------


def as_text(look: Look, width: int = 100) -> str:
    """Everything within `width` columns."""
    total = max(1, look.documents + look.dropped)
    head = f"{look.name}: {look.documents:,} documents kept ({look.text_bytes:,} bytes), {look.dropped:,} dropped"
    parts = ["\n".join(textwrap.wrap(head, width))]
    rules = [(rule.name, rule.count, f"{rule.count:,} ({rule.count / total:.1%})") for rule in look.rules]
    if rules:
        parts.append("dropped by\n" + _bars(rules, width))
    if look.is_scored:
        scores = [
            (f"{bar.low:.1f} to {bar.low + 0.5:.1f}", bar.kept + bar.dropped, f"{bar.kept:,} kept, {bar.dropped:,} dropped")
            for bar in look.bars
        ]  # fmt: skip
        parts.append("educational value\n" + _bars(scores, width))
    for title, counts in (("licences of what was kept", look.licences), ("evaluation items met", look.met)):
        if counts:
            parts.append(f"{title}\n" + _bars([(name, n, f"{n:,}") for name, n in counts.items()], width))
    parts += [_samples(f"dropped by {rule.name}", rule.samples, width) for rule in look.rules]
    for cluster in look.clusters:
        members = [cluster.first, *cluster.members]
        parts.append(_samples(f"{cluster.count:,} like {cluster.first.id}", members, width))
    parts.append(_samples("kept", look.kept, width))
    return "\n\n".join(part for part in parts if part)


def _bars(rows: Sequence[tuple[str, int, str]], width: int) -> str:
    names = min(max(len(name) for name, _, _ in rows), max(12, width // 3))
    said = max(len(words) for _, _, words in rows)
    room = max(0, width - names - said - 6)
    most = max(1, *(count for _, count, _ in rows))
    lines = [
        f"  {_cut(name, names):{names}}  {words:>{said}}  {'█' * round(room * count / most)}"
        for name, count, words in rows
    ]
    return "\n".join(_cut(line.rstrip(), width) for line in lines)


def _samples(title: str, samples: Sequence[Sample], width: int) -> str:
    if not samples:
        return ""
    lines = [_cut(title, width)]
    for sample in samples:
        lines.append(_cut(f"  {sample.id}: {sample.said}".rstrip(": "), width))
        lines += textwrap.wrap(sample.excerpt, width, initial_indent="    ", subsequent_indent="    ")[:2]
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= width else text[: max(1, width - 1)] + "…"


# -- as a page -----------------------------------------------------------------------------------------


def as_page(look: Look) -> str:
    """One self-contained HTML page; every text is escaped."""
    from smolforge.report.pages import filled, template_source

    total = max(1, look.documents + look.dropped)
    most = max([1, *(bar.kept + bar.dropped for bar in look.bars)])
    return filled(template_source("corpus.html"), look=look, total=total, most=most)


def write_page(look: Look, file: Path) -> None:
    """Write the page, whole or not at all."""
    from smolforge.report.pages import write_whole

    write_whole(file, as_page(look))
