"""Intervals cover what they claim, agree with published values, and never hide a value."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from domain.statistics import detectable_drop, mean_interval, paired_difference, percentile

numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
samples = st.lists(numbers, min_size=2, max_size=40)
pairs = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=40)


def seeded(seed: int) -> random.Random:
    """The same draws in every run."""
    return random.Random(seed)


def test_student_interval_matches_a_textbook_value():
    """Nine values with mean 5 and standard deviation 2.7386 have the margin 2.306 * s / 3."""
    estimate = mean_interval([1, 2, 3, 4, 5, 6, 7, 8, 9])

    assert (estimate.count, estimate.mean) == (9, 5)
    assert estimate.low == pytest.approx(2.8949, abs=1e-4)
    assert estimate.high == pytest.approx(7.1051, abs=1e-4)


def test_wilson_interval_matches_a_published_value():
    """81 of 263 is the worked example of Newcombe (1998), method 3: 0.2553 to 0.3662."""
    estimate = mean_interval([1.0] * 81 + [0.0] * 182)

    assert estimate.low == pytest.approx(0.2553, abs=1e-4)
    assert estimate.high == pytest.approx(0.3662, abs=1e-4)


def test_agreeing_rows_still_leave_doubt():
    """Thirty right answers out of thirty do not prove that every answer is right."""
    estimate = mean_interval([1.0] * 30)

    assert (estimate.mean, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(0.8865, abs=1e-4)


def test_paired_proportions_match_a_published_value():
    """The example of R's statpsych::ci.prop.ps(.05, 12, 4, 26, 6): 0.2548 to 0.6252."""
    before = [0.0] * 12 + [1.0] * 4 + [0.0] * 26 + [1.0] * 6
    after = [0.0] * 12 + [0.0] * 4 + [1.0] * 26 + [1.0] * 6

    change = paired_difference(before, after)

    assert change.mean == pytest.approx(22 / 48)
    assert change.low == pytest.approx(0.2548067, abs=1e-6)
    assert change.high == pytest.approx(0.6251933, abs=1e-6)


def test_paired_difference_agrees_with_scipy():
    """Scores that are not 0 or 1 get the paired t interval."""
    before, after = [0.31, 0.52, 0.77, 0.40, 0.95], [0.25, 0.55, 0.60, 0.41, 0.80]
    expected = stats.ttest_rel(after, before).confidence_interval(0.95)

    change = paired_difference(before, after)

    assert change.mean == pytest.approx(-0.068)
    assert (change.low, change.high) == pytest.approx((expected.low, expected.high))


def test_unchanged_answers_still_leave_doubt():
    """Ten unchanged rows cannot rule out a small drop, three hundred rule out a smaller one."""
    few, many = (paired_difference([1.0] * n, [1.0] * n) for n in (10, 300))

    assert few.mean == many.mean == 0
    assert few.low == pytest.approx(-0.2309, abs=1e-4)
    assert many.low == pytest.approx(-0.0092, abs=1e-4)


def test_one_row_has_a_mean_and_no_interval():
    """A single row says nothing about the spread."""
    estimate, change = mean_interval([0.5]), paired_difference([0.5], [0.25])

    assert (estimate.count, estimate.mean, estimate.low, estimate.high) == (1, 0.5, None, None)
    assert (change.count, change.mean, change.low, change.high) == (1, -0.25, None, None)
    assert detectable_drop([0.5], [0.25]) is None


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("count", [20, 100])
def test_wilson_covers_close_to_95_percent(share, count):
    """Summed exactly over the binomial distribution, no simulation needed."""
    covered = 0.0
    for successes in range(count + 1):
        estimate = mean_interval([1.0] * successes + [0.0] * (count - successes))
        if estimate.low <= share <= estimate.high:
            covered += stats.binom.pmf(successes, count, share)

    assert 0.92 <= covered <= 0.99


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: rng.gauss(0.5, 0.2), 0.5),
        (lambda rng: rng.uniform(0, 1), 0.5),
        (lambda rng: rng.betavariate(2, 1), 2 / 3),
    ],
    ids=["normal", "uniform", "skewed"],
)
def test_student_covers_close_to_95_percent(draw: Callable[..., float], truth: float):
    """Of 2,000 samples of 30 rows about 95 % have an interval with the true mean inside."""
    rng = seeded(7)
    covered = 0
    for _ in range(2000):
        estimate = mean_interval([draw(rng) for _ in range(30)])
        covered += estimate.low <= truth <= estimate.high

    assert 0.935 <= covered / 2000 <= 0.965


@pytest.mark.parametrize(("worse", "better"), [(0.01, 0.0), (0.05, 0.05), (0.15, 0.03)])
def test_paired_proportions_cover_at_least_95_percent(worse, better):
    """Also where few rows change, the interval of the difference keeps its promise."""
    rng = seeded(11)
    covered = 0
    for _ in range(1000):
        draws = [rng.random() for _ in range(60)]
        before = [1.0 if draw < worse else 0.0 for draw in draws]
        after = [1.0 if worse <= draw < worse + better else 0.0 for draw in draws]
        change = paired_difference(before, after)
        covered += change.low <= better - worse <= change.high

    assert covered / 1000 >= 0.935


