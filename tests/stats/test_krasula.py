"""Krasula's analysis: different against similar pairs, better against worse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from iqbench.stats.krasula import krasula


def test_krasula_counts_pairs_as_the_paper_does():
    opinion = np.array([1.0, 1.1, 3.0, 4.0])
    quality = np.array([10.0, 10.5, 12.0, 11.0])
    found = krasula(quality, opinion, np.full(4, 1.0), np.full(4, 4.0))
    # A pair is different if its opinions are more than 1.645 * sqrt(1/4 + 1/4) = 1.163 apart.
    assert (found.different, found.similar) == (4, 2)
    different, similar = [2.0, 1.0, 1.5, 0.5], [0.5, 1.0]
    u = stats.mannwhitneyu(different, similar).statistic
    assert found.different_similar == pytest.approx(u / 8)
    assert (found.better_worse, found.correct) == (1, 1)
    turned = krasula(-quality, opinion, np.full(4, 1.0), np.full(4, 4.0))
    assert (turned.better_worse, turned.correct) == (0, 0)
    assert turned.different_similar == found.different_similar


def test_krasula_better_from_worse_is_the_area_over_both_orders():
    generator = np.random.default_rng(0)
    opinion, noise = generator.normal(0, 1, (2, 30))
    quality = opinion + noise
    found = krasula(quality, opinion, np.full(30, 0.5), np.full(30, 10.0))
    i, j = np.triu_indices(30, 1)
    apart = np.abs(opinion[i] - opinion[j]) > stats.norm.ppf(0.95) * 0.5 * np.sqrt(2 / 10)
    right = (np.sign(opinion[i] - opinion[j]) * (quality[i] - quality[j]))[apart]
    u = stats.mannwhitneyu(right, -right).statistic
    assert found.better_worse == pytest.approx(u / len(right) ** 2)
    assert found.correct == pytest.approx((right > 0).mean())


def test_krasula_influences_are_those_of_leaving_an_image_out():
    generator = np.random.default_rng(1)
    opinion, noise = generator.normal(0, 1, (2, 60))
    arrays = (opinion + noise, opinion, np.full(60, 0.6), np.full(60, 5.0))
    whole = krasula(*arrays)
    values = np.array([whole.different_similar, whole.better_worse, whole.correct])
    for image in range(5):
        left = krasula(*(np.delete(part, image) for part in arrays))
        change = values - [left.different_similar, left.better_worse, left.correct]
        np.testing.assert_allclose(whole.influence[image], change, atol=2e-3)


def test_krasula_without_different_or_similar_pairs_is_undefined():
    same = krasula(np.arange(4.0), np.ones(4), np.ones(4), np.ones(4))
    assert np.isnan([same.different_similar, same.better_worse, same.correct]).all()
    apart = krasula(np.arange(4.0), np.arange(4.0) * 100, np.ones(4), np.ones(4))
    assert np.isnan(apart.different_similar)
    assert apart.correct == 1


@pytest.mark.filterwarnings("error")
def test_krasula_takes_infinite_values_as_the_largest():
    opinion = np.array([1.0, 2.0, 3.0, 3.0])
    found = krasula(np.array([1.0, 2.0, np.inf, np.inf]), opinion, np.full(4, 0.1), np.full(4, 9.0))
    large = krasula(np.array([1.0, 2.0, 99.0, 99.0]), opinion, np.full(4, 0.1), np.full(4, 9.0))
    assert (found.correct, found.better_worse) == (large.correct, large.better_worse) == (1, 1)
    assert found.different_similar == large.different_similar
