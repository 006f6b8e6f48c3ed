"""The papers' rules: each at its limit, and what C4 leaves of a page."""

from __future__ import annotations

import random

import pytest

from smolforge.data.clean.curate import Curation, judge
from smolforge.data.clean.published import (
    LANGUAGES,
    SETS,
    Page,
    c4,
    c4_all_lines,
    fineweb_quality,
    gopher_quality,
    gopher_repetition,
    sentences_in,
)
from smolforge.data.clean.published import judge as judge_by
from smolforge.data.read.documents import Document
from smolforge.errors import ConfigError

RNG = random.Random(3)
NAMES = ["".join(RNG.choices("abcdefghijklmnoprstuvw", k=RNG.randrange(3, 9))) for _ in range(4000)]


def prose(sentences: int, start: int = 0) -> str:
    """Sentences of nine words that do not repeat, a line each."""
    lines = []
    for n in range(start, start + sentences):
        a, b, c, d, e = NAMES[5 * n : 5 * n + 5]
        lines.append(f"The {a} of {b} and {c} {d} with {e}.")
    return "\n".join(lines)


GOOD = prose(40)
BEES = """Bees live together in large families.
Each family has one queen, who lays the eggs, and many thousand workers.
The workers build the comb, look after the young and fly out to find nectar.
When a bee has found a rich field, it returns and dances on the comb, so that the others learn where to go.
In winter the family sits close together and keeps itself warm; it lives on the honey that was stored in summer."""


@pytest.mark.parametrize("name", SETS)
def test_good_prose_passes_every_set(name: str) -> None:
    verdict, left = judge_by(GOOD, [name])
    assert verdict.keep and left == GOOD


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (prose(4), "gopher_short"),
        ("a b " * 60 + prose(3), "gopher_word_length"),
        ("# " * 60 + prose(40), "gopher_hashes"),
        ("… " * 60 + prose(40), "gopher_ellipses"),
        ("\n".join(f"- {line}" for line in prose(40).split("\n")), "gopher_bullets"),
        (prose(40).replace(".\n", "... \n"), "gopher_cut_lines"),
        ("1999 " * 200 + prose(40), "gopher_letters"),
        (prose(40).replace("The", "Le").replace(" of ", " na ").replace(" and ", " ni ").replace("with", "kwa"), "gopher_stop_words"),
    ],
)  # fmt: skip
def test_gopher_quality(text: str, rule: str) -> None:
    assert gopher_quality(Page(text))[0].rule == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("\n\n".join([prose(2)] * 3 + [prose(3, 10)]), "gopher_repeated_paragraphs"),
        ("\n\n".join([prose(12)] * 2 + prose(8, 20).split("\n")), "gopher_characters_in_repeated_paragraphs"),
        ("\n".join([*["a bc"] * 12, *prose(20).split("\n")]), "gopher_repeated_lines"),
        ("\n".join([*prose(3).split("\n")] * 4 + [prose(25, 10)]), "gopher_characters_in_repeated_lines"),
        (" ".join(f"{name} strawberry jam" for name in NAMES[:60]), "gopher_top_2_gram"),
        (" ".join(f"{prose(1, n)} {prose(1, n % 4)}" for n in range(10, 30)), "gopher_repeated_5_grams"),
    ],
)
def test_gopher_repetition(text: str, rule: str) -> None:
    assert gopher_repetition(Page(text))[0].rule == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"{GOOD}\nLorem Ipsum dolor sit amet.", "c4_lorem_ipsum"),
        (f"{GOOD}\nThe function begins with {{ and ends.", "c4_curly_bracket"),
        (prose(4), "c4_sentences"),
    ],
)
def test_c4_drops(text: str, rule: str) -> None:
    assert c4(Page(text))[0].rule == rule


def test_c4_takes_lines_away() -> None:
    menu = "Home | About us | Contact\nToo short.\nPlease enable Javascript in your browser.\nWe have a privacy policy here."
    cited = f"{GOOD}\nAs was said before.[12][citation needed]"
    assert c4(Page(f"{menu}\n{cited}"))[1] == f"{GOOD}\nAs was said before."
    left = c4_all_lines(Page(f"{menu}\n{cited}"))[1]
    assert left == f"Home | About us | Contact\n{GOOD}\nAs was said before."


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("\n".join(line.rstrip(".") for line in GOOD.split("\n")), "fineweb_line_ends"),
        ("\n".join(["Short one here."] + [f"Line {n}." for n in range(30)]), "fineweb_short_lines"),
        (f"{GOOD}\n{GOOD.split(chr(10))[0]}", "fineweb_repeated_characters"),
        ("\n\n\n\n\n".join(GOOD.split("\n")), "fineweb_newlines"),
    ],
)
def test_fineweb_quality(text: str, rule: str) -> None:
    assert fineweb_quality(Page(text))[0].rule == rule


def test_sentences_are_counted_by_their_ends() -> None:
    assert [
        sentences_in(s) for s in ("One. Two? Three!", "One and a half", 'He said "No." And left', "")
    ] == [3, 1, 2, 0]


def test_a_domain_takes_the_rules_it_is_given() -> None:
    page = Document("d", "text", "", f"{BEES}\nfor (;;) {{ }} is a loop.")
    assert judge(page, Curation(domain="web")).verdict.keep
    assert judge(page, Curation(domain="web", rules=("fineweb",))).verdict.rule == "c4_curly_bracket"
    cut = Document("d", "text", "", f"Home | About us | Contact\n{BEES}")
    assert judge(cut, Curation(domain="web", rules=("c4",))).text == BEES


def test_rules_that_do_not_know_a_language_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="no limits for zu"):
        Curation(domain="web", rules=("fineweb",), languages=("en", "zu"))
    with pytest.raises(ConfigError, match="every language"):
        Curation(domain="web", rules=("gopher",), languages=())
    with pytest.raises(ConfigError, match="fineweb"):
        Curation(domain="web", rules=("finewep",))
    Curation(domain="web", rules=("reference",), languages=("zu",))
    Curation(domain="web", rules=("fineweb",), languages=tuple(set(LANGUAGES) - {"no"}))


def test_german_is_judged_as_german() -> None:
    lines = [f"Die {a}schaft der {b} und das {c} ist mit {d} nicht zu {e}." for a, b, c, d, e in zip(*[iter(NAMES[:200])] * 5, strict=True)]  # fmt: skip
    text = "\n".join(lines)
    assert gopher_quality(Page(text, "de"))[0].keep
    assert gopher_quality(Page(text, "en"))[0].rule == "gopher_stop_words"
