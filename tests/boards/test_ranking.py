"""Ranks, their certainty, and ties."""

from __future__ import annotations

import numpy as np
import pytest

from iqbench.boards.ranking import tied_groups, ties, too_few
from iqbench.results.schema import ColumnInfo
from iqbench.stats.paired import holm, paired_test

HIGHER = ColumnInfo("higher")


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


def test_effects_are_negative_if_a_method_is_worse_in_any_direction():
    values = np.array([[0.1, 0.3], [0.2, 0.5], [0.1, 0.2]])
    assert ties(values, ColumnInfo("lower")).effects[1] == -1
    assert ties(1 - values, HIGHER).effects[1] == -1
    assert ties(values + 0.9, ColumnInfo("target:1")).effects[1] == -1


def test_a_method_that_wins_on_most_images_is_not_called_worse():
    """Its few large losses make its mean the lower one."""
    values = np.stack([np.full(20, 30.0), [30.5] * 18 + [10.0, 10.0]], axis=1)
    found = ties(values, HIGHER)
    assert found.p_values[1] < 0.05
    assert found.effects[1] > 0
    assert found.letters == ["a", "a"]


def test_infinite_values_of_both_are_equal_and_of_one_the_largest_difference():
    values = np.array([[np.inf, np.inf], [np.inf, 30.0], [31.0, 30.0], [30.0, 30.0]])
    assert ties(values, HIGHER).effects[1] == pytest.approx(-(4 + 3) / 10)


def test_groups_are_formed_around_the_best_of_what_is_left():
    p_values = np.array([[1, 0.01, 0.5, 0.01], [0, 1, 0, 0.2], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert tied_groups(4, lambda best, others: p_values[best, list(others)]) == ["a", "b", "a", "b"]


def test_letters_go_on_after_z():
    pairs = tied_groups(60, lambda best, others: np.array([1.0] + [0.0] * (len(others) - 1)))
    assert pairs[::2][:3] == ["a", "b", "c"]
    assert pairs[-8:] == ["aa", "aa", "ab", "ab", "ac", "ac", "ad", "ad"]


@pytest.mark.parametrize(("images", "methods"), [(5, 2), (6, 3), (8, 8)])
def test_with_too_few_images_all_methods_tie(images, methods):
    assert too_few(images, methods)
    values = np.arange(float(images))[:, np.newaxis] - 100 * np.arange(methods)
    assert set(ties(values, HIGHER).letters) == {"a"}
    more = np.arange(images + 1.0)[:, np.newaxis] - 100 * np.arange(methods)
    assert not too_few(images + 1, methods)
    assert ties(more, HIGHER).letters[0] == ""
