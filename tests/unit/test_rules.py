"""Rules for written answers, with the edge cases of the scorers they follow."""

import pytest

from smolforge.errors import InputError
from smolforge.evals.grade import grade_text
from smolforge.evals.math_answers import final_answer, hendrycks, last_boxed, minerva
from smolforge.evals.rules import RULES, drop_words
from smolforge.evals.task import Item, item_from_plain, item_to_plain


def match(rule, wanted, answer):
    return RULES[rule](wanted, answer)


@pytest.mark.parametrize(
    ("rule", "wanted", "answer", "right"),
    [
        ("verbatim", "(A)", " (A) ", True),
        ("verbatim", "(A)", "(a)", False),
        ("verbatim", "(A)", "(A).", False),
        ("plain", ["The Beatles", "Beatles"], "the beatles!", True),
        ("plain", ["Beatles"], "The Beatles", False),
        ("plain", ["Jay-Z"], "jayz", True),
        ("plain", ["Paris"], "Paris, France", False),
        ("plain", [], "", False),
        ("plain_without_articles", ["The Beatles"], "Beatles", True),
        ("plain_without_articles", ["Catch the wind"], "catch wind", True),
        ("plain_without_articles", ["A"], "a", True),
        ("after_the_answer_is", "(B)", "A is wrong. So the answer is (B).", True),
        ("after_the_answer_is", "(B)", "So the answer is (B).\nQ: next", True),
        (
            "after_the_answer_is",
            "(B)",
            "So the answer is (B)",
            False,
        ),  # the last character goes, whatever it is
        ("after_the_answer_is", "(B)", "(B).", False),
        ("after_the_answer_is", "(B)", "the answer is ", False),
        ("after_hashes", "18", "It is 18.\n#### 18", True),
        ("after_hashes", "1,800", "#### 1800", True),
        ("after_hashes", "18", "#### 18 Later: #### 19", True),
        ("after_hashes", "19", "#### 18 Later: #### 19", False),
        ("after_hashes", "18", "The answer is 18", False),
        ("after_hashes", "18", "#### $18", False),
        ("after_hashes", "-3", "#### -3.", True),
        ("contains", ["12"], "It is 12.", True),
        ("contains", ["12", "34"], "It is 12.", False),
        ("contains", [], "anything", False),
        ("math_boxed", "\\frac{1}{2}", "so $\\boxed{\\dfrac12}$ it is", True),
        ("math_boxed", "2", "$\\boxed{1}$, no: $\\boxed{2}$", True),
        ("math_boxed", "2", "2", False),
        ("math_boxed", "2", "$\\boxed{2", False),
        ("math_final", "12", "Final Answer: The final answer is $12$. I hope it is correct.", True),
        ("math_final", "12", "The final answer is $12$.", False),
        (
            "math_final",
            "\\frac{1}{2}",
            "Final Answer: The final answer is $\\dfrac12$. I hope it is correct.",
            True,
        ),
        ("math_final", "2(x+1)", "Final Answer: The final answer is $2x+2$. I hope it is correct.", False),
    ],
)
def test_whole_answers(rule, wanted, answer, right):
    assert match(rule, wanted, answer) == (right, pytest.approx(match(rule, wanted, answer).credit))
    assert match(rule, wanted, answer).exact is right


@pytest.mark.parametrize(
    ("wanted", "answer", "exact", "credit"),
    [
        (["the cat sat"], "Cat sat!", True, 1.0),
        (["the cat sat down"], "a cat sat", False, 0.8),
        (["cat", "a dog"], "dog", True, 1.0),
        (["cat cat dog"], "cat", False, 0.5),
        (["cat"], "", False, 0.0),
        ([], "", True, 1.0),
        ([], "Unanswerable.", True, 1.0),
        ([], "a cat", False, 0.0),
        (["the"], "a", True, 1.0),  # nothing is left of the accepted answer: it counts as none
    ],
)
def test_squad(wanted, answer, exact, credit):
    assert match("squad", wanted, answer) == (exact, pytest.approx(credit))


def test_coqa_leaves_one_annotator_out_at_a_time():
    assert match("coqa", ["white"], "White\n\nmore") == (True, 1.0)
    # Right against two of the three folds: the one without "white" has only the other answers.
    assert match("coqa", ["white", "a pale cat", "pale"], "white") == (False, pytest.approx(2 / 3))
    assert match("coqa", ["white", "white"], "white") == (True, 1.0)


