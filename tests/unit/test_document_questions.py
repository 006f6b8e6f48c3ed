"""Questions from documents: right, alike, balanced, apart from the tuning chats, the same on every run."""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolforge.data.clean.hashing import normal_words
from smolforge.errors import ConfigError
from smolforge.evals.grade import grade_text
from smolforge.evals.task import Item, item_from_plain, item_to_plain
from smolforge.questions import (
    KINDS,
    Fact,
    answer_chats,
    choice_items,
    describe,
    exact_items,
    find_facts,
    sentences,
    split,
)
from smolforge.questions.choosing import Balance, stands_in
from smolforge.questions.outline import outline

Documents = list[tuple[str, str]]

PEOPLE = (
    "Anna Weller", "Peter Amsel", "Maria Lindner", "Thomas Krug", "Emma Sandow", "David Hollin", "Ruth Ofner", "Karl Brandis",
    "Alice Thorne", "Martin Zeisel", "Susan Keller", "George Maddox", "Helen Quist", "Robert Vane",
)  # fmt: skip
STEMS = ("Wolf", "Stein", "Ober", "Nieder", "Linden", "Buchen", "Eichen", "Silber", "Golden", "Roten", "Weissen", "Alten",
         "Neuen", "Falken", "Hirsch", "Muehl", "Kirch", "Sand", "Tannen", "Erlen")  # fmt: skip
TERMS = (
    ("weir", "a low wall across a stream that holds its water back"),
    ("tarn", "a small lake in a hollow that a glacier left behind"),
    ("moraine", "a heap of stones that a sheet of ice pushed before it"),
    ("scree", "a slope of loose stones at the foot of a cliff"),
    ("gorge", "a narrow valley with steep sides and a river at its bottom"),
    ("delta", "the flat land that a river builds where it meets the sea"),
    ("oxbow", "a lake in the shape of a bow that was once a river bend"),
    ("esker", "a long ridge of gravel that melting water laid down under ice"),
)


