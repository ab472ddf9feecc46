"""Agreement with people: published coefficients, fits, pairs, choices, and who is better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import curve_fit

from iqbench.analysis.coefficients import associate
from iqbench.analysis.dependent import williams
from iqbench.analysis.forced_choice import HUMAN, choice_agreement, choice_differences
from iqbench.analysis.influence import Bootstrap, deviations, intervals, two_sided
from iqbench.analysis.krasula import krasula
from iqbench.analysis.logistic import _slopes, _solved_at, fit_logistic
from iqbench.analysis.opinion import opinion_agreement
from iqbench.analysis.opinion_differences import opinion_differences
from iqbench.analysis.opinion_table import opinions_alone
from iqbench.results.opinion import read_opinion

SHARED = Path(__file__).parents[2] / "../shared/data/mos"
NONE = Bootstrap(resamples=0)
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="opinion scores are not there")


def agreement(path, column, metrics=None):
    """The statistics of a file of opinions over all its images, by metric and name."""
    read = read_opinion(SHARED / path, {"mos": column})
    rows = read.rows.drop(columns=["distortion", "image"], errors="ignore")
    _, table = opinions_alone(rows, read.metrics, "higher")
    found = opinion_agreement(table, metrics or read.metrics, {}, NONE)
    return found.set_index(["metric", "statistic"])["value"]


@needs_shared
def test_tid2013_as_published_with_twelve_indices():
    found = agreement("tid2013_indices/data.csv", "MOS")
    for file, statistic in (("Spearman", "srcc"), ("Kendall", "krcc")):
        published = pd.read_csv(SHARED / f"tid2013_indices/{file}-correlation.csv", index_col=0)
        assert len(published) == 12
        for metric, value in published["Full"].items():
            assert found[metric, statistic] == pytest.approx(value, abs=6e-11), (metric, statistic)
    assert found["PSNR", "plcc"] == pytest.approx(0.66009, abs=5e-6)
    assert found["SSIM", "plcc"] == pytest.approx(0.58266, abs=5e-6)
    assert found["VIF", "plcc"] == pytest.approx(0.62304, abs=5e-6)


# PLCC without a fit, SROCC and KROCC of DSSIM, SSIMULACRA and Butteraugli, from the README of
# github.com/SmilingWolf/VQMTCrossVal.
PUBLISHED = """
csiq dmos 0.803 0.946151 0.793231 0.793 0.847857 0.643923 0.767 0.902055 0.721581
IVC mos -0.758 -0.915765 -0.748408 -0.789 -0.834436 -0.640337 -0.607 -0.791860 -0.595100
JPEGXR mos -0.833 -0.903500 -0.725218 -0.849 -0.840177 -0.655901 -0.836 -0.877970 -0.696149
kadid10k dmos -0.639 -0.856177 -0.670410 -0.623 -0.699555 -0.507570 -0.605 -0.735086 -0.545566
LIVE2 dmos_new 0.576 0.954930 0.813491 0.783 0.913573 0.740362 0.699 0.899623 0.718279
TID2013 mos -0.773 -0.860908 -0.678464 -0.663 -0.673300 -0.485133 -0.648 -0.760307 -0.571815
"""


@needs_shared
@pytest.mark.parametrize("line", PUBLISHED.strip().splitlines())
def test_six_datasets_as_published_with_three_metrics(line):
    name, column, *numbers = line.split()
    metrics = ("DSSIM", "SSIMULACRA", "Butteraugli")
    found = agreement(f"vqmt/{name}.VQMT.csv", column, metrics)
    expected = iter(numbers)
    for metric in metrics:
        for statistic in ("plcc", "srcc", "krcc"):
            printed = next(expected)
            digits = len(printed.partition(".")[2])
            assert f"{found[metric, statistic]:.{digits}f}" == printed, (metric, statistic)


@needs_shared
@pytest.mark.parametrize(
    ("name", "column", "srcc", "krcc", "plcc", "fitted"),
    [
        ("CID2013", "mos", -0.8668, -0.6690, -0.8472, 0.8691),
        ("CCID2014", "mos", -0.8113, -0.6052, -0.8190, 0.8438),
        ("CSIQ", "dmos", 0.8533, 0.6689, 0.8540, 0.8747),
        ("TID2008", "mos", -0.7325, -0.5418, -0.7695, 0.7767),
        ("TID2013", "mos", -0.6458, -0.4687, -0.7178, 0.7230),
    ],
)
def test_niqmc_before_and_after_the_logistic(name, column, srcc, krcc, plcc, fitted):
    found = agreement(f"contrast_niqmc/{name}.csv", column)["NIQMC"]
    expected = {"srcc": srcc, "krcc": krcc, "plcc": plcc, "plcc-logistic5": fitted}
    assert {key: round(found[key], 4) for key in expected} == expected


def logistic4(x, a, b, c, d):
    return a + b / (1 + np.exp(-c * (x - d)))


def logistic5(x, a, b, c, d, e):
    return a * (0.5 - 1 / (1 + np.exp(b * (x - c)))) + d * x + e


@pytest.mark.parametrize(
    ("parameters", "curve", "truth"),
    [(4, logistic4, (1.0, 4.0, 0.3, 30.0)), (5, logistic5, (3.0, 0.4, 28.0, 0.02, 1.0))],
)
def test_a_fit_finds_the_curve_that_made_the_data(parameters, curve, truth):
    x = np.linspace(15, 45, 60)
    fit = fit_logistic(x, curve(x, *truth), parameters)
    assert fit.parameters == pytest.approx(truth, rel=1e-4)
    assert (fit.converged, fit.shape, fit.monotonic) == (True, "logistic", True)
    noisy = curve(x, *truth) + np.random.default_rng(0).normal(0, 0.3, 60)
    best = curve_fit(curve, x, noisy, p0=truth, maxfev=10_000)[0]
    ours = fit_logistic(x, noisy, parameters)
    error = np.sum((ours.fitted - noisy) ** 2)
    assert error == pytest.approx(np.sum((curve(x, *best) - noisy) ** 2), rel=1e-6)
    np.testing.assert_allclose(curve(x, *ours.parameters), ours.fitted, rtol=1e-7)


@pytest.mark.parametrize("parameters", [4, 5])
@pytest.mark.parametrize("scale", [1e-6, -1.0, 1e5])
def test_a_fit_does_not_depend_on_scale_or_sign(parameters, scale):
    generator = np.random.default_rng(2)
    x = generator.uniform(0, 1, 80)
    y = np.tanh(4 * x) + generator.normal(0, 0.2, 80)
    plain, scaled = (fit_logistic(s * x + s, y, parameters) for s in (1.0, scale))
    np.testing.assert_allclose(scaled.fitted, plain.fitted, atol=2e-4)


def test_what_no_logistic_can_tell_is_said():
    x = np.linspace(0, 5, 40)
    assert fit_logistic(x, np.exp(x), 4).shape == "exponential"
    step = fit_logistic(x, (x > 2).astype(float), 4)
    assert step.shape == "step"
    assert step.fitted == pytest.approx((x > 2).astype(float), abs=1e-3)
    bent = fit_logistic(x, np.sin(x), 5)
    assert not bent.monotonic


def test_a_search_that_strays_to_where_the_sigmoid_underflows_goes_on():
    x, y = np.repeat([-0.7, 1.0], 6), np.tile([0.0, 1.0, 2.0], 4)
    at = _solved_at(x, y, np.array([np.log(315), -2.95]), 5)  # exp(-315 * 2.25) is about 1e-308
    assert at.spread < 1e-300
    assert np.isfinite(_slopes(x, at)).all()


def test_too_few_images_or_one_value_have_no_fit():
    x = np.arange(9.0)
    assert fit_logistic(x, x**2, 5) is None
    assert fit_logistic(x, x**2, 4) is not None
    assert fit_logistic(np.ones(20), np.arange(20.0), 4) is None
    assert fit_logistic(np.arange(20.0), np.ones(20), 4) is None


def table_of(generator, n=60, **columns):
    quality = generator.normal(0, 1, n)
    base = {
        "dataset": "set",
        "image": [f"i{k}" for k in range(n)],
        "mos": quality + generator.normal(0, 0.3, n),
        "mos_std": 0.8,
        "raters": 16.0,
        "mos_direction": "higher",
        "distortion": None,
        "good": quality + generator.normal(0, 0.3, n),
        "fair": -quality + generator.normal(0, 1.5, n),
    }
    return pd.DataFrame({**base, **columns})


def statistics(table, metrics, directions=None, bootstrap=NONE):
    found = opinion_agreement(table, metrics, directions or {}, bootstrap)
    return found.set_index(["distortion", "metric", "statistic"])


def test_rmse_and_outliers_are_about_the_fitted_curve():
    table = table_of(np.random.default_rng(0))
    found = statistics(table, ["good"])["value"]["", "good"]
    fit = fit_logistic(table["good"].to_numpy(), table["mos"].to_numpy(), 5)
    error = (fit.fitted - table["mos"]).abs()
    assert found["rmse-logistic5"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["plcc-logistic5"] == pytest.approx(np.corrcoef(fit.fitted, table["mos"])[0, 1])
    assert found["or-2sd-logistic5"] == pytest.approx((error > 1.6).mean())
    assert found["or-ci-logistic5"] == pytest.approx((error > 1.959964 * 0.8 / 4).mean())


def test_what_opinions_do_not_say_is_not_made_up():
    table = table_of(np.random.default_rng(0), raters=np.nan)
    names = set(statistics(table, ["good"]).loc["", "good"].index)
    assert "or-2sd-logistic4" in names
    assert not {"or-ci-logistic4", "auc-better-worse"} & names
    bare = set(statistics(table.assign(mos_std=np.nan), ["good"]).loc["", "good"].index)
    assert not any(name.startswith("or-") for name in bare)


def test_each_kind_of_distortion_is_judged_by_itself():
    table = table_of(np.random.default_rng(0), distortion=["blur", "noise", None] * 20)
    found = statistics(table, ["good"])
    assert set(found.index.get_level_values("distortion")) == {"", "blur", "noise"}
    blur = table[table["distortion"] == "blur"]
    expected = stats.spearmanr(blur["good"], blur["mos"])[0]
    assert found.loc[("blur", "good", "srcc"), "value"] == pytest.approx(expected)
    assert found.loc[("", "good", "srcc"), "n"] == 60


def test_a_metric_that_is_constant_infinite_or_missing_is_undefined_and_no_failure():
    constant = table_of(np.random.default_rng(0), flat=1.0, gone=np.nan)
    found = statistics(constant, ["flat", "gone"], bootstrap=Bootstrap(resamples=50))
    assert np.isnan(found.loc[("", "flat", "srcc"), "value"])
    assert "needs 10 images" in found.loc[("", "flat", "plcc-logistic5"), "note"]
    assert "gone" not in found.index.get_level_values("metric")
    infinite = table_of(np.random.default_rng(0))
    infinite.loc[0, "good"] = np.inf
    found = statistics(infinite, ["good"])["n"]["", "good"]
    assert (found["srcc"], found["plcc"], found["plcc-logistic4"]) == (60, 59, 59)


def test_one_image_gives_undefined_statistics():
    found = statistics(table_of(np.random.default_rng(0), n=1), ["good"])
    assert found["value"].isna().all()


def test_opinions_that_fall_with_quality_turn_the_signs_only():
    table = table_of(np.random.default_rng(1))
    turned = table.assign(mos=-table["mos"], mos_direction="lower")
    same, other = (statistics(t, ["good"], {"good": "higher"})["value"] for t in (table, turned))
    for name in ("srcc", "krcc", "plcc"):
        assert other["", "good", name] == pytest.approx(-same["", "good", name])
    for name in ("plcc-logistic4", "auc-different-similar", "auc-better-worse", "correct-order"):
        assert other["", "good", name] == pytest.approx(same["", "good", name], abs=1e-5)


def test_fitted_intervals_cover_as_often_as_they_say():
    """Logistic data: PLCC after the fit estimates the correlation with the true curve."""
    generator = np.random.default_rng(4)
    everyone = generator.uniform(-3, 3, 200_000)
    signal = np.tanh(everyone)
    truth = np.sqrt(signal.var() / (signal.var() + 0.25))
    covered = 0
    for _ in range(150):
        x = generator.uniform(-3, 3, 80)
        y = np.tanh(x) + generator.normal(0, 0.5, 80)
        fitted = np.stack([fit_logistic(x, y, 4).fitted, y], axis=1)
        found = associate(fitted, np.arange(80), 80, "pearson")
        ends = intervals(found.value, found.influence, "correlation", Bootstrap(resamples=200))
        covered += ends[0][0] <= truth <= ends[1][0]
    assert 0.88 <= covered / 150 <= 1


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


def choices(**columns):
    base = {
        "dataset": "bapps",
        "image": list("abcd"),
        "judge": [1.0, 0.8, 0.4, 0.0],
        "distortion": None,
        "d_0": [0.3, 0.2, 0.1, 0.1],
        "d_1": [0.1, 0.3, 0.1, 0.5],
    }
    return pd.DataFrame({**base, **columns})


def test_a_choice_scores_by_the_people_who_choose_alike():
    found = choice_agreement(choices(), ["d"], {"d": "lower"}, NONE).set_index("metric")["value"]
    assert found["d"] == pytest.approx((1.0 + 0.2 + 0.5 + 1.0) / 4)
    assert found[HUMAN] == pytest.approx((1 + 0.68 + 0.52 + 1) / 4)
    turned = choice_agreement(choices(), ["d"], {"d": "higher"}, NONE).set_index("metric")["value"]
    assert turned["d"] == pytest.approx((0 + 0.8 + 0.5 + 0) / 4)


def test_choices_without_values_or_direction_are_left_out():
    table = choices(d_0=[np.nan, 0.2, 0.1, 0.1])
    found = choice_agreement(table, ["d"], {"d": "lower"}, NONE).set_index("metric")["n"]
    assert (found["d"], found[HUMAN]) == (3, 4)
    assert list(choice_agreement(table, ["d"], {}, NONE)["metric"]) == [HUMAN]


def test_choices_by_distortion_and_differences_between_metrics():
    generator = np.random.default_rng(0)
    n = 200
    judge = generator.uniform(0, 1, n)
    table = pd.DataFrame(
        {
            "dataset": "bapps",
            "image": [f"i{k}" for k in range(n)],
            "judge": judge,
            "distortion": ["cnn", "blur"] * (n // 2),
            **{"good_0": judge, "good_1": 0.5, "poor_0": generator.uniform(0, 1, n), "poor_1": 0.5},
        }
    )
    directions = {"good": "lower", "poor": "lower"}
    found = choice_agreement(table, ["good", "poor"], directions, Bootstrap(resamples=200))
    assert set(found["distortion"]) == {"", "cnn", "blur"}
    assert (found["low"] <= found["value"]).all()
    row = choice_differences(table, ["good", "poor"], directions, Bootstrap(resamples=200)).iloc[0]
    assert row["low"] > 0
    assert row["p_holm"] < 0.05
