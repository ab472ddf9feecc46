"""Gains and distances of any size: equal up to rounding, without overflow."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.boards.means import finite_means
from iqbench.results.schema import ColumnInfo
from iqbench.stats.bootstrap import bootstrap_means, mean_interval
from iqbench.stats.gains import finite_mean, gains, round_digits, shortfall

HIGHER, LOWER = ColumnInfo("higher"), ColumnInfo("lower")
HUGE = float(np.finfo(np.float64).max)


@given(st.floats(1e-308, 1e308), st.sampled_from([-1.0, 1.0]))
def test_twelve_digits_are_kept(size: float, sign: float) -> None:
    assert float(round_digits(sign * size)) == pytest.approx(sign * size, rel=1e-11, abs=0)


@pytest.mark.parametrize("scale", [1e-270, 1e-13, 1.0, 1e13, 1e300])
def test_a_shortfall_keeps_small_and_large_differences(scale: float) -> None:
    values = np.array([1.5, 2.0, 2.0 * (1 + 1e-15), 2.1]) * scale
    for info, order in (
        (HIGHER, [3, 1, 1, 0]),
        (LOWER, [0, 1, 1, 3]),
        (ColumnInfo("target:0"), [0, 1, 1, 3]),
    ):
        distance = shortfall(values, info)
        assert [int((distance < one).sum()) for one in distance] == order


def test_distances_to_a_target_are_as_exact_as_the_target() -> None:
    near, far = 0.55, 1.45  # 0.45 away, in doubles 0.44999999999999996 and 0.45
    assert len(set(shortfall([near, far], ColumnInfo("target:1")).tolist())) == 1
    assert shortfall([1 + 1e-15], ColumnInfo("target:1"))[0] == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values", [[HUGE, HUGE], [HUGE, 1.0], [-HUGE, -HUGE, 5.0], [HUGE, -HUGE], [1.0, 2.0]]
)
def test_means_of_the_largest_numbers_do_not_overflow(values: list[float]) -> None:
    exactness = 1e292 if HUGE in values else 0.0
    exact = float(sum(map(Fraction, values)) / len(values))
    near = pytest.approx(exact, rel=1e-12, abs=exactness)
    assert finite_mean(values) == near
    assert finite_means(np.array([values]).T)[0] == near
    assert np.isfinite(bootstrap_means(values, resamples=50)).all()
    low, high = mean_interval(values, resamples=50)
    assert min(values) - exactness <= low <= high <= max(values)


@pytest.mark.filterwarnings("error")
def test_a_gain_beyond_the_largest_number_is_infinite() -> None:
    assert gains([-HUGE, 1.0, math.inf], [HUGE, 2.0, math.inf], HIGHER).tolist() == [
        math.inf,
        1.0,
        0.0,
    ]
