"""Average ranks against the worked example of Demšar (2006) and against scikit-posthocs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from iqbench.boards.critical import critical_difference
from iqbench.errors import IqbenchError

# Ranks of four variants of a classifier on 14 datasets: table 6 of the paper.
DEMSAR = pd.DataFrame(
    [
        *([4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1]),
        *([1, 2.5, 4, 2.5], [3, 2, 4, 1], [2.5, 2.5, 4, 1], [4, 3, 2, 1], [2.5, 2.5, 2.5, 2.5]),
        *([4, 2.5, 1, 2.5], [3, 2, 4, 1], [4, 1, 2, 3], [3, 1, 4, 2]),
    ],
    columns=["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"],
)


def test_the_published_average_ranks_and_critical_differences():
    found = critical_difference(DEMSAR)
    assert found.average.round(3).to_dict() == {
        "C4.5+m+cf": 1.964,
        "C4.5+m": 2.0,
        "C4.5+cf": 2.893,
        "C4.5": 3.143,
    }
    assert found.difference == pytest.approx(1.25, abs=0.005)
    assert critical_difference(DEMSAR, alpha=0.1).difference == pytest.approx(1.12, abs=0.005)


def test_friedmans_test_is_the_published_one_corrected_for_ties():
    assert critical_difference(DEMSAR).statistic == pytest.approx(10.2283, abs=1e-4)
    assert stats.chi2.sf(9.28, 3) == pytest.approx(0.0258, abs=1e-4)  # as published, uncorrected
    assert critical_difference(DEMSAR).p_value == pytest.approx(0.0167, abs=1e-4)


def test_pairs_are_those_of_scikit_posthocs():
    ours = critical_difference(DEMSAR).p_values.loc[DEMSAR.columns, DEMSAR.columns]
    theirs = scikit_posthocs.posthoc_nemenyi_friedman(DEMSAR.to_numpy())
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_pairs_differ_from_the_critical_difference_on():
    found = critical_difference(DEMSAR, alpha=0.1)
    apart = np.abs(np.subtract.outer(*[found.average.to_numpy()] * 2)) >= found.difference
    np.testing.assert_array_equal(found.p_values <= 0.1, apart)
    assert apart.sum() == 4  # C4.5 against both with m


@pytest.mark.parametrize("ranks", [[1.0, 2.0, 3.0, 4.0], [2.5, 2.5, 2.5, 2.5]])
def test_where_friedman_finds_nothing_no_pair_differs(ranks):
    turned = pd.DataFrame([np.roll(ranks, turn) for turn in range(8)], columns=[*"abcd"])
    found = critical_difference(turned)
    assert found.p_value == 1
    assert (found.p_values == 1).all(axis=None)


@pytest.mark.parametrize("shape", [(4, 5), (9, 2), (0, 0)])
def test_too_few_are_refused_with_their_number(shape):
    with pytest.raises(IqbenchError, match=rf"there are {shape[0]} and {shape[1]}\."):
        critical_difference(pd.DataFrame(np.ones(shape)))
