"""How much better one value is than another, and how far from the best, in any direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqbench.results.schema import ColumnInfo
from iqbench.stats.arrays import Floats

__all__ = [
    "equal_values",
    "finite_mean",
    "gains",
    "infinite_counts",
    "mean_distance",
    "round_digits",
    "shortfall",
]

_DIGITS = 12  # two means of the same values, added up in another order, are a tie
_ROUNDING = 1e-9  # values closer than this, relatively, are sums of the same in another order


def equal_values(before: ArrayLike, after: ArrayLike) -> NDArray[np.bool_]:
    """Say which paired values are equal to 9 digits: the same sums in another order."""
    return np.isclose(before, after, rtol=_ROUNDING, atol=1e-12)


def gains(before: ArrayLike, after: ArrayLike, info: ColumnInfo) -> Floats:
    """Say by how much each value got better, in the metric's own unit.

    Parameters
    ----------
    before, after
        Paired values, infinities allowed.
    info
        The metric's direction.

    Returns
    -------
    numpy.ndarray
        Positive is better: the difference of a metric whose ``higher`` values are better, its
        negative for ``lower``, and for ``target`` how much nearer to it; without a direction the
        difference. Exactly 0 where both are the same infinity, or equal to 9 digits. A change
        between a finite and an infinite value is an infinite gain or loss: the largest there is.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if info.target is not None:
        old, new = -np.abs(old - info.target), -np.abs(new - info.target)
    equal = equal_values(old, new)
    sign = -1.0 if info.direction == "lower" else 1.0
    # Do not subtract equal values: infinity minus infinity is NaN.
    return sign * np.subtract(new, old, out=np.zeros_like(new), where=~equal)


def finite_mean(values: ArrayLike) -> float:
    """Average the finite values: one infinite value must not decide a mean.

    Parameters
    ----------
    values
        Values or differences of them; NaN ones are left out.

    Returns
    -------
    float
        The mean of the finite values. Without a finite one: the infinity that all values are, or
        NaN where there is none, or where they are of both signs.
    """
    found = np.asarray(values, dtype=np.float64)
    finite = found[np.isfinite(found)]
    if finite.size:
        return float(finite.mean())
    infinite = np.unique(found[np.isinf(found)])
    return float(infinite[0]) if len(infinite) == 1 else float("nan")


def mean_distance(values: ArrayLike, info: ColumnInfo) -> float:
    """Average the distances of the finite values to the metric's target; NaN without a target."""
    if info.target is None:
        return float("nan")
    return finite_mean(np.abs(np.asarray(values, dtype=np.float64) - info.target))


def infinite_counts(values: ArrayLike) -> tuple[int, int]:
    """Count the values that are +inf, and those that are -inf."""
    found = np.asarray(values, dtype=np.float64)
    return int(np.isposinf(found).sum()), int(np.isneginf(found).sum())


def round_digits(values: ArrayLike) -> Floats:
    """Round to 12 significant digits, so that equal sums of equal values are equal."""
    given = np.asarray(values, dtype=np.float64)
    usual = np.isfinite(given) & (given != 0)
    exponent = np.floor(np.log10(np.abs(given), out=np.zeros_like(given), where=usual))
    scale = 10.0 ** np.clip(_DIGITS - 1 - exponent, -300, 300)
    return np.asarray(np.where(usual, np.round(np.where(usual, given, 0.0) * scale) / scale, given))


def shortfall(values: ArrayLike, info: ColumnInfo) -> Floats:
    """Return how far values are from the best possible one, up to a constant.

    Parameters
    ----------
    values
        Means of a column.
    info
        Its direction.

    Returns
    -------
    numpy.ndarray
        Smaller is better, and what is equal to 12 digits is equal. NaN where a value is.
    """
    rounded = round_digits(values)
    if info.target is not None:
        return np.asarray(np.round(np.abs(rounded - info.target), _DIGITS), dtype=np.float64)
    return -rounded if info.direction == "higher" else rounded
