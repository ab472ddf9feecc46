"""Ranks, how certain they are, and who ties with whom."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from iqbench.analysis.bootstrap import bootstrap_means
from iqbench.analysis.paired import holm, paired_test
from iqbench.analysis.ranking import competition_ranks, rank_interval, tied_groups, ties, too_few
from iqbench.results.schema import ColumnInfo

HIGHER = ColumnInfo("higher")


def test_ranks_are_scipys_with_ties_sharing_the_best():
    distance = np.random.default_rng(1).integers(0, 5, (50, 7)).astype(float)
    expected = stats.rankdata(distance, method="min", axis=1)
    np.testing.assert_array_equal(competition_ranks(distance), expected)


def test_what_has_no_value_has_no_rank_and_takes_none():
    ranks = competition_ranks(np.array([np.nan, 2.0, 1.0, np.inf]))
    np.testing.assert_array_equal(ranks, [np.nan, 2, 1, 3])


def test_a_rank_interval_holds_the_true_rank_at_least_as_often_as_it_says():
    generator = np.random.default_rng(12)
    true = np.array([31.0, 30.6, 30.3, 29.0])
    held = []
    for _ in range(200):
        values = generator.normal(0, 3, (60, 1)) + generator.normal(true, 1, (60, 4))
        low, high = rank_interval(bootstrap_means(values, resamples=400), HIGHER)
        held.append((low <= [1, 2, 3, 4]) & (high >= [1, 2, 3, 4]))
    assert (np.mean(held, axis=0) > 0.93).all()


def test_ties_are_those_of_wilcoxon_and_holm():
    generator = np.random.default_rng(6)
    base = generator.normal(30, 3, 40)
    values = np.stack(
        [base + shift + generator.normal(0, 1, 40) for shift in (1.0, 0.9, 0.2, 0.0, -2)], axis=1
    )
    values = values[:, np.argsort(-values.mean(axis=0))]
    found = ties(values, HIGHER)
    first = [paired_test(values[:, other] - values[:, 0]) for other in range(1, 5)]
    np.testing.assert_allclose(found.p_values[1:], holm([test.p_value for test in first]))
    np.testing.assert_allclose(found.effects[1:], [test.effect for test in first])
    assert np.isnan([found.p_values[0], found.effects[0]]).all()
    assert found.letters == ["a", "a", "b", "b", ""]


def test_effects_are_negative_where_a_method_is_worse_whatever_the_direction():
    values = np.array([[0.1, 0.3], [0.2, 0.5], [0.1, 0.2]])
    assert ties(values, ColumnInfo("lower")).effects[1] == -1
    assert ties(1 - values, HIGHER).effects[1] == -1
    assert ties(values + 0.9, ColumnInfo("target:1")).effects[1] == -1


def test_groups_are_formed_around_the_best_of_what_is_left():
    p_values = np.array([[1, 0.01, 0.5, 0.01], [0, 1, 0, 0.2], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert tied_groups(4, lambda best, others: p_values[best, list(others)]) == ["a", "b", "a", "b"]


def test_letters_go_on_after_z():
    pairs = tied_groups(60, lambda best, others: np.array([1.0] + [0.0] * (len(others) - 1)))
    assert pairs[::2][:3] == ["a", "b", "c"]
    assert pairs[-8:] == ["aa", "aa", "ab", "ab", "ac", "ac", "ad", "ad"]


@pytest.mark.parametrize(("images", "methods"), [(5, 2), (6, 3), (8, 8)])
def test_too_few_images_tie_whatever_they_are(images, methods):
    assert too_few(images, methods)
    values = np.arange(float(images))[:, np.newaxis] - 100 * np.arange(methods)
    assert set(ties(values, HIGHER).letters) == {"a"}
    more = np.arange(images + 1.0)[:, np.newaxis] - 100 * np.arange(methods)
    assert not too_few(images + 1, methods)
    assert ties(more, HIGHER).letters[0] == ""
