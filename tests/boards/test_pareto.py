"""The Pareto front: methods that no other method beats in both metrics."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iqbench.boards.pareto import front_columns, pareto_front
from iqbench.results.columns import Columns, bracketed, metric_of
from iqbench.results.schema import ColumnInfo

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


COLUMNS = Columns(
    {
        "psnr": ColumnInfo("higher", role="fidelity"),
        "ssim": ColumnInfo("higher", role="fidelity"),
        "perceptual-sum": ColumnInfo("lower", headline=False, role="perception"),
        "lpips-alex": ColumnInfo("lower", role="perception"),
        "lpips-vgg": ColumnInfo("lower", role="perception"),
        "energy": ColumnInfo("none", role="perception"),
        "tv-ratio": ColumnInfo("target:1", role="statistic"),
        "niqe": ColumnInfo("lower", role="naturalness"),
        "bpp": ColumnInfo("lower", role="cost"),
        "sharpness": ColumnInfo("higher"),
    }
)


def test_the_columns_are_the_first_of_fidelity_and_the_first_headline_one_of_perception():
    def columns(*headings):
        return front_columns(keyed(headings), COLUMNS)

    assert columns("psnr", "ssim", "perceptual-sum", "lpips-alex", "lpips-vgg") == (
        "psnr",
        "lpips-alex",
    )
    assert columns("lpips-vgg", "ssim", "psnr") == ("ssim", "lpips-vgg")
    assert columns("psnr", "perceptual-sum") == ("psnr", "perceptual-sum")
    assert columns("psnr [view=luma]", "psnr [view=rgb]", "lpips-alex") == (
        "psnr [view=luma]",
        "lpips-alex",
    )


def test_without_a_column_of_each_role_that_ranks_there_is_no_front():
    for other in ("ssim", "energy", "tv-ratio", "niqe", "bpp", "sharpness", "unheard-of"):
        assert front_columns(keyed(["psnr", other]), COLUMNS) is None, other


def test_any_two_columns_may_be_chosen():
    assert front_columns(keyed(["psnr", "tv-ratio"]), COLUMNS, ("tv-ratio", "psnr")) == (
        "tv-ratio",
        "psnr",
    )
