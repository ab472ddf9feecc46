"""Fréchet distance (FID) and kernel distance (KID) between the features of two sets of images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqbench.errors import IqbenchError
from iqbench.metrics._feature_sets import ArrayFeatures, FeatureSet, Floats, Integers, Moments

__all__ = [
    "Distance",
    "frechet_distance",
    "frechet_of_moments",
    "frechet_of_sets",
    "kernel_distance",
    "kernel_of_sets",
]

_FEW_GROUPS, _GROUPS = 20, 50
"""Groups of a jackknife: for covariances of full rank, whose roots take seconds, and for others."""

_GROUPS_AT_ONCE = 8
"""Groups whose moments are in memory at one time."""


@dataclass(frozen=True)
class Distance:
    """A distance between two sets, with its uncertainty.

    Attributes
    ----------
    value
        The distance.
    standard_error
        Standard error of the value; NaN if there are too few images.
    replicates
        The value without each group of images in turn (a jackknife). Image number i of the
        outputs, in the order of ids, is in group i modulo the number of groups; so is its
        reference, for pairs. Runs on the same images have the same groups, so that the difference
        of two values has a jackknife too. Empty if not known.
    """

    value: float
    standard_error: float = math.nan
    replicates: tuple[float, ...] = ()


def frechet_distance(reference: ArrayLike, output: ArrayLike, *, paired: bool = False) -> Distance:
    """Return the Fréchet distance between Gaussians fitted to two sets of features.

    Parameters
    ----------
    reference, output
        (n, d) and (m, d), at least two rows each: one row of features per image.
    paired
        Whether row i of both sets is a reference and its output. Then both are left out together
        for the standard error.

    Returns
    -------
    Distance
        |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) with unbiased covariances, in float64; FID for
        Inception's features. The standard error is that of a jackknife over at most 50 groups of
        images; a bootstrap would increase FID, which depends on the number of images. With fewer
        than some thousand images, this dependence is part of the error, which is then large.

    Raises
    ------
    IqbenchError
        If the sets have fewer than two images, features of different lengths, values that are not
        finite, or, if paired, different numbers of images.

    Notes
    -----
    Heusel et al. 2017, arXiv:1706.08500. With fewer images than features, the trace of the root is
    computed as the nuclear norm of the product of both sets of centred features, an n x m matrix,
    which avoids rounding errors in the roots of eigenvalues that are 0.
    """
    first, second = _two_sets(reference, output, paired)
    return frechet_of_sets(first, second, paired=paired)


def kernel_distance(reference: ArrayLike, output: ArrayLike, *, paired: bool = False) -> Distance:
    """Return the unbiased squared maximum mean discrepancy between two sets of features.

    Parameters
    ----------
    reference, output, paired
        As for `frechet_distance`.

    Returns
    -------
    Distance
        KID for Inception's features: the kernel is (x . y / d + 1)^3, and all pairs of different
        images count once, without random subsets. The value may be below 0. The standard error is
        that of a jackknife over single images: over pairs, or over both sets, whose variances are
        added.

    Raises
    ------
    IqbenchError
        As `frechet_distance`.

    Notes
    -----
    Bińkowski et al. 2018, arXiv:1801.01401. Libraries average it over random subsets of 1000
    images, which has the same expectation and a larger error.
    """
    return kernel_of_sets(*_two_sets(reference, output, paired), paired=paired)


def _two_sets(
    reference: ArrayLike, output: ArrayLike, paired: bool
) -> tuple[ArrayFeatures, ArrayFeatures]:
    """Check that both arguments are sets of features that can be compared."""
    first = ArrayFeatures.checked(reference, "reference")
    second = ArrayFeatures.checked(output, "output")
    if first.length != second.length:
        raise IqbenchError(
            f"the sets have features of different lengths: {first.length} and {second.length}",
            hint="Features of one network can be compared only",
        )
    if paired and len(first.features) != len(second.features):
        raise IqbenchError(f"{len(first.features)} and {len(second.features)} images are no pairs")
    return first, second


def frechet_of_sets(reference: FeatureSet, output: FeatureSet, *, paired: bool) -> Distance:
    """Compute `frechet_distance` of sets that may not fit into memory.

    Parameters
    ----------
    reference, output
        The features of both sets.
    paired
        Whether the images of both sets are pairs.
    """
    sides = _side(reference), _side(output)
    value = _frechet(*(side.whole() for side in sides))
    few = any(isinstance(side, _LargeSide) for side in sides)
    groups = _FEW_GROUPS if few else _GROUPS
    if paired:
        both = zip(*(side.without(groups) for side in sides), strict=True)
        left = [[_frechet(*parts) for parts in both]]
    else:
        whole = [side.whole() for side in sides]
        left = [
            [_frechet(part, whole[1]) for part in sides[0].without(groups // 2)],
            [_frechet(whole[0], part) for part in sides[1].without(groups // 2)],
        ]
    error = math.sqrt(sum(_jackknife_variance(np.array(one)) for one in left))
    return Distance(value, error, tuple(left[-1]))


def frechet_of_moments(reference: Moments, output: Moments) -> Distance:
    """Compute the value of `frechet_of_sets` from the moments of both sets.

    The result has no standard error, which needs the features of single images.
    """
    return Distance(_frechet(_Gaussian.of(reference), _Gaussian.of(output)))


@dataclass(frozen=True)
class _Gaussian:
    """The Gaussian of a set: its mean, and its covariance or, for few images, a factor of it.

    Attributes
    ----------
    mean
        (d,).
    spread
        The trace of the covariance.
    rows
        (n, d) rows F, so that F^T F is the covariance, such as the centred rows divided by the root
        of n - 1; None with more images than features.
    covariance
        (d, d) if there are no rows.
    """

    mean: Floats
    spread: float
    rows: Floats | None = None
    covariance: Floats | None = None

    @classmethod
    def of(cls, moments: Moments) -> _Gaussian:
        covariance = moments.covariance
        spread = float(np.trace(covariance))
        if moments.n >= len(covariance):
            return cls(moments.mean, spread, covariance=covariance)
        # With few rows the other eigenvalues are 0, but their rounding errors have large roots.
        values, vectors = np.linalg.eigh(covariance)
        rank = moments.n - 1
        rows = (vectors[:, -rank:] * np.sqrt(values[-rank:].clip(0))).T
        return cls(moments.mean, spread, rows=rows)

    @classmethod
    def of_rows(cls, rows: Floats) -> _Gaussian:
        if len(rows) >= rows.shape[1]:
            return cls.of(Moments.of(rows))
        mean = rows.mean(axis=0)
        centred = (rows - mean) / math.sqrt(len(rows) - 1)
        return cls(mean, float((centred**2).sum()), rows=centred)

    def factor(self) -> Floats:
        """Return F, (n, d) or (d, d), so that F^T F is the covariance."""
        if self.rows is not None:
            return self.rows
        assert self.covariance is not None
        values, vectors = np.linalg.eigh(self.covariance)
        root: Floats = (vectors * np.sqrt(values.clip(0))).T
        return root


def _frechet(first: _Gaussian, second: _Gaussian) -> float:
    step = first.mean - second.mean
    if first.covariance is not None and second.covariance is not None:
        root = _trace_of_root(first.covariance, second.covariance)
    else:
        # The roots of the eigenvalues of S1 S2 are the singular values of F1 F2^T.
        product = first.factor() @ second.factor().T
        root = float(np.linalg.svd(product, compute_uv=False).sum())
    # For equal sets, rounding may give a value below 0.
    return max(float(step @ step + first.spread + second.spread - 2 * root), 0.0)


def _trace_of_root(first: Floats, second: Floats) -> float:
    """Return tr((S1 S2)^(1/2)), by a symmetric matrix with the same eigenvalues."""
    try:
        root = np.linalg.cholesky(first)
    except np.linalg.LinAlgError:  # not of full rank
        values, vectors = np.linalg.eigh(first)
        root = vectors * np.sqrt(values.clip(0))
    inner = root.T @ second @ root
    return float(np.sqrt(np.linalg.eigvalsh((inner + inner.T) / 2).clip(0)).sum())


@dataclass(frozen=True)
class _SmallSide:
    """A set in memory, and the image of each row."""

    rows: Floats
    owners: Integers

    def whole(self) -> _Gaussian:
        return _Gaussian.of_rows(self.rows)

    def without(self, groups: int) -> Iterator[_Gaussian]:
        """Leave out each group of images in turn; image i is in group i modulo `groups`."""
        groups = min(groups, int(self.owners.max()) + 1)
        for group in range(groups):
            rest = self.rows[self.owners % groups != group]
            if len(rest) >= 2:
                yield _Gaussian.of_rows(rest)


@dataclass(frozen=True)
class _LargeSide:
    """A set that is read in blocks, and its moments."""

    features: FeatureSet
    moments: Moments

    def whole(self) -> _Gaussian:
        return _Gaussian.of(self.moments)

    def without(self, groups: int) -> Iterator[_Gaussian]:
        """Leave out each group of images in turn."""
        groups = min(groups, int(self.features.owners.max()) + 1)
        groups_of_rows = self.features.owners % groups
        for start in range(0, groups, _GROUPS_AT_ONCE):
            wanted = range(start, min(start + _GROUPS_AT_ONCE, groups))
            parts = {group: Moments.none(self.features.length) for group in wanted}
            for places, rows in self.features.blocks():
                number = groups_of_rows[places]
                for group in wanted:
                    mine = rows[number == group]
                    if len(mine):
                        parts[group] = parts[group].merge(Moments.of(mine))
            for group in wanted:
                yield _Gaussian.of(self.moments.without(parts.pop(group)))


def _side(features: FeatureSet) -> _SmallSide | _LargeSide:
    """Read a set into memory, unless it has many more rows than features."""
    owners, length = features.owners, features.length
    if len(owners) <= 2 * length:
        return _SmallSide(features.array().astype(np.float64), owners)
    blocks = (rows for _, rows in features.blocks())
    return _LargeSide(features, Moments.of_blocks(blocks, length))


def kernel_of_sets(reference: FeatureSet, output: FeatureSet, *, paired: bool = False) -> Distance:
    """Compute `kernel_distance` of sets that may not fit into memory.

    Parameters
    ----------
    reference, output
        The features of both sets.
    paired
        Whether the images of both sets are pairs.

    Notes
    -----
    Patches of an image are not independent. So the jackknife leaves out one image at a time, with
    all its patches and, for pairs, with its partner. The value itself uses all pairs of different
    rows.
    """
    images = [int(side.owners.max()) + 1 for side in (reference, output)]
    groups = min(_GROUPS if paired else _GROUPS // 2, images[1])
    first, second = _kernel_sums(reference, groups), _kernel_sums(output, groups)
    between = _kernel_sums(reference, groups, output)
    n, m = len(first.rows), len(second.rows)
    a, b, c = (one.rows.sum() for one in (first, second, between))
    value = float(_kernel_value(a, n, b, m, c))
    if min(images) < 3:
        return Distance(value)
    left = [second.without(group) for group in range(groups)]
    inner = [first.without(group) if paired else (a, n) for group in range(groups)]
    crossed = [between.without_across(group, both=paired) for group in range(groups)]
    replicates = tuple(
        float(_kernel_value(x, i, y, j, z))
        for (x, i), (y, j), z in zip(inner, left, crossed, strict=True)
        if min(i, j) > 1
    )
    # The parts of the value without each image in turn.
    without = first.without_each(), second.without_each()
    across_first, across_second = between.of_images()
    if paired:
        crossed_out = c - across_first - across_second + between.own
        parts = [_kernel_value(*without[0], *without[1], crossed_out)]
    else:
        parts = [
            _kernel_value(*without[0], b, m, c - across_first),
            _kernel_value(a, n, *without[1], c - across_second),
        ]
    error = math.sqrt(sum(_jackknife_variance(one) for one in parts))
    return Distance(value, error, replicates)


_Number: TypeAlias = float | Floats | Integers


def _kernel_value(
    first: _Number, n: _Number, second: _Number, m: _Number, across: _Number
) -> Floats:
    """Return the squared discrepancy from sums of the kernel within both sets and between them.

    Parameters
    ----------
    first, second
        Sums over all pairs of different rows within each set.
    n, m
        The numbers of rows.
    across
        Sum over all pairs of rows of different sets.
    """
    value: Floats = np.asarray(
        first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * across / (n * m), dtype=np.float64
    )
    return value


def _jackknife_variance(parts: Floats) -> float:
    """Return the jackknife variance from the values without each group; NaN without groups."""
    groups = len(parts)
    if not groups:
        return math.nan
    return float((groups - 1) / groups * ((parts - parts.mean()) ** 2).sum())


def _kernel(rows: NDArray[np.floating], columns: NDArray[np.floating]) -> Floats:
    wide: Sequence[Floats] = [one.astype(np.float64, copy=False) for one in (rows, columns)]
    kernel: Floats = (wide[0] @ wide[1].T / rows.shape[1] + 1) ** 3
    return kernel


@dataclass(frozen=True)
class _KernelSums:
    """Sums of the kernel between the rows of one set, or of two sets, and by groups of images.

    Attributes
    ----------
    rows, columns
        For each row of a set, the sum with all rows of the other set; within one set, with all
        other rows.
    groups
        (groups,) sums of the rows of a group with those of the same group of the other set.
    own
        (images,) sums of the rows of an image with those of the same image of the other set.
    of_rows, of_columns
        The image of each row.
    """

    rows: Floats
    columns: Floats
    groups: Floats
    own: Floats
    of_rows: Integers
    of_columns: Integers

    def without(self, group: int) -> tuple[float, int]:
        """Return the sum within a set without a group, and the number of remaining rows."""
        mine = self.of_rows % len(self.groups) == group
        left = self.rows.sum() - 2 * self.rows[mine].sum() + self.groups[group]
        return float(left), int((~mine).sum())

    def without_across(self, group: int, *, both: bool) -> float:
        """Return the sum between two sets without a group of the second, or of both."""
        number = len(self.groups)
        left = self.rows.sum() - self.columns[self.of_columns % number == group].sum()
        if both:
            left += self.groups[group] - self.rows[self.of_rows % number == group].sum()
        return float(left)

    def of_images(self) -> tuple[Floats, Floats]:
        """Sum the rows and the columns of each image."""
        rows: Floats = np.bincount(self.of_rows, self.rows).astype(np.float64)
        columns: Floats = np.bincount(self.of_columns, self.columns).astype(np.float64)
        return rows, columns

    def without_each(self) -> tuple[Floats, Integers]:
        """Return the sums within a set without each image, and the numbers of remaining rows."""
        left = self.rows.sum() - 2 * self.of_images()[0] + self.own
        return left, len(self.rows) - np.bincount(self.of_rows)


def _kernel_sums(first: FeatureSet, groups: int, other: FeatureSet | None = None) -> _KernelSums:
    """Sum the kernel block by block: within a set, or between two."""
    second = first if other is None else other
    of_rows, of_columns = first.owners, second.owners
    sums = np.zeros(len(of_rows)), np.zeros(len(of_columns))
    of_groups, own = np.zeros(groups), np.zeros(max(of_rows.max(), of_columns.max()) + 1)
    for places, rows in first.blocks():
        images = of_rows[places]
        members = np.eye(groups)[images % groups]
        for others, columns in second.blocks():
            kernel = _kernel(rows, columns)
            if other is None:
                kernel[places[:, np.newaxis] == others] = 0  # pairs of a row with itself
            sums[0][places] += kernel.sum(axis=1)
            sums[1][others] += kernel.sum(axis=0)
            number = of_columns[others] % groups
            of_number = (members.T @ kernel)[number, np.arange(len(number))]
            of_groups += np.bincount(number, of_number, minlength=groups)
            kernel[images[:, np.newaxis] != of_columns[others]] = 0
            own += np.bincount(images, kernel.sum(axis=1), minlength=len(own))
    return _KernelSums(*sums, of_groups, own, of_rows, of_columns)
