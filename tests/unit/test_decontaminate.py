"""Evaluation texts are recognised in training documents."""

from __future__ import annotations

import random
from pathlib import Path

from smolforge.artifacts import ChatData, EvalTexts
from smolforge.data.clean.decontaminate import Banned, EvalText, check, common_words, index, overlaps
from smolforge.data.clean.hashing import normal_words, word_hashes
from smolforge.data.clean.overlap_stages import CleanChatsConfig, clean_chats
from smolforge.data.read.documents import read_jsonl, write_jsonl
from smolforge.log import Log
from smolforge.stage import Job

QUESTION = (
    "A farmer has seventeen sheep and sells all but nine of them at the market on a cold Monday morning. "
    "How many sheep does the farmer have left when he walks home in the evening?"
)
FILLER = " ".join(random.Random(0).choices([f"w{i}" for i in range(300)], k=400))


def banned_items(*texts: str, ngram: int = 13, share: float = 0.6) -> Banned:
    """An index of items q1, q2, … of one task."""
    named = [EvalText("task", f"q{n}", text) for n, text in enumerate(texts, start=1)]
    return index(named, ngram=ngram, share=share)


def test_a_quoted_question_is_found_whatever_surrounds_it() -> None:
    banned = banned_items(QUESTION)
    assert check(FILLER, banned).keep
    text = f"{FILLER}\n{QUESTION.upper().replace('.', ' -')}\n{FILLER}"
    verdict = check(text, banned)
    assert not verdict.keep and verdict.rule == "contaminated" and "q1" in verdict.reason
    (met,) = overlaps(normal_words(text), banned)
    assert (met.task, met.item, met.share) == ("task", "q1", 1.0)
    assert met.quoted == "a farmer has seventeen sheep and sells all but nine of them at"


def test_a_shared_phrase_is_met_but_not_enough() -> None:
    banned = banned_items(QUESTION)
    text = f"{FILLER} {' '.join(QUESTION.split()[:14])} {FILLER}"
    assert check(text, banned).keep
    (met,) = overlaps(normal_words(text), banned)
    assert met.share == round(14 / len(QUESTION.split()), 4)


def test_a_question_with_words_changed_is_found_by_what_is_left_of_it() -> None:
    words = QUESTION.split()
    words[14::3] = ["other"] * len(words[14::3])
    assert not check(f"{FILLER} {' '.join(words)} {FILLER}", banned_items(QUESTION)).keep


def test_common_words_far_from_the_run_do_not_count() -> None:
    words = QUESTION.split()
    scattered = " ".join(f"{word} {FILLER}" for word in words[14:])
    assert check(f"{' '.join(words[:14])} {FILLER} {scattered}", banned_items(QUESTION)).keep


def test_worked_examples_before_every_item_belong_to_none() -> None:
    shots = "Question: " + " ".join(f"example{i}" for i in range(300)) + " Question:"
    others = [" ".join(f"word{n}x{i}" for i in range(20)) for n in range(12)]
    banned = banned_items(*(f"{shots} {question} Answer:" for question in (QUESTION, *others)))
    assert not check(f"{FILLER} {QUESTION} {FILLER}", banned).keep
    assert check(f"{FILLER} {shots} {FILLER}", banned).keep


def test_short_items_are_found_whole_or_not_at_all() -> None:
    banned = banned_items("What is the capital of Mongolia?", "What is this?")
    assert not check(f"{FILLER} what is the capital of mongolia {FILLER}", banned).keep
    assert check(f"{FILLER} what is the capital of Peru {FILLER}", banned).keep
    assert check(f"{FILLER} what is this {FILLER}", banned).keep
    assert banned.unchecked == 1


def test_held_out_texts_are_found_by_overlap_of_either() -> None:
    banned = index([EvalText("web", "page", FILLER, is_item=False)])
    part = " ".join(FILLER.split()[100:200])
    assert not check(part, banned).keep
    assert not check(FILLER + " and more", banned).keep
    other = " ".join(random.Random(1).choices([f"v{i}" for i in range(300)], k=400))
    assert check(f"{other} {part} {other}", banned).keep


def test_the_common_subsequence_is_that_of_the_textbook() -> None:
    def slow(one: list[str], other: list[str]) -> int:
        row = [0] * (len(other) + 1)
        for a in one:
            before = row
            row = [0]
            for place, b in enumerate(other):
                row.append(before[place] + 1 if a == b else max(row[-1], before[place + 1]))
        return row[-1]

    rng = random.Random(2)
    for _ in range(50):
        one, other = (rng.choices("abcdef", k=rng.randrange(0, 90)) for _ in range(2))
        assert common_words(word_hashes(one), word_hashes(other)) == slow(one, other)


def test_nothing_banned_keeps_everything() -> None:
    assert check(QUESTION, index([])).keep
    assert check("", banned_items("q")).keep


def test_run_length_is_configurable() -> None:
    phrase = " ".join(QUESTION.split()[:11]) + " and then something else entirely"
    assert check(phrase, banned_items(QUESTION, ngram=13, share=0.01)).keep
    assert not check(phrase, banned_items(QUESTION, ngram=10, share=0.01)).keep


def test_chats_that_are_held_out_or_repeat_what_is_are_not_trained_on(tmp_path: Path) -> None:
    """By id, and by their words; what tuning reads is what is left."""
    said = "The ferry leaves the old harbour at seven every morning but on Sundays it waits until nine"
    chats = [("held", "Hello"), ("copy", f"When? {said}."), ("mine", "How are you today, my friend?")]
    for name in ("chats", "held", "out"):
        (tmp_path / name).mkdir()
    write_jsonl(
        tmp_path / "chats" / "conversations.jsonl",
        [{"id": id, "messages": [{"role": "user", "content": text}]} for id, text in chats],
    )
    texts = [{"id": "held", "text": "Hello"}, {"id": "other", "text": said}]
    write_jsonl(tmp_path / "held" / "texts-chat.jsonl", texts)
    data, held_out = ChatData(tmp_path / "chats", "k", "d", {}), EvalTexts(tmp_path / "held", "k", "d", {})
    job = Job(out=tmp_path / "out", work=tmp_path / "out", log=Log(), threads=1)
    facts = clean_chats(CleanChatsConfig(), job, data=data, held_out=held_out)
    assert facts["conversations"] == 1 and facts["contaminated"] == 2
    assert [row["id"] for row in read_jsonl(tmp_path / "out" / "conversations.jsonl")] == ["mine"]
    assert (tmp_path / "out" / "overlaps.jsonl").exists()
