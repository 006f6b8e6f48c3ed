"""Evaluation texts are recognised in training documents."""

from __future__ import annotations

import random

from smolforge.data.clean.decontaminate import check, index

QUESTION = (
    "A farmer has seventeen sheep and sells all but nine of them at the market on a cold Monday morning. "
    "How many sheep does the farmer have left when he walks home in the evening?"
)
FILLER = " ".join(random.Random(0).choices([f"w{i}" for i in range(300)], k=400))


def test_a_quoted_question_is_found_whatever_surrounds_it() -> None:
    banned = index([("q1", QUESTION)])
    assert check(FILLER, banned).keep
    verdict = check(f"{FILLER}\n{QUESTION.upper().replace('.', ' -')}\n{FILLER}", banned)
    assert not verdict.keep and verdict.rule == "contaminated" and "q1" in verdict.reason


def test_a_shared_phrase_is_not_enough() -> None:
    banned = index([("q1", QUESTION)])
    phrase = " ".join(QUESTION.split()[:14])
    assert check(f"{FILLER} {phrase} {FILLER}", banned).keep


def test_short_items_are_found_whole_or_not_at_all() -> None:
    banned = index([("short", "What is the capital of Mongolia?"), ("tiny", "What is this?")])
    assert not check(f"{FILLER} what is the capital of mongolia {FILLER}", banned).keep
    assert check(f"{FILLER} what is the capital of Peru {FILLER}", banned).keep
    assert check(f"{FILLER} what is this {FILLER}", banned).keep


def test_held_out_texts_are_found_by_overlap_of_either() -> None:
    banned = index([], [("page", FILLER)])
    part = " ".join(FILLER.split()[100:200])
    assert not check(part, banned).keep
    assert not check(FILLER + " and more", banned).keep
    other = " ".join(random.Random(1).choices([f"v{i}" for i in range(300)], k=400))
    assert check(f"{other} {part} {other}", banned).keep


def test_nothing_banned_keeps_everything() -> None:
    assert check(QUESTION, index([])).keep
    assert check("", index([("q", QUESTION)])).keep


def test_run_length_is_configurable() -> None:
    phrase = " ".join(QUESTION.split()[:11]) + " and then something else entirely"
    assert check(phrase, index([("q", QUESTION)], ngram=13, item_share=0.0)).keep
    assert not check(phrase, index([("q", QUESTION)], ngram=10, item_share=0.0)).keep