def town(number: int) -> tuple[str, str]:
    """A page about a town that does not exist: fields, a history, numbers, people."""
    draw = random.Random(f"town/{number}")
    name = STEMS[number % len(STEMS)] + ("burg", "heim", "au")[number // len(STEMS) % 3]
    river = f"{draw.choice(STEMS)}ach"
    years = draw.sample(range(1701, 1749), 3)
    people = draw.sample(PEOPLE, 3)
    text = f"""# {name}

Founded: {draw.randrange(1210, 1290)}
Area: {draw.randrange(110, 990)} sq km
Mean height: {draw.randrange(210, 890)} m
Main river: {river}

## History

The stone bridge below the market of {name} was finished by the guild of masons in {years[0]}. A fire in the
lower town destroyed the corn hall and the old school in {years[1]}. The altar of the upper church was carved
by {people[0]}. The council of {name} ordered the first map of the valley from the surveyor {people[1]}. The
long drought that emptied every well of {name} ended in {years[2]}.

## Trade

The salt works of {name} employ {draw.randrange(110, 980)} people. The yearly fair of {name} lasts for
{draw.randrange(11, 29)} days. The mill on the {river} grinds {draw.randrange(1100, 9800)} tons of grain a year.
The largest shop in {name} was opened by {people[2]} after the war between the two halves of the town.
"""
    return f"towns/{name.lower()}.md", text


def glossary() -> tuple[str, str]:
    lines = "\n".join(f"- {term}: {meaning}" for term, meaning in TERMS)
    return "towns/words.md", f"# Words of the valley\n\n## Glossary\n\n{lines}\n"


def table() -> tuple[str, str]:
    rows = "\n".join(f"| {name}horn | {height} m | {person} |" for name, height, person in zip(
        STEMS[:10], range(2101, 3101, 97), PEOPLE, strict=False))  # fmt: skip
    return (
        "towns/peaks.md",
        f"# Peaks\n\n## Heights\n\n| Peak | Height | First climbed by |\n|---|---|---|\n{rows}\n",
    )


@pytest.fixture(scope="module")
def documents() -> Documents:
    return [*map(town, range(60)), glossary(), table()]


@pytest.fixture(scope="module")
def facts(documents: Documents) -> list[Fact]:
    return find_facts(documents)


@pytest.fixture(scope="module")
def items(facts: list[Fact]) -> list[Item]:
    return choice_items(facts, 400, 1)


def fact_of(item: Item, facts: list[Fact]) -> Fact:
    return next(fact for fact in facts if item.id.endswith(fact.id))


def found(text: str, name: str = "notes/valley.md") -> list[Fact]:
    return find_facts([(name, text)])


# -- one of each kind -----------------------------------------------------------------------------------

SENTENCES = [
    ("date", "The stone bridge over the Ilm was finished by the guild of masons in 1743.", "1743"),
    ("date", "The treaty between the old towns was signed in the old hall on 3 May 1812.", "3 May 1812"),
    ("date", "A printing press for the whole valley was set up in the early nineteenth century.", "nineteenth century"),
    ("number", "The tower of the old mill on the hill has a height of 43 metres.", "43"),
    ("number", "The council of the town spends $4.5 million on the upkeep of its roads.", "$4.5 million"),
    ("number", "The choir of the upper church sings on seven evenings in December.", "seven"),
    ("name", "The altar in the upper church of the town was carved by Emma Sandow.", "Emma Sandow"),
    ("term", "A low wall that holds the water of a stream back is called a weir.", "weir"),
    ("term", "The option that sets the longest wait for an answer is `read_timeout`.", "`read_timeout`"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "sentence", "answer"), SENTENCES)
def test_a_sentence_gives_its_fact(kind: str, sentence: str, answer: str) -> None:
    text = f"# The valley\n\n{sentence}\n"
    facts = [fact for fact in found(text) if fact.answer == answer]
    assert [(f.kind, f.sentence, f.title, f.before + f.answer + f.after) for f in facts] == [
        (kind, sentence, "The valley", sentence)
    ]


def test_a_glossary_entry_gives_a_definition() -> None:
    (fact,) = found("# Words\n\n## Glossary\n\n- weir: A low wall across a stream. It holds back water.\n")
    assert (fact.kind, fact.subject, fact.answer) == ("definition", "weir", "a low wall across a stream")


def test_a_bold_term_at_the_head_of_its_sentence_is_defined() -> None:
    facts = found("# Words\n\nA **weir** is a low wall across a stream that holds its water back.\n")
    assert [(f.subject, f.answer) for f in facts if f.kind == "definition"] == [
        ("weir", "a low wall across a stream that holds its water back")
    ]


def test_a_record_gives_its_fields() -> None:
    text = "# Wolfburg\n\nArea: 412 sq km (2023 est.)\nMayor: Anna Weller\nNote: see above\nTwin town: none\n"
    facts = [f for f in found(text) if f.kind == "field"]
    assert {(f.title, f.label, f.answer) for f in facts} == {
        ("Wolfburg", "Area", "412 sq km"),
        ("Wolfburg", "Mayor", "Anna Weller"),
    }


def test_a_field_with_a_vague_name_is_asked_with_its_heading() -> None:
    text = (
        "# Wolfburg: Facts\n\n**Area**\nTotal: 412 sq km\nForest: 93 sq km\n\n**Capital**\nName: Sandheim\n"
    )
    headings = {f.label: f.heading for f in found(text) if f.kind == "field"}
    assert headings == {"Total": "Area", "Forest": "", "Name": "Capital"}
    said = {
        m[0]["content"]: m[1]["content"] for row in answer_chats(found(text), 9, 1) if (m := row["messages"])
    }
    assert said["In “Wolfburg: Facts”, under “Area”, what is given as “Total”?"] == "412 sq km."
    assert "The capital of Wolfburg is Sandheim." in said.values()


def test_a_field_named_twice_is_not_asked() -> None:
    text = "# Wolfburg\n\nMayor: Anna Weller\nArea: 412 sq km\nMayor: Peter Amsel\n"
    assert [f.label for f in found(text) if f.kind == "field"] == ["Area"]


def test_a_definition_that_says_its_term_is_not_asked() -> None:
    entries = "- river delta: the flat land that a river builds at the sea\n- weirs: a kind of weir with a low wall\n"
    assert found(f"# Words\n\n## Glossary\n\n{entries}") == []


def test_a_table_gives_its_cells() -> None:
    rows = "| Hirschhorn | 2101 m | chalk |\n| Sandhorn | 2198 m | granite |\n| shifted | Wolfhorn | |\n"
    facts = found(f"# Peaks\n\n## Heights\n\n| Peak | Height | Rock |\n|---|---|---|\n{rows}")
    assert {(f.subject, f.label, f.heading, f.answer) for f in facts} == {
        ("Hirschhorn", "Height", "Heights", "2101 m"),
        ("Hirschhorn", "Rock", "Heights", "chalk"),
        ("Sandhorn", "Height", "Heights", "2198 m"),
        ("Sandhorn", "Rock", "Heights", "granite"),
    }


PYTHON = '''
import os

class Pool:
    """Keeps a few sockets open for later use."""

    def drain(self) -> None:
        """Waits until nothing is on its way. The answer may take a while.

        The longest wait for a reply of the far side is `read_timeout`.
        """
        return None

def test_pool():
    """Everything about sockets in one place."""
'''


def test_code_is_known_by_its_comments_alone() -> None:
    facts = found(PYTHON, "net/pool.py")
    assert {(f.subject, f.answer) for f in facts if f.kind == "definition"} == {
        ("`Pool`", "Keeps a few sockets open for later use"),
        ("`Pool.drain`", "Waits until nothing is on its way"),
    }
    assert [f.heading for f in facts if f.answer == "`read_timeout`"] == ["Pool.drain"]


def test_comments_of_other_languages_are_read_too() -> None:
    text = "use std::io;\n\n/// Waits until nothing is on its way.\npub fn drain(pool: &Pool) {\n    let x = 1;\n}\n"
    assert [(f.kind, f.subject, f.answer) for f in found(text, "src/pool.rs")] == [
        ("definition", "`drain`", "Waits until nothing is on its way"),
        ("field", "`drain`", "src/pool.rs"),
    ]


def test_a_section_gives_its_first_whole_sentences() -> None:
    long = " ".join(
        f"The mill number {n} in the lower town grinds corn for all of the farms around it."
        for n in range(2, 9)
    )
    (fact,) = [f for f in found(f"# Wolfburg\n\n## The mills\n\n{long}\n") if f.kind == "section"]
    assert (fact.heading, fact.title) == ("The mills", "Wolfburg")
    assert long.startswith(fact.answer) and fact.answer.endswith("around it.")
    assert 60 <= len(fact.answer.split()) <= 120


def test_a_section_never_grows_too_long() -> None:
    first = " ".join(["The mills grind the corn of the farms"] + ["of the valley"] * 15) + "."
    second = " ".join(["Their wheels turn in the water"] + ["of the river"] * 30) + "."
    (fact,) = [f for f in found(f"# Wolfburg\n\n## The mills\n\n{first} {second}\n") if f.kind == "section"]
    assert fact.answer == first


LEFT_ALONE = [
    "This bridge over the river was finished by the guild of masons in 1743.",  # which bridge?
    "It was finished by the guild of masons of the upper town in 1743.",
    "However, the stone bridge over the river was finished at last in 1743.",
    "The stone bridge that the figure shows was finished by the masons in 1743.",
    "The towns of the valley are Wolfburg, Steinheim, Oberau, and Lindenau.",  # one of several
    "The stone bridge over the river (finished by the masons in 1743) still stands.",
    "Was the stone bridge over the river really finished by the masons in 1743?",
    "The sum $x^2 + y^2$ of the lengths of both of the bridges is about 1743.",
    "As the plan in Chapter 12 of the old book on bridges says of Chapter 14.",
]


@pytest.mark.parametrize("sentence", LEFT_ALONE)
def test_what_cannot_be_asked_alone_is_left_alone_and_counted(sentence: str) -> None:
    dropped: Counter[str] = Counter()
    assert find_facts([("a.md", f"# The valley\n\n{sentence}\n")], dropped=dropped) == []
    assert sum(dropped.values()) >= 1


def test_code_exercises_and_references_are_not_read() -> None:
    sentence = "The stone bridge over the Ilm was finished by the guild of masons in 1743.\n"
    fenced = f"# A\n\n```\n{sentence}```\n"
    below = f"# A\n\n## References\n\n{sentence}\n\n### Of towns\n\n{sentence}\n"
    caption = f"# A\n\n*Figure: {sentence.strip()}*\n"
    assert [found(text) for text in (fenced, below, caption)] == [[], [], []]


def test_a_sentence_ends_where_it_ends() -> None:
    text = "Dr. Weller of the U.S. Army came at 5 p.m. on foot. The others, e.g. Mr. Krug, came by boat. All left."
    assert sentences.split(text) == [
        "Dr. Weller of the U.S. Army came at 5 p.m. on foot.",
        "The others, e.g. Mr. Krug, came by boat.",
        "All left.",
    ]


def test_titles_come_from_headings_or_names_and_say_nothing_where_they_cannot() -> None:
    titles = {
        ("a/b.md", "# The *valley*\n\nText."): "The valley",
        ("a/b.md", '---\ntitle: "The valley"\n---\nText.'): "The valley",
        ("a/1985-Reagan.txt", "My friends, I come before you to report to you.\n"): "1985-Reagan",
        ("a/the_long_road.txt", "My friends."): "the long road",
        ("docs/index.md", "Hello there."): "docs/index",
        ("data/rows.jsonl:17", "Hello there."): "",
        ("a/8f3a99b2c1.txt", "Hello there."): "",
    }
    assert {key: outline(*key).title for key in titles} == titles


def test_documents_of_one_title_are_told_apart_or_not_named() -> None:
    line = "The stone bridge over the {} was finished by the guild of masons in 17{}."
    pages = [(f"{name}.txt", f"# Report\n\n{line.format(river, year)}") for name, river, year in
             (("north-valley", "Ilm", 43), ("south-valley", "Elz", 44), ("77", "Inn", 45))]  # fmt: skip
    assert {f.answer: f.title for f in find_facts(pages) if f.kind == "date"} == {
        "1743": "north-valley",
        "1744": "south-valley",
        "1745": "",
    }


def test_documents_of_one_name_are_told_apart_by_their_folders() -> None:
    line = "# Report\n\nThe stone bridge over the river was finished by the guild of masons in 17{}."
    pages = [(f"{folder}/plan.md", line.format(year)) for folder, year in (("north", 43), ("south", 44))]
    assert {f.answer: f.title for f in find_facts(pages)} == {"1743": "north/plan", "1744": "south/plan"}


def test_what_two_documents_say_is_one_fact_of_the_first() -> None:
    page = "# Page {}\n\nThe stone bridge over the river was finished by the guild of masons in 1743."
    pages = [("b.md", page.format(2)), ("a.md", page.format(1)), ("c.md", page.format(3))]
    assert [(f.source, f.title) for f in find_facts(pages)] == [("a.md", "Page 1")]
    assert find_facts(pages) == find_facts(pages[::-1])


# -- choices --------------------------------------------------------------------------------------------


def test_every_kind_is_asked(items: list[Item], facts: list[Fact]) -> None:
    kinds = Counter(fact_of(item, facts).kind for item in items)
    assert all(kinds[kind] >= 5 for kind in ("date", "definition", "field", "name", "number")), kinds
    assert "section" not in kinds


def test_choices_are_four_and_hold_the_answer_once(items: list[Item], facts: list[Fact]) -> None:
    assert len(items) > 250
    for item in items:
        fact = fact_of(item, facts)
        assert len({choice.casefold() for choice in item.choices}) == len(item.choices) == 4
        assert item.chance == 0.25
        wanted = {fact.answer, fact.subject}
        assert any(item.choices[item.answer].startswith(w) for w in wanted if w)
        assert item_from_plain(item_to_plain(item), "x") == item_from_plain(
            json.loads(json.dumps(item_to_plain(item))), "x"
        )


def test_no_wrong_choice_stands_beside_the_right_one(items: list[Item], facts: list[Fact]) -> None:
    for item in items:
        fact = fact_of(item, facts)
        if fact.kind == "field":
            continue
        for place, choice in enumerate(item.choices):
            unit = fact.after.rstrip(".") if choice.endswith(fact.after.rstrip(".")) else ""
            bare = choice.removesuffix(unit)
            assert place == item.answer or not stands_in(bare, f"{fact.sentence} {fact.passage}")


def test_choices_are_of_one_class(items: list[Item], facts: list[Fact]) -> None:
    shapes: dict[str, Callable[[str], object]] = {
        "date": lambda c: re.sub(r"\d", "0", c),
        "number": lambda c: (len(re.findall(r"\d", c)), re.sub(r"[\d,]", "", c)),
        "name": lambda c: (len(c.split()), c[0].isupper()),
    }
    for item in items:
        shape = shapes.get(fact_of(item, facts).kind)
        if shape is not None:
            assert len({shape(choice) for choice in item.choices}) == 1, item.choices


def test_the_prompt_runs_on_into_the_sentence(items: list[Item], facts: list[Fact]) -> None:
    ended = [i for i in items if i.messages[0]["content"].startswith("How does this sentence")]
    assert len(ended) > 100
    for item in ended:
        fact = fact_of(item, facts)
        whole = f"{item.prompt} {item.choices[item.answer]}"
        assert whole.endswith(fact.sentence.rstrip("."))
        assert fact.title in item.messages[0]["content"]
        assert item.messages[1] == {"role": "assistant", "content": fact.before.rstrip()}


def test_all_choices_bear_the_unit_of_the_answer() -> None:
    lines = [f"The tower of the mill number {n} has a height of {n} metres." for n in (41, 43, 52, 58, 67)]
    lines += [f"The tower of the church number {n} has room for about {n} bells." for n in (40, 50, 60, 70)]
    facts = find_facts([("a.md", "# Towers\n\n" + "\n\n".join(lines))])
    for item in choice_items(facts, 20, 1):
        unit = "metres" if "mill" in item.prompt else "bells"
        assert {choice.split()[1] for choice in item.choices} == {unit}
        assert len({choice.split()[0].endswith("0") for choice in item.choices}) == 1  # round beside round


def test_golden_item() -> None:
    pages = [
        (f"notes/{river.lower()}.md", f"# {river} bridge\n\nThe stone bridge below the mill was finished by the masons in {year}.\n")
        for river, year in (("Ilm", 1743), ("Elz", 1731), ("Inn", 1739), ("Lech", 1728))
    ]  # fmt: skip
    item = next(i for i in choice_items(find_facts(pages), 4, 1) if "Ilm" in i.prompt)
    begun = "The stone bridge below the mill was finished by the masons in"
    assert item.prompt == f"Ilm bridge\n\n{begun}"
    assert item.messages == [
        {"role": "user", "content": f"How does this sentence from “Ilm bridge” end?\n\n{begun} ____"},
        {"role": "assistant", "content": begun},
    ]
    assert sorted(item.choices) == ["1728", "1731", "1739", "1743"] and item.choices[item.answer] == "1743"
    assert (item.kind, item.skill, item.chance) == ("choice", "documents", 0.25)


def test_fewer_than_three_wrong_answers_are_no_question_and_counted(documents: Documents) -> None:
    facts = [f for f in find_facts(documents[:2]) if f.kind == "date"][:2]
    dropped: Counter[str] = Counter()
    assert choice_items(facts, 10, 1, dropped=dropped) == []
    assert dropped["question: too few wrong answers of its class"] == 2


def test_years_that_the_sentence_rules_out_are_not_offered() -> None:
    lines = [
        f"The old mill number {n} was burnt down by the soldiers of the duke in {1700 + n}."
        for n in range(2, 30, 3)
    ]
    last = "The corn hall was begun by the masons in 1712 and finished by their sons in 1724."
    facts = find_facts([("a.md", "# Mills\n\n" + "\n\n".join([*lines, last]))])
    item = next(i for i in choice_items(facts, 100, 1) if "corn hall" in i.prompt)
    assert item.choices[item.answer] == "1724" and all(int(c) > 1712 for c in item.choices)


def guessed(items: list[Item], score: Callable[[str, Item], float]) -> float:
    """Share of items where the choice with the highest score is right; ties count in part."""
    right = 0.0
    for item in items:
        scores = [score(choice, item) for choice in item.choices]
        best = [place for place, value in enumerate(scores) if value == max(scores)]
        right += (item.answer in best) / len(best)
    return right / len(items)


def value_of(choice: str) -> float:
    digits = re.search(r"\d[\d,]*(?:\.\d+)?", choice)
    return float(digits.group().replace(",", "")) if digits else 0.0


def offers(items: list[Item], sign: int) -> Callable[[str, Item], float]:
    """How often a choice is offered in all of the items."""
    counts = Counter(choice for item in items for choice in item.choices)
    return lambda choice, item: sign * counts[choice]


GUESSERS: dict[str, Callable[[list[Item]], Callable[[str, Item], float]]] = {
    "longest": lambda items: lambda choice, item: len(choice),
    "shortest": lambda items: lambda choice, item: -len(choice),
    "middle length": lambda items: lambda c, item: -abs(len(c) - sum(map(len, item.choices)) / 4),
    "often offered": lambda items: offers(items, 1),
    "rarely offered": lambda items: offers(items, -1),
    "largest": lambda items: lambda choice, item: value_of(choice),
    "smallest": lambda items: lambda choice, item: -value_of(choice),
    "first": lambda items: lambda choice, item: -item.choices.index(choice),
    "last": lambda items: lambda choice, item: item.choices.index(choice),
}


@pytest.mark.parametrize("guesser", GUESSERS)
def test_choices_alone_tell_nothing(guesser: str, facts: list[Fact]) -> None:
    items = [item for seed in range(3) for item in choice_items(facts, 400, seed)]
    share = guessed(items, GUESSERS[guesser](items))
    assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / (len(items) / 3)), share


