"""Pearson's, Spearman's and Kendall's coefficients, with the influence of each image.

scipy computes Kendall's tau-b of many rows. The rest is written here because the influences (see
`iqbench.stats.influence`) are also needed, which no package computes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from iqbench.stats.arrays import Floats, Indices

__all__ = [
    "COEFFICIENTS",
    "Associations",
    "Coefficient",
    "associate",
    "clustered",
    "tau_of_levels",
]

Coefficient = Literal["pearson", "spearman", "kendall"]
COEFFICIENTS: tuple[Coefficient, ...] = ("pearson", "spearman", "kendall")


_FEWEST = 3  # any correlation of two points is 1 or -1
_PAIRWISE = 2000  # rows up to which comparing all pairs is faster than sorting
_BLOCK = 2_000_000  # signs in memory at a time
_BINS = 128  # quantiles of ranks for the influences (not for the values) of tau-b
_NEARLY_ONE = 1 - 1e-12
_THREADS = 8  # sorting releases Python's global interpreter lock


@dataclass(frozen=True)
class Associations:
    """One coefficient for all pairs of columns: (0, 1), (0, 2), ..., (1, 2), ...

    Attributes
    ----------
    first, second
        (pairs,) indices of the columns, ``first < second``.
    value
        (pairs,) in [-1, 1]; NaN for fewer than three rows, or if a column is constant.
    n
        (pairs,) number of rows with both values.
    images
        (images, pairs) whether an image has such a row.
    influence
        (images, pairs) the growth of the value if the weight of an image grows by one.
    """

    first: Indices
    second: Indices
    value: Floats
    n: Indices
    images: NDArray[np.bool_]
    influence: Floats


_Estimator = Callable[[Floats, Indices, int], tuple[Floats, Floats]]
"""Columns without NaN, image of each row, number of images -> values and influences of all pairs.

With 0 images, influences are not computed, and are zeros of shape (1, pairs)."""


def associate(
    values: Floats,
    clusters: Indices,
    images: int,
    coefficient: Coefficient,
    *,
    influences: bool = True,
) -> Associations:
    """Correlate all pairs of columns.

    Parameters
    ----------
    values
        (rows, columns); NaN for a missing value. A row is used for the pairs of which it has both
        values. Pearson's coefficient uses only finite values.
    clusters
        (rows,) the index of each row's image; rows of one image are resampled together.
    images
        The number of images.
    coefficient
        The coefficient. Kendall's is tau-b; Spearman's is Pearson's coefficient of mid-ranks.
    influences
        Whether to compute influences, which take most of the time and memory; else they are 0.
    """
    estimate = _ESTIMATORS[coefficient]
    usable = np.isfinite(values) if coefficient == "pearson" else ~np.isnan(values)
    first, second = np.triu_indices(values.shape[1], 1)
    pairs = len(first)
    found = Associations(
        *(first, second, np.full(pairs, np.nan), np.zeros(pairs, np.intp)),
        np.zeros((images, pairs), dtype=bool),
        np.zeros((images, pairs)),
    )
    whole: NDArray[np.bool_] = np.asarray(usable.all(axis=0))
    at_once = whole[first] & whole[second]
    found.n[at_once] = len(values)
    found.images[np.unique(clusters)[:, np.newaxis], np.flatnonzero(at_once)] = True
    if at_once.any() and len(values) >= _FEWEST:
        columns = np.flatnonzero(whole)
        found.value[at_once], found.influence[:, at_once] = estimate(
            values[:, columns], clusters, images if influences else 0
        )
    for pair in np.flatnonzero(~at_once):
        columns = np.array([first[pair], second[pair]])
        rows = usable[:, columns].all(axis=1)
        found.n[pair] = rows.sum()
        found.images[clusters[rows], pair] = True
        if found.n[pair] >= _FEWEST:
            value, influence = estimate(
                values[np.ix_(rows, columns)], clusters[rows], images if influences else 0
            )
            found.value[pair], found.influence[:, pair] = value[0], influence[:, 0]
    undefined = np.isnan(found.value)
    found.influence[:, undefined] = 0.0
    return found


def clustered(parts: Floats, clusters: Indices, images: int) -> Floats:
    """Sum the rows of each image: (rows, k) -> (images, k)."""
    order = np.argsort(clusters, kind="stable")
    numbers, starts = np.unique(clusters[order], return_index=True)
    sums = np.zeros((images, parts.shape[1]))
    if len(numbers):
        sums[numbers] = np.add.reduceat(parts[order], starts, axis=0)
    return sums


def _pearson(values: Floats, clusters: Indices, images: int) -> tuple[Floats, Floats]:
    """Compute Pearson's coefficient. Influences come from the jackknife over images.

    The jackknife is on Fisher's scale. For few images, its intervals have better coverage than
    those of derivatives.
    """
    u = _standardised(values)
    if not images:
        products = (u[:, [a]] * u[:, a + 1 :] for a in range(u.shape[1] - 1))
        return _alone(np.clip(product.mean(axis=0), -1, 1) for product in products)
    count = clustered(np.ones((len(u), 1)), clusters, images)
    taking_part = count[:, 0] > 0
    used = int(taking_part.sum())
    left = len(u) - count
    sums, squares = (part.sum(axis=0) - part for part in _sums(u, clusters, images))
    found: list[Floats] = []
    influences: list[Floats] = []
    for a in range(u.shape[1] - 1):
        product = u[:, [a]] * u[:, a + 1 :]
        value = np.clip(product.mean(axis=0), -1, 1)
        without = product.sum(axis=0) - clustered(product, clusters, images)
        with np.errstate(divide="ignore", invalid="ignore"):
            without = (without - sums[:, [a]] * sums[:, a + 1 :] / left) / np.sqrt(
                (squares[:, [a]] - sums[:, [a]] ** 2 / left)
                * (squares[:, a + 1 :] - sums[:, a + 1 :] ** 2 / left)
            )
        # If all rows except those of one image are constant, leaving it out gives no coefficient.
        without = np.clip(np.nan_to_num(without, nan=0.0), -_NEARLY_ONE, _NEARLY_ONE)
        moved = np.arctanh(np.clip(value, -_NEARLY_ONE, _NEARLY_ONE)) - np.arctanh(without)
        moved = np.where(taking_part[:, np.newaxis], moved, 0.0)
        found.append(value)
        influences.append(moved * (1 - value**2) * (used - 1) / used)
    return np.concatenate(found), np.concatenate(influences, axis=1)


def _alone(values: Iterable[Floats]) -> tuple[Floats, Floats]:
    """Return values, with zeros as influences."""
    found = np.concatenate(list(values))
    return found, np.zeros((1, len(found)))


def _standardised(values: Floats) -> Floats:
    """Scale columns to mean 0 and variance 1, without overflow; NaN if all values are equal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # A power of two changes no digit of values that are large and differ little.
        scaled = np.ldexp(values, -np.frexp(np.abs(values).max(axis=0))[1])
        centred = scaled - scaled.mean(axis=0)
        centred -= centred.mean(axis=0)  # what rounding left of the mean
        centred /= np.abs(centred).max(axis=0)
        unit: Floats = centred / np.sqrt(np.mean(centred**2, axis=0))
    unit[:, np.ptp(values, axis=0) == 0] = np.nan
    return unit


