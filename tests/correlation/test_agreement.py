"""Kendall's tau-b of two metrics on the outputs of an image, for any number of rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from iqbench.correlation.agreement import ranking_agreement


def table_of(sizes: Sequence[int], seed: int = 0, metrics: int = 3) -> pd.DataFrame:
    """Give contents of so many rows each; with ties, infinite and missing values."""
    rng = np.random.default_rng(seed)
    rows = [("set", "m", f"c{number:03}", k) for number, n in enumerate(sizes) for k in range(n)]
    values = rng.normal(0, 1, (len(rows), 1)) + rng.normal(0, 1, (len(rows), metrics))
    values[:, 0] = values[:, 0].round(1)
    values[rng.random(len(rows)) < 0.1, 0] = np.inf
    values[rng.random(len(rows)) < 0.1, 1] = np.nan
    frame = pd.DataFrame(values, columns=[f"metric{k}" for k in range(metrics)])
    names = pd.DataFrame(rows, columns=["dataset", "method", "content", "row"])
    names["image"] = names["content"] + "-" + names["row"].astype(str)
    frame.index = pd.MultiIndex.from_frame(names[["dataset", "method", "image"]])
    order = rng.permutation(len(frame))
    return frame.iloc[order]


def contents_of(table: pd.DataFrame) -> pd.Series:
    return table.index.get_level_values("image").str.partition("-").get_level_values(0).to_series()


def expected(table: pd.DataFrame, first: str, second: str) -> list[float]:
    """Tau-b of scipy for each content, in the order of their names."""
    parts = table[[first, second]].groupby(contents_of(table).to_numpy())
    return [
        stats.kendalltau(*both.to_numpy().T).statistic if len(both := part.dropna()) > 1 else np.nan
        for _, part in parts
    ]


@pytest.mark.parametrize(
    "sizes", [[2, 3, 5, 8], [40] * 6, [299, 300, 301, 302], [1, 500, 3, 450, 2, 500]]
)
def test_tau_equals_scipys_for_any_number_of_rows(sizes: list[int]) -> None:
    table = table_of(sizes)
    found = ranking_agreement(table, contents_of(table))
    names = list(table.columns)
    for pair, (a, b) in enumerate(zip(found.first, found.second, strict=True)):
        taus = np.array(expected(table, names[a], names[b]))
        defined = ~np.isnan(taus)
        assert found.n[pair] == defined.sum()
        assert found.value[pair] == pytest.approx(taus[defined].mean(), abs=1e-12)
        np.testing.assert_array_equal(found.images[:, pair], defined)
        moved = np.where(defined, taus - taus[defined].mean(), 0) / defined.sum()
        np.testing.assert_allclose(found.influence[:, pair], moved, atol=1e-12)


@pytest.mark.parametrize("size", [10, 1000])
def test_a_constant_metric_ranks_nothing(size: int) -> None:
    table = table_of([size]).assign(metric2=1.0)
    found = ranking_agreement(table, contents_of(table))
    assert found.n.tolist() == [1, 0, 0]
    assert np.isnan(found.value).tolist() == [False, True, True]


def test_memory_does_not_grow_with_the_pairs_of_rows() -> None:
    """All pairs of 20,000 rows of three metrics would take 4.8 GB and more."""
    table = table_of([20_000])
    contents = contents_of(table)
    tracemalloc.start()
    ranking_agreement(table, contents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_a_large_content_does_not_enlarge_small_ones() -> None:
    """Padded to the largest, two thousand contents of two rows would take a gigabyte."""
    table = table_of([20_000, *[2] * 2000])
    contents = contents_of(table)
    tracemalloc.start()
    found = ranking_agreement(table, contents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    assert found.n.min() > 1500


def test_nothing_ranks_nothing() -> None:
    table = table_of([3]).iloc[:0]
    found = ranking_agreement(table, pd.Series([], dtype=object))
    assert found.n.tolist() == [0, 0, 0]
    assert found.influence.shape == (0, 3)
