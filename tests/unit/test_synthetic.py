"""The generators: the same from the same seed, true to their tables, and silent on what is held out."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from smolforge.errors import ConfigError
from smolforge.evals.task import item_from_plain, item_to_plain
from smolforge.written import synthetic
from smolforge.written.synthetic import chats, familiar, relations
from smolforge.written.synthetic.code_functions import function
from smolforge.written.synthetic.facts import FACTS, RELATIONS
from smolforge.written.synthetic.problems import sum_keys
from smolforge.written.synthetic.questions import stem
from smolforge.written.synthetic.wording import and_list, article, plural

WRITERS = (synthetic.textbooks, synthetic.stories, synthetic.mathematics, synthetic.code_exercises)
SUM = re.compile(
    r"(?<![\d.×÷+\-=] )(?<!\d)(\d+) ?([+\-×÷]|\\times|\\div) ?(\d+)(?= =|\?|\.|$|\$)", re.MULTILINE
)
OPERATIONS = {
    "+": "add",
    "-": "subtract",
    "×": "multiply",
    "\\times": "multiply",
    "÷": "divide",
    "\\div": "divide",
}


def _texts(writer, count: int = 1500, seed: int | str = 3) -> list[str]:
    return [document.text for document in writer(seed, count)]


# -- words ------------------------------------------------------------------------------------------------


def test_articles_follow_the_sound() -> None:
    assert [article(word) for word in ("apple", "hour", "unicorn", "euro", "8", "11", "18 dollars", "80", "7")] == [
        "an apple", "an hour", "a unicorn", "a euro", "an 8", "an 11", "an 18 dollars", "an 80", "a 7",
    ]  # fmt: skip


def test_plurals_and_lists() -> None:
    assert [plural(word) for word in ("baby", "box", "wolf", "sheep", "polar bear", "day", "mouse")] == [
        "babies", "boxes", "wolves", "sheep", "polar bears", "days", "mice",
    ]  # fmt: skip
    assert and_list(["a"]) == "a" and and_list(["a", "b", "c"]) == "a, b and c"


# -- facts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("relation", "subject", "answer"),
    [
        ("capital", "Peru", "Lima"),
        ("capital", "Australia", "Canberra"),
        ("country of capital", "Oslo", "Norway"),
        ("symbol", "iron", "Fe"),
        ("atomic number", "gold", "79"),
        ("animal class", "whale", "mammal"),
        ("legs", "spider", "8"),
        ("month before", "March", "February"),
        ("sides", "hexagon", "6"),
        ("plural", "goose", "geese"),
    ],
)
def test_known_facts(relation: str, subject: str, answer: str) -> None:
    assert RELATIONS[relation].answers[subject] == answer


def test_there_are_thousands_of_facts_and_none_is_given_twice() -> None:
    assert sum(len(relation.pairs) for relation in FACTS) > 2500
    for relation in FACTS:
        subjects = [subject for subject, _ in relation.pairs]
        if relation.name not in ("opposite", "synonym"):
            assert len(subjects) == len(set(subjects)), relation.name


def test_months_and_days_are_consistent() -> None:
    before = RELATIONS["month before"].answers
    month = "January"
    for _ in range(12):
        month = before[month]
    assert month == "January"
    assert len(set(before.values())) == 12
    after, back = RELATIONS["day after"].answers, RELATIONS["day before"].answers
    assert all(back[after[day]] == day for day in after)


def test_every_wording_fills_in() -> None:
    for relation in FACTS:
        subject, answer = relation.pairs[0]
        for template in (*relation.questions, *relation.statements, *relation.follow_ups):
            text = relations.told(template, subject, answer)
            assert "{" not in text and text[-1] in ".?" + '"', text
        assert all("{a}" in way or "{an_a}" in way for way in relation.statements), relation.name
        assert not any("{a}" in way or "{an_a}" in way for way in relation.questions), relation.name


# -- determinism, speed of change -------------------------------------------------------------------------


@pytest.mark.parametrize("writer", WRITERS)
def test_same_seed_same_documents_and_each_on_its_own(writer) -> None:
    first, again = list(writer(5, 40)), list(writer(5, 80))
    assert first == again[:40]
    assert len({document.id for document in again}) == 80
    assert [d.text for d in writer(6, 40)] != [d.text for d in first]


@pytest.mark.parametrize("writer", WRITERS)
def test_documents_hardly_repeat(writer) -> None:
    texts = _texts(writer)
    assert len(set(texts)) > 0.99 * len(texts)
    assert min(map(len, texts)) > 20


def test_held_out_texts_are_not_training_texts() -> None:
    training = set(_texts(synthetic.stories))
    held = synthetic.held_out_texts("stories", 3, 200)
    assert not training & {document.text for document in held}
    with pytest.raises(ConfigError):
        synthetic.held_out_texts("poems", 3, 1)


@pytest.mark.parametrize("writer", (synthetic.textbooks, synthetic.stories))
def test_prose_has_no_small_faults(writer) -> None:
    for text in _texts(writer, 800):
        assert not re.search(
            r"\b[Aa] [aeio]\w|\b[Aa]n [bcdfgjklmnpqrtvwz]\w|  |\.\.|\{|\}| ,|\bthe the\b", text
        ), text
        assert not re.search(r"(?<=[.?!] )[a-z]", text), text
        assert not re.search(
            r'\." (said|explained|went on|asked|he|she|[A-Z]\w+ (said|explained))\b', text
        ), text


# -- the split --------------------------------------------------------------------------------------------


def test_the_split_is_a_fixed_share_of_keys() -> None:
    kept = [synthetic.is_held_out(f"mathematics/add/{a}/{b}") for a in range(100) for b in range(100)]
    assert 0.13 < sum(kept) / len(kept) < 0.17


def _all_questions() -> dict[str, tuple[str, str]]:
    return {
        relations.told(way, subject, answer): (relation.key(subject), answer)
        for relation in FACTS
        for subject, answer in relation.pairs
        for way in relation.questions
    }


def test_held_out_questions_on_facts_are_never_asked_but_their_facts_are_told() -> None:
    known = _all_questions()
    held = {question for question, (key, _) in known.items() if relations.is_held_out(key)}
    texts = "\n".join(_texts(synthetic.textbooks, 4000))
    said = "\n".join(m["content"] for row in chats.knowledge_chats(1, 3000) for m in row["messages"])
    assert sum(question in said for question in list(known)[::10]) > 150
    assert not [question for question in held if question in texts or question in said]
    kept_capitals = [
        (subject, answer)
        for subject, answer in RELATIONS["capital"].pairs
        if relations.is_held_out(RELATIONS["capital"].key(subject))
    ]
    told = sum(
        any(answer in line and subject in line for line in texts.split("\n"))
        for subject, answer in kept_capitals
    )
    assert told > 0.8 * len(kept_capitals) > 10


def _sums_of(text: str) -> list[str]:
    keys: list[str] = []
    for a, sign, b in SUM.findall(text):
        keys += sum_keys(OPERATIONS[sign], int(a), int(b))
    return keys


def test_held_out_sums_are_never_shown() -> None:
    texts = _texts(synthetic.mathematics, 3000)
    texts += [m["content"] for row in chats.mathematics_chats(2, 3000) for m in row["messages"]]
    keys = [key for text in texts for key in _sums_of(text)]
    assert len(keys) > 5000
    assert not [key for key in keys if relations.is_held_out(key)]


def test_held_out_functions_are_never_shown() -> None:
    import random

    rng = random.Random(4)
    held = {function(rng, kept=True).signature.partition("(")[0] for _ in range(800)}
    text = "\n".join(_texts(synthetic.code_exercises, 1500))
    shown = Counter(re.findall(r"^def \w+", text, re.MULTILINE))
    assert len(shown) > 500
    assert not held & set(shown)


# -- correctness ------------------------------------------------------------------------------------------


def test_every_equation_is_true() -> None:
    found = 0
    for text in _texts(synthetic.mathematics, 1500):
        for left, right in re.findall(
            r"((?:\d+ (?:[+\-×÷]|\\times|\\div) )+\d+) = (\d+)(?!\d| [+\-×÷])", text
        ):
            value = eval(
                left.replace("×", "*").replace("\\times", "*").replace("\\div", "/").replace("÷", "/")
            )  # our own text
            assert value == int(right), text
            found += 1
    assert found > 3000


def test_functions_do_what_their_meaning_says() -> None:
    import random

    rng = random.Random(9)
    for place in range(600):
        one = function(rng, kept=place % 4 == 0)
        for loop in (False, True):
            space: dict = {}
            exec(one.source(loop=loop), space)
            exec(one.asserts(), space)
        assert len(one.task) < 160 and one.source().count('"""') == 2