def _sums(u: Floats, clusters: Indices, images: int) -> tuple[Floats, Floats]:
    return clustered(u, clusters, images), clustered(u * u, clusters, images)


def _spearman(values: Floats, clusters: Indices, images: int) -> tuple[Floats, Floats]:
    """Compute Spearman's coefficient.

    A row influences it by its own ranks, and by its effect on the ranks of all other rows.
    """
    n = len(values)
    ranks = (stats.rankdata(values, axis=0) - (n + 1) / 2) / n
    if not images:
        variance = np.mean(ranks**2, axis=0)
        return _alone(_rank_correlations(ranks, variance))
    orders = [_Order.of(column) for column in values.T]
    own = np.stack([order.pull(ranks[:, [k]])[:, 0] for k, order in enumerate(orders)], axis=1)
    variance = np.mean(ranks**2, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (ranks**2 + 2 * own) / variance - 3
    found: list[Floats] = []
    influences: list[Floats] = []
    for a in range(values.shape[1] - 1):
        others = slice(a + 1, None)
        product = ranks[:, [a]] * ranks[:, others]
        covariance = product.mean(axis=0)
        norm = np.sqrt(variance[a] * variance[others])
        norm[norm == 0] = np.nan
        product += orders[a].pull(ranks[:, others])
        product += np.stack([order.pull(ranks[:, [a]])[:, 0] for order in orders[others]], axis=1)
        value = np.clip(covariance / norm, -1, 1)
        moved = (product - 3 * covariance) / norm
        moved -= value / 2 * (spread[:, [a]] + spread[:, others])
        found.append(value)
        influences.append(clustered(moved, clusters, images) / n)
    return np.concatenate(found), np.concatenate(influences, axis=1)


def _rank_correlations(ranks: Floats, variance: Floats) -> Iterator[Floats]:
    """Correlate each column of centred ranks with all later columns."""
    for a in range(ranks.shape[1] - 1):
        others = slice(a + 1, None)
        covariance = (ranks[:, [a]] * ranks[:, others]).mean(axis=0)
        norm = np.sqrt(variance[a] * variance[others])
        norm[norm == 0] = np.nan
        yield np.clip(covariance / norm, -1, 1)


@dataclass(frozen=True)
class _Order:
    """The sorted order of a column's rows, with the start and end of each row's tie."""

    rows: Indices
    start: Indices
    end: Indices

    @classmethod
    def of(cls, column: Floats) -> _Order:
        _, level, sizes = np.unique(column, return_inverse=True, return_counts=True)
        end = np.cumsum(sizes)
        return cls(np.argsort(level, kind="stable"), (end - sizes)[level], end[level])

    def pull(self, weights: Floats) -> Floats:
        """Return, for each row, half the mean over all rows of sign(other - own) x weight."""
        upto = np.concatenate(
            [np.zeros((1, weights.shape[1])), np.cumsum(weights[self.rows], axis=0)]
        )
        pulled: Floats = (upto[-1] - upto[self.end] - upto[self.start]) / (2 * len(weights))
        return pulled


def _kendall(values: Floats, clusters: Indices, images: int) -> tuple[Floats, Floats]:
    levels = stats.rankdata(values, method="dense", axis=0).astype(np.int32) - 1
    if not images and len(values) > _PAIRWISE:
        return _alone([_taus_of_pairs(levels)])
    untied = len(values) - np.stack([np.bincount(k)[k] for k in levels.T], axis=1)
    if len(values) <= _PAIRWISE:
        concordance = _concordance(levels)
    else:
        concordance = _concordance_of_quantiles(levels)
    first, second = np.triu_indices(values.shape[1], 1)
    total, of_first, of_second = (
        part.sum(axis=0) for part in (concordance, untied[:, first], untied[:, second])
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        norm = np.sqrt(of_first * of_second.astype(np.float64))
        value = total / norm
        moved = 2 * (concordance - concordance.mean(axis=0)) / norm
        spread = untied / untied.sum(axis=0) - 1 / len(values)
        moved -= value * (spread[:, first] + spread[:, second])
    if len(values) > _PAIRWISE:
        value = _taus_of_pairs(levels)
    return (value, clustered(moved, clusters, images)) if images else _alone([value])


def _taus_of_pairs(levels: NDArray[np.int32]) -> Floats:
    """Compute tau-b of all pairs of columns of dense ranks, in several threads."""
    first, second = np.triu_indices(levels.shape[1], 1)
    columns = np.ascontiguousarray(levels.T)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
        return np.array(list(threads.map(tau_of_levels, columns[first], columns[second])))


def tau_of_levels(x: NDArray[np.int32], y: NDArray[np.int32]) -> float:
    """Compute tau-b of two columns of dense ranks from 0; NaN if one is constant."""
    if not x.any() or not y.any():
        return np.nan
    # The p-value is not used, and the exact one would take longer than the coefficient.
    return float(stats.kendalltau(x, y, method="asymptotic").statistic)


def _concordance(levels: NDArray[np.int32]) -> Floats:
    """Count, for each row and pair of columns of (n, columns), concordant minus discordant rows."""
    n, columns = levels.shape
    first, second = np.triu_indices(columns, 1)
    found = np.empty((n, len(first)))
    across = np.ascontiguousarray(levels.T)
    step = max(1, _BLOCK // (n * columns))
    for start in range(0, n, step):
        rows = across[:, start : start + step, np.newaxis]
        signs = np.sign(rows - across[:, np.newaxis]).astype(np.float32).transpose(1, 0, 2)
        found[start : start + step] = (signs @ signs.transpose(0, 2, 1))[:, first, second]
    return found


def _concordance_of_quantiles(levels: NDArray[np.int32]) -> Floats:
    """Compute `_concordance` of ranks in `_BINS` quantiles, accurate enough for influences."""
    n, columns = levels.shape
    bins = np.stack([_binned(column) for column in levels.T], axis=1)
    first, second = np.triu_indices(columns, 1)
    found = np.empty((n, len(first)))
    for pair, (a, b) in enumerate(zip(bins.T[first], bins.T[second], strict=True)):
        table = np.bincount(a * _BINS + b, minlength=_BINS**2).reshape(_BINS, _BINS)
        for axis in (0, 1):
            total = table.sum(axis=axis, keepdims=True)
            table = 2 * np.cumsum(table, axis=axis) - table - total  # below less above
        found[:, pair] = table[a, b]
    return found


def _binned(level: NDArray[np.int32]) -> Indices:
    sizes = np.bincount(level)
    if len(sizes) <= _BINS:
        return level.astype(np.intp)
    bins: Indices = ((np.cumsum(sizes) - sizes) * _BINS // len(level))[level]
    return bins


_ESTIMATORS: dict[Coefficient, _Estimator] = {
    "pearson": _pearson,
    "spearman": _spearman,
    "kendall": _kendall,
}