def test_an_answer_owed_an_offer_comes_first() -> None:
    balance = Balance(["a", "b", "c", "d"])
    for _ in range(3):
        assert balance.choose(["x", "b", "c", "d"]) == ["b", "c", "d"]
    assert balance.choose(["b", "x", "y", "z"]) == ["b", "x", "y"]  # all in excess by one: their own order
    assert balance.choose(["b", "x", "a", "q"])[0] == "a"


def test_written_answers_are_graded(facts: list[Fact]) -> None:
    asked = exact_items(facts, 50, 1)
    assert len(asked) == 50
    for item in asked:
        assert item.kind == "exact" and item.stops == ("\n",)
        assert grade_text(item, f"{item.answer}.").right
        assert not grade_text(item, "12345 Nobody").right


# -- the split ------------------------------------------------------------------------------------------


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = normal_words(text)
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_chat_gives_a_held_out_question_away(facts: list[Fact], seed: int) -> None:
    sides = split(facts, 0.3, seed)
    assert 0.15 < len(sides.held_out) / len(facts) < 0.45
    said = set()
    for row in answer_chats(sides.tuning, 10_000, seed):
        said |= runs("\n".join(message["content"] for message in row["messages"]), 8)
    held_out = [fact for fact in sides.held_out if len(normal_words(fact.sentence)) >= 8]
    assert len(held_out) > 50
    assert not [fact for fact in held_out if runs(fact.sentence, 8) & said]
    named = {(f.title, f.subject, f.label) for f in sides.tuning if f.kind == "field"}
    assert not named & {(f.title, f.subject, f.label) for f in sides.held_out if f.kind == "field"}
    terms = {f.subject for f in sides.tuning if f.kind == "definition"}
    assert not terms & {f.subject for f in sides.held_out if f.kind == "definition"}


