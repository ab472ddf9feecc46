"""Gains between two values, and distances to the best value, for any direction of a metric."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqbench.results.schema import ColumnInfo
from iqbench.stats.arrays import Floats, headroom

__all__ = [
    "equal_values",
    "finite_mean",
    "gains",
    "infinite_counts",
    "mean_distance",
    "round_digits",
    "shortfall",
]

_DIGITS = 12  # means of the same values, summed in another order, are equal
_ROUNDING = 1e-9  # values with a smaller relative difference are equal up to rounding
_NOTHING = 1e-12  # so are values with a smaller difference: a sum that should be 0 is not exactly 0
_TINY = 1e-280  # the digits of smaller values are not rounded: the factor would overflow


def equal_values(before: ArrayLike, after: ArrayLike) -> NDArray[np.bool_]:
    """Return which paired values are equal up to rounding: to 9 digits, or to within 1e-12."""
    with np.errstate(over="ignore"):  # the difference of two huge values
        return np.isclose(before, after, rtol=_ROUNDING, atol=_NOTHING)


def gains(before: ArrayLike, after: ArrayLike, info: ColumnInfo) -> Floats:
    """Return the improvement of each value, in the unit of the metric.

    Parameters
    ----------
    before, after
        Paired values, infinities allowed.
    info
        The description of the metric, for its direction.

    Returns
    -------
    numpy.ndarray
        Positive is better: the difference if ``higher`` is better, its negative for ``lower``, and
        for ``target`` the decrease of the distance to it; without a direction the difference.
        Exactly 0 if both are the same infinity, or equal to 9 digits. A change between a finite
        and an infinite value is an infinite gain or loss.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if info.target is not None:
        old, new = -np.abs(old - info.target), -np.abs(new - info.target)
    equal = equal_values(old, new)
    sign = -1.0 if info.direction == "lower" else 1.0
    # Do not subtract equal values: infinity minus infinity is NaN.
    with np.errstate(over="ignore"):
        return sign * np.subtract(new, old, out=np.zeros_like(new), where=~equal)


def finite_mean(values: ArrayLike) -> float:
    """Average the finite values, so that one infinite value does not decide a mean.

    Parameters
    ----------
    values
        Values or differences; NaN is left out.

    Returns
    -------
    float
        The mean of the finite values. Without a finite value: infinity if all have the same sign,
        else NaN; NaN without any value.
    """
    found = np.asarray(values, dtype=np.float64)
    finite = found[np.isfinite(found)]
    if finite.size:
        factor = headroom(finite)
        return float((finite * factor).mean() / factor)
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
    """Round to 12 significant digits, so that sums of the same values are equal."""
    given = np.asarray(values, dtype=np.float64)
    return _rounded(given, np.abs(given), _DIGITS)


def _rounded(given: Floats, size: Floats, digits: int) -> Floats:
    """Round each number to as many decimals as ``size`` has with this number of digits."""
    usual = np.isfinite(given) & np.isfinite(size) & (size > _TINY)
    exponent = np.floor(np.log10(size, out=np.zeros_like(given), where=usual))
    scale = 10.0 ** np.where(usual, digits - 1 - exponent, 0.0)
    return np.asarray(np.where(usual, np.round(np.where(usual, given, 0.0) * scale) / scale, given))


def shortfall(values: ArrayLike, info: ColumnInfo) -> Floats:
    """Return the distance of values to the best possible value, up to a constant.

    Parameters
    ----------
    values
        Means of a column.
    info
        The description of the column, for its direction.

    Returns
    -------
    numpy.ndarray
        Smaller is better; values that are equal to 12 digits are equal. NaN where a value is NaN.
        A distance to a target is as exact as the value or the target, whichever is larger.
    """
    rounded = round_digits(values)
    if info.target is not None:
        size = np.maximum(np.abs(rounded), abs(info.target))
        return _rounded(np.abs(rounded - info.target), size, _DIGITS + 1)
    return -rounded if info.direction == "higher" else rounded