@pytest.mark.parametrize("count", [16, 60])
def test_a_detectable_drop_is_shown_four_times_out_of_five(count):
    """A true drop of the stated size leaves the interval below zero in about 80 % of samples."""
    rng = seeded(3)
    spread = 0.2
    # Alternating values whose sample standard deviation is exactly the spread.
    known = [(-1) ** n * spread * math.sqrt((count - 1) / count) for n in range(count)]
    drop = detectable_drop([0.0] * count, known)
    shown = 0
    for _ in range(1500):
        after = [rng.gauss(-drop, spread) for _ in range(count)]
        shown += paired_difference([0.0] * count, after).high < 0

    assert 0.76 <= shown / 1500 <= 0.84


def test_more_rows_show_smaller_drops():
    """Four times the rows halve the drop that can be seen, roughly."""
    before, after = [0.5, 0.7, 0.9, 0.4, 0.6] * 6, [0.4, 0.7, 1.0, 0.3, 0.7] * 6
    ratio = detectable_drop(before, after) / detectable_drop(before * 4, after * 4)

    assert 1.95 <= ratio <= 2.15


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "aggregate",
    [
        mean_interval,
        lambda values: percentile(values, 50),
        lambda values: paired_difference(values, [0.0, 0.0, 0.0]),
        lambda values: paired_difference([0.0, 0.0, 0.0], values),
        lambda values: detectable_drop([0.0, 0.0, 0.0], values),
    ],
)
def test_a_value_that_is_not_finite_is_an_error(aggregate, bad):
    """Never dropped, never averaged: the message names the position."""
    with pytest.raises(ValueError, match=r"at position 1 is not a finite number"):
        aggregate([0.5, bad, 0.5])


def test_no_values_is_an_error():
    """The mean of nothing is not zero."""
    with pytest.raises(ValueError, match="no values: an aggregate needs at least one"):
        mean_interval([])


def test_lists_of_different_length_cannot_be_paired():
    """A missing row must not shift the others."""
    with pytest.raises(ValueError, match="2 values before and 1 after cannot be paired"):
        paired_difference([0.5, 0.5], [0.5])


@pytest.mark.parametrize(("q", "expected"), [(5, 15), (30, 20), (40, 20), (50, 35), (95, 50), (100, 50), (0.001, 15)])
def test_percentile_is_nearest_rank(q, expected):
    """The textbook list 15, 20, 35, 40, 50: always a value that was seen."""
    assert percentile([50, 15, 40, 20, 35], q) == expected


def test_percentile_rank_does_not_suffer_from_binary_fractions():
    """99.9 % of 1000 values is rank 999, although 99.9 * 1000 / 100 is a hair more."""
    assert percentile([float(n) for n in range(1, 1001)], 99.9) == 999


@pytest.mark.parametrize("q", [0, -1, 100.5, math.nan])
def test_percentile_outside_its_range_is_refused(q):
    """There is no 0th percentile by nearest rank."""
    with pytest.raises(ValueError, match="is outside 0 < q <= 100"):
        percentile([1.0], q)


@given(samples)
def test_interval_contains_the_mean(values):
    """Whatever the values, low <= mean <= high."""
    estimate = mean_interval(values)

    assert estimate.low <= estimate.mean <= estimate.high


@given(samples, st.randoms(use_true_random=False))
def test_order_does_not_matter(values, rng):
    """Rows finish in any order; the numbers are the same to the last bit."""
    shuffled = rng.sample(values, len(values))

    assert mean_interval(shuffled) == mean_interval(values)


@given(pairs)
def test_swapping_before_and_after_mirrors_the_difference(rows):
    """A gain seen from the other side is a drop of the same size."""
    before, after = [row[0] for row in rows], [row[1] for row in rows]
    there, back = paired_difference(before, after), paired_difference(after, before)

    assert there.mean == pytest.approx(-back.mean)
    assert there.low == pytest.approx(-back.high)
    assert there.high == pytest.approx(-back.low)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=40))
def test_paired_proportions_stay_between_minus_one_and_one(rows):
    """Bounds of a difference of shares are respected, and the observed mean lies within them."""
    change = paired_difference([row[0] for row in rows], [row[1] for row in rows])

    assert -1 <= change.low <= change.mean <= change.high <= 1


@given(samples, st.floats(min_value=0.1, max_value=100))
def test_percentile_is_a_value_that_q_percent_do_not_exceed(values, q):
    """The definition itself, checked on any list."""
    found = percentile(values, q)

    assert found in values
    assert sum(value <= found for value in values) >= q * len(values) / 100 - 1e-6


def test_importing_statistics_does_not_import_scipy():
    """Webhooks must answer quickly: scipy costs half a second and is imported where a quantile is needed."""
    code = "import domain.statistics, sys; sys.exit('scipy' in sys.modules or 'numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
