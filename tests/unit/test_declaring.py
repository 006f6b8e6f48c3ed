"""What source files declare, as questions: where a name stands, what a class derives from, what a parameter is by default."""

from __future__ import annotations

from collections import Counter

import pytest

from smolforge.questions import Fact, Tally, answer_chats, choice_items, condensed, find_facts
from smolforge.questions.code_text import declarations_of
from smolforge.questions.declaring import arguments, is_declared, split_outside

SOURCE = '''
import os

class Reader(Source):
    """Reads."""

    def fetch(self, path: str, *, encoding: str = "utf-8", retries: int = 3, deep: bool = False) -> None:
        def inner(size=9): ...

    def _own(self, level=7): ...

    def __init__(self, margin: float = 2.5, names: dict[str, int] = {"a": 1, "b": 2}):
        pass

def compute(
    table,  # the rows, = all of them
    mode: Annotated[str, Option(default="x", help="a, b = c")] = "eager",
    nothing=None,
    *rest,
): ...

def _private(size=5): ...
'''


def facts_of(*documents: tuple[str, str], dropped: Tally | None = None) -> list[Fact]:
    return [fact for fact in find_facts(documents, dropped=dropped) if is_declared(fact)]


def test_what_python_declares() -> None:
    told = {(fact.subject, fact.label): fact.answer for fact in facts_of(("lib/sub/core.py", SOURCE))}
    assert told == {
        ("`Reader`", "file"): "sub/core.py",
        ("`Reader`", "base class"): "Source",
        ("`Reader.fetch`", "`encoding`"): '"utf-8"',
        ("`Reader.fetch`", "`retries`"): "3",
        ("`Reader`", "`margin`"): "2.5",
        ("`compute`", "file"): "sub/core.py",
        ("`compute`", "`mode`"): '"eager"',
    }


def test_their_sentences_stand_in_the_statements() -> None:
    [(source, text)] = condensed(facts_of(("lib/sub/core.py", SOURCE)))
    assert source == "lib/sub/core.py"
    assert text == (
        "# sub/core.py\n\n`sub/core.py` defines `Reader` and `compute`. `Reader` derives from Source. `Reader.fetch` takes "
        '`encoding`, by default "utf-8" and `retries`, by default 3. `Reader` takes `margin`, by default 2.5. `compute` takes '
        '`mode`, by default "eager".'
    )


def test_names_of_several_files_private_names_and_tests_are_not_asked() -> None:
    dropped = Tally()
    found = facts_of(
        ("lib/one.py", "def shared(): ...\ndef alone(): ...\n"),
        ("lib/two.py", "def shared(): ...\ndef twice(x=4): ...\ndef twice(x=5): ...\n"),
        ("tests/test_one.py", "def checks(x=4): ...\n"),
        dropped=dropped,
    )
    assert {(fact.subject, fact.label) for fact in found} == {("`alone`", "file")}
    assert dropped["declaration: in several files"] == 2 and dropped["declaration: named twice"] == 4


def test_answers_that_their_names_give_away_are_left_out() -> None:
    dropped = Tally()
    found = facts_of(
        ("lib/parsing.py", "class ParsingError(BaseError): ...\nclass Wide(Narrow): ...\n"), dropped=dropped
    )
    assert {(fact.subject, fact.label) for fact in found} == {("`Wide`", "file"), ("`Wide`", "base class")}
    assert dropped["declaration: given away by its name"] == 2


def test_other_languages_tell_their_files() -> None:
    text = "package store;\n\nfunc Compact(a int) error {\n\treturn nil\n}\n\nfunc inner() {\n    type Local struct {}\n}\n"
    assert [one.name for one in declarations_of("db/level.go", text)] == ["Compact", "inner"]
    assert {fact.answer for fact in facts_of(("db/level.go", text))} == {"db/level.go"}


def test_questions_and_chats_of_a_repository() -> None:
    """Four files that could be meant, each as often right as wrong; an answer is a whole sentence."""
    documents = [
        (f"lib/{file}.py", "".join(f"def {name}_{n}(): ...\n" for n in range(3)))
        for file, name in (
            ("alpha", "walk"),
            ("beta", "jump"),
            ("gamma", "swim"),
            ("delta", "climb"),
            ("omega", "rest"),
        )
    ]
    facts = facts_of(*documents)
    items = choice_items(facts, 40, 1)
    assert items and all(len(item.choices) == 4 for item in items)
    asked = items[0]
    assert asked.prompt.startswith("Question: In which file is `") and asked.prompt.endswith(
        "` defined?\nAnswer:"
    )
    right = {fact.subject: fact.answer for fact in facts}
    assert asked.choices[asked.answer] == right["`" + asked.prompt.split("`")[1] + "`"]
    rows = answer_chats(facts, 40, 1)
    said = {row["messages"][0]["content"]: row["messages"][1]["content"] for row in rows}
    assert said["In which file is `walk_1` defined?"] == "`walk_1` is defined in lib/alpha.py."


@pytest.mark.parametrize(
    ("text", "mark", "parts"),
    [
        ("a, b", ",", ["a", "b"]),
        ("a(1, 2), 'x, y', [b, {c, d}]", ",", ["a(1, 2)", "'x, y'", "[b, {c, d}]"]),
        ("a, b) -> c, d", ",", ["a", "b"]),
        ("x: f(y=1) = 'a = b'", "=", ["x: f(y=1)", "'a = b'"]),
        ("", ",", [""]),
        ("(((" * 50_000, ",", ["(((" * 50_000]),
    ],
)
def test_texts_come_apart_at_marks_outside_of_brackets(text: str, mark: str, parts: list[str]) -> None:
    assert split_outside(text, mark) == parts


def test_hostile_heads_are_bounded() -> None:
    """Brackets that never close, endless lines, a name again and again: read in moments, and nothing made up."""
    dropped = Counter[str]()
    text = (
        "def deep("
        + "(" * 399
        + "\n"
        + "def same(x=3): ...\n" * 30_000
        + "class Odd("
        + "a, " * 50_000
        + "):\n"
    )
    assert facts_of(("lib/hostile.py", text), dropped=dropped) == [] or all(
        len(fact.answer) <= 40 for fact in facts_of(("lib/hostile.py", text))
    )
    assert arguments("def f") == [] == arguments("def f()")
