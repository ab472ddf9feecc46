"""Paired tests against scipy, against all assignments of signs, and against a published example."""

from __future__ import annotations

from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iqbench.stats import paired
from iqbench.stats.paired import (
    Paired,
    differences,
    holm,
    paired_test,
    paired_tests,
    smallest_p,
)

# Wilcoxon's own example (Biometrics Bulletin 1, 1945, table 2; Darwin's maize plants, in eighths of
# an inch): the negative ranks sum to 24.
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
ALTERNATIVES = ["two-sided", "less", "greater"]


def test_a_published_example():
    outcome = paired_test(MAIZE)
    assert outcome.n == 15
    assert outcome.mean == pytest.approx(314 / 15)
    assert outcome.p_value == pytest.approx(0.04126, abs=1e-5)
    assert outcome.effect == pytest.approx((96 - 24) / 120)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("n", [1, 2, 5, 12, 50])
def test_p_is_scipys_exact_one_without_ties(n, alternative):
    values = np.random.default_rng(n).normal(0.2, 1, n)
    theirs = stats.wilcoxon(values, method="exact", alternative=alternative)
    assert paired_test(values, alternative).p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_p_is_scipys_approximate_one_where_more_than_fifty_pairs_differ(alternative):
    values = np.round(np.random.default_rng(4).normal(0.1, 1, 60), 1)
    assert 51 <= np.count_nonzero(values) < 60
    theirs = stats.wilcoxon(values, zero_method="pratt", alternative=alternative)
    assert paired_test(values, alternative).p_value == pytest.approx(theirs.pvalue, rel=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_the_exact_and_the_approximate_p_meet(monkeypatch, alternative):
    values = np.random.default_rng(8).normal(0.3, 1, 50).round(1)
    exact = paired_test(values, alternative).p_value
    monkeypatch.setattr(paired, "_EXACT", 0)
    assert paired_test(values, alternative).p_value == pytest.approx(exact, abs=0.005)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=8),
    st.sampled_from([0, 1, 5, 40, 1000]),
    st.sampled_from(ALTERNATIVES),
)
def test_ties_and_zeros_are_counted_over_all_assignments_of_signs(values, zeros, alternative):
    found = np.array([*values, *[0] * zeros], dtype=float)
    ranks = stats.rankdata(np.abs(found))[found != 0]
    observed = ranks[found[found != 0] > 0].sum()
    sums = np.array([ranks[np.array(s, bool)].sum() for s in product([0, 1], repeat=len(ranks))])
    less, greater = np.mean(sums <= observed), np.mean(sums >= observed)
    expected = {"less": less, "greater": greater, "two-sided": min(1, 2 * min(less, greater))}
    assert paired_test(found, alternative).p_value == pytest.approx(expected[alternative])


@pytest.mark.parametrize("equal", [0, 95, 100_000])
def test_few_pairs_that_differ_are_few_among_however_many(equal):
    """Five of one sign: 2 of 32 assignments. The normal approximation would have p = 0.025."""
    assert paired_test([1.0, 2.0, 3.0, 4.0, 5.0, *[0.0] * equal]).p_value == 2 / 32


def test_p_holds_its_rate_where_nothing_is_different():
    noise = np.random.default_rng(2).normal(0, 1, (2000, 20))
    alarms = np.mean([paired_test(row).p_value <= 0.05 for row in noise])
    assert alarms == pytest.approx(0.05, abs=0.012)


def test_zeros_weaken_the_effect():
    assert paired_test([1.0, 2.0]).effect == 1
    assert paired_test([1.0, 2.0, 0.0, 0.0]).effect == pytest.approx(7 / 10)
    assert paired_test([-1.0, -1.0]).effect == -1


@pytest.mark.parametrize("values", [[0.0], [0.0] * 60])
def test_equal_values_everywhere_show_nothing(values):
    assert paired_test(values) == Paired(len(values), 0.0, 1.0, 0.0)


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_no_pairs_show_nothing(values):
    outcome = paired_test(values)
    assert (outcome.n, outcome.p_value, outcome.effect) == (0, 1.0, 0.0)
    assert np.isnan(outcome.mean)


def test_undefined_differences_are_left_out():
    assert paired_test([1.0, np.nan, 3.0]) == paired_test([1.0, 3.0])


@pytest.mark.parametrize("n", [3, 60])
def test_an_infinite_difference_ranks_highest(n):
    finite = [*np.linspace(-1, 1.5, n)]
    outcome = paired_test([*finite, np.inf])
    assert outcome.mean == pytest.approx(0.25)  # of the finite ones
    assert outcome.p_value == paired_test([*finite, 1e9]).p_value
    assert paired_test([np.inf, np.inf]).mean == np.inf
    assert np.isnan(paired_test([np.inf, -np.inf]).mean)


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
@pytest.mark.parametrize("n", [0, 1, 5, 20])
def test_the_smallest_p_is_that_of_differences_on_one_side(n, alternative):
    assert paired_test(np.arange(1.0, n + 1), alternative).p_value == smallest_p(n, alternative)


def test_differences_of_equal_infinities_are_zero():
    found = differences([1.0, np.inf, np.inf, np.nan, 0.3], [3.0, np.inf, 2.0, 1.0, np.nan])
    np.testing.assert_array_equal(found, [-2.0, 0.0, np.inf, np.nan, np.nan])


def test_holm_on_worked_numbers():
    # Sorted .005 .01 .03 .04, times 4 3 2 1, each no less than the one before.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_shape_leaves_out_what_was_not_tested_and_stays_below_one():
    np.testing.assert_allclose(holm([[0.6, np.nan], [0.02, 0.9]]), [[1.0, np.nan], [0.06, 1.0]])
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_no_correction_and_bonferronis(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(1, np.array(p_values) * len(p_values)) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()


@given(
    st.lists(
        st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, np.inf, np.nan]), min_size=4, max_size=4),
        max_size=12,
    ),
    st.sampled_from(ALTERNATIVES),
)
def test_tests_side_by_side_are_those_of_each_alone(rows, alternative):
    columns = np.array(rows, np.float64).reshape(len(rows), 4)
    together = paired_tests(columns, alternative)
    for column, outcome in zip(columns.T, together, strict=True):
        known = column[~np.isnan(column)]
        np.testing.assert_equal(astuple(outcome), astuple(paired_test(known, alternative)))
        assert outcome.n == len(known)
