"""Pearson, Spearman and Kendall equal scipy's, and intervals have their stated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from iqbench.stats.coefficients import COEFFICIENTS, associate
from iqbench.stats.influence import Bootstrap, intervals, two_sided

SCIPY = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}
TRUE = {
    "pearson": lambda rho: rho,
    "spearman": lambda rho: 6 / np.pi * np.arcsin(rho / 2),
    "kendall": lambda rho: 2 / np.pi * np.arcsin(rho),
}


def one(x, y, coefficient, clusters=None):
    clusters = np.arange(len(x)) if clusters is None else clusters
    values = np.stack([np.asarray(x, float), np.asarray(y, float)], axis=1)
    return associate(values, clusters, int(clusters.max()) + 1, coefficient)


def normal(generator, n, rho):
    x = generator.standard_normal(n)
    return x, rho * x + np.sqrt(1 - rho**2) * generator.standard_normal(n)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@pytest.mark.parametrize("n", [3, 50, 2500], ids=["three", "signs", "sorted"])
@pytest.mark.parametrize("decimals", [12, 0], ids=["distinct", "tied"])
def test_values_are_those_of_scipy(coefficient, n, decimals):
    x, y = (part.round(decimals) for part in normal(np.random.default_rng(n), n, 0.6))
    found = one(x, y, coefficient)
    assert found.value[0] == pytest.approx(SCIPY[coefficient](x, y)[0], abs=1e-12)
    assert found.n[0] == n


@settings(max_examples=60)
@given(arrays(np.float64, (12, 2), elements=st.integers(-3, 3).map(float)))
def test_values_equal_scipys_with_any_ties(values):
    for coefficient in COEFFICIENTS:
        found = associate(values, np.arange(12), 12, coefficient).value[0]
        if np.ptp(values, axis=0).min() == 0:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(SCIPY[coefficient](*values.T)[0], abs=1e-12)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_all_pairs_of_columns_at_once_are_those_one_by_one(coefficient):
    values = np.random.default_rng(0).standard_normal((40, 5))
    values[3, 1] = values[[5, 8], 4] = np.nan
    clusters = np.arange(40) // 4
    whole = associate(values, clusters, 10, coefficient)
    for k, (a, b) in enumerate(zip(whole.first, whole.second, strict=True)):
        pair = associate(values[:, [a, b]], clusters, 10, coefficient)
        assert whole.value[k] == pytest.approx(pair.value[0], abs=1e-14)
        assert whole.n[k] == pair.n[0]
        np.testing.assert_allclose(whole.influence[:, k], pair.influence[:, 0], atol=1e-12)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@pytest.mark.parametrize("n", [200, 2500], ids=["signs", "quantiles"])
def test_influences_are_those_of_leaving_an_image_out(coefficient, n):
    x, y = (part.round(1) for part in normal(np.random.default_rng(7), n, 0.7))
    influence = one(x, y, coefficient).influence[:50, 0]
    whole = SCIPY[coefficient](x, y)[0]
    left = [whole - SCIPY[coefficient](np.delete(x, i), np.delete(y, i))[0] for i in range(50)]
    np.testing.assert_allclose(influence, left, rtol=0.05, atol=0.06 * np.std(left))


def test_infinite_values_have_ranks_but_no_distance():
    x, y = [1.0, 2.0, 3.0, np.inf, np.inf], [1.0, 2.0, 4.0, 5.0, 6.0]
    assert one(x, y, "pearson").n[0] == 3
    assert one(x, y, "spearman").n[0] == 5
    assert one(x, y, "kendall").value[0] == pytest.approx(stats.kendalltau([1, 2, 3, 4, 4], y)[0])


def test_missing_values_leave_their_row_out():
    x, y = [1.0, 2.0, np.nan, 4.0, 7.0], [2.0, 1.0, 3.0, np.nan, 9.0]
    for coefficient in COEFFICIENTS:
        found = one(x, y, coefficient)
        assert found.n[0] == 3
        assert found.value[0] == pytest.approx(SCIPY[coefficient]([1, 2, 7], [2, 1, 9])[0])


@pytest.mark.parametrize(
    ("x", "y"),
    [([1.0, 2.0], [2.0, 1.0]), ([1.0] * 6, [1.0, 2, 3, 4, 5, 6]), ([np.nan] * 4, [1.0, 2, 3, 4])],
    ids=["two rows", "constant", "nothing"],
)
def test_where_nothing_can_be_said_the_value_is_undefined(x, y):
    for coefficient in COEFFICIENTS:
        found = one(x, y, coefficient)
        assert np.isnan(found.value[0])
        assert not found.influence.any()


def test_values_that_are_large_and_differ_little_keep_their_digits():
    rng = np.random.default_rng(3)
    steps, opinion = rng.integers(0, 200, 30), rng.normal(size=30)
    large = 1e12 + steps / 2.0**13  # exact in doubles
    exact = stats.pearsonr(steps, opinion)[0]
    found = associate(
        np.stack([large, opinion], axis=1), np.arange(30), 30, "pearson", influences=False
    )
    assert found.value[0] == pytest.approx(exact, rel=1e-12)


def test_huge_values_do_not_overflow():
    x = np.array([1e300, 2e300, 5e300, 3e300])
    assert one(x, x[::-1], "pearson").value[0] == pytest.approx(
        stats.pearsonr(x / 1e300, x[::-1] / 1e300)[0]
    )


@pytest.mark.parametrize("rho", [0.0, 0.8])
@pytest.mark.parametrize("n", [12, 40])
@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_intervals_cover_the_truth_as_often_as_they_say(coefficient, n, rho):
    generator = np.random.default_rng(n)
    covered = 0
    for _ in range(400):
        found = one(*normal(generator, n, rho), coefficient)
        low, high = intervals(found.value, found.influence, "correlation", Bootstrap(resamples=400))
        covered += bool(low[0] <= TRUE[coefficient](rho) <= high[0])
    # Three standard errors of 400 trials are 3.3 points.
    assert 0.91 <= covered / 400 <= 0.99


def test_rows_of_one_image_are_one_observation():
    """Rows that repeat their image widen nothing: intervals are those of the images alone."""
    x, y = normal(np.random.default_rng(3), 30, 0.5)
    alone, repeated = (
        one(np.repeat(x, times), np.repeat(y, times), name, np.repeat(np.arange(30), times))
        for name in ("spearman",)
        for times in (1, 10)
    )
    ends = [
        np.concatenate(intervals(f.value, f.influence, "correlation", Bootstrap()))
        for f in (alone, repeated)
    ]
    np.testing.assert_allclose(*ends, atol=0.02)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_intervals_are_near_those_of_drawing_and_computing_again(coefficient):
    x, y = normal(np.random.default_rng(5), 200, 0.6)
    found = one(x, y, coefficient)
    low, high = intervals(found.value, found.influence, "correlation", Bootstrap())
    draws = np.random.default_rng(0).integers(0, 200, (500, 200))
    again = np.quantile([SCIPY[coefficient](x[d], y[d])[0] for d in draws], [0.025, 0.975])
    assert [low[0], high[0]] == pytest.approx(again, abs=0.03)


def test_the_same_seed_gives_the_same_interval_and_none_below_five_images():
    found = one(*normal(np.random.default_rng(1), 20, 0.3), "pearson")
    options = (found.value, found.influence, "correlation")
    assert intervals(*options, Bootstrap(seed=4)) == intervals(*options, Bootstrap(seed=4))
    assert intervals(*options, Bootstrap(seed=4)) != intervals(*options, Bootstrap(seed=5))
    assert np.isnan(intervals(*options, Bootstrap(resamples=0))).all()
    few = one([1.0, 2, 4, 3], [1.0, 3, 2, 4], "pearson")
    assert np.isnan(intervals(few.value, few.influence, "correlation", Bootstrap())).all()


def test_a_perfect_correlation_is_its_own_interval():
    found = one(np.arange(9.0), -np.arange(9.0), "spearman")
    low, high = intervals(found.value, found.influence, "correlation", Bootstrap())
    assert (low[0], high[0]) == (-1, -1)


def test_shares_stay_shares_and_errors_stay_positive():
    influence = np.array([[0.3, -0.1, -0.1, -0.1, 0.0, 0.0]]).T
    low, high = intervals(np.array([0.05]), influence, "share", Bootstrap())
    assert low[0] == 0
    assert high[0] <= 1
    assert intervals(np.array([0.05]), influence, "positive", Bootstrap())[0][0] > 0


def test_bootstrap_p_values_are_those_of_student():
    """The standard error is 1; intervals of 20 images are wider by what t has over normal."""
    bootstrap, images = Bootstrap(), 20
    wider = stats.t.ppf(0.975, 18) / stats.norm.ppf(0.975)
    spread = wider * stats.norm.ppf((np.arange(9999) + 0.5) / 9999)[:, np.newaxis]
    for number, expected in (
        (0.0, 1.0),
        (2.0, 2 * stats.t.sf(2, 18)),
        (-9.0, 2 * stats.t.sf(9, 18)),
    ):
        p_value = two_sided(np.array([number]), spread, images, bootstrap)[0]
        assert p_value == pytest.approx(expected, rel=0.01)
    assert np.isnan(two_sided(np.array([np.nan]), spread, images, bootstrap)[0])


def test_images_that_all_say_the_same_are_no_proof():
    p_values = two_sided(np.array([0.5, 1e-9]), np.zeros((200, 2)), 6, Bootstrap())
    assert p_values.tolist() == [2 / 2**6, 1]