# -- items and chats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("skill", ("knowledge", "mathematics", "code"))
def test_items_are_different_and_survive_json(skill: str) -> None:
    items = synthetic.items(skill, 1, 200)
    assert len(items) == 200 and items == synthetic.items(skill, 1, 200)
    assert len({item.messages[0]["content"] for item in items}) == 200
    assert all(item_from_plain(item_to_plain(item), item.id) == item for item in items)
    assert all(item.skill == skill and item.prompt for item in items)


def test_knowledge_items_have_one_right_choice() -> None:
    known = _all_questions()
    for item in synthetic.items("knowledge", 2, 300):
        key, answer = known[item.messages[0]["content"]]
        assert relations.is_held_out(key)
        assert item.choices[item.answer] == f" {answer}"
        assert len(set(item.choices)) == 4 and item.chance == 0.25
        relation = RELATIONS[key.split("/")[1]]
        also = relation.also.get(key.split("/", 2)[2], ())
        assert not set(also) & {choice.strip() for n, choice in enumerate(item.choices) if n != item.answer}


def test_blind_guesses_are_near_the_stated_chance() -> None:
    items = synthetic.items("knowledge", 3, 600)
    places = Counter(item.answer for item in items)
    assert max(places.values()) < 0.32 * len(items)
    numbers = [item for item in synthetic.items("mathematics", 3, 600) if item.chance < 0.5]
    commonest = Counter(item.answer for item in numbers).most_common(1)[0][1]
    assert commonest / len(numbers) <= numbers[0].chance * 1.5


