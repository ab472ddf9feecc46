"""Order methods in one column, and resample the images to see how certain the order is.

One infinite value must not decide a mean or a rank. Methods are ordered by their means over the
images that are finite for all of them; equal means are ordered by the infinite values. For a
metric with a target, the distances between values and target are averaged, so that values above
and below the target do not cancel out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqbench.results.schema import ColumnInfo
from iqbench.stats.arrays import Flags, Floats, headroom
from iqbench.stats.bootstrap import bootstrap_counts
from iqbench.stats.gains import shortfall

__all__ = [
    "Order",
    "averaged",
    "averaged_info",
    "competition_ranks",
    "infinite_first",
    "lexicographic_ranks",
    "order_methods",
    "ranks_with_means",
    "resampled_ranks",
]


@dataclass(frozen=True)
class Order:
    """The order of methods in one column.

    Attributes
    ----------
    ranked
        Shape (methods,): which methods have a rank.
    groups
        Shape (methods,): the number of the group of a method. Methods of one group are ordered by
        their means, methods of different groups by their infinite values. -1 if not ranked.
    images
        Shape (images, methods): whether an image is part of a method's mean; the same for all
        methods of a group.
    means
        Shape (methods,): the means of the result of `averaged`. NaN if a method is not ranked, if
        no image is part of its group's means, or if it is alone in its group because of its
        infinite values.
    ranks
        Shape (methods,): 1 for the best, equal methods share the best rank; NaN if not ranked.
    """

    ranked: Flags
    groups: NDArray[np.intp]
    images: Flags
    means: Floats
    ranks: Floats


def averaged(values: Floats, info: ColumnInfo) -> Floats:
    """Return the numbers whose means rank methods: values or, for a target, distances to it."""
    return values if info.target is None else shortfall(values, info)


def averaged_info(info: ColumnInfo) -> ColumnInfo:
    """Return the description of a mean of `averaged`: smaller is better for a target."""
    return info if info.target is None else ColumnInfo("lower", info.decimals)


def competition_ranks(distance: Floats) -> Floats:
    """Rank along the last axis: 1 for the smallest, ties share the best rank ("1224").

    Parameters
    ----------
    distance
        Shape (..., methods), from `shortfall`.

    Returns
    -------
    numpy.ndarray
        The same shape; NaN where a distance is NaN.
    """
    ordered = np.sort(distance, axis=-1)
    if distance.size == 0:
        return np.full(distance.shape, np.nan)
    flat = distance.reshape(-1, distance.shape[-1])
    places = [
        np.searchsorted(row, values) + 1.0
        for row, values in zip(ordered.reshape(flat.shape), flat, strict=True)
    ]
    ranks = np.array(places).reshape(distance.shape)
    return np.where(np.isnan(distance), np.nan, ranks)


def lexicographic_ranks(first: Floats, second: Floats) -> Floats:
    """Rank by ``first``, ties by ``second``; smaller is better in both.

    Parameters
    ----------
    first, second
        Shape (..., methods).

    Returns
    -------
    numpy.ndarray
        As from `competition_ranks`; NaN where ``first`` is NaN.
    """
    many = first.shape[-1] + 1
    return competition_ranks(competition_ranks(first) * many + competition_ranks(second))


def order_methods(values: Floats, info: ColumnInfo, complete: Flags) -> Order:
    """Order methods in one column.

    Parameters
    ----------
    values
        Shape (images, methods), NaN where there is no value.
    info
        The description of the column; if it has no direction, no method is ranked.
    complete
        Shape (methods,): which methods may be ranked. Methods without any value are not ranked.

    Returns
    -------
    Order
        Methods are ordered by the mean over the images that are finite for all ranked methods;
        the direction decides whether a smaller or a larger mean is better. Equal means are ordered
        by the infinite values: more good ones and fewer bad ones are better; an infinite distance
        to a target is bad. Methods without a finite value have no mean: they are placed before or
        after all others, and the images are chosen without them. If no image is finite for all
        remaining methods, only the infinite values decide, and methods with equal numbers of them
        are ordered among themselves by the same rule.
    """
    ranked = complete & ~np.isnan(values).all(axis=0)
    if info.direction == "none":
        ranked = np.zeros_like(ranked)
    images, means = np.zeros(values.shape, dtype=bool), np.full(len(ranked), np.nan)
    groups, ranks = np.full(len(ranked), -1), np.full(len(ranked), np.nan)
    if ranked.any():
        taken = averaged(values, info)[:, ranked]
        found = _compare(taken, averaged_info(info), np.ones(len(taken)))
        groups[ranked], images[:, ranked], means[ranked], ranks[ranked] = found
    return Order(ranked, groups, images, means, ranks)


def resampled_ranks(
    values: Floats, info: ColumnInfo, order: Order, means: Floats, seed: int
) -> Floats:
    """Rank methods on each resample of the images, as `order_methods` does on all images.

    Parameters
    ----------
    values, info
        As for `order_methods`.
    order
        The result of `order_methods`.
    means
        Shape (resamples, methods): means of the resamples over ``order.images``. NaN if a resample
        contains none of these images.
    seed
        The seed of the resamples, see `iqbench.stats.bootstrap.bootstrap_counts`.

    Returns
    -------
    numpy.ndarray
        Shape (resamples, methods); NaN for methods that are not ranked.
    """
    ranks = np.full(means.shape, np.nan)
    if not order.ranked.any():
        return ranks
    taken, read = averaged(values, info)[:, order.ranked], averaged_info(info)
    distance = shortfall(means[:, order.ranked], read)
    infinite = _infinite(taken, read)
    # In these resamples means alone do not decide.
    without = np.isnan(distance).any(axis=1) | (order.groups.max() > 0)
    if not (infinite.any() or without.any()):
        ranks[:, order.ranked] = competition_ranks(distance)
        return ranks
    done = 0
    for counts in bootstrap_counts(len(values), len(means), seed):
        rows = slice(done, done + len(counts))
        found = lexicographic_ranks(distance[rows], counts @ infinite)
        for at in np.flatnonzero(without[rows]):
            found[at] = _compare(taken, read, counts[at])[-1]
        ranks[rows, order.ranked] = found
        done += len(counts)
    return ranks


def infinite_first(groups: NDArray[np.intp], means: Floats, shown: Floats, ranked: Flags) -> bool:
    """Return whether infinite values order the methods that have finite values too.

    Parameters
    ----------
    groups, means, ranked
        As in `Order`.
    shown
        Shape (methods,): the means of the finite values of each method, or of their distances.
    """
    finite = ranked & np.isfinite(shown)
    return bool(np.isnan(means[finite]).any() or len(np.unique(groups[finite])) > 1)


def ranks_with_means(
    ranks: Floats, behind: Floats, bad: Floats, added: Floats, *, by_infinite: bool
) -> tuple[Floats, Floats]:
    """Rank means without values of images, such as published ones, among ordered methods.

    Parameters
    ----------
    ranks
        Shape (methods,), see `Order`. The order of the methods does not change.
    behind
        Shape (methods,): the means that decide, from `shortfall`.
    bad
        Shape (methods,): the number of bad infinite values minus that of the good ones.
    added
        Shape (means,): the other means, from `shortfall`. They are means without infinite values.
    by_infinite
        The result of `infinite_first`.

    Returns
    -------
    tuple of numpy.ndarray
        Ranks of the methods, NaN for those that are not ranked, and of the added means. A mean is
        ranked after the last method that is better than it.
    """
    compared, none = np.isfinite(behind), np.zeros(len(added))
    places, distances = none.copy(), added.copy()
    for at, mean in enumerate(added):
        ahead, equal = behind < mean, compared & (behind == mean)
        if by_infinite:
            better = (bad < 0) | ((bad == 0) & compared & ahead)
        else:
            better = ahead | (equal & (bad < 0))
        last = np.max(ranks, where=better & ~np.isnan(ranks), initial=0.0)
        alike = ranks[equal & (bad == 0) & (ranks > last)]
        places[at] = alike[0] if len(alike) else last + 0.5
        distances[at] = 0.0 if len(alike) else mean
    every = np.concatenate([ranks, places])
    found = lexicographic_ranks(every, np.concatenate([np.zeros(len(ranks)), distances]))
    return found[: len(ranks)], found[len(ranks) :]


def _compare(
    taken: Floats, read: ColumnInfo, weights: Floats
) -> tuple[NDArray[np.intp], Flags, Floats, Floats]:
    """Order methods with a weight per image; return groups, images, means and ranks."""
    methods = taken.shape[1]
    finite = np.isfinite(taken).all(axis=1) & (weights > 0)
    infinite = weights @ _infinite(taken, read)
    if finite.any():
        factor = headroom(taken[finite])
        means = np.average(taken[finite] * factor, axis=0, weights=weights[finite]) / factor
        images = np.broadcast_to(finite[:, np.newaxis], taken.shape)
        ranks = lexicographic_ranks(shortfall(means, read), infinite)
        return np.zeros(methods, dtype=np.intp), images, means, ranks
    ranks, apart = _by_infinite(taken[weights > 0], infinite)
    groups, images = np.full(methods, -1), np.zeros(taken.shape, dtype=bool)
    means = np.full(methods, np.nan)
    for number in np.unique(ranks):
        alike = ranks == number
        inner = np.zeros(alike.sum(), dtype=np.intp)
        # A single method needs no comparison, unless it remains after others were set apart.
        if alike.sum() < methods and (alike.sum() > 1 or not apart[alike].any()):
            inner, images[:, alike], means[alike], within = _compare(taken[:, alike], read, weights)
            ranks[alike] += within - 1
        groups[alike] = inner + groups.max() + 1
    return groups, images, means, ranks


def _by_infinite(taken: Floats, infinite: Floats) -> tuple[Floats, Flags]:
    """Rank methods that share no finite image; return the ranks and which methods are set apart.

    Methods without any finite value are set apart: they are placed before all others if their
    infinite values are good, else after them. The others are then compared without them. If there
    are no such methods, or only such methods, the infinite values rank all methods.
    """
    without: Flags = np.logical_not(np.isfinite(taken).any(axis=0))
    if not without.any() or without.all():
        return competition_ranks(infinite), np.ones_like(without)
    side = np.where(without, np.where(infinite < 0, -1.0, 1.0), 0.0)
    return lexicographic_ranks(side, np.where(without, infinite, 0.0)), without


def _infinite(taken: Floats, read: ColumnInfo) -> Floats:
    """Mark infinite values: 1 if bad, -1 if good, and 0 for finite values."""
    distance = shortfall(taken, read)
    return np.isposinf(distance).astype(np.float64) - np.isneginf(distance)
