"""Agreement with human opinion: published coefficients, errors of the fit, undefined values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_opinions import NONE, table_of
from needs import SHARED, needs
from scipy import stats

from iqbench.correlation.correlate import correlate
from iqbench.correlation.human_opinion import opinion_agreement
from iqbench.correlation.opinion_table import opinions_alone
from iqbench.results.opinion import read_opinion
from iqbench.stats.coefficients import associate
from iqbench.stats.influence import Bootstrap, intervals
from iqbench.stats.logistic import fit_logistic

OPINIONS = SHARED / "data/mos"


def agreement(path, column, metrics=None):
    """The statistics of a file of opinions over all its images, by metric and name."""
    read = read_opinion(OPINIONS / path, {"mos": column})
    rows = read.rows.drop(columns=["distortion", "image"], errors="ignore")
    _, table = opinions_alone(rows, read.metrics, "higher")
    found = opinion_agreement(table, metrics or read.metrics, {}, NONE)
    return found.set_index(["metric", "statistic"])["value"]


@needs(OPINIONS)
def test_tid2013_as_published_with_twelve_indices():
    found = agreement("tid2013_indices/data.csv", "MOS")
    for file, statistic in (("Spearman", "srcc"), ("Kendall", "krcc")):
        published = pd.read_csv(OPINIONS / f"tid2013_indices/{file}-correlation.csv", index_col=0)
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


@needs(OPINIONS)
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


@needs(OPINIONS)
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


def test_missing_facts_of_opinions_are_not_invented():
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


def test_intervals_do_not_depend_on_the_order_of_rows(tmp_path):
    generator = np.random.default_rng(7)
    opinion = generator.normal(3, 1, 24)
    rows = pd.DataFrame(
        {
            "image": [f"i{at // 2:02}" for at in range(24)],  # two rows of each image
            "mos": opinion,
            "std": 0.5,
            "n": 20,
            "near": opinion + generator.normal(0, 0.5, 24),
            "far": -opinion + generator.normal(0, 1, 24),
        }
    )
    found = []
    for seed in (None, 1, 2):
        file = tmp_path / f"{seed}.csv"
        (rows if seed is None else rows.sample(frac=1, random_state=seed)).to_csv(file, index=False)
        numbers = correlate(None, mos=file, resamples=200).rows()
        found.append(numbers.drop(columns=["dataset", "method"]))
    for one in found[1:]:
        pd.testing.assert_frame_equal(found[0], one, rtol=1e-9)
