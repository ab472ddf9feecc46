"""Who is on the front: those that no other one beats."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iqbench.analysis.columns import bracketed, metric_of
from iqbench.analysis.pareto import front_columns, pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


@given(POINTS)
def test_each_point_is_on_the_front_or_beaten_by_one_that_is(points):
    distances = np.array(points, dtype=float)
    front = pareto_front(distances)
    assert front.any()
    for at, point in enumerate(distances):
        beaten = [(other <= point).all() and (other < point).any() for other in distances[front]]
        assert front[at] != any(beaten)


def keyed(headings):
    """Give each heading its metric, and what stands in brackets as its signature."""
    return {name: (metric_of(name), bracketed(name)) for name in headings}


def test_a_point_without_a_value_is_not_on_the_front_and_beats_none():
    assert pareto_front(np.array([[np.nan, 0.0], [1.0, 1.0]])).tolist() == [False, True]


def test_the_columns_are_psnr_or_else_ssim_and_lpips_alex_or_else_another():
    assert front_columns(keyed(["ssim", "psnr", "lpips-vgg", "lpips-alex"])) == (
        "psnr",
        "lpips-alex",
    )
    assert front_columns(keyed(["ssim", "lpips-vgg"])) == ("ssim", "lpips-vgg")
    assert front_columns(keyed(["psnr [view=luma]", "psnr [view=rgb]", "lpips-alex"])) == (
        "psnr [view=luma]",
        "lpips-alex",
    )
    assert front_columns(keyed(["psnr", "ssim"])) is None
    assert front_columns(keyed(["psnr", "tv-ratio"]), ("tv-ratio", "psnr")) == ("tv-ratio", "psnr")
