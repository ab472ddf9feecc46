"""Whether two metrics rank the methods of an image alike."""

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
_MANY = 300  # rows of one content from which on sorting is cheaper than comparing all pairs


def ranking_agreement(table: pd.DataFrame, contents: pd.Series) -> Associations:
    """Average Kendall's tau-b over images: of the values of two metrics over the methods of each.

    Parameters
    ----------
    table
        One column per metric, indexed by dataset, method and image.
    contents
        What each row shows, in the same order: the image, or the reference of several images.

    Returns
    -------
    Associations
        Of all pairs of columns; ``n`` counts the images in which tau-b is defined: at least two
        methods have both values, and neither metric gives all of them the same. Values are
        compared as they are, so metrics of opposite directions that agree have a tau of -1.
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
    """Number what each row shows; the contents of a dataset follow each other."""
    datasets = table.index.get_level_values("dataset").astype(str)
    places = pd.MultiIndex.from_arrays([datasets, contents.to_numpy()])
    return pd.factorize(places, sort=True)[0].astype(np.intp)


def _groups(values: Floats, content: Indices) -> Iterator[tuple[Indices, Floats]]:
    """Give the contents that have equally many rows together, with their numbers.

    Their rows have the shape (contents, rows of each, metrics).
    """
    order = np.argsort(content, kind="stable")
    sizes = np.bincount(content)
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size)
        yield members, values[order[starts[members][:, np.newaxis] + np.arange(size)]]


def _taus_of_few(group: Floats) -> Iterator[Floats]:
    """Compare all rows of each content, for several contents at once."""
    signs = group.size * group.shape[1]
    yield from map(_taus, np.array_split(group, max(1, signs // _BLOCK)))


def _taus(group: Floats) -> Floats:
    """Tau-b of every content between all metrics: (contents, rows, m) -> (contents, m, m)."""
    first, second = np.triu_indices(group.shape[1], 1)
    a, b = group[:, first], group[:, second]
    # Not the sign of a difference: two infinite values are equal, and NaN compares as neither.
    signs = (a > b).astype(np.float64) - (a < b)
    present: NDArray[np.float64] = (~(np.isnan(a) | np.isnan(b))).astype(np.float64)
    untied = np.abs(signs).transpose(0, 2, 1) @ present
    with np.errstate(divide="ignore", invalid="ignore"):
        taus: Floats = (signs.transpose(0, 2, 1) @ signs) / np.sqrt(
            untied * untied.transpose(0, 2, 1)
        )
    return taus


def _taus_by_sorting(group: Floats) -> Iterator[Floats]:
    """Compute `_taus` for one content and two metrics at a time: many rows have too many pairs."""
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
