"""The best and worst images, and those on which two methods differ most."""

from __future__ import annotations

import math

import pytest
from made_scores import UNDEFINED, dataset_boards_of

from iqbench.boards.by_image import images_of


def images(values, top=2, **choice):
    frame = images_of(dataset_boards_of(values, **choice), top)
    return {
        (method, what): rows[["image", "value"]].to_records(index=False).tolist()
        for (method, what), rows in frame.groupby(["method", "what"])
    }


PSNR = {
    ("d", "a", "psnr"): [30.0, math.inf, 28.0, 31.0],
    ("d", "b", "psnr"): [33.0, 29.0, 27.0, 31.0],
}


def test_worst_and_best_images_of_each_method():
    found = images(PSNR)
    assert found["a", "worst"] == [("image2", 28.0), ("image0", 30.0)]
    assert found["a", "best"] == [("image1", math.inf), ("image3", 31.0)]
    assert found["b", "worst"] == [("image2", 27.0), ("image1", 29.0)]


def test_worst_is_what_the_direction_says():
    found = images({("d", "a", "tv-ratio"): [0.9, 1.5, 1.0]}, top=1)
    assert found["a", "worst"] == [("image1", 1.5)]
    assert found["a", "best"] == [("image2", 1.0)]


def test_where_the_best_two_part():
    frame = images_of(dataset_boards_of(PSNR | {("d", "c", "psnr"): [1.0] * 4}), 5)
    apart = frame[frame["what"].isin(["ahead", "behind"])]
    # On the images that are finite for all, b is better on average.
    assert set(zip(apart["method"], apart["other"], strict=True)) == {("b", "a")}
    columns = ["what", "image", "value", "other_value", "gain"]
    assert apart[columns].to_numpy().tolist() == [
        ["ahead", "image0", 33.0, 30.0, 3.0],
        ["behind", "image1", 29.0, math.inf, -math.inf],
        ["behind", "image2", 27.0, 28.0, -1.0],
    ]


def test_two_methods_that_were_asked_for_part_even_if_one_is_incomplete():
    values = {("d", "a", "psnr"): [30.0, "gone"], ("d", "b", "psnr"): [29.0, 28.0]}
    found = images(values, methods=["a", "b"])
    assert found["b", "behind"] == [("image0", 29.0)]


def test_ties_are_ordered_by_name_and_missing_values_are_left_out():
    found = images({("d", "a", "tv-ratio"): [1.0, UNDEFINED, 1.0]}, top=3)
    assert found["a", "worst"] == found["a", "best"] == [("image0", 1.0), ("image2", 1.0)]


@pytest.mark.parametrize("metric", ["tv-output"])
def test_a_metric_without_direction_has_no_ends(metric):
    assert images({("d", "a", metric): [1.0, 2.0]}) == {}
