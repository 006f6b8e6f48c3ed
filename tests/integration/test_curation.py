"""Sources to token shards through the stages, and the engines against labelled real data."""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from smolforge.artifacts import Artifact, EvalTexts, RawDocs
from smolforge.data.clean import dedup
from smolforge.data.clean.language import THRESHOLD, language_of
from smolforge.data.clean.overlap_stages import OverlapsConfig, WatchConfig, list_overlaps, watch_texts
from smolforge.data.clean.stages import (
    ChatCorpusConfig,
    CurateConfig,
    HoldOutConfig,
    QualityConfig,
    chat_corpus,
    curate,
    hold_out,
    train_quality,
)
from smolforge.data.read.documents import Document, read_jsonl, read_rows, write_documents, write_jsonl
from smolforge.data.read.found import Chat, Limits, Pair
from smolforge.data.read.readers import list_files, read_file
from smolforge.data.read.sources import pydoc_pages
from smolforge.data.read.stages import FolderConfig, own_chats, own_folder, own_preferences
from smolforge.data.web.extract import extract_html
from smolforge.errors import InputError
from smolforge.log import Log
from smolforge.stage import Job

LESSON = (
    "# Lesson {n}\n\nThis lesson is about the number {n}. When you add {n} to {m}, the result is {s}, because the order "
    "does not matter: it is the same to add {m} to {n}. For example, a farmer who has {n} hens and buys {m} more "
    "will then have {s} of them. Remember the {w} and the {v}, which help you to check your own work.\n"
)
NOUNS = [
    "river",
    "mountain",
    "garden",
    "window",
    "teacher",
    "engine",
    "letter",
    "bridge",
    "village",
    "compass",
    "lantern",
    "harbour",
    "meadow",
    "orchard",
]


def lesson(n: int) -> str:
    m = n * 7 % 50
    w, v = NOUNS[n % 14], NOUNS[n * 5 % 13]
    tail = " ".join(
        f"The {NOUNS[(n + i * i) % 14]} of part {n * i % 61} is near the {NOUNS[(n * i) % 13]}."
        for i in range(9)
    )
    return LESSON.format(n=n, m=m, s=n + m, w=w, v=v) + tail + "\n"


def make(stage, cfg, folder: Path, threads: int = 1, **inputs) -> Artifact:
    """Run a stage without a store."""
    out, work = folder / "out", folder / "work"
    out.mkdir(parents=True)
    work.mkdir()
    facts = stage(cfg, Job(out=out, work=work, log=Log(), threads=threads), **inputs)
    return stage.makes(out, "key", digest(out), dict(facts))


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def raw_lessons(folder: Path, count: int = 60) -> Artifact:
    texts = [lesson(n) for n in range(count)]
    texts += [
        texts[3],
        texts[5].replace("hens", "ducks"),
        "Das ist ein Text auf Deutsch. " * 30,
        "Short.",
        texts[8],
    ]
    folder.mkdir()
    facts = write_documents(folder, [Document(f"d{i:03}", "text", "", t) for i, t in enumerate(texts)])
    from smolforge.artifacts import RawDocs

    return RawDocs(folder, "raw", digest(folder), facts)


def test_a_source_is_curated_with_a_reason_for_every_drop(tmp_path: Path) -> None:
    raw = raw_lessons(tmp_path / "raw")
    held_out = make(
        hold_out,
        HoldOutConfig(items=0, share=0.1, max_texts=4),
        tmp_path / "held",
        sources={"textbooks": raw},
    )
    quality = make(train_quality, QualityConfig(), tmp_path / "quality", sources={"textbooks": raw})
    corpus = make(
        curate,
        CurateConfig(domain="textbooks"),
        tmp_path / "corpus",
        raw=raw,
        quality=quality,
        held_out=held_out,
    )
    kept = {row["id"]: row for row in read_rows(corpus.path)}
    dropped = {row["id"]: row["rule"] for row in read_rows(corpus.path, "dropped")}
    assert len(kept) == corpus.facts["documents"] and not set(kept) & set(dropped)
    assert set(kept) | set(dropped) == {f"d{i:03}" for i in range(65)}
    assert dropped["d062"] == "language" and dropped["d063"] == "too_short"
    assert {dropped[name] for name in ("d060", "d064")} <= {"exact_duplicate", "contaminated", "held_out"}
    held = {
        json.loads(line)["id"] for line in (held_out.path / "texts-textbooks.jsonl").read_text().splitlines()
    }
    assert held and not held & set(kept)
    assert all(0 <= row["score"] <= 5 for row in kept.values())
    assert all(row["reason"] and row["excerpt"] for row in read_rows(corpus.path, "dropped"))


