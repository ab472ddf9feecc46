"""Which of two metrics agrees better with people, and how certain this is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_opinions import NONE, table_of

from iqbench.correlation.differences import opinion_differences
from iqbench.stats.coefficients import associate
from iqbench.stats.dependent import williams
from iqbench.stats.influence import Bootstrap, deviations, two_sided


def test_williams_test_as_in_the_documentation_of_psych():
    """r.test(n = 103, r12 = .4, r13 = .5, r23 = .1): t = -0.89, p = 0.37."""
    t, p_value = williams(np.array([0.4]), np.array([0.5]), np.array([0.1]), 103)
    assert (round(t[0], 2), round(p_value[0], 2)) == (-0.89, 0.37)
    assert williams(np.array([0.4]), np.array([0.4]), np.array([1.0]), 103)[1][0] == 1
    assert np.isnan(williams(np.array([0.4]), np.array([np.nan]), np.array([0.1]), 103)[1][0])
    assert np.isnan(williams(np.array([0.4]), np.array([0.5]), np.array([0.1]), 3)[1][0])


def test_a_better_metric_is_found_to_be_better_and_an_equal_one_is_not():
    generator = np.random.default_rng(0)
    table = table_of(generator, n=150)
    table["copy"] = -3 * table["good"]
    found = opinion_differences(table, ["good", "fair", "copy"], Bootstrap(resamples=500))
    rows = found.set_index(["statistic", "first", "second"])
    assert set(found["statistic"]) == {"srcc", "krcc", "plcc", "plcc-logistic5"}
    for statistic in ("srcc", "krcc", "plcc", "plcc-logistic5"):
        better = rows.loc[(statistic, "good", "fair")]
        assert better["low"] > 0
        assert max(better[["p_value", "p_bootstrap", "p_holm"]]) < 0.05
        equal = rows.loc[(statistic, "good", "copy")]
        assert equal["value"] == pytest.approx(0, abs=1e-6)
        assert equal["p_holm"] == pytest.approx(1, abs=1e-3)


def test_equal_metrics_are_rarely_called_different():
    """With noise alone, Williams' test and the bootstrap call 5 % of pairs different."""
    generator = np.random.default_rng(0)
    trials = 300
    quality = generator.normal(0, 1, (trials, 1, 60))
    values = quality + generator.normal(0, 1, (trials, 3, 60))  # two metrics and opinion
    found = [associate(v.T, np.arange(60), 60, "pearson") for v in values]
    between, first, second = np.array([f.value for f in found]).T
    of_williams = williams(first, second, between, 60)[1]
    few = Bootstrap(resamples=200)
    of_bootstrap = [
        two_sided(
            np.array([f.value[1] - f.value[2]]),
            deviations(f.influence[:, [1]] - f.influence[:, [2]], few),
            *(60, few),
        )
        for f in found
    ]
    # Three standard errors of 300 trials are 3.8 points.
    for p_values in (of_williams, np.array(of_bootstrap)):
        assert 0.012 <= np.mean(p_values < 0.05) <= 0.088


def test_rows_of_one_image_are_not_taken_for_independent():
    """Each image shifts each metric: 20 images say less than 400 rows seem to."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(100):
        table = table_of(generator, n=400, image=[str(row % 20) for row in range(400)])
        shifts = generator.normal(size=(20, 2))[np.arange(400) % 20]
        quality = table[["mos"]].to_numpy() + generator.normal(size=(400, 2))
        table[["one", "other"]] = quality + shifts
        found.append(opinion_differences(table, ["one", "other"], Bootstrap(resamples=100)))
    rows = pd.concat(found).set_index("statistic")
    # 5 %, and three standard errors of 100 trials.
    for statistic in ("srcc", "krcc", "plcc", "plcc-logistic5"):
        assert (rows.loc[statistic, "p_value"] < 0.05).mean() <= 0.115
    assert (rows.loc["plcc", "p_williams"] < 0.05).mean() > 0.2


def test_the_pairs_of_a_dozen_metrics_can_differ_significantly():
    generator = np.random.default_rng(0)
    table = table_of(generator, n=300)
    names = [f"m{number}" for number in range(12)]
    for number, name in enumerate(names):
        table[name] = table["mos"] + 0.3 * (number + 1) * generator.normal(size=300)
    found = opinion_differences(table, names, Bootstrap(resamples=100)).set_index(
        ["first", "second", "statistic"]
    )
    assert (found.sort_index().loc[("m0", "m11"), "p_holm"] < 1e-4).all()


def test_metrics_are_compared_on_the_images_that_all_have():
    table = table_of(np.random.default_rng(0))
    table.loc[:9, "fair"] = np.nan
    found = opinion_differences(table, ["good", "fair"], NONE)
    assert set(found["n"]) == {50}
    assert found["low"].isna().all()
    assert found.loc[found["statistic"] == "krcc", "p_value"].isna().all()
    assert opinion_differences(table, ["good"], NONE).empty