def test_every_fact_is_on_one_side_or_counted(facts: list[Fact]) -> None:
    sides = split(facts, 0.3, 1)
    held_out, tuning = {f.id for f in sides.held_out}, {f.id for f in sides.tuning}
    assert not held_out & tuning
    assert len(held_out) + len(tuning) + sides.given_away == len(facts)
    assert sides.without_passage > 0


def test_nearly_the_same_sentence_stays_on_its_side() -> None:
    line = "The stone bridge below the old mill of {} was finished by the guild of masons in 1743."
    pages = [
        (f"{name}.md", f"# Page of {name}\n\n{line.format(name)}")
        for name in ("Alp", "Bern", "Chur", "Davos", "Egg")
    ]
    facts = [fact for fact in find_facts(pages) if fact.kind == "date"]
    assert len(facts) == 5
    for seed in range(20):
        assert len(split(facts, 0.5, seed).held_out) in (0, 5)


def test_one_term_stays_on_its_side_whoever_defines_it() -> None:
    pages = [
        ("a.md", "# A\n\n## Glossary\n\n- weir: a low wall across a stream\n"),
        ("b.md", "# B\n\n## Glossary\n\n- Weir: something built by men to dam up a brook\n"),
        ("c.md", "# C\n\nA wall that keeps the water of the mills from running off is called a weir.\n"),
    ]
    facts = find_facts(pages)
    assert len(facts) == 3
    for seed in range(20):
        assert len(split(facts, 0.5, seed).held_out) in (0, 3)


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_a_split_has_two_sides(share: float) -> None:
    with pytest.raises(ConfigError, match="share"):
        split([], share, 1)