def test_what_gives_an_item_away_is_dropped_and_listed(tmp_path: Path) -> None:
    question = (
        "Which of the seven brothers took the lantern down to the cellar on the night before the fair began?"
    )
    (tmp_path / "public").mkdir()
    items = [
        {"id": "r1", "skill": "riddles", "kind": "exact", "messages": [{"role": "user", "content": question}]}
    ]
    write_jsonl(tmp_path / "public" / "items-riddles.jsonl", items)
    public = EvalTexts(tmp_path / "public", "public", "", {"items": 1, "texts": 0})
    watched = make(watch_texts, WatchConfig(), tmp_path / "watched", parts={"public": public})
    assert watched.facts == {"items": 1, "texts": 0}
    folder = tmp_path / "raw"
    folder.mkdir()
    texts = [lesson(n) for n in range(8)]
    texts[3] += f"\n\n{question} It was the youngest, of course."
    facts = write_documents(folder, [Document(f"d{i}", "text", "", text) for i, text in enumerate(texts)])
    raw = RawDocs(folder, "raw", digest(folder), facts)
    corpus = make(curate, CurateConfig(domain="textbooks"), tmp_path / "corpus", raw=raw, held_out=watched)
    dropped = {row["id"]: row["rule"] for row in read_rows(corpus.path, "dropped")}
    assert [id for id, rule in dropped.items() if rule == "contaminated"] == ["d3"]
    assert corpus.facts["items_met"] == corpus.facts["dropped_contaminated"] == 1
    met = make(list_overlaps, OverlapsConfig(), tmp_path / "met", sources={"textbooks": corpus})
    assert met.facts == {"items": 1, "documents": 1, "items_riddles": 1}
    assert list(read_jsonl(met.path / "items.jsonl")) == [{"task": "riddles", "item": "r1"}]
    unchecked = make(curate, CurateConfig(domain="textbooks"), tmp_path / "unchecked", raw=raw)
    with pytest.raises(InputError, match="no evaluation text was looked for"):
        make(list_overlaps, OverlapsConfig(), tmp_path / "none", sources={"textbooks": unchecked})


def test_curation_does_not_depend_on_processes_or_interruptions(tmp_path: Path) -> None:
    raw = raw_lessons(tmp_path / "raw", 310)
    cfg = CurateConfig(domain="textbooks")
    one = make(curate, cfg, tmp_path / "one", threads=1, raw=raw)
    two = make(curate, cfg, tmp_path / "two", threads=2, raw=raw)
    assert one.digest == two.digest
    # A killed stage finds its own judged batches, one of them unfinished, and an empty output folder.
    work = tmp_path / "one" / "work"
    judged = sorted(work.iterdir())
    judged[-1].rename(judged[-1].with_suffix(".tmp"))
    out = tmp_path / "again"
    out.mkdir()
    curate(cfg, Job(out=out, work=work, log=Log(), threads=1), raw=raw)
    assert digest(out) == one.digest


def test_licences_are_cut_from_code_and_nothing_else() -> None:
    from smolforge.data.clean.curate import without_licence

    code = "#include <stdio.h>\n\nint main(void) { return 0; }\n"
    assert without_licence("/* Copyright A. Nobody.\n * All rights reserved.\n */\n\n" + code) == code
    assert without_licence("# SPDX-License-Identifier: MIT\n# by us\n\nimport os\n") == "import os\n"
    for text in (
        "# Adds numbers.\nx = 1\n",
        '"""A module about copyright."""\nx = 1\n',
        "x = 1  # licence\n",
        "",
        "#\n" * 500,
    ):
        assert without_licence(text) == text