@pytest.mark.parametrize(
    ("wanted", "answer", "exact", "credit"),
    [
        ([["5"]], "5.0", True, 1.0),
        ([["5"]], "5 yards", False, 0.67),
        ([["5 yards"]], "6 yards", False, 0.0),  # numbers must agree before words count
        ([["5 yards"]], "5", False, 0.67),
        ([["the Bears"]], "Bears", True, 1.0),
        ([["Bears", "Lions"]], "Bears", False, 0.5),
        ([["Bears", "Lions"], ["Lions"]], "lions", True, 1.0),
        ([["twenty-one"]], "twenty one", True, 1.0),
        ([["1,000"]], "1000", True, 1.0),
        ([[""]], "", False, 0.0),
        ([], "x", False, 0.0),
        ([["12 March 1990"]], "March 12 1990", False, 1.0),
    ],
)
def test_drop(wanted, answer, exact, credit):
    assert match("drop", wanted, answer) == (exact, pytest.approx(credit))


def test_numbers_of_drop_become_decimals_and_words_lose_punctuation():
    assert drop_words("The 3 U.S. ships (two-masted)") == "3.0 us ships two masted"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("\\frac12", "\\frac{1}{2}"),
        ("\\tfrac{1}{2}", "\\frac{1}{2}"),
        ("\\frac1{72}", "\\frac{1}{72}"),
        ("1/2", "\\frac{1}{2}"),
        ("01/2", "01/2"),
        ("a/b", "a/b"),
        ("0.5", "\\frac{1}{2}"),
        (".5", "\\frac{1}{2}"),
        ("x = 5", "5"),
        ("abc=5", "abc=5"),
        ("\\sqrt2", "\\sqrt{2}"),
        ("10\\text{ cm}", "10"),
        ("10\\%", "10"),
        ("90^\\circ", "90"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})"),
        ("\\$4.50", "4.50"),
        ("", ""),
        ("\\frac", "\\frac"),
        ("\\sqrt", "\\sqrt"),
    ],
)
def test_the_math_papers_normal_form(text, form):
    assert hendrycks(text) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("x = 12 units", "12"),
        ("$\\frac12$ inches", "\\frac{1}{2}"),
        ("\\sqrt[3]8", "\\sqrt[3]{8}"),
        ("\\sqrt2", "\\sqrt{2}"),
        ("\\text{Even}", "Even"),
        ("100,000", "100000"),
        ("0,1", "0,1"),
        ("\\left(1,2\\right)", "\\left(1,2\\right)"),
        ("45^\\circ", "45"),
        ("a square", ""),
    ],
)
def test_minervas_normal_form(text, form):
    assert minerva(text) == form


def test_the_last_box_with_its_braces():
    assert last_boxed("\\boxed{1} and \\boxed{\\frac{1}{2}}.") == "\\frac{1}{2}"
    assert last_boxed("\\fbox{3}") == "3"
    assert last_boxed("it is $\\boxed 3$.") == "3"
    assert last_boxed("\\boxed{") is None and last_boxed("3") is None and last_boxed("\\boxed") is None


def test_the_final_answer_needs_the_whole_sentence():
    assert final_answer("Final Answer: The final answer is $3$. I hope it is correct. More") == "$3$"
    assert final_answer("The final answer is 3") is None


@pytest.mark.parametrize("hostile", ["{" * 100_000, "\\boxed{" * 20_000, "$" * 50_000, "\\frac" * 50_000])
def test_hostile_answers_end_quickly(hostile):
    for name in RULES:
        RULES[name]([["1"]] if name == "drop" else "1", hostile)


def test_an_item_names_its_rule():
    item = Item(id="1", skill="s", kind="exact", messages=[], answer="(A)", rule="verbatim")
    assert grade_text(item, "(A)").right
    assert "is not" in grade_text(item, "(B)").reason
    assert item_from_plain(item_to_plain(item), "here") == item
    with pytest.raises(InputError, match="no rule"):
        grade_text(Item(id="1", skill="s", kind="exact", messages=[], answer="A", rule="x"), "A")