# -- chats ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(facts: list[Fact]) -> list[dict]:
    return answer_chats(facts, 10_000, 1)


def form_of(row: dict) -> str:
    return row["id"].split("-")[1]


def test_chats_are_rows_of_all_forms(rows: list[dict]) -> None:
    forms = Counter(map(form_of, rows))
    assert all(
        forms[form] >= 8 for form in ("meaning", "term", "field", "gap", "section", "reading", "absent")
    ), forms
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) == {"id", "skill", "messages", "tools"} and row["skill"] == "documents"
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        assert all(message["content"].strip() for message in row["messages"])


def test_answers_are_the_documents_own_words(rows: list[dict], documents: Documents) -> None:
    text = " ".join(" ".join(body.split()) for _, body in documents)
    for row in rows:
        asked, answer = (message["content"] for message in row["messages"])
        form = form_of(row)
        if form in ("gap", "section"):
            assert answer in text
        if form == "section":
            assert 40 <= len(answer.split()) <= 120 and answer[-1] == "."
        if form == "reading":
            quoted = answer.removeprefix("The text says: “").removesuffix("”")
            assert quoted in asked and quoted in text
        if form == "absent":
            topic = re.search(r"What does the text say about (.+)\?", asked)
            assert topic is not None and asked.count(topic.group(1)) == 1 and topic.group(1) in answer


