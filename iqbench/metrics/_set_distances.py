"""Distances between two sets of images: Fréchet (FID) and kernel (KID), on their features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqbench.errors import IqbenchError

__all__ = ["Distance", "frechet_distance", "kernel_distance"]

Floats = NDArray[np.float64]

_GROUPS = 50
_BLOCK = 1024
"""Rows of a kernel matrix that are in memory at a time."""


@dataclass(frozen=True)
class Distance:
    """A distance between two sets, and how certain it is.

    Attributes
    ----------
    value
        The distance.
    standard_error
        Of the value; NaN where there are too few images to say.
    """

    value: float
    standard_error: float


def frechet_distance(reference: ArrayLike, output: ArrayLike, *, paired: bool = False) -> Distance:
    """Return the Fréchet distance between Gaussians fitted to two sets of features.

    Parameters
    ----------
    reference, output
        (n, d) and (m, d), at least two rows each: the features of one image a row.
    paired
        Whether row i of both sets belongs together, as a reference and its output: then both are
        left out together for the standard error.

    Returns
    -------
    Distance
        |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) with unbiased covariances, in float64; FID on
        Inception's features. The standard error is that of a jackknife over at most 50 groups of
        images; a bootstrap would raise FID, which depends on the number of images. With fewer
        images than some thousand, that dependence is part of the error, which is then large.

    Raises
    ------
    IqbenchError
        If the sets have fewer than two images, features of different lengths, values that are not
        finite, or, if paired, different numbers of images.

    Notes
    -----
    Heusel et al. 2017, arXiv:1706.08500. With fewer images than features, the trace of the root
    is the nuclear norm of the product of both sets of centred features, an n x m matrix: nothing
    is lost in the roots of eigenvalues that are 0.
    """
    first, second = _two_sets(reference, output)
    value = _frechet(first, second)
    if paired:
        if len(first) != len(second):
            raise IqbenchError(f"{len(first)} and {len(second)} images are no pairs")
        both = zip(_without_groups(first), _without_groups(second), strict=True)
        left = [np.array([_frechet(*parts) for parts in both])]
    else:
        left = [
            np.array([_frechet(part, second) for part in _without_groups(first)]),
            np.array([_frechet(first, part) for part in _without_groups(second)]),
        ]
    return Distance(value, math.sqrt(sum(_jackknife_variance(parts) for parts in left)))


def kernel_distance(reference: ArrayLike, output: ArrayLike) -> Distance:
    """Return the unbiased squared maximum mean discrepancy between two sets of features.

    Parameters
    ----------
    reference, output
        As for `frechet_distance`.

    Returns
    -------
    Distance
        KID on Inception's features: the kernel is (x . y / d + 1)^3, all pairs of different images
        count once, so nothing is drawn at random. The value may be below 0. The standard error is
        that of a jackknife over single images.

    Raises
    ------
    IqbenchError
        As `frechet_distance`.

    Notes
    -----
    Bińkowski et al. 2018, arXiv:1801.01401. Libraries average this over random subsets of 1000
    images: the same expectation, a larger error.
    """
    first, second = _two_sets(reference, output)
    within_first, within_second = _kernel_sums(first, first), _kernel_sums(second, second)
    across = _kernel_sums(first, second)
    across_second = _kernel_sums(second, first)
    within_first -= _kernel_diagonal(first)
    within_second -= _kernel_diagonal(second)
    n, m = len(first), len(second)
    a, b, c = within_first.sum(), within_second.sum(), across.sum()
    value = a / (n * (n - 1)) + b / (m * (m - 1)) - 2 * c / (n * m)
    if min(n, m) < 3:
        return Distance(float(value), math.nan)
    # What is left of the value without each image in turn.
    without_first = (
        (a - 2 * within_first) / ((n - 1) * (n - 2))
        + b / (m * (m - 1))
        - 2 * (c - across) / ((n - 1) * m)
    )
    without_second = (
        a / (n * (n - 1))
        + (b - 2 * within_second) / ((m - 1) * (m - 2))
        - 2 * (c - across_second) / (n * (m - 1))
    )
    variance = _jackknife_variance(without_first) + _jackknife_variance(without_second)
    return Distance(float(value), math.sqrt(variance))


def _two_sets(reference: ArrayLike, output: ArrayLike) -> tuple[Floats, Floats]:
    """Refuse what is no pair of sets of features."""
    first, second = (np.asarray(one, dtype=np.float64) for one in (reference, output))
    for what, features in (("reference", first), ("output", second)):
        if features.ndim != 2 or len(features) < 2:
            raise IqbenchError(
                f"expected the features of at least two images, (n, d), not {features.shape}",
                hint=f"Give one row an image of the {what} set",
            )
        if not np.isfinite(features).all():
            raise IqbenchError(f"the {what} set has features that are not finite")
    if first.shape[1] != second.shape[1]:
        raise IqbenchError(
            f"the sets have features of different lengths: {first.shape[1]} and {second.shape[1]}",
            hint="Features of one network can be compared only",
        )
    return first, second


def _frechet(first: Floats, second: Floats) -> float:
    means = first.mean(axis=0), second.mean(axis=0)
    centred = first - means[0], second - means[1]
    step = means[0] - means[1]
    n, m = len(first), len(second)
    spread = (centred[0] ** 2).sum() / (n - 1) + (centred[1] ** 2).sum() / (m - 1)
    if min(n, m) < first.shape[1]:
        # The roots of the eigenvalues of S1 S2 are the singular values of A B^T.
        product = centred[0] @ centred[1].T
        root = np.linalg.svd(product, compute_uv=False).sum() / math.sqrt((n - 1) * (m - 1))
    else:
        root = _trace_of_root(*(part.T @ part / (len(part) - 1) for part in centred))
    # Of equal sets rounding would leave something below 0.
    return max(float(step @ step + spread - 2 * root), 0.0)


def _trace_of_root(first: Floats, second: Floats) -> float:
    """Return tr((S1 S2)^(1/2)) of covariances, by the symmetric matrix S1^(1/2) S2 S1^(1/2)."""
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0))
    inner = root.T @ second @ root
    return float(np.sqrt(np.linalg.eigvalsh((inner + inner.T) / 2).clip(0)).sum())


def _without_groups(features: Floats) -> Iterator[Floats]:
    """Leave out each group of images in turn; groups are every so many-th image."""
    groups = min(_GROUPS, len(features))
    number = np.arange(len(features)) % groups
    for group in range(groups):
        rest = features[number != group]
        if len(rest) >= 2:
            yield rest


def _jackknife_variance(parts: Floats) -> float:
    """Return the variance of a value from what it is without each group; NaN of no groups."""
    groups = len(parts)
    if not groups:
        return math.nan
    return float((groups - 1) / groups * ((parts - parts.mean()) ** 2).sum())


def _kernel_sums(rows: Floats, columns: Floats) -> Floats:
    """Sum the kernel of each row with all columns, a block of rows at a time."""
    sums = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        kernel = (rows[block] @ columns.T / rows.shape[1] + 1) ** 3
        sums[block] = kernel.sum(axis=1)
    return sums


def _kernel_diagonal(features: Floats) -> Floats:
    """Return the kernel of each image with itself."""
    diagonal: Floats = ((features**2).sum(axis=1) / features.shape[1] + 1) ** 3
    return diagonal
