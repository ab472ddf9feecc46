"""Correlation between metrics by scope, ranking of methods, and gaps of variation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_columns import as_stated
from scipy import stats

from iqbench.correlation.between import POOLED, WITHIN_IMAGE, between_metrics, matrix
from iqbench.correlation.metric_table import MetricTable, metric_table
from iqbench.correlation.variation_gaps import ALL_PERCEPTUAL, variation_gaps
from iqbench.results.schema import ColumnInfo
from iqbench.stats.influence import Bootstrap

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2),
        "tv-ratio": ColumnInfo("target:1", 3),
        "lpips-alex": ColumnInfo("lower", 4),
    }
)
FEW = Bootstrap(resamples=100)
SCIPY = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}


def scores_of(values, views=None):
    """Long scores of {(dataset, method, metric): values of images}."""
    rows = [
        {
            **{"dataset": dataset, "method": method, "image": f"i{k}", "metric": metric},
            **{"value": value, "error": "undefined: why" if np.isnan(value) else None},
            "signature": f"metric={metric}|view={(views or {}).get(dataset, 'rgb')}",
            "protocol": "rgb",
        }
        for (dataset, method, metric), several in values.items()
        for k, value in enumerate(several)
    ]
    return pd.DataFrame(rows)


def table_of(generator, datasets=1, methods=4, images=8, names=("psnr", "lpips-alex")):
    index = pd.MultiIndex.from_product(
        [
            [f"d{k}" for k in range(datasets)],
            [f"m{k}" for k in range(methods)],
            [f"i{k}" for k in range(images)],
        ],
        names=["dataset", "method", "image"],
    )
    shared = generator.normal(0, 1, (len(index), 1))
    values = shared + generator.normal(0, 1, (len(index), len(names)))
    pools = [sorted({dataset for dataset, _, _ in index})]
    return MetricTable(pd.DataFrame(values, index=index, columns=list(names)), pools)


def row(found, scope, coefficient, **place):
    chosen = found[(found["scope"] == scope) & (found["coefficient"] == coefficient)]
    for key, value in place.items():
        chosen = chosen[chosen[key] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_every_scope_is_scipy_of_its_rows():
    table = table_of(np.random.default_rng(0), datasets=2)
    found = between_metrics(table, FEW)
    values = table.values
    functions = {
        "pearson": stats.pearsonr,
        "spearman": stats.spearmanr,
        "kendall": stats.kendalltau,
    }
    for name, function in functions.items():
        pooled = row(found, POOLED, name)
        assert pooled["value"] == pytest.approx(function(values["psnr"], values["lpips-alex"])[0])
        assert (pooled["n"], pooled["images"], pooled["dataset"]) == (64, 16, "d0 + d1")
        for scope, keys in (("dataset", ["dataset"]), ("method", ["dataset", "method"])):
            each = [
                (names, function(part["psnr"], part["lpips-alex"])[0])
                for names, part in values.reset_index().groupby(keys)
            ]
            for names, value in each:
                one = row(found, scope, name, **dict(zip(keys, names, strict=True)))
                assert one["value"] == pytest.approx(value)
            mean = row(found, f"within {scope}", name)
            assert mean["value"] == pytest.approx(np.mean([value for _, value in each]))
            assert (mean["n"], mean["groups"], mean["images"]) == (64, len(each), 16)
            assert mean["low"] < mean["value"] < mean["high"]


def test_ranking_of_methods_is_the_mean_tau_of_images():
    table = table_of(np.random.default_rng(1), methods=5)
    one = row(between_metrics(table, FEW), WITHIN_IMAGE, "kendall")
    taus = [
        stats.kendalltau(part["psnr"], part["lpips-alex"])[0]
        for _, part in table.values.groupby(level=["dataset", "image"])
    ]
    assert one["value"] == pytest.approx(np.mean(taus))
    assert (one["n"], one["images"]) == (8, 8)


def test_images_on_which_a_metric_ranks_nothing_are_left_out():
    table = table_of(np.random.default_rng(1), methods=3, images=6)
    values = table.values.copy()
    values.loc[("d0", slice(None), "i0"), "psnr"] = 30.0
    values.loc[("d0", "m0", "i1"), "psnr"] = np.nan
    values.loc[("d0", ["m0", "m1"], "i2"), "psnr"] = np.inf
    one = row(between_metrics(MetricTable(values, table.pools), FEW), WITHIN_IMAGE, "kendall")
    taus = [
        stats.kendalltau(*(part.dropna()[name] for name in ("psnr", "lpips-alex")))[0]
        for _, part in values.groupby(level="image")
    ]
    assert one["n"] == 5
    assert one["value"] == pytest.approx(np.nanmean(taus))


def test_one_method_ranks_nothing_and_one_image_correlates_nothing():
    alone = between_metrics(table_of(np.random.default_rng(0), methods=1), FEW)
    assert WITHIN_IMAGE not in set(alone["scope"])
    single = between_metrics(table_of(np.random.default_rng(0), methods=2, images=1), FEW)
    assert single[single["scope"] != WITHIN_IMAGE]["value"].isna().all()
    assert row(single, WITHIN_IMAGE, "kendall")["value"] in (-1, 1)
    assert single["low"].isna().all()


def test_constant_metrics_are_undefined_and_metrics_that_never_meet_are_left_out():
    table = table_of(np.random.default_rng(0), names=("psnr", "ssim", "mae"))
    values = table.values.assign(ssim=1.0, mae=np.nan)
    values.loc[("d0", "m0"), "mae"] = 0.5
    values.loc[("d0", "m0"), "psnr"] = np.nan
    found = between_metrics(MetricTable(values, table.pools), FEW)
    pooled = found[(found["scope"] == POOLED) & (found["coefficient"] == "spearman")]
    assert list(zip(pooled["first"], pooled["second"], strict=True)) == [
        ("psnr", "ssim"),
        ("ssim", "mae"),
    ]
    assert pooled["value"].isna().all()


def test_methods_of_an_image_are_drawn_together():
    """Copies of a method add rows but no evidence: the interval stays as wide."""
    table = table_of(np.random.default_rng(2), methods=1, images=30)
    copies = pd.concat(
        [table.values.rename(index={"m0": f"m{k}"}, level="method") for k in range(6)]
    )
    ends = [
        row(between_metrics(MetricTable(values, [["d0"]]), Bootstrap()), POOLED, "spearman")
        for values in (table.values, copies)
    ]
    assert ends[0]["value"] == pytest.approx(ends[1]["value"])
    assert ends[0]["high"] - ends[0]["low"] == pytest.approx(
        ends[1]["high"] - ends[1]["low"], abs=0.02
    )


def test_a_matrix_is_symmetric_with_ones_on_its_diagonal():
    found = between_metrics(table_of(np.random.default_rng(0)), FEW)
    square = matrix(found[found["scope"] == POOLED], ["psnr", "lpips-alex", "mae"], "pearson")
    assert list(np.diag(square)) == [1, 1, 1]
    value = row(found, POOLED, "pearson")["value"]
    assert square.loc["psnr", "lpips-alex"] == square.loc["lpips-alex", "psnr"] == value
    assert square.loc["mae", ["psnr", "lpips-alex"]].isna().all()


def test_a_metric_with_a_target_also_enters_as_its_distance():
    scores = scores_of({("d", "m", "psnr"): [30.0, 31], ("d", "m", "tv-ratio"): [0.8, 1.3]})
    table = metric_table(scores, COLUMNS)
    assert table.names == ["psnr", "tv-ratio", "|tv-ratio-1|"]
    assert list(table.values["|tv-ratio-1|"]) == pytest.approx([0.2, 0.3])


def test_datasets_of_other_signatures_are_not_pooled_with_these():
    values = {
        (dataset, "m", metric): [1.0, 2, 3]
        for dataset in ("a", "b", "c")
        for metric in ("psnr", "lpips-alex")
    }
    table = metric_table(scores_of(values, {"b": "luma"}), COLUMNS)
    assert table.names == ["psnr", "lpips-alex"]
    assert table.pools == [["a", "c"], ["b"]]
    pooled = between_metrics(table, FEW).query("scope == 'pooled' and coefficient == 'pearson'")
    assert list(pooled["dataset"]) == ["a + c", "b"]
    assert list(pooled["n"]) == [6, 3]


def test_several_signatures_in_a_dataset_are_columns_of_their_own():
    scores = scores_of({("d", "m", "psnr"): [30.0, 31.0]})
    other = scores.assign(signature="metric=psnr|view=luma", value=scores["value"] + 1)
    table = metric_table(pd.concat([scores, other]), COLUMNS)
    assert table.names == ["psnr [view=luma]", "psnr [view=rgb]"]


def test_undefined_values_are_left_out():
    scores = scores_of({("d", "m", "psnr"): [30.0, np.nan], ("d", "m", "lpips-alex"): [0.1, 0.2]})
    assert list(metric_table(scores, COLUMNS).values["psnr"].isna()) == [False, True]


PERCEPTUAL = ["lpips-alex", "perceptual-vgg16-relu1_2-l1"]


def variation_and_perception(images=10):
    """Of three methods, one smooths away texture, one adds ringing, one is near the reference."""
    generator = np.random.default_rng(0)
    distance = {"near": (0.02, 0.05), "smooth": (0.5, 0.1), "ringing": (0.05, 0.6)}
    rows = [
        {
            **{"dataset": "d", "method": method, "image": f"i{k}"},
            "|tv-ratio-1|": variation * generator.uniform(0.9, 1.1),
            "lpips-alex": perceptual * generator.uniform(0.9, 1.1),
            "perceptual-vgg16-relu1_2-l1": perceptual * generator.uniform(0.9, 1.1),
        }
        for k in range(images)
        for method, (variation, perceptual) in distance.items()
    ]
    return pd.DataFrame(rows).set_index(["dataset", "method", "image"])


def test_what_moves_one_and_not_the_other_has_a_gap():
    found = variation_gaps(variation_and_perception(), PERCEPTUAL, bootstrap=FEW)
    rows = found[found["perceptual"] == ALL_PERCEPTUAL].set_index("group")
    assert rows.loc["smooth", "value"] == -0.5
    assert rows.loc["ringing", "value"] == 0.5
    assert rows.loc["near", "value"] == 0
    assert set(found["perceptual"]) == {
        *("lpips-alex", "perceptual-vgg16-relu1_2-l1", ALL_PERCEPTUAL)
    }
    assert rows.loc["smooth", "variation_mean"] == pytest.approx(0.5, abs=0.05)
    assert (rows["n"] == 10).all()


def test_distortions_are_placed_among_all_images_of_their_dataset():
    values = variation_and_perception().droplevel("method").reset_index()
    values["image"] = [f"i{k}" for k in range(len(values))]
    values = values.assign(method="m").set_index(["dataset", "method", "image"])
    kinds = pd.Series(["near", "smooth", "ringing"] * 10, index=values.index)
    found = variation_gaps(values, PERCEPTUAL, kinds, FEW)
    rows = found[found["perceptual"] == ALL_PERCEPTUAL].set_index("group")
    assert set(found["by"]) == {"distortion"}
    assert rows.loc["smooth", "value"] < -0.2
    assert rows.loc["ringing", "value"] > 0.2
    assert rows.loc["smooth", "high"] < 0 < rows.loc["ringing", "low"]


def test_without_variation_or_methods_nothing_parts():
    values = variation_and_perception()
    assert variation_gaps(values.drop(columns="|tv-ratio-1|"), PERCEPTUAL, bootstrap=FEW).empty
    assert variation_gaps(
        values.xs("near", level="method", drop_level=False), PERCEPTUAL, bootstrap=FEW
    ).empty
    equal = values.assign(**{"|tv-ratio-1|": 0.0})
    assert variation_gaps(equal, PERCEPTUAL, bootstrap=FEW).empty


def test_images_of_one_reference_are_ranked_among_each_other_and_drawn_together():
    generator = np.random.default_rng(4)
    table = table_of(generator, methods=1, images=30)
    references = {("d0", f"i{k}"): f"r{k % 6}" for k in range(30)}
    one = row(between_metrics(replace(table, references=references), FEW), WITHIN_IMAGE, "kendall")
    values = table.values.reset_index()
    taus = [
        stats.kendalltau(part["psnr"], part["lpips-alex"])[0]
        for _, part in values.groupby([references["d0", image] for image in values["image"]])
    ]
    assert one["value"] == pytest.approx(np.mean(taus))
    assert one["images"] == 6
    pooled = row(between_metrics(replace(table, references=references), FEW), POOLED, "pearson")
    assert (pooled["n"], pooled["images"]) == (30, 6)