def test_golden_chats() -> None:
    pages = [("a.md", "# Wolfburg: Land\n\nArea: 412 sq km\nMain river: Sandach\n"), glossary()]
    said = {}
    for seed in range(10):
        for row in answer_chats(find_facts(pages), 100, seed):
            said[row["messages"][0]["content"]] = row["messages"][1]["content"]
    assert said["What is the area of Wolfburg?"] == "The area of Wolfburg is 412 sq km."
    assert said["What is Wolfburg’s main river?"] == "The main river of Wolfburg is Sandach."
    assert said["What does “tarn” mean?"] == f"Tarn: {dict(TERMS)['tarn']}."
    assert said[f"Which term means “{dict(TERMS)['weir']}”?"] == "The term is “weir”."


# -- the same, and bounded ------------------------------------------------------------------------------


def everything(documents: Documents) -> str:
    dropped: Counter[str] = Counter()
    facts = find_facts(documents, dropped=dropped)
    sides = split(facts, 0.3, 7)
    items = [
        item_to_plain(i)
        for i in [*choice_items(sides.held_out, 60, 7, pool=facts), *exact_items(facts, 20, 7)]
    ]
    return json.dumps([items, answer_chats(sides.tuning, 200, 7), describe(facts, dropped)], sort_keys=True)


