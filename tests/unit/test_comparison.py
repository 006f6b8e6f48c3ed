"""Several models laid side by side: the same one is noise, a planted difference is found, and every form says the same."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from smolforge.errors import ConfigError, InputError
from smolforge.evals.comparison import ARC_PARTS, MEAN, Comparison, lay_side_by_side, mean_of
from smolforge.evals.measured import Measured
from smolforge.evals.published import ARC, PEERS, PUBLISHED, references
from smolforge.evals.stats import Interval, share_interval
from smolforge.report import comparison
from smolforge.report.pages import template_source

TASKS = ("arc_challenge", "arc_easy", "hellaswag")
ITEMS = 1000


def answers(share: float, seed: int, gained: float = 0.0) -> Measured:
    """Right at random; a model that gained answers all that the other does, and some more."""
    draw, more = Random(seed), Random(seed + 1)
    right = {}
    for task in TASKS:
        for n in range(ITEMS):
            known = draw.random() < share
            right[(task, f"{task}-{n}")] = known or more.random() < gained / (1 - share)
    return Measured(right, {})


def laid(**models: Measured) -> Comparison:
    return lay_side_by_side(
        list(models.items()), ["chat"] * len(models), dict.fromkeys(TASKS, 0.25), ["smollm2-1.7b"]
    )


def test_a_model_beside_itself_is_noise() -> None:
    one = answers(0.4, 1)
    found = laid(a=one, b=one)
    assert {row.verdict(1) for row in found.rows} == {"inside the noise"}
    assert (found.shown, found.compared) == (0, len(TASKS))


def test_models_of_equal_worth_differ_by_chance_alone() -> None:
    differing = [laid(a=answers(0.4, 10 * n), b=answers(0.4, 10 * n + 5)).shown for n in range(40)]
    assert sum(differing) / (40 * len(TASKS)) < 0.12  # one in twenty, give or take


def test_five_points_over_a_thousand_items_are_found() -> None:
    found = laid(a=answers(0.4, 1), b=answers(0.4, 1, gained=0.05))
    for row in found.rows:
        assert row.verdict(1) == "better", row
        assert row.changes[1].low < 0.05 < row.changes[1].high
    assert {row.verdict(1) for row in laid(b=answers(0.4, 1, gained=0.05), a=answers(0.4, 1)).rows} == {
        "worse"
    }


def test_a_skill_of_credits_is_compared_by_their_means() -> None:
    """Nobody is ever wholly right here, yet one model is better by five points in every item."""
    keys = [("open_rewrite", str(n)) for n in range(60)]
    wrong = dict.fromkeys(keys, False)
    credits = [{key: 0.3 + gained + n / 1000 for n, key in enumerate(keys)} for gained in (0.0, 0.05)]
    models = [(name, Measured(wrong, {}, credit)) for name, credit in zip("ab", credits, strict=True)]
    [row] = lay_side_by_side(models, ["chat"] * 2, {"open_rewrite": 0.0}, ["smollm2-1.7b-instruct"]).rows
    assert row.scores[1].value == pytest.approx(0.3795) and row.verdict(1) == "better"
    assert row.changes[1].value == pytest.approx(0.05) and row.published == [44.9]


def test_arc_is_the_mean_of_its_halves_and_stands_beside_the_published_one() -> None:
    found = laid(a=answers(0.4, 1))
    by_task = {row.task: row for row in found.rows}
    assert [row.task for row in found.rows] == ["arc_challenge", "arc_easy", ARC, "hellaswag", MEAN]
    halves = [by_task[part].scores[0].value for part in ARC_PARTS]
    assert by_task[ARC].scores[0].value == pytest.approx(sum(halves) / 2)
    assert by_task[ARC].published == [60.5]
    assert by_task["hellaswag"].published == [68.7]


def test_a_mean_is_as_narrow_as_all_items_together() -> None:
    """Equal tasks: their mean's interval is that of one task with all the items."""
    parts = [share_interval(400, 1000)] * 4
    together, mean = share_interval(1600, 4000), mean_of(parts)
    assert (mean.low, mean.high) == pytest.approx((together.low, together.high), abs=5e-4)
    assert mean_of([Interval(0.1, 0.1, 0.1)] * 2) == Interval(0.1, 0.1, 0.1)


def test_other_items_are_refused() -> None:
    fewer = Measured(dict(list(answers(0.4, 1).right.items())[1:]), {})
    with pytest.raises(InputError, match="did not answer the same items"):
        laid(a=answers(0.4, 1), b=fewer)


def test_whose_published_scores_stand_beside() -> None:
    assert references(["mine", "smollm2-135m"], None, in_chat=False) == ["smollm2-135m", *PEERS]
    assert references(["mine"], None, in_chat=True) == [f"{peer}-instruct" for peer in PEERS]
    assert references(["mine"], [], in_chat=True) == []
    with pytest.raises(ConfigError, match="smollm2-135m"):
        references([], ["smolm2-135m"], in_chat=True)
    assert all(0 < score < 100 for scores in PUBLISHED.values() for score in scores.values())


def test_every_form_says_the_same(tmp_path: Path) -> None:
    found = laid(**{"a|b": answers(0.4, 1), "<script>": answers(0.4, 1, gained=0.05)})
    text = comparison.as_text(found)
    change = comparison.points(found.rows[0].changes[1])
    assert change in text and "better" in text and "60.5" in text
    assert "3 of 3 differences of single tasks are more than noise" in text
    markdown = comparison.as_markdown(found)
    assert change in markdown and "a\\|b" in markdown
    page = comparison.as_page(found)
    assert change in page and "<script>" not in page and "&lt;script&gt;" in page
    plain = json.loads(comparison.as_json(found))
    assert plain["tasks"][0]["changes"][1]["verdict"] == "better"
    assert plain["published"] == ["smollm2-1.7b"]
    for ending, told in ((".md", markdown), (".html", page), (".json", comparison.as_json(found))):
        comparison.write(found, tmp_path / f"table{ending}")
        assert (tmp_path / f"table{ending}").read_text("utf-8") == told
    with pytest.raises(ConfigError, match="says nothing of its form"):
        comparison.write(found, tmp_path / "table.txt")


def test_one_model_and_no_reference_is_a_table_too() -> None:
    found = lay_side_by_side([("a", answers(0.4, 1))], ["text"], dict.fromkeys(TASKS, 0.25), [])
    text = comparison.as_text(found)
    assert "difference" not in text and "ublished" not in text
    assert "hellaswag" in comparison.as_page(found)


def test_published_scores_stand_where_the_terminal_has_room_and_are_named_where_not() -> None:
    models = [("mine", answers(0.4, 1))]
    found = lay_side_by_side(models, ["text"], dict.fromkeys(TASKS, 0.25), list(PEERS))
    wide, narrow = comparison.as_text(found), comparison.as_text(found, 80)
    assert all(f"{peer}, published" in wide for peer in PEERS)
    assert f"{PEERS[0]}, published" in narrow and f"{PEERS[-1]}, published" not in narrow
    assert "No room here" in narrow and PEERS[-1] in narrow and "No room here" not in wide
    table = narrow.partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 80


def test_both_pages_have_the_same_head() -> None:
    page = comparison.as_page(laid(a=answers(0.4, 1)))
    assert template_source("head.html") in page and "default-src 'none'" in page
