"""Resamples are the same for all columns, and intervals have their stated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from iqbench.stats import bootstrap
from iqbench.stats.bootstrap import (
    bootstrap_counts,
    bootstrap_indices,
    bootstrap_means,
    mean_interval,
    percentile_interval,
)

VALUES = np.random.default_rng(5).normal(30, 2, (40, 3))


def test_each_resample_draws_as_many_images_as_there_are():
    drawn = bootstrap_indices(7, resamples=500)
    assert drawn.shape == (500, 7)
    assert set(drawn.ravel()) == set(range(7))


def test_equal_seeds_give_equal_draws_and_others_do_not():
    assert np.array_equal(bootstrap_indices(9, 20, seed=3), bootstrap_indices(9, 20, seed=3))
    assert not np.array_equal(bootstrap_indices(9, 20, seed=3), bootstrap_indices(9, 20, seed=4))


@pytest.mark.parametrize("block", [1, 35, 100, 10**6])
def test_the_drawings_do_not_depend_on_how_many_are_in_memory(monkeypatch, block):
    whole = bootstrap_indices(7, 31)
    monkeypatch.setattr(bootstrap, "_BLOCK", block)
    assert np.array_equal(bootstrap_indices(7, 31), whole)
    counted = np.concatenate(list(bootstrap_counts(7, 31)))
    assert np.array_equal(counted, [np.bincount(row, minlength=7) for row in whole])


def test_means_are_those_of_the_drawn_images():
    means = bootstrap_means(VALUES, resamples=50)
    direct = VALUES[bootstrap_indices(40, 50)].mean(axis=1)
    np.testing.assert_allclose(means, direct, rtol=1e-13)


def test_a_missing_value_is_left_out_wherever_its_image_is_drawn():
    values = VALUES.copy()
    values[::3, 1] = np.nan
    means = bootstrap_means(values, resamples=50)
    direct = np.nanmean(values[bootstrap_indices(40, 50)], axis=1)
    np.testing.assert_allclose(means, direct, rtol=1e-13)


def test_a_resample_without_any_value_has_no_mean():
    means = bootstrap_means([1.0, np.nan], resamples=100)
    assert set(means[~np.isnan(means)]) == {1.0}
    assert np.array_equal(np.isnan(means), (bootstrap_indices(2, 100) == 1).all(axis=1))


def test_infinite_values_are_left_out_as_missing_ones_are():
    means = bootstrap_means([1.0, 2.0, np.inf, -np.inf], resamples=200)
    missing = bootstrap_means([1.0, 2.0, np.nan, np.nan], resamples=200)
    np.testing.assert_array_equal(means, missing)


def test_an_interval_is_the_same_alone_and_beside_others():
    low, high = mean_interval(VALUES)
    assert low.shape == high.shape == (3,)
    for column in range(3):
        alone = mean_interval(VALUES[:, column])
        np.testing.assert_allclose(alone, (low[column], high[column]), rtol=1e-13)


def test_an_interval_is_near_that_of_scipy():
    low, high = mean_interval(VALUES[:, 0])
    theirs = stats.bootstrap(
        (VALUES[:, 0],), np.mean, n_resamples=20_000, method="percentile", random_state=1
    ).confidence_interval
    assert (low, high) == (
        pytest.approx(theirs.low, abs=0.06),
        pytest.approx(theirs.high, abs=0.06),
    )


def test_a_constant_column_has_an_interval_without_width():
    low, high = mean_interval(np.full(11, 0.1))
    assert low == high == 0.1


@pytest.mark.parametrize("values", [[], [3.0], [3.0, np.nan], [np.nan, np.nan], [3.0, np.inf]])
def test_fewer_than_two_values_have_no_interval(values):
    low, high = mean_interval(values)
    assert np.isnan(low)
    assert np.isnan(high)


def test_one_infinite_value_of_many_does_not_open_the_interval():
    low, high = mean_interval([*range(30), np.inf])
    assert 8 < low < 14.5 < high < 21


def test_both_tails_are_cut_off_equally():
    assert percentile_interval(np.arange(2000.0)[::-1]) == (50.0, 1949.0)
    assert percentile_interval(np.arange(100.0), 0.9) == (5.0, 94.0)
    assert percentile_interval([3.0]) == (3.0, 3.0)


def test_values_that_are_undefined_are_in_neither_tail():
    low, high = percentile_interval([[np.nan, np.nan], [1.0, np.nan], [2.0, np.nan]])
    assert (low[0], high[0]) == (1.0, 2.0)
    assert np.isnan([low[1], high[1]]).all()


def test_an_interval_holds_the_true_mean_as_often_as_it_says():
    # A skewed population; a percentile interval of 60 images is known to fall a little short.
    samples = np.random.default_rng(11).gamma(4.0, 0.25, (60, 2000))
    low, high = mean_interval(samples, resamples=1000)
    assert 0.925 < np.mean((low <= 1.0) & (high >= 1.0)) < 0.96
