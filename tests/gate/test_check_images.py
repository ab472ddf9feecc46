"""The image margin: one image that loses much fails a check, whatever the others do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from made_checks import LARGE, PSNR, checked, jittered, only, shifted
from made_sides import side

from iqbench.columns import Margin
from iqbench.gate.margins import parse_image_margins

METRICS = ("psnr", "lpips-alex", "tv-ratio", "tv-output", "sharpness")


def row_of(
    before: list[float], after: list[float], metric: str = "psnr", **options: Any
) -> dict[str, Any]:
    key = ("set5", "edsr", metric)
    return only(checked(side({key: before}), side({key: after}), **options))


def outcome(*given: Any, **options: Any) -> tuple[str, str, int]:
    row = row_of(*given, **options)
    return row["verdict"], row["reason"], row["images_beyond"]


@pytest.mark.parametrize("jitter", [0.0, 0.0006, 0.004, 0.01, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_one_image_of_38_that_collapses_is_worse_however_the_others_jitter(
    jitter: float, seed: int
) -> None:
    before = [27 + 0.2 * number for number in range(38)]
    after = jittered(before, jitter, seed)
    after[20] -= 16.6
    assert outcome(before, after) == ("worse", "image", 1)


def test_three_destroyed_of_30_among_jittering_ones_are_worse() -> None:
    after = jittered(LARGE, 0.1)
    for place in (3, 4, 29):
        after[place] = 8.0
    row = row_of(LARGE, after)
    assert (row["verdict"], row["reason"], row["images_beyond"]) == ("worse", "image", 3)
    assert row["note"] == "image: 3 of 30 images lost the image margin (1) or more"
    assert not checked(side({PSNR: LARGE}), side({PSNR: after})).passed


def test_a_collapse_is_worse_though_the_mean_gained() -> None:
    after = shifted(LARGE, 0.5)
    after[0] = LARGE[0] - 3
    row = row_of(LARGE, after)
    assert row["gain"] > 0.3
    assert row["p_value"] < 0.05  # of the side that the gain is on
    assert (row["verdict"], row["reason"]) == ("worse", "image")


@pytest.mark.parametrize(
    ("metric", "value", "within", "beyond"),
    [
        ("psnr", 30.0, 29.01, 29.0),
        ("psnr", 30.0, 32.0, 28.0),
        ("ssim", 0.9, 0.8801, 0.88),
        ("lpips-alex", 0.2, 0.2399, 0.24),
        ("tv-ratio", 0.9, 1.29, 1.31),  # .1 from the target, then .29 and .31
        ("tv-ratio", 1.1, 0.72, 0.69),
        ("sharpness", 50.0, 40.1, 40.0),  # 20 % of the image's value
        ("sharpness", 5.0, 4.01, 4.0),
    ],
)
def test_the_default_is_twenty_margins_or_a_fifth_of_the_images_value(
    metric: str, value: float, within: float, beyond: float
) -> None:
    others = [value * (1 + 0.0001 * number) for number in range(40)]
    for after, expected in ((within, 0), (beyond, 1)):
        row = row_of([value, *others], [after, *others], metric)
        assert row["images_beyond"] == expected
        if expected:
            assert (row["verdict"], row["reason"]) == ("worse", "image")


def test_relative_means_relative_to_that_image() -> None:
    before = [1.0, 10.0, 100.0]
    assert outcome(before, [0.9, 9.0, 79.0], "sharpness") == ("worse", "image", 1)
    assert outcome(before, [0.7, 9.0, 100.0], "sharpness")[2] == 0  # within 1 % of the mean, .37
    assert row_of(before, before, "sharpness")["image_margin"] == "20 %"


def test_a_change_of_a_tiny_value_is_noise_until_it_is_a_margin() -> None:
    """A fifth of 1e-6 is nothing where the mean is 50."""
    before = [1e-6, *[50.0] * 30]
    assert outcome(before, [0.0, *before[1:]], "sharpness")[0] == "same"
    assert outcome([0.0, *[50.0] * 30], [0.0, *[50.0] * 30], "sharpness")[0] == "same"


def test_a_given_margin_of_means_scales_that_of_images() -> None:
    after = [*LARGE[:-1], LARGE[-1] - 1.5]
    assert outcome(LARGE, after)[2] == 1
    assert outcome(LARGE, after, margins={"psnr": Margin(0.1)})[2] == 0
    assert row_of(LARGE, after, margins={"psnr": Margin(0.1)})["image_margin"] == "2"
    assert row_of(LARGE, after, margins={"psnr": Margin(0.02, relative=True)})["image_margin"] == (
        "40 %"
    )
    # A margin of 0 has no scale: the metric's own one is taken.
    assert outcome(LARGE, jittered(LARGE, 0.1), margins={"psnr": Margin(0.0)})[2] == 0
    assert outcome(LARGE, after, margins={"psnr": Margin(0.0)})[2] == 1


@pytest.mark.parametrize(
    ("texts", "beyond"),
    [
        (["psnr=1"], 1),
        (["psnr=1.6"], 0),
        (["psnr=5%"], 0),
        (["psnr=3%"], 1),
        (["psnr=none"], 0),
        (["none"], 0),
        (["none", "psnr=1"], 1),
        (["psnr=1", "none"], 1),
        (["lpips=none"], 1),
    ],
)
def test_an_image_margin_may_be_given(texts: list[str], beyond: int) -> None:
    """The image with 35.25 dB loses 1.5."""
    after = jittered(LARGE, 0.1)
    after[-1] = LARGE[-1] - 1.5
    given = parse_image_margins(texts, METRICS)
    row = row_of(LARGE, after, image_margins=given)
    assert row["images_beyond"] == beyond
    assert row["verdict"] == ("worse" if beyond else "same")


def test_no_limit_is_shown_as_none() -> None:
    given = parse_image_margins(["none"], METRICS)
    assert row_of(LARGE, LARGE, image_margins=given)["image_margin"] == "none"
    assert row_of(LARGE, LARGE)["image_margin"] == "1"
    assert row_of(LARGE, LARGE, "tv-output")["image_margin"] == ""


def test_metrics_without_a_direction_have_no_image_margin() -> None:
    assert outcome([0.2] * 5, [0.2, 0.2, 9.0, 0.2, 0.2], "tv-output") == ("changed", "", 0)


def test_a_loss_of_an_image_stands_before_what_is_missing() -> None:
    before: list[Any] = [*LARGE]
    after: list[Any] = [*jittered(LARGE, 0.01)[:-1], None]
    after[0] -= 2
    row = row_of(before, after, allow=("missing",))
    assert (row["verdict"], row["failed"], row["missing"]) == ("worse", True, 1)


@pytest.mark.parametrize("share", [0.02, 0.09])
def test_changes_below_a_tenth_of_the_margin_are_ties(share: float) -> None:
    """A loss of 0.9 dB of four images stands out from others that jitter by a hundredth."""
    rng = np.random.default_rng(0)
    after = list(np.asarray(LARGE) + rng.uniform(-share, share, len(LARGE)) * 0.05)
    for place in (1, 9, 17, 25):
        after[place] = LARGE[place] - 0.9
    row = row_of(LARGE, after)
    assert (row["verdict"], row["reason"], row["margin_alone"]) == ("worse", "mean", True)


def test_jitter_of_more_than_a_tenth_is_tested() -> None:
    after = jittered(LARGE, 0.02)
    for place in (1, 9):
        after[place] = LARGE[place] - 0.9
    row = row_of(LARGE, after)
    assert (row["verdict"], row["margin_alone"]) == ("same", False)
    assert "not significant" in row["note"]


def test_jitter_alone_is_the_same_and_untested() -> None:
    row = row_of(LARGE, jittered(LARGE, 0.001))
    assert (row["verdict"], row["changed"]) == ("same", 30)
    assert math.isnan(row["p_value"])


def test_one_method_that_collapses_is_found_among_many() -> None:
    keys = [("set5", f"method{number:02}", "psnr") for number in range(30)]
    before = dict.fromkeys(keys, LARGE)
    after = {key: jittered(LARGE, 0.02, seed) for seed, key in enumerate(keys)}
    after[keys[11]][5] -= 4
    found = checked(side(before), side(after))
    worse = found.rows[found.rows["verdict"] == "worse"]
    assert worse["method"].tolist() == ["method11"]
