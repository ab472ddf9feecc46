"""Agreement of two metrics in their ranking of the methods on an image."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from iqbench.stats.arrays import Floats, Indices
from iqbench.stats.coefficients import Associations, tau_of_levels

__all__ = ["ranking_agreement"]

_BLOCK = 4_000_000  # signs in memory at a time
_MANY = 300  # rows of one content above which sorting is faster than comparing all pairs


def ranking_agreement(table: pd.DataFrame, contents: pd.Series) -> Associations:
    """Average, over images, Kendall's tau-b between two metrics' values of the methods.

    Parameters
    ----------
    table
        One column per metric, indexed by dataset, method and image.
    contents
        The content of each row, in the same order: its image, or the reference of several images.

    Returns
    -------
    Associations
        For all pairs of columns. ``n`` counts the images for which tau-b is defined: at least two
        methods have both values, and neither metric is constant. Directions are ignored, so that
        metrics of opposite directions that agree have a tau of -1.
    """
    columns = table.shape[1]
    first, second = np.triu_indices(columns, 1)
    content = _contents(table, contents)
    found = np.full((content.max(initial=-1) + 1, len(first)), np.nan)
    for members, group in _groups(table.to_numpy(np.float64), content):
        taus = _taus_by_sorting(group) if group.shape[1] > _MANY else _taus_of_few(group)
        found[members] = np.concatenate([tau[:, first, second] for tau in taus])
    defined = ~np.isnan(found)
    n: Indices = defined.sum(axis=0)
    share = np.maximum(n, 1)
    value = np.where(n > 0, np.where(defined, found, 0).sum(axis=0) / share, np.nan)
    influence = np.where(defined, found - value, 0) / share
    return Associations(first, second, value, n, defined, influence)


def _contents(table: pd.DataFrame, contents: pd.Series) -> Indices:
    """Return the number of each row's content; contents of one dataset are consecutive."""
    datasets = table.index.get_level_values("dataset").astype(str)
    places = pd.MultiIndex.from_arrays([datasets, contents.to_numpy()])
    if places.empty:  # pandas 2.1 cannot factorize an empty index of two levels
        return np.empty(0, np.intp)
    return pd.factorize(places, sort=True)[0].astype(np.intp)


def _groups(values: Floats, content: Indices) -> Iterator[tuple[Indices, Floats]]:
    """Group the contents by their number of rows, with their numbers.

    The values of a group have the shape (contents, rows per content, metrics).
    """
    order = np.argsort(content, kind="stable")
    sizes = np.bincount(content)
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        yield members, values[order[starts[members][:, np.newaxis] + np.arange(size)]]


def _taus_of_few(group: Floats) -> Iterator[Floats]:
    """Compute tau-b by comparing all rows of each content, for several contents at once."""
    signs = group.size * group.shape[1]
    yield from map(_taus, np.array_split(group, max(1, signs // _BLOCK)))


def _taus(group: Floats) -> Floats:
    """Compute tau-b between all metrics: (contents, rows, m) -> (contents, m, m)."""
    first, second = np.triu_indices(group.shape[1], 1)
    a, b = group[:, first], group[:, second]
    # Compare instead of subtracting: infinity minus infinity is NaN, but these are equal.
    signs = (a > b).astype(np.float64) - (a < b)
    present: NDArray[np.float64] = (~(np.isnan(a) | np.isnan(b))).astype(np.float64)
    untied = np.abs(signs).transpose(0, 2, 1) @ present
    with np.errstate(divide="ignore", invalid="ignore"):
        taus: Floats = (signs.transpose(0, 2, 1) @ signs) / np.sqrt(
            untied * untied.transpose(0, 2, 1)
        )
    return taus


def _taus_by_sorting(group: Floats) -> Iterator[Floats]:
    """Compute `_taus` one content and two metrics at a time, for too many rows for all pairs."""
    metrics = group.shape[2]
    for values in group:
        taus = np.full((1, metrics, metrics), np.nan)
        for first, second in combinations(range(metrics), 2):
            both = values[:, [first, second]]
            both = both[~np.isnan(both).any(axis=1)]
            if len(both) > 1:
                levels = stats.rankdata(both, method="dense", axis=0).astype(np.int32) - 1
                taus[0, first, second] = taus[0, second, first] = tau_of_levels(*levels.T)
        yield taus
