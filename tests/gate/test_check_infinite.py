"""Infinite values: a gain decides no mean and no check, a loss fails the check."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_checks import LARGE, PSNR, SMALL, checked, only, shifted, verdict
from made_sides import side

from iqbench.gate.check import worst_images
from iqbench.gate.verdicts import judge

INF = math.inf
NO_LIMIT: dict[str, Any] = {"image_margins": {"psnr": None}}


def row_of(before: list[float], after: list[float], **options: Any) -> dict[str, Any]:
    return only(checked(side({PSNR: before}), side({PSNR: after}), **options))


def test_infinite_on_both_sides_is_equal() -> None:
    row = row_of([INF] * 3, [INF] * 3)
    assert (row["verdict"], row["gain"], row["changed"]) == ("same", 0.0, 0)
    assert (row["baseline"], row["baseline_infinite"], row["candidate_infinite"]) == (INF, 3, 3)


def test_means_are_those_of_the_finite_values_and_infinite_ones_are_counted() -> None:
    row = row_of([30.0, INF, 32.0, 30.0], [30.0, INF, 33.0, INF])
    assert (row["baseline"], row["baseline_infinite"]) == (pytest.approx(92 / 3), 1)
    assert (row["candidate"], row["candidate_infinite"]) == (31.5, 2)
    assert row["gain"] == pytest.approx(1 / 3)  # 0, 0 and 1; the fourth gained infinitely
    assert (row["infinite_gains"], row["infinite_losses"]) == (1, 0)


@pytest.mark.parametrize("images", [2, 3, 5, 10, 30])
def test_a_loss_of_all_but_one_is_worse_though_that_one_became_equal(images: int) -> None:
    values = LARGE[:images]
    row = row_of(values, [INF, *shifted(values[1:], -0.8)])
    assert (row["verdict"], row["reason"]) == ("worse", "mean")
    assert row["gain"] == pytest.approx(-0.8)
    assert (row["infinite_gains"], row["infinite_losses"]) == (1, 0)


def test_a_gain_of_many_is_worse_where_one_is_no_longer_equal() -> None:
    """Infinite to finite is the largest loss: more than any image margin."""
    row = row_of([INF, *LARGE], [60.0, *shifted(LARGE, 0.3)])
    assert (row["verdict"], row["reason"], row["images_beyond"]) == ("worse", "image", 1)
    assert row["gain"] == pytest.approx(0.3)


def test_without_image_margins_one_infinite_loss_decides_nothing() -> None:
    before = [INF, *LARGE]
    assert row_of(before, [60.0, *shifted(LARGE, 0.3)], **NO_LIMIT)["verdict"] == "better"
    assert row_of(before, [60.0, *shifted(LARGE, 0.03)], **NO_LIMIT)["verdict"] == "same"
    assert row_of(before, [60.0, *shifted(LARGE, -0.3)], **NO_LIMIT)["verdict"] == "worse"


@pytest.mark.parametrize("equal", [0, 1, 15])
def test_many_infinite_losses_are_worse_without_image_margins_too(equal: int) -> None:
    """The mean of the finite gains is not defined, or zero."""
    row = row_of([INF] * 30, [*[INF] * equal, *[60.0] * (30 - equal)], **NO_LIMIT)
    assert (row["verdict"], row["reason"]) == ("worse", "mean")
    assert row["infinite_losses"] == 30 - equal


def test_many_infinite_losses_outweigh_as_many_finite_gains() -> None:
    row = row_of([*[INF] * 15, *[30.0] * 15], [*[60.0] * 15, *[30.8] * 15], **NO_LIMIT)
    assert (row["verdict"], row["gain"]) == ("worse", pytest.approx(0.8))


def test_where_the_margin_alone_decides_the_greater_ranks_do() -> None:
    few = row_of([INF, *SMALL[1:4]], [60.0, *shifted(SMALL[1:4], 0.8)], **NO_LIMIT)
    assert (few["verdict"], few["margin_alone"]) == ("better", True)
    most = row_of([INF, INF, 30.0], [60.0, 60.0, 30.8], **NO_LIMIT)
    assert (most["verdict"], most["margin_alone"]) == ("worse", True)


def test_finite_to_infinite_is_a_loss_where_lower_is_better() -> None:
    assert verdict([0.1] * 5, [0.1, 0.1, INF, 0.1, 0.1], "lpips-alex") == "worse"
    assert verdict([0.1, INF], [0.1, 0.1], "lpips-alex") == "better"


def test_no_longer_perfect_is_an_infinite_loss() -> None:
    found = checked(side({PSNR: [INF] * 5}), side({PSNR: [90.0] * 5}))
    assert (only(found)["verdict"], only(found)["gain"]) == ("worse", -INF)
    assert worst_images(found, only(found), 1)["gain"].tolist() == [-INF]


def test_as_many_infinite_gains_as_losses_have_no_mean() -> None:
    row = row_of([INF, 30.0], [30.0, INF], **NO_LIMIT)
    assert math.isnan(row["gain"])
    assert (row["verdict"], row["infinite_gains"], row["infinite_losses"]) == ("same", 1, 1)
    assert row_of([INF, 30.0], [30.0, INF])["verdict"] == "worse"


GAINS = st.lists(
    st.one_of(st.sampled_from([INF, -INF, 0.0]), st.floats(-2, 2)), min_size=1, max_size=12
)


def judged(gains: list[float]) -> str:
    """Judge gains in dB by the rule on means."""
    return judge([np.array(gains)], [0.05])[0].verdict


@settings(derandomize=True)
@given(GAINS)
def test_the_rule_on_means_is_its_own_mirror_image(gains: list[float]) -> None:
    there, back = judged(gains), judged([-gain for gain in gains])
    assert {there, back} in ({"same"}, {"worse", "better"}, {"worse"})
    if there == "better":
        assert back == "worse"


@settings(derandomize=True)
@given(GAINS, st.data())
def test_undoing_a_loss_makes_no_verdict_worse(gains: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(gains) - 1))
    undone = [max(gain, 0.0) if at == place else gain for at, gain in enumerate(gains)]
    if judged(gains) == "better":
        assert judged(undone) != "worse"


@settings(derandomize=True)
@given(GAINS, st.integers(1, 3))
def test_infinite_gains_fewer_than_the_losses_hide_none(gains: list[float], lucky: int) -> None:
    losses = [gain for gain in gains if gain < 0]
    if len(losses) > lucky and np.isfinite(gains).all() and judged(gains) == "worse":
        assert judged([*gains, *[INF] * lucky]) == "worse"


def test_a_gain_of_one_image_to_infinity_is_not_said_to_be_what_the_others_lost() -> None:
    # 29 images lost less than the margin, significantly; one gained infinitely, which is not.
    row = row_of([30.0] * 30, [INF] + [29.96] * 29)
    assert (row["verdict"], row["note"]) == ("same", "beyond the margin, but not significant")
    assert row["p_value"] == pytest.approx(1.0)


def test_the_p_value_is_of_the_losses_where_these_are_in_doubt() -> None:
    before, after = [30.0] * 40, [30.04] * 39 + [-INF]
    found = checked(side({PSNR: before}), side({PSNR: after}), image_margins={"psnr": None})
    row = only(found)
    assert (row["verdict"], row["note"]) == ("same", "beyond the margin, but not significant")
    assert row["p_value"] > 0.05
