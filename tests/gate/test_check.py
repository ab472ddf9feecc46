"""Verdicts worse, better and same; several comparisons; values that are not numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_checks import LARGE, PSNR, SMALL, checked, jittered, only, shifted, verdict
from made_sides import side

from iqbench.columns import Margin
from iqbench.gate.check import worst_images
from iqbench.gate.matching import Scored

# -- worse, better, same ---------------------------------------------------------------------------


def test_equal_tables_are_the_same_and_pass() -> None:
    found = checked(side({PSNR: SMALL}), side({PSNR: SMALL}))
    row = only(found)
    assert (row["verdict"], row["n"], row["changed"], row["gain"]) == ("same", 5, 0, 0.0)
    assert math.isnan(row["p_value"])
    assert found.passed


def test_five_images_and_three_decibels_less_are_worse() -> None:
    found = checked(side({PSNR: SMALL}), side({PSNR: shifted(SMALL, -3)}))
    row = only(found)
    assert (row["verdict"], row["failed"]) == ("worse", True)
    assert row["gain"] == pytest.approx(-3)
    assert row["p_value"] == pytest.approx(1 / 32)
    assert not found.passed


@pytest.mark.parametrize("images", [1, 2, 4, 5, 8, 13])
def test_a_large_loss_is_worse_however_few_the_images(images: int) -> None:
    values = LARGE[:images]
    many = {("set5", f"method{number}", "psnr"): values for number in range(40)}
    lower = {key: shifted(values, -3) for key in many}
    found = checked(side(many), side(lower))
    assert set(found.rows["verdict"]) == {"worse"}
    assert set(found.rows["margin_alone"]) == {2.0**-images > 0.05 / 40}


def test_the_margin_alone_decides_below_the_level_of_holm() -> None:
    row = only(checked(side({PSNR: SMALL[:4]}), side({PSNR: shifted(SMALL[:4], -0.06)})))
    assert (row["verdict"], row["margin_alone"]) == ("worse", True)
    assert "the margin alone decides" in row["note"]


def test_a_loss_within_the_margin_is_the_same_however_significant() -> None:
    row = only(checked(side({PSNR: LARGE}), side({PSNR: shifted(LARGE, -0.049)})))
    assert row["p_value"] < 1e-6
    assert row["verdict"] == "same"


def test_a_loss_of_the_margin_is_worse_despite_rounding() -> None:
    for start in (0.1, 27.3, 33.33):
        values = shifted(LARGE, start)
        assert verdict(values, shifted(values, -0.05)) == "worse"


def test_a_loss_beyond_the_margin_that_is_not_significant_is_noted() -> None:
    """Ten images lost 0.9 dB, below the image margin, and twenty gained a little."""
    after = shifted(LARGE, 0.02)
    after[:10] = shifted(LARGE[:10], -0.9)
    row = only(checked(side({PSNR: LARGE}), side({PSNR: after})))
    assert row["gain"] == pytest.approx((20 * 0.02 - 9) / 30)
    assert (row["verdict"], row["note"]) == ("same", "beyond the margin, but not significant")


def test_one_changed_image_among_equal_ones_is_worse() -> None:
    """Where one image changed no test can say anything, and nothing but a fault changes one."""
    after = list(LARGE)
    after[7] -= 10
    for options in ({}, {"image_margins": {"psnr": None}}):
        row = only(checked(side({PSNR: LARGE}), side({PSNR: after}), **options))
        assert (row["verdict"], row["changed"], row["margin_alone"]) == ("worse", 1, True)


def test_better_is_the_mirror_image_of_worse() -> None:
    found = checked(side({PSNR: SMALL}), side({PSNR: shifted(SMALL, 3)}))
    assert (only(found)["verdict"], found.passed) == ("better", True)


@pytest.mark.parametrize(
    ("metric", "before", "after", "expected"),
    [
        ("lpips-alex", 0.2, 0.21, "worse"),
        ("lpips-alex", 0.2, 0.19, "better"),
        ("lpips-alex", 0.2, 0.2019, "same"),
        ("tv-ratio", 0.9, 0.88, "worse"),  # farther from 1
        ("tv-ratio", 1.1, 1.12, "worse"),
        ("tv-ratio", 0.9, 1.08, "better"),  # nearer, on the other side
        ("tv-ratio", 0.9, 1.1, "same"),  # as far
        ("tv-ratio", 0.9, 0.895, "same"),
        ("sharpness", 50.0, 49.4, "worse"),  # 1 % of the baseline
        ("sharpness", 50.0, 49.6, "same"),
        ("tv-output", 0.2, 0.1, "changed"),
        ("tv-output", 0.2, 0.2, "same"),
    ],
)
def test_each_metric_has_a_direction_and_a_margin(
    metric: str, before: float, after: float, expected: str
) -> None:
    assert verdict([before] * 8, [after] * 8, metric) == expected


def test_metrics_without_a_direction_have_no_margin_and_never_fail() -> None:
    values = {("set5", "edsr", "tv-output"): SMALL, PSNR: SMALL}
    found = checked(side(values), side({**values, ("set5", "edsr", "tv-output"): [0.1] * 5}))
    row = found.rows.set_index("metric").loc["tv-output"]
    assert (row["verdict"], math.isnan(row["margin"]), math.isnan(row["p_value"])) == (
        *("changed", True),
        True,
    )
    assert found.passed


def test_a_margin_may_be_given() -> None:
    after = shifted(SMALL, -3)
    assert verdict(SMALL, after, margins={"psnr": Margin(3.5)}) == "same"
    assert verdict(SMALL, after, margins={"psnr": Margin(0.08, relative=True)}) == "worse"
    assert verdict(SMALL, after, margins={"psnr": Margin(0.1, relative=True)}) == "same"


def test_without_a_margin_nothing_lost_is_still_nothing_lost() -> None:
    assert verdict(SMALL, SMALL, margins={"psnr": Margin(0)}) == "same"


def test_rounding_is_no_change() -> None:
    row = only(checked(side({PSNR: SMALL}), side({PSNR: shifted(SMALL, 1e-12)})))
    assert (row["changed"], row["gain"]) == (0, 0.0)


# -- several comparisons ---------------------------------------------------------------------------


def many_methods(number: int, *, jitter: float) -> tuple[dict[Any, Any], dict[Any, Any]]:
    before = {("set5", f"method{method:02}", "psnr"): LARGE[:10] for method in range(number)}
    after = {
        key: jittered(values, jitter, seed) if jitter else values
        for seed, (key, values) in enumerate(before.items())
    }
    return before, after


def test_p_is_corrected_over_all_comparisons_in_which_anything_changed() -> None:
    first = ("set5", "method00", "psnr")
    for jitter, factor in ((0.0, 1), (0.001, 1), (0.02, 40)):  # 0.001 dB is a tie
        before, after = many_methods(40, jitter=jitter)
        after[first] = shifted(before[first], -1)
        row = checked(side(before), side(after)).rows.iloc[0]
        assert row["p_value"] == pytest.approx(2.0**-10 * factor)
        assert row["verdict"] == "worse" or not row["margin_alone"]


def test_the_rows_are_in_the_order_of_datasets_methods_and_metrics() -> None:
    keys = [(d, m, c) for d in "ba" for m in "yx" for c in ("lpips-alex", "psnr")]
    values = dict.fromkeys(keys, SMALL)
    rows = checked(side(values), side(values)).rows
    assert rows[["dataset", "method", "metric"]].apply("".join, axis=1).tolist() == [
        *("axpsnr", "axlpips-alex", "aypsnr", "aylpips-alex"),
        *("bxpsnr", "bxlpips-alex", "bypsnr", "bylpips-alex"),
    ]


def test_the_order_of_the_rows_read_changes_nothing() -> None:
    before, after = many_methods(4, jitter=0.5)
    baseline, candidate = side(before), side(after)
    order = np.random.default_rng(0).permutation(len(candidate.scores))
    shuffled = Scored(candidate.scores.iloc[order], candidate.images)
    pd.testing.assert_frame_equal(
        checked(baseline, candidate).rows, checked(baseline, shuffled).rows
    )


def test_the_worst_images_of_a_row() -> None:
    after = [30.0, 30.0, 32.5, 32.0, 31.0]
    found = checked(side({PSNR: SMALL}), side({PSNR: after}))
    worst = worst_images(found, only(found), 2)
    assert worst["image"].tolist() == ["image04", "image01"]
    assert worst["gain"].tolist() == [-3.0, -1.0]
    assert len(worst_images(found, only(found), 9)) == 3


# -- values that are not plain numbers -------------------------------------------------------------


def test_a_value_that_became_undefined_or_failed_is_missing() -> None:
    for error in ("undefined: the reference is flat", "out of memory"):
        after: list[Any] = [*SMALL[:4], error]
        row = only(checked(side({PSNR: SMALL}), side({PSNR: after})))
        assert (row["verdict"], row["n"], row["missing"]) == ("missing", 4, 1)
        assert row["lacking"] == f"missing: 1 of 5 images ({error})"


def test_values_that_are_undefined_in_the_baseline_are_new() -> None:
    before: list[Any] = [*SMALL[:4], "undefined: the reference is flat"]
    found = checked(side({PSNR: before}), side({PSNR: SMALL}))
    assert (only(found)["verdict"], only(found)["n"]) == ("same", 4)
    assert found.new.to_dict("records") == [
        {"dataset": "set5", "method": "edsr", "image": "image04", "metrics": 1}
    ]


def test_undefined_on_both_sides_asks_for_nothing() -> None:
    values: list[Any] = [*SMALL[:4], "undefined: the reference is flat"]
    found = checked(side({PSNR: values}), side({PSNR: values}))
    assert (only(found)["verdict"], len(found.new)) == ("same", 0)


def test_a_constant_metric_and_one_image_are_no_trouble() -> None:
    assert verdict([1.0], [1.0]) == "same"
    assert verdict([1.0] * 30, [1.0] * 30) == "same"
    assert verdict([1.0] * 30, [0.5] * 30) == "worse"
    assert verdict([0.0] * 30, [0.1] * 30, "sharpness") == "better"
