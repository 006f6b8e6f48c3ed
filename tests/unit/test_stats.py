"""Intervals against published and hand-computed values, and against simulated truth."""

import math
import random

import pytest

from smolforge.errors import InputError
from smolforge.evals import stats


@pytest.mark.parametrize(
    ("passed", "items", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (score, no continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_matches_newcombes_table(passed, items, low, high):
    interval = stats.share_interval(passed, items)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    mirrored = stats.share_interval(items - passed, items)
    assert math.isclose(1 - mirrored.high, interval.low, abs_tol=1e-12)


def test_wilson_matches_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for passed, items in ((0, 5), (3, 7), (50, 100), (100, 100)):
        ours = stats.share_interval(passed, items)
        theirs = proportion.proportion_confint(passed, items, method="wilson")
        assert (ours.low, ours.high) == pytest.approx(theirs, abs=1e-12)


def test_mean_interval_by_hand():
    interval = stats.mean_interval([1.0, 2.0, 3.0, 4.0])  # s = 1.29099, standard error 0.645497
    assert interval.value == 2.5
    assert interval.high - 2.5 == pytest.approx(3.182446 * 0.645497, abs=1e-5)  # t of 3 degrees, any table


def test_ratio_interval_by_hand():
    # bits 10, 30; bytes 10, 20: ratio 4/3; residuals -10/3 and 10/3, variance 22.222, mean bytes 15.
    interval = stats.ratio_interval([10.0, 30.0], [10.0, 20.0])
    assert interval.value == pytest.approx(4 / 3)
    assert interval.high - interval.value == pytest.approx(12.7062 * math.sqrt(200 / 9 / 2) / 15, rel=1e-5)


@pytest.mark.parametrize("documents", [2, 3, 7, 40])
def test_ratio_interval_covers_the_truth_about_95_times_in_100(documents):
    """Two documents as well as forty; with the normal distribution's quantiles it was 65 times for two."""
    generator = random.Random(0)
    covered = 0
    for _ in range(1500):
        sizes = [generator.uniform(300, 500) for _ in range(documents)]
        bits = [size * (2 + generator.gauss(0, 0.4)) for size in sizes]
        covered += not stats.ratio_interval(bits, sizes).excludes(2.0)
    assert 0.93 <= covered / 1500 <= 0.97


def test_one_value_alone_excludes_nothing():
    assert not stats.mean_interval([3.0]).excludes(-1e9)
    assert not stats.paired_ratio_difference([10.0], [8.0], [5.0]).excludes(0.0)


def test_paired_difference_of_shares_by_hand():
    # 10 items: 4 gained, 1 lost. up = 5/12, down = 2/12.
    before = [False] * 4 + [True] + [True] * 5
    after = [True] * 4 + [False] + [True] * 5
    interval = stats.paired_share_difference(before, after)
    half = 1.959964 * math.sqrt((7 / 12 - (3 / 12) ** 2) / 12)
    assert interval.value == pytest.approx(0.3)
    assert (interval.low, interval.high) == pytest.approx((0.25 - half, 0.25 + half), abs=1e-6)


def test_pairing_tells_more_than_two_separate_intervals():
    before = [i % 2 == 0 for i in range(100)]
    after = [b or i % 14 == 1 for i, b in enumerate(before)]  # the same answers, eight more right
    assert stats.paired_share_difference(before, after).low > 0
    assert not stats.share_interval(sum(after), 100).excludes(sum(before) / 100)


def test_equal_answers_still_have_a_width():
    interval = stats.paired_share_difference([True] * 5, [True] * 5)
    assert interval.low < 0 < interval.high


def test_paired_ratio_difference_is_the_difference_of_ratios():
    interval = stats.paired_ratio_difference([10.0, 20.0], [8.0, 19.0], [5.0, 10.0])
    assert interval.value == pytest.approx(27 / 15 - 30 / 15)


def test_nothing_and_unequal_items_are_errors():
    with pytest.raises(InputError):
        stats.share_interval(0, 0)
    with pytest.raises(InputError):
        stats.mean_interval([])
    with pytest.raises(InputError):
        stats.paired_share_difference([True], [True, False])
    with pytest.raises(InputError):
        stats.ratio_interval([1.0], [0.0])