def test_an_empty_corpus_is_a_clear_error(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_documents(raw, [Document("a", "text", "", "Too short.")])
    from smolforge.artifacts import RawDocs

    with pytest.raises(InputError, match="kept no document") as error:
        make(curate, CurateConfig(domain="prose"), tmp_path / "c", raw=RawDocs(raw, "", "", {}))
    assert "too_short 1" in error.value.where


def test_pydoc_pages_are_the_same_every_time_and_name_no_place_of_this_machine() -> None:
    first = [(p.id, p.text) for p in pydoc_pages(max_bytes=400_000, packages=())]
    assert first == [(p.id, p.text) for p in pydoc_pages(max_bytes=400_000, packages=(), processes=1)]
    assert len(first) > 2
    home = str(Path.home())
    for id, page in first:
        assert home not in page and not re.search(r"at(?: |&nbsp;)0x[0-9a-f]{6}", page), id
        assert extract_html(page)


def test_a_folder_of_ones_own_becomes_documents_chats_and_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_text(lesson(1))
    (folder / "b.py").write_text("def f():\n    return 1\n")
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello, how can I help?"}]
    (folder / "c.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    (folder / "p.jsonl").write_text(
        json.dumps({"prompt": "Hi", "chosen": "Hello.", "rejected": "Go."}) + "\n"
    )
    cfg = FolderConfig(path=str(folder))
    raw = make(own_folder, cfg, tmp_path / "raw")
    assert (
        raw.facts
        | {"documents": 2, "documents_code": 1, "documents_prose": 1, "conversations": 1, "pairs": 1}
        == raw.facts
    )
    chats = make(own_chats, cfg, tmp_path / "chats")
    assert json.loads((chats.path / "conversations.jsonl").read_text())["messages"] == turns
    assert make(own_preferences, cfg, tmp_path / "pairs").facts == {"pairs": 1, "contaminated": 0}
    corpus = make(curate, CurateConfig(domain="prose"), tmp_path / "corpus", raw=raw)
    assert [row["id"] for row in read_rows(corpus.path)] == ["a.txt"]
    chat = make(chat_corpus, ChatCorpusConfig(), tmp_path / "chat", data=chats)
    assert next(read_rows(chat.path))["text"].startswith("<|im_start|>user\nHi<|im_end|>")


# --- real data --------------------------------------------------------------------------------------------


def rows_of(path: Path, limit: int = 10**9) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(limit), lines, strict=False)]


@pytest.mark.parametrize("folder", ["html", "warc", "corpora", "instruct", "messy", "preference"])
def test_every_shared_file_can_be_read(shared_data: Path, folder: str) -> None:
    useful: Counter[str] = Counter()
    for path, _skip in list_files(shared_data / folder):
        name = path.relative_to(shared_data / folder).as_posix()
        for found in islice(read_file(path, name, Limits()), 200):
            useful[name] += isinstance(found, Document | Chat | Pair)
    # Labels, an index of captures and captures of errors hold no text of their own.
    barren = {name for name, count in useful.items() if not count}
    assert barren <= {
        "web_text_labels.jsonl.gz", "commoncrawl_whirlwind.warc.wat.gz", "warcio_bad.arc", "warcio_example-digest.warc",
        "warcio_example-space-in-target-uri.warc.gz", "aut_example.txt.warc.gz", "warcio_example-bad.warc.gz.bad",
        "warcio_example-bad-non-chunked.warc.gz",
    }, barren  # fmt: skip
    assert sum(useful.values()) > 100


