"""Every checker passes one text that obeys and fails one that does not."""

import time

import pytest

from smolforge.errors import ConfigError
from smolforge.evals.checks import CHECKS, count_sentences, count_words, run_check, run_checks

CASES = [
    ("min_words", {"count": 3}, "one two three", "one two"),
    ("max_words", {"count": 3}, "don't well-known three", "one two three four"),
    ("exact_words", {"count": 2}, "Hello, world!", "Hello"),
    ("min_sentences", {"count": 2}, "One. Two!", "One, two."),
    ("max_sentences", {"count": 1}, "Dr. Smith paid 3.5 dollars.", "One. Two."),
    ("exact_sentences", {"count": 2}, "Is it so? It is.", "It is."),
    ("exact_lines", {"count": 2}, "a\n\nb", "a\nb\nc"),
    ("exact_paragraphs", {"count": 2}, "a\nb\n\nc", "a\nb"),
    ("starred_paragraphs", {"count": 2}, "a\n***\nb", "a\n***\n***\nb"),
    ("nth_paragraph_starts", {"count": 2, "nth": 2, "word": "then"}, "a\n\nThen, b", "a\n\nNow b"),
    ("contains", {"words": ["cat", "dog"]}, "A Cat and a dog.", "A catalogue and a dog."),
    ("not_contains", {"words": ["cat"]}, "A catalogue.", "A CAT."),
    ("exact_times", {"word": "go", "count": 2}, "Go, go!", "go"),
    ("min_times", {"word": "go", "count": 2}, "go go go", "go"),
    ("max_times", {"word": "go", "count": 1}, "go", "go go"),
    ("min_letter", {"letter": "e", "count": 2}, "Eve", "ant"),
    ("max_letter", {"letter": "e", "count": 1}, "bed", "Eve"),
    ("one_of", {"options": ["My answer is yes."]}, "My answer is yes.", "Yes."),
    ("starts_with", {"phrase": "Well"}, "well, yes", "yes, well"),
    ("ends_with", {"phrase": "the end."}, 'It is "The end."', "The end. Or not"),
    ("quotation", {}, '"yes"', '"yes" he said'),
    ("postscript", {"marker": "P.S."}, "Hello.\nP. S. Bye", "Hello. Bye"),
    ("postscript", {"marker": "P.P.S"}, "Hello.\nP.P.S Bye", "Hello. P.S. Bye"),
    ("all_lowercase", {}, "a cat, 3.", "A cat"),
    ("all_capitals", {}, "A CAT, 3.", "A cat"),
    ("min_capital_words", {"count": 2}, "NO WAY out", "NO way"),
    ("max_capital_words", {"count": 1}, "NO way", "NO WAY"),
    ("no_commas", {}, "a b", "a, b"),
    ("no_digits", {}, "two", "2"),
    ("bullets", {"count": 2}, "List:\n- a\n* b", "- a\n**b**"),
    ("numbered_list", {"count": 2}, "1. a\n2. b", "1. a\n3. b"),
    ("json_format", {"keys": ["a"]}, '```json\n{"a": 1}\n```', '{"b": 1}'),
    ("json_format", {}, "[1]", "[" * 50_000),
    ("double_angle_title", {}, "<<Joy>>\nText", "<< >>\nText"),
    ("title_case_heading", {}, "# The Life of Bees\nText", "# The life of Bees"),
    ("min_highlights", {"count": 2}, "*a* and **b**", "*a*"),
    ("min_sections", {"marker": "Section", "count": 2}, "Section 1\na\nSection 2\nb", "Section 1"),
    ("min_placeholders", {"count": 2}, "Dear [name] of [town]", "Dear [name]"),
    ("code_block", {}, "```python\nx = 1\n```", "```python\nx = 1"),
    ("repeats_prompt", {"prompt": "Say hi"}, "Say hi\nHi!", "Hi!"),
    ("two_answers", {}, "a\n******\nb", "a\n******\na"),
    ("language", {"code": "de"}, "Der Hund schläft heute auf dem Sofa.", "The dog sleeps on the sofa today."),
]


@pytest.mark.parametrize(
    ("name", "args", "good", "bad"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_good_passes_and_bad_fails(name, args, good, bad):
    verdict = run_check(name, args, good)
    assert verdict.ok, verdict.reason
    verdict = run_check(name, args, bad)
    assert not verdict.ok
    assert verdict.reason


def test_every_checker_has_a_case():
    assert {case[0] for case in CASES} == set(CHECKS)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_an_empty_answer_never_passes(name):
    args = next(case[1] for case in CASES if case[0] == name)
    assert not run_check(name, args, " \n").ok


def test_wrong_names_and_arguments_are_told():
    with pytest.raises(ConfigError, match="max_word"):
        run_check("max_word", {"count": 3}, "a")
    with pytest.raises(ConfigError, match="count"):
        run_check("max_words", {}, "a")
    with pytest.raises(ConfigError, match="limit"):
        run_check("max_words", {"count": 3, "limit": 3}, "a")
    with pytest.raises(ConfigError, match="count"):
        run_check("max_words", {"count": "3"}, "a")


def test_counts_follow_people():
    assert count_words("It's a well-known 3.5 fact") == 6
    assert count_words("It's", plain=True) == 2
    assert count_sentences("First line\nSecond line. Third!") == 3
    assert count_sentences("1. Alpha is first.\n2. Beta is next.") == 2
    assert count_sentences('He said "Go." Then he left.') == 2
    assert count_sentences("Was it J. K. Rowling? Yes... it was.") == 3
    assert count_sentences("It is I. Then he left.") == 2


def test_several_checks_keep_their_order():
    checks = [{"name": "no_commas"}, {"name": "max_words", "args": {"count": 1}}]
    assert [verdict.ok for verdict in run_checks(checks, "two words")] == [True, False]


def test_hostile_texts_cost_little_time():
    nasty = [
        "*" * 90_000,
        "<<" * 45_000,
        "[" * 90_000,
        "a " * 45_000,
        "\n" * 90_000,
        "1." * 45_000,
        "`" * 90_000,
        "```\n" * 20_000,
        "." * 90_000,
        " ." * 45_000,
    ]
    started = time.process_time()
    for name in sorted(set(CHECKS) - {"language"}):
        args = next(case[1] for case in CASES if case[0] == name)
        for text in nasty:
            run_check(name, args, text)
    assert time.process_time() - started < 10
