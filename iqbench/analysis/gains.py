"""How much better one value is than another, whatever a metric's direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iqbench.results.schema import ColumnInfo

__all__ = ["Floats", "gains", "mean_difference"]

_ROUNDING = 1e-9  # values closer than this, relatively, are sums of the same in another order

Floats = NDArray[np.float64]


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
        difference. Exactly 0 where both are infinite, or equal to 9 digits.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if info.target is not None:
        old, new = -np.abs(old - info.target), -np.abs(new - info.target)
    equal = np.isclose(old, new, rtol=_ROUNDING, atol=1e-12)
    sign = -1.0 if info.direction == "lower" else 1.0
    # Where they are equal nothing is subtracted: infinity minus infinity is no number.
    return sign * np.subtract(new, old, out=np.zeros_like(new), where=~equal)


def mean_difference(differences: Floats) -> float:
    """Average differences of which some may be infinite.

    Parameters
    ----------
    differences
        At least one, none NaN.

    Returns
    -------
    float
        The mean. One infinite difference makes it infinite; of differences that are infinite both
        ways the more frequent ones decide, and where they are as many, the finite ones alone.
    """
    finite = differences[np.isfinite(differences)]
    balance = float(np.sum(np.sign(differences[np.isinf(differences)])))
    if balance:
        return balance * np.inf
    return float(finite.mean()) if finite.size else 0.0