def test_extraction_keeps_what_people_marked_as_content(shared_data: Path) -> None:
    f1 = []
    for row in rows_of(shared_data / "html/article_extraction_benchmark.jsonl.gz", 40):
        found, wanted = (
            Counter(re.findall(r"\w+", t.lower())) for t in (extract_html(row["html"]), row["articleBody"])
        )
        f1.append(2 * sum((found & wanted).values()) / max(1, sum(found.values()) + sum(wanted.values())))
    assert sum(f1) / len(f1) > 0.93  # measured: 0.956 on all 85


def test_extraction_tells_content_from_furniture(shared_data: Path) -> None:
    kept = lost = wrong = 0
    for row in rows_of(shared_data / "html/trafilatura_eval.jsonl.gz", 60):
        html = row.get("html") or base64.b64decode(row["html_b64"]).decode("utf-8", "replace")
        text = extract_html(html)
        wanted, unwanted = (
            x if isinstance(x, list) else ast.literal_eval(x) for x in (row["with"], row["without"])
        )
        kept += sum(w in text for w in wanted)
        lost += sum(w not in text for w in wanted)
        wrong += sum(w in text for w in unwanted)
    precision, recall = kept / (kept + wrong), kept / (kept + lost)
    assert precision > 0.87 and recall > 0.85  # measured: 0.92 and 0.89 on 250 pages


def test_formulas_of_mathjax_pages_survive(shared_data: Path) -> None:
    for row in rows_of(shared_data / "html/math_pages_cs228.jsonl.gz"):
        found = extract_html(row["html"]).count("$") / 2
        assert found > 0.8 * int(row["n_inline_or_block_math"]) - 1, row["path"]


def test_labelled_duplicates_are_found(shared_data: Path) -> None:
    rows = rows_of(shared_data / "messy/web_text_with_duplicates.jsonl.gz")
    labels = {
        row["id"]: row["duplicate_of"] or row["id"]
        for row in rows_of(shared_data / "messy/web_text_labels.jsonl.gz")
    }
    bands = dedup.Bands()
    signatures = np.stack([dedup.signature(row["text"], bands) for row in rows])
    found = dedup.duplicates(signatures, [dedup.exact_hash(row["text"]) for row in rows], bands)
    right = sum(labels[rows[i]["id"]] == labels[rows[first]["id"]] for i, (first, _) in found.items())
    needed = len(rows) - len(set(labels.values()))
    assert right / needed > 0.97 and right / len(found) > 0.97  # measured: 1.000 and 0.984


def test_english_is_told_from_other_languages(shared_data: Path) -> None:
    rows = rows_of(shared_data / "messy/udhr_langid.jsonl.gz")
    english = [row["lang"].startswith("eng") for row in rows]
    said = [(lambda c, p: c == "en" and p >= THRESHOLD)(*language_of(row["text"])) for row in rows]
    assert all(s for s, e in zip(said, english, strict=True) if e)
    assert sum(s and not e for s, e in zip(said, english, strict=True)) < 0.01 * len(rows)


def test_a_text_that_stands_in_another_domain_does_not_come_again(tmp_path: Path) -> None:
    texts = [lesson(n) for n in range(6)]
    folder = tmp_path / "raw"
    folder.mkdir()
    both = [("a.txt", "prose", texts[3]), ("a.md", "web", texts[3]), ("b.md", "web", texts[5])]
    documents = [Document(id, "text", "", text, {"domain": domain}) for id, domain, text in both]
    facts = write_documents(folder, documents)
    raw = RawDocs(folder, "raw", digest(folder), facts)
    prose = make(curate, CurateConfig(domain="prose", rules=("textbooks",)), tmp_path / "prose", raw=raw)
    rules = CurateConfig(domain="web", rules=("textbooks",))
    alone = make(curate, rules, tmp_path / "alone", raw=raw)
    assert [row["id"] for row in read_rows(alone.path)] == ["a.md", "b.md"]
    web = make(curate, rules, tmp_path / "web", raw=raw, before={"prose": prose})
    assert [row["id"] for row in read_rows(web.path)] == ["b.md"]
    assert next(read_rows(web.path, "dropped"))["reason"] == "100% like a.txt"