def test_the_order_of_documents_changes_nothing(documents: Documents) -> None:
    shuffled = documents.copy()
    random.Random(3).shuffle(shuffled)
    assert everything(documents) == everything(shuffled) == everything(documents[::-1])


def test_a_seed_chooses(facts: list[Fact]) -> None:
    assert choice_items(facts, 20, 1) == choice_items(facts, 20, 1)
    assert choice_items(facts, 20, 1) != choice_items(facts, 20, 2)
    assert answer_chats(facts, 20, 1) != answer_chats(facts, 20, 2)


def test_every_process_makes_the_same_and_none_loads_torch() -> None:
    program = (
        "import sys, hashlib; sys.path.insert(0, 'tests/unit'); import test_document_questions as t;"
        "print(hashlib.sha256(t.everything([*map(t.town, range(12)), t.glossary()]).encode()).hexdigest(), 'torch' in sys.modules)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1 and said.pop().split()[1] == "False"


def test_facts_are_bounded_the_same_way_in_any_order(documents: Documents) -> None:
    dropped: Counter[str] = Counter()
    few = find_facts(documents, per_document=5, per_kind=12, dropped=dropped)
    assert few == find_facts(documents[::-1], per_document=5, per_kind=12)
    assert max(Counter(f.kind for f in few).values()) <= 12
    assert max(Counter(f.source for f in few).values()) <= 5
    assert dropped["fact: enough of its kind"] > 100


def test_describe_counts_facts_and_what_was_dropped(documents: Documents) -> None:
    dropped: Counter[str] = Counter()
    facts = find_facts([*documents, ("empty.md", ""), ("long.md", "word " * 1_000_000)], dropped=dropped)
    numbers = describe(facts, dropped)
    assert numbers["facts"] == len(facts) == sum(numbers[f"facts_{kind}"] for kind in KINDS)
    assert numbers["documents_with_facts"] == len(documents)
    assert numbers["dropped_document_nothing_to_read"] == 2
    assert numbers["dropped_document_longer_than_is_read"] == 1
    assert numbers["dropped_line_longer_than_is_read"] == 1


HOSTILE = {
    "brackets": "[" * 50_000,
    "images": "![" * 25_000,
    "stars": "* " * 50_000,
    "bold": "**a" * 25_000,
    "back-ticks": "`" * 50_000,
    "links": "[a](b" * 15_000,
    "code links": "[`" * 15_000,
    "tags": "<a" * 50_000,
    "rows": "| a | b |\n" * 12_500,
    "bars": "|" * 50_000,
    "headings": "# \n" * 25_000,
    "fences": "```\n" * 25_000,
    "fields": "Name: value\n" * 25_000,
    "colons": "A: " * 25_000,
    "entries": "**a**: " * 15_000,
    "abbreviations": "Dr. " * 25_000 + "The end.",
    "one sentence again": "The quick brown fox jumped over the lazy dog of Anna in 1999. " * 15_000,
    "names": "The Aaa of the Bbb of the Ccc " * 12_500,
    "numbers": "in 1,111,111,111 " * 10_000,
    "called": "is called is called " * 12_500,
    "definitions": 'def a():\n    """' * 12_500,
    "comments": "/**\n" * 25_000,
    "control": "\x00\x01\x1b[0m\u202e\ud83d The thing of Anna was found by them in 1999.\n" * 2_500,
    "front matter": "---\n" + "title: " * 25_000,
    "blank": "\n \t" * 75_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["md", "py", "rs"])
def test_hostile_text_is_read_in_linear_time(name: str, kind: str) -> None:
    facts = find_facts([(f"a.{kind}", HOSTILE[name])])
    assert len(facts) <= 400
    sides = split(facts, 0.3, 1)
    choice_items(facts, 10, 1)
    for row in answer_chats(sides.tuning, 10, 1):
        json.dumps(row, ensure_ascii=False).encode()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec=None), max_size=300)
        | st.sampled_from([town(1)[1], PYTHON, "|a|b|\n|-|-|\n"]),
        max_size=4,
    )
)
def test_any_text_can_be_read(parts: list[str]) -> None:
    for fact in find_facts([("notes/a.md", "\n\n".join(parts)), ("src/a.py", "".join(parts))]):
        fact.sentence.encode()
        assert fact.answer and fact.kind in KINDS
        if fact.kind in ("date", "name", "number", "term"):
            assert fact.before + fact.answer + fact.after == fact.sentence
