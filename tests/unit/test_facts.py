"""Facts for people: all of them, what matters first, with intervals and changes, in lines that fit."""

from __future__ import annotations

from smolforge.facts import COLOUR, change_of, facts_line, facts_told, in_lines, score_rows
from smolforge.show import Look, _facts_diff

OLD = {
    "arc": 0.30,
    "arc_low": 0.25,
    "arc_high": 0.35,
    "bits_web": 2.0,
    "bits_web_low": 1.9,
    "bits_web_high": 2.1,
}
NEW = {
    "arc": 0.45,
    "arc_low": 0.40,
    "arc_high": 0.50,
    "bits_web": 2.05,
    "bits_web_low": 1.95,
    "bits_web_high": 2.15,
}


def test_every_fact_is_told_scores_first_and_intervals_with_their_value() -> None:
    facts = {"aardvarks": 3, "size_bytes": 4096, "loss": 1.2345, "low": 2, "is_kept": True, **NEW}
    assert facts_line(facts) == (
        "arc 45% [40, 50], bits_web 2.05 [1.95, 2.15], loss 1.23, aardvarks 3, size_bytes 4.0 KiB, low 2, is_kept True"
    )
    many = {f"f{n}": n for n in range(50)}
    assert len(facts_told(many)) == 50


def test_a_change_is_marked_only_where_it_is_more_than_noise() -> None:
    assert facts_line(NEW, OLD) == "arc 45% [40, 50] +15 ▲, bits_web 2.05 [1.95, 2.15] +0.05"
    assert facts_line(OLD, NEW) == "arc 30% [25, 35] −15 ▼, bits_web 2.00 [1.90, 2.10] −0.05"
    assert facts_line(NEW, NEW) == facts_line(NEW)
    worse = {"bits_web": 3.0, "bits_web_low": 2.9, "bits_web_high": 3.1}
    assert change_of("bits_web", worse, OLD) == (1.0, "worse")  # of bits per byte, less is better
    assert change_of("loss", {"loss": 1.0}, {"loss": 2.0}) is None


def test_lines_fit_and_lose_nothing() -> None:
    parts = facts_told({f"number_{n}": n for n in range(30)} | NEW, OLD, colour=True)
    lines = in_lines(parts, 60, "    ").splitlines()
    assert all(len(COLOUR.sub("", line)) <= 60 and line.startswith("    ") for line in lines)
    assert ", ".join(parts) == " ".join(line.strip() for line in lines)
    assert "\x1b[32m" in lines[0]  # better is green


def test_rows_of_a_table_of_scores() -> None:
    assert list(score_rows({**NEW, "items": 5}, OLD)) == [
        ("arc", "45%", "[40, 50]", "+15 ▲", "better"),
        ("bits web", "2.05", "[1.95, 2.15]", "+0.05", ""),
    ]


def test_a_difference_of_facts_leaves_nothing_out() -> None:
    old = OLD | {f"number_{n}": n for n in range(20)} | {"gone": 1}
    new = NEW | {f"number_{n}": n + 1 for n in range(20)}
    told = _facts_diff(old, new, Look())
    assert told[0] == "arc 45% [40, 50] +15 ▲" and len(told) == 2 + 20 + 1
    assert "number_19 19 → 20 (+1)" in told and "gone 1 → None" in told
