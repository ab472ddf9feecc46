"""Features of a set of images, in memory or read in blocks, and their mergeable moments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from iqbench.errors import IqbenchError

__all__ = ["ArrayFeatures", "FeatureSet", "Features", "Floats", "Integers", "Moments", "row_blocks"]

Features = NDArray[np.float32]
"""(rows, features): one row per image, or per patch of an image."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROWS_A_BLOCK = 2048


class FeatureSet(Protocol):
    """The features of a set of images. With patches, there are several rows per image."""

    @property
    def owners(self) -> Integers:
        """(rows,): the image of each row, from 0, in the order of the images' ids."""
        ...

    @property
    def length(self) -> int:
        """The number of features per row."""
        ...

    def blocks(self) -> Iterator[tuple[Integers, NDArray[np.floating]]]:
        """Yield all rows in blocks of some thousand: their positions and their features."""
        ...

    def array(self) -> NDArray[np.floating]:
        """Return all rows in order, (rows, features); for sets that fit into memory."""
        ...


@dataclass(frozen=True)
class ArrayFeatures:
    """Features in memory, with one row per image unless `images` is given.

    Attributes
    ----------
    features
        (rows, features).
    images
        (rows,) the image of each row.
    """

    features: NDArray[np.floating]
    images: Integers | None = None

    @classmethod
    def checked(cls, features: ArrayLike, what: str) -> ArrayFeatures:
        """Check the features of a set.

        Raises
        ------
        IqbenchError
            If it is not an array of at least two rows of real numbers, or not finite.
        """
        found = _real_numbers(features, what)
        if found.ndim != 2 or len(found) < 2 or not found.shape[1]:
            raise IqbenchError(
                f"expected the features of at least two images, (n, d), not {found.shape}",
                hint=f"Give one row per image of the {what} set",
            )
        if not np.isfinite(found).all():
            raise IqbenchError(f"the {what} set has features that are not finite")
        return cls(found)

    @property
    def owners(self) -> Integers:
        """(rows,): the image of each row."""
        return np.arange(len(self.features)) if self.images is None else self.images

    @property
    def length(self) -> int:
        """The number of features per row."""
        return int(self.features.shape[1])

    def blocks(self) -> Iterator[tuple[Integers, NDArray[np.floating]]]:
        """Yield all rows in blocks of some thousand."""
        yield from row_blocks(self.features)

    def array(self) -> NDArray[np.floating]:
        """Return all rows."""
        return self.features


def _real_numbers(features: ArrayLike, what: str) -> NDArray[np.float64]:
    """Convert features, which may be a tensor of any device and precision, to float64."""
    if isinstance(features, Tensor):
        if not features.is_complex():
            features = features.detach().double()
        features = features.cpu().numpy()
    found = np.asanyarray(features)
    problem = f"type {found.dtype}" if found.dtype.kind not in "fiub" else ""
    if np.ma.is_masked(found):
        problem = "masked values"
    if problem:
        raise IqbenchError(
            f"the {what} set has features of {problem}",
            hint="Give an array of real numbers, one row per image",
        )
    return np.asarray(found, dtype=np.float64)


def row_blocks(
    features: NDArray[np.floating],
) -> Iterator[tuple[Integers, NDArray[np.floating]]]:
    """Split rows into blocks, with the position of each row."""
    for start in range(0, len(features), ROWS_A_BLOCK):
        rows = features[start : start + ROWS_A_BLOCK]
        yield np.arange(start, start + len(rows)), rows


@dataclass(frozen=True)
class Moments:
    """Number, mean and scatter of rows, from which a Gaussian is fitted. They can be merged.

    Attributes
    ----------
    n
        The number of rows.
    mean
        (features,).
    scatter
        (features, features): the sum of (x - mean)(x - mean)^T.
    """

    n: int
    mean: Floats
    scatter: Floats

    @classmethod
    def of(cls, rows: NDArray[np.floating]) -> Moments:
        """Return the moments of some rows, at least one."""
        wide = rows.astype(np.float64)
        mean = wide.mean(axis=0)
        wide -= mean
        return cls(len(wide), mean, wide.T @ wide)

    @classmethod
    def of_images(cls, features: Iterable[Features]) -> Moments | None:
        """Return the moments of an iterable of images, in blocks; None without any image."""
        found: Moments | None = None
        block: list[Features] = []
        size = 0
        for rows in features:
            block.append(rows)
            size += len(rows)
            if size >= ROWS_A_BLOCK:
                found = cls.merged([found, cls.of(np.concatenate(block))])
                block, size = [], 0
        return cls.merged([found, cls.of(np.concatenate(block)) if block else None])

    @classmethod
    def merged(cls, parts: Iterable[Moments | None]) -> Moments | None:
        """Return the moments of all parts together; None without any part."""
        there = [one for one in parts if one is not None]
        return reduce(cls.merge, there) if there else None

    @classmethod
    def none(cls, length: int) -> Moments:
        """Return the moments of zero rows."""
        return cls(0, np.zeros(length), np.zeros((length, length)))

    @classmethod
    def of_blocks(cls, blocks: Iterable[NDArray[np.floating]], length: int) -> Moments:
        """Return the moments of all rows of several blocks."""
        found = cls.none(length)
        for rows in blocks:
            if len(rows):
                found = found.merge(cls.of(rows))
        return found

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows together, by Chan's formula."""
        n = self.n + other.n
        if not n:
            return self
        step = other.mean - self.mean
        scatter = self.scatter + other.scatter
        scatter += np.outer(step, step * (self.n * other.n / n))
        return Moments(n, self.mean + step * (other.n / n), scatter)

    def without(self, part: Moments) -> Moments:
        """Return the moments of the rows that are not in a part; at least one must remain."""
        n = self.n - part.n
        step = part.mean - self.mean
        mean = self.mean - step * (part.n / n)
        step = part.mean - mean
        scatter = self.scatter - part.scatter
        scatter -= np.outer(step, step * (n * part.n / self.n))
        return Moments(n, mean, scatter)

    @property
    def covariance(self) -> Floats:
        """The unbiased covariance; needs at least two rows."""
        covariance: Floats = self.scatter / (self.n - 1)
        return covariance
