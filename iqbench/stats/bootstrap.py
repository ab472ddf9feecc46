"""Bootstrap over images: reproducible resamples, and percentile intervals of means.

Images are drawn with replacement, as whole rows, so that methods, metrics and their differences
are computed on the same images of a resample. Intervals are percentile intervals (Efron &
Tibshirani 1993, chapter 13): of the B sorted values, each end is the value beyond which there are
at most (1 - confidence) / 2 of all values, without interpolation. There is no correction for bias
and acceleration (BCa), because a mean over images is nearly unbiased, and readers can check the
plain form more easily. Infinite values are left out, as for every mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqbench.stats.arrays import Floats, headroom

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "SEED",
    "bootstrap_counts",
    "bootstrap_indices",
    "bootstrap_means",
    "mean_interval",
    "percentile_interval",
]

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 0

_BLOCK = 8_000_000  # drawn indices in memory at a time
_KEPT = 4_000_000  # counts that are cached, 32 MB


def bootstrap_indices(n: int, resamples: int = RESAMPLES, seed: int = SEED) -> NDArray[np.int64]:
    """Draw images with replacement.

    Parameters
    ----------
    n
        The number of images, at least 1.
    resamples
        The number of resamples, of n images each.
    seed
        Equal arguments give equal resamples.

    Returns
    -------
    numpy.ndarray
        Indices from 0 to n - 1, shape (resamples, n).
    """
    return np.concatenate(list(_drawings(n, resamples, seed)))


def bootstrap_counts(n: int, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[Floats]:
    """Count how often each image is drawn in `bootstrap_indices`, a block of resamples at a time.

    Parameters
    ----------
    n, resamples, seed
        As for `bootstrap_indices`.

    Yields
    ------
    numpy.ndarray
        Counts as floats, shape (resamples of the block, n), in the order of the resamples; read
        only. A sum over images is the matrix product of counts and values, which is fast.
    """
    if 0 < n * resamples <= _KEPT:
        yield _kept_counts(n, resamples, seed)
    else:
        yield from map(_counted, _drawings(n, resamples, seed))


def bootstrap_means(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """Average the columns of a table over each resample of its rows.

    Parameters
    ----------
    values
        Shape (images,) or (images, k), NaN where there is no value.
    resamples, seed
        As for `bootstrap_indices`.

    Returns
    -------
    numpy.ndarray
        Shape (resamples,) or (resamples, k): the mean of the drawn finite values; NaN if none was
        drawn.
    """
    table = np.asarray(values, dtype=np.float64)
    columns = table.reshape(len(table), int(np.prod(table.shape[1:])))
    if columns.size == 0:
        return np.full((resamples, *table.shape[1:]), np.nan)
    finite = np.isfinite(columns)
    factor = headroom(columns)
    columns = columns * factor
    # Subtract one of the values before averaging, so that a constant column has an exact mean.
    first = np.take_along_axis(columns, finite.argmax(axis=0)[np.newaxis], axis=0)[0]
    centre = np.where(finite.any(axis=0), first, 0.0)
    distance = np.subtract(columns, centre, out=np.zeros_like(columns), where=finite)
    # Count values only in columns with missing or infinite ones, which are rare.
    partial = np.flatnonzero(~finite.all(axis=0))
    there = finite[:, partial].astype(np.float64)
    usual = np.flatnonzero(finite.all(axis=0))
    means = np.empty((resamples, columns.shape[1]))
    done = 0
    for counts in bootstrap_counts(len(table), resamples, seed):
        block = means[done : done + len(counts)]
        np.matmul(counts, distance, out=block)
        block[:, usual] /= len(table)
        with np.errstate(invalid="ignore"):  # 0 / 0 where nothing was drawn
            block[:, partial] /= counts @ there
        done += len(counts)
    return ((means + centre) / factor).reshape(resamples, *table.shape[1:])


def mean_interval(
    values: ArrayLike,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[Floats, Floats]:
    """Compute the percentile bootstrap interval of the mean over images.

    Parameters
    ----------
    values
        Shape (images,) or (images, k), NaN where there is no value.
    confidence
        The share of such intervals that contain the mean of the population, for many images.
    resamples, seed
        As for `bootstrap_indices`.

    Returns
    -------
    tuple of numpy.ndarray
        Lower and upper ends, shape () or (k,). NaN if a column has fewer than two finite values.
    """
    table = np.asarray(values, dtype=np.float64)
    low, high = percentile_interval(
        bootstrap_means(table, resamples=resamples, seed=seed), confidence
    )
    enough = np.isfinite(table).sum(axis=0) >= 2
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def percentile_interval(
    samples: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Compute the percentile interval of bootstrapped values.

    Parameters
    ----------
    samples
        Shape (resamples,) or (resamples, ...), one value per resample; NaN is left out.
    confidence
        The smallest share of values inside the interval.

    Returns
    -------
    tuple of numpy.ndarray
        Lower and upper ends, with the shape of one sample: each end is one of the values. NaN if
        all values are NaN.
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64), axis=0)  # NaN comes last
    count = (~np.isnan(ordered)).sum(axis=0)
    tail = np.floor(count * (1 - confidence) / 2 + 1e-9).astype(np.int64)
    low = np.take_along_axis(ordered, tail[np.newaxis], axis=0)[0]
    high = np.take_along_axis(ordered, (np.maximum(count, 1) - 1 - tail)[np.newaxis], axis=0)[0]
    return low, high


def _drawings(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    # Drawing in blocks gives the same numbers as drawing all at once.
    generator = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    for start in range(0, resamples, rows):
        yield generator.integers(0, n, (min(rows, resamples - start), n))


def _counted(drawn: NDArray[np.int64]) -> Floats:
    rows, n = drawn.shape
    places = drawn + n * np.arange(rows)[:, np.newaxis]
    return np.bincount(places.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


@lru_cache(maxsize=2)
def _kept_counts(n: int, resamples: int, seed: int) -> Floats:
    """Cache counts: a report of correlations needs the same ones a hundred times."""
    counts = _counted(bootstrap_indices(n, resamples, seed))
    counts.flags.writeable = False
    return counts
