"""The means of one column: the shown ones, and those that decide ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqbench.boards.order import Order, infinite_first
from iqbench.results.schema import ColumnInfo
from iqbench.stats.arrays import Counts, Floats, headroom
from iqbench.stats.bootstrap import percentile_interval

__all__ = ["ColumnMeans", "Infinite", "MethodMeans", "differs", "finite_means"]


@dataclass(frozen=True)
class MethodMeans:
    """One mean per method.

    Attributes
    ----------
    values
        Shape (methods,).
    samples
        The means over resamples of the images, shape (resamples, methods), or None.
    certain
        Shape (methods,): whether the mean has an interval. The mean of one value has none.
    """

    values: Floats
    samples: Floats | None
    certain: NDArray[np.bool_]

    def ends(self) -> tuple[Floats, Floats] | None:
        """Return the ends of the 95 % intervals; None without resamples."""
        if self.samples is None:
            return None
        low, high = percentile_interval(self.samples)
        return np.where(self.certain, low, np.nan), np.where(self.certain, high, np.nan)


@dataclass(frozen=True)
class Infinite:
    """The numbers of infinite values of each method, which the means leave out.

    Attributes
    ----------
    above, below
        Shape (methods,): how many values are ``inf`` and ``-inf``.
    """

    above: Counts
    below: Counts

    @classmethod
    def of(cls, values: Floats) -> Infinite:
        """Count infinite values in an array of shape (images, methods)."""
        return cls(np.isposinf(values).sum(axis=0), np.isneginf(values).sum(axis=0))

    @classmethod
    def together(cls, several: Sequence[Infinite]) -> Infinite:
        """Add the counts of several datasets."""
        return cls(
            np.sum([one.above for one in several], axis=0),
            np.sum([one.below for one in several], axis=0),
        )

    def bad(self, info: ColumnInfo) -> Floats:
        """Return the bad infinite values minus the good ones; for a target all are bad."""
        if info.target is not None:
            return (self.above + self.below).astype(np.float64)
        balance = (self.above - self.below).astype(np.float64)
        return -balance if info.direction == "higher" else balance

    def at(self, methods: Sequence[int]) -> Infinite:
        """Return the counts of the methods at these positions."""
        return Infinite(self.above[list(methods)], self.below[list(methods)])


@dataclass(frozen=True)
class ColumnMeans:
    """The means of one column.

    Attributes
    ----------
    mean
        Means of the finite values; infinite if all values of a method are infinite with one sign.
    distance
        Means of the distances between finite values and the target; None without a target.
    compared
        Means (of distances for a target, else of values) over the images that are finite for all
        ranked methods; None if these equal ``distance``, or else ``mean``, for all of them.
    count
        Shape (methods,): the number of images, or of datasets, in ``compared``.
    infinite
        The numbers of infinite values, which ``mean`` leaves out.
    groups, ranks
        Shape (methods,), see `iqbench.boards.order.Order`.
    """

    mean: MethodMeans
    distance: MethodMeans | None
    compared: MethodMeans | None
    count: Counts
    infinite: Infinite
    groups: Counts
    ranks: Floats

    @property
    def deciding(self) -> MethodMeans:
        """The means that decide the ranks."""
        return self.compared or self.distance or self.mean

    @property
    def infinite_first(self) -> bool:
        """Whether infinite values order the methods that have finite values too."""
        shown = (self.distance or self.mean).values
        ranked = ~np.isnan(self.ranks)
        return infinite_first(self.groups, self.deciding.values, shown, ranked)

    def named(self, heading: str) -> Iterator[tuple[str, Floats]]:
        """Return the columns of a leaderboard, see `iqbench.boards.board.Board.table`."""
        means = {"": self.mean, "_distance": self.distance, "_compared": self.compared}
        for kind, mean in means.items():
            if mean is not None:
                yield f"{heading}{kind}", mean.values
                for end, values in zip(("_low", "_high"), mean.ends() or (), strict=False):
                    yield f"{heading}{kind}{end}", values
        if self.compared is not None:
            yield f"{heading}_compared_n", self.count.astype(np.float64)
        yield f"{heading}_infinite", self.infinite.above.astype(np.float64)
        if self.infinite.below.any():
            yield f"{heading}_minus_infinite", self.infinite.below.astype(np.float64)
        yield f"{heading}_rank", self.ranks


def finite_means(values: Floats) -> Floats:
    """Average the finite values of each method.

    Parameters
    ----------
    values
        Shape (images, methods), NaN where there is no value.

    Returns
    -------
    numpy.ndarray
        Shape (methods,). Infinite if all values of a method are infinite with one sign; NaN if it
        has no value, or only infinite ones of both signs.
    """
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    infinite = Infinite.of(values)
    means = np.full(values.shape[1], np.nan)
    means[(infinite.above > 0) & (infinite.below == 0)] = np.inf
    means[(infinite.below > 0) & (infinite.above == 0)] = -np.inf
    factor = headroom(values)
    sums = (np.where(finite, values, 0.0) * factor).sum(axis=0)
    np.divide(sums, count * factor, out=means, where=count > 0)
    return means


def differs(order: Order, taken: Floats) -> bool:
    """Return whether the means that decide ranks leave out a finite value of a ranked method."""
    return bool((np.isfinite(taken) & ~order.images & order.ranked).any())
