"""When values are equal, which value is better, and which columns are metrics."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iqbench.boards.headings import metric_columns
from iqbench.results.names import natural
from iqbench.results.schema import ColumnInfo
from iqbench.stats.gains import round_digits, shortfall


@given(st.floats(allow_nan=False))
def test_rounding_keeps_twelve_digits(value):
    rounded = float(round_digits([value])[0])
    assert rounded == pytest.approx(value, rel=1e-11, abs=1e-300)
    assert float(round_digits([rounded])[0]) == pytest.approx(rounded, rel=1e-15)


def test_equal_sums_in_another_order_are_equal():
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    assert len(set(round_digits([0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1]))) == 1
    assert len(set(round_digits([30.0, 30.0 + 1e-9]))) == 2


@pytest.mark.parametrize(
    ("direction", "best_first"),
    [
        ("higher", [math.inf, 3.0, 1.0, -math.inf]),
        ("lower", [-math.inf, 0.0, 0.1, math.inf]),
        ("target:1", [1.0, 0.9, 1.2, math.inf]),
    ],
)
def test_the_better_the_smaller_the_shortfall(direction, best_first):
    distance = shortfall(best_first, ColumnInfo(direction))
    assert distance.tolist() == sorted(distance)
    assert len(set(distance)) == len(best_first)
    assert np.isnan(shortfall([np.nan], ColumnInfo(direction))).all()


def test_metrics_are_the_columns_that_are_neither_facts_nor_ends():
    names = ["dataset", "rank", "rank_low", "psnr", "psnr_low", "psnr_high", "odd_low", "missing"]
    assert metric_columns(pd.DataFrame(columns=names)) == ["psnr", "odd_low"]


def test_numbers_in_names_count_as_numbers():
    assert sorted(["Set14", "set5", "B100"], key=natural) == ["B100", "set5", "Set14"]
