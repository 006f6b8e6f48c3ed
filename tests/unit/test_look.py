"""What is shown of a corpus: every count, samples at the limits, nothing wider than the terminal, nothing unescaped."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from smolforge.cli import main
from smolforge.data.read.documents import (
    CORPUS_SCHEMA,
    DROPPED_SCHEMA,
    Document,
    ParquetWriter,
    write_documents,
)
from smolforge.report.corpus import as_page, as_text, look_at

EVIL = "<script>alert(1)</script>"


def corpus(folder: Path) -> Path:
    folder.mkdir()
    with ParquetWriter(folder, "documents", CORPUS_SCHEMA) as kept:
        for n in range(20):
            kept.add({"id": f"k{n}", "text": f"Kept {n}. {EVIL}", "url": "", "score": n / 4})
    with ParquetWriter(folder, "dropped", DROPPED_SCHEMA) as lost:
        for n in range(9):
            lost.add(
                {"id": f"s{n}", "rule": "too_short", "reason": f"{n + 40} words", "excerpt": f"Short {n}"}
            )
        for n in range(4):
            lost.add(
                {"id": f"d{n}", "rule": "near_duplicate", "reason": f"9{n}% like k3", "excerpt": f"Twin {n}"}
            )
        lost.add({"id": "q", "rule": "low_quality", "reason": "score 0.31", "excerpt": "Buy now"})
    rows = [
        {"document": "s1", "task": "arc", "item": i, "share": share, "quoted": "", "is_dropped": share > 0.6}
        for i, share in (("1", 0.9), ("1", 0.8), ("2", 0.3))
    ]
    (folder / "overlaps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_everything_is_counted(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_documents(
        raw, [Document(f"k{n}", "text", "", "", {"license": "MIT"} if n < 15 else {}) for n in range(25)]
    )
    look = look_at(corpus(tmp_path / "c"), "mine", [raw])
    assert (look.documents, look.dropped) == (20, 14)
    assert {rule.name: rule.count for rule in look.rules} == {
        "too_short": 9,
        "near_duplicate": 4,
        "low_quality": 1,
    }
    short = look.rules[0].samples
    assert (short[0].said, short[-1].said) == ("40 words", "48 words")
    assert [(bar.kept, bar.dropped) for bar in look.bars] == [(2, 1)] + [(2, 0)] * 9
    assert [(c.first.id, c.count, len(c.members)) for c in look.clusters] == [("k3", 4, 3)]
    assert look.clusters[0].first.excerpt.startswith("Kept 3.")
    assert look.licences == {"MIT": 15, "not stated": 5}
    assert look.met == {"arc": 1}


def test_the_text_fits_the_terminal(tmp_path: Path) -> None:
    look = look_at(corpus(tmp_path / "c"), "mine")
    for width in (40, 80, 200):
        text = as_text(look, width)
        assert max(map(len, text.splitlines())) <= width
        assert "near_duplicate" in text and "Twin" in text


def test_a_page_holds_no_strangers_markup(tmp_path: Path) -> None:
    page = as_page(look_at(corpus(tmp_path / "c"), f"mine {EVIL}"))
    assert EVIL not in page and "&lt;script&gt;" in page and "near_duplicate: 4" in page


def test_the_command_writes_the_page_and_refuses_what_is_no_corpus(tmp_path: Path) -> None:
    folder, page = corpus(tmp_path / "c"), tmp_path / "look.html"
    done = CliRunner().invoke(main, ["data", "look", str(folder), "--out", str(page)])
    assert done.exit_code == 0 and "too_short" in done.output and page.exists()
    (tmp_path / "none").mkdir()
    done = CliRunner().invoke(main, ["data", "look", str(tmp_path / "none")])
    assert done.exit_code == 1 and "no curated corpus" in done.output
