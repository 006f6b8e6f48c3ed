"""Questions from real documents: textbooks, a project's code and docs, a country factbook, speeches."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from pathlib import Path

import pytest

from smolforge.data.clean.hashing import normal_words
from smolforge.evals.task import Item
from smolforge.questions import Fact, answer_chats, choice_items, find_facts, split

FOLDERS = ("textbooks", "project", "factbook", "speeches")
LEAST_FACTS = {"textbooks": 2500, "project": 80, "factbook": 6000, "speeches": 700}
LEAST_ITEMS = {"textbooks": 700, "project": 25, "factbook": 1000, "speeches": 350}


def rows_of(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def documents_of(corpora: Path, name: str) -> list[tuple[str, str]]:
    if name == "project":
        files = ("code/python.jsonl.gz", "code/docs_markdown.jsonl.gz")
        rows = [row for file in files for row in rows_of(corpora / file) if row["repo"] == "encode/httpx"]
        return [(row["path"], row["text"]) for row in rows]
    file = {"textbooks": "openstax_textbooks", "factbook": "world_factbook", "speeches": "us_speeches"}[name]
    rows = rows_of(corpora / f"prose/{file}.jsonl.gz")
    books = ("osbooks-introduction-philosophy", "osbooks-astronomy")
    return [(row["id"], row["text"]) for row in rows if name != "textbooks" or row["id"].startswith(books)]


@pytest.fixture(scope="module", params=FOLDERS)
def folder(request: pytest.FixtureRequest, shared_data: Path) -> tuple[str, list[Fact], list[Item]]:
    corpora = shared_data / "corpora"
    if not corpora.is_dir():
        pytest.skip("no corpora in the folder of real data")
    facts = find_facts(documents_of(corpora, request.param))
    return request.param, facts, choice_items(facts, 1000, 1)


def test_a_folder_gives_enough_to_ask(folder: tuple[str, list[Fact], list[Item]]) -> None:
    name, facts, items = folder
    assert len(facts) >= LEAST_FACTS[name]
    assert len(items) >= LEAST_ITEMS[name]


def test_every_answer_stands_in_its_sentence(folder: tuple[str, list[Fact], list[Item]]) -> None:
    _, facts, items = folder
    known = {fact.id: fact for fact in facts}
    for item in items:
        fact = known[item.id.rpartition("-")[2]]
        said = f"{fact.sentence} {fact.subject}".casefold()
        assert fact.answer.casefold() in said
        assert fact.answer in item.choices[item.answer] or fact.subject == item.choices[item.answer]
        assert len(set(item.choices)) == 4


def test_choices_alone_tell_nothing(folder: tuple[str, list[Fact], list[Item]]) -> None:
    """Whoever takes the longest, the shortest, the most or least offered, or the same place every time."""
    _, _, items = folder
    offered = Counter(choice for item in items for choice in item.choices)
    guesses = {
        "longest": [max(item.choices, key=len) for item in items],
        "shortest": [min(item.choices, key=len) for item in items],
        "often offered": [max(item.choices, key=offered.__getitem__) for item in items],
        "rarely offered": [min(item.choices, key=offered.__getitem__) for item in items],
        "first": [item.choices[0] for item in items],
        "last": [item.choices[-1] for item in items],
    }
    noise = 4 * math.sqrt(0.25 * 0.75 / len(items)) + 0.02
    for name, guessed in guesses.items():
        right = sum(item.choices[item.answer] == guess for item, guess in zip(items, guessed, strict=True))
        assert abs(right / len(items) - 0.25) < noise, (name, right / len(items))


def test_no_chat_holds_a_held_out_sentence(folder: tuple[str, list[Fact], list[Item]]) -> None:
    _, facts, _ = folder
    sides = split(facts, 0.3, 1)
    said: set[tuple[str, ...]] = set()
    for row in answer_chats(sides.tuning, 3000, 1):
        words = normal_words(" ".join(message["content"] for message in row["messages"]))
        said.update(tuple(words[i : i + 8]) for i in range(len(words) - 7))
    for fact in sides.held_out:
        words = normal_words(fact.sentence)
        assert not said.intersection(tuple(words[i : i + 8]) for i in range(len(words) - 7)), fact