def test_code_items_reject_an_empty_function_and_accept_the_right_one() -> None:
    import random

    from smolforge.written.synthetic.questions import code_item

    rng = random.Random(2)
    for _ in range(150):
        one = function(rng, kept=True)
        item = code_item(rng, one, "x")
        exec(f"{item.prompt}{one.body}\n{item.answer}", {})
        with pytest.raises(AssertionError):
            exec(f"{item.prompt}    return 'nothing'\n{item.answer}", {})


def test_chat_rows_answer_their_items() -> None:
    for row in chats.mathematics_chats(7, 200):
        assert row["messages"][-1]["content"].endswith(f"The answer is {row['item']['answer']}.")
    for row in chats.code_chats(7, 60):
        code = row["messages"][-1]["content"].split("```python\n")[1].split("```")[0]
        exec(f"{code}\n{row['item']['answer']}", {})
    roles = [[m["role"] for m in row["messages"]] for row in chats.knowledge_chats(7, 200)]
    assert all(role == ("user", "assistant")[n % 2] for row in roles for n, role in enumerate(row))


def test_open_sentences_end_before_the_answer() -> None:
    assert stem(RELATIONS["capital"], "Peru", "Lima") == "The capital of Peru is"


# -- the core: few facts, told often ------------------------------------------------------------------------


def test_core_pages_tell_of_the_core_alone_and_often() -> None:
    """Every fact of it about as often as another, so that a short training takes in all of them."""
    told = Counter[tuple[str, str]]()
    pages = [document.text for document in synthetic.textbooks(3, 1500, core=True)]
    text = "\n".join(pages)
    outside = [c for c, _ in RELATIONS["capital"].pairs if c not in familiar.CORE["country"]]
    said = [f"The capital of {country} is" for country in outside]
    assert len(said) > 100 and not any(one in text for one in said)
    for country in familiar.CORE["country"]:
        told["capital", country] = text.count(RELATIONS["capital"].answers[country])
    assert min(told.values()) >= 3 and max(told.values()) <= 40 * min(told.values())
    assert sum(map(len, familiar.CORE_PAIRS.values())) < 1_000 < sum(len(r.pairs) for r in FACTS)


def test_core_questions_ask_about_the_core_alone() -> None:
    """In training, and among what is held out, where the split is the same as ever."""
    names = {subject for pairs in familiar.CORE_PAIRS.values() for subject, _ in pairs}
    for item in synthetic.items("knowledge", 1, 60, core=True):
        asked = str(item.messages[0]["content"])
        assert any(name.removeprefix("the ").removeprefix("a ") in asked for name in names), asked
    asked = [row["messages"][0]["content"] for row in chats.knowledge_chats(1, 400, core=True)]
    assert "Peru" not in " ".join(asked) and len(set(asked)) > 200
