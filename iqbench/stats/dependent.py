"""Williams' test: whether two correlations with the same opinions differ."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from iqbench.stats.arrays import Floats
from iqbench.stats.influence import EQUAL

__all__ = ["williams"]


def williams(first: Floats, second: Floats, between: Floats, n: int) -> tuple[Floats, Floats]:
    """Test whether two correlations that share a variable are equal.

    Steiger (1980, doi:10.1037/0033-2909.87.2.245) compares tests, and recommends Williams' t. No
    package that iqbench depends on has it.

    Parameters
    ----------
    first, second
        (tests,) correlations of two metrics with opinion.
    between
        (tests,) correlation of the two metrics with each other.
    n
        The number of images.

    Returns
    -------
    tuple of ndarray
        t with n - 3 degrees of freedom, and two-sided p-values. Correlations that differ by less
        than `EQUAL` have p = 1; NaN for fewer than four images or an undefined correlation.
    """
    first, second, between = (np.asarray(r, np.float64) for r in (first, second, between))
    nothing = np.isnan(first) | np.isnan(second) | np.isnan(between) | (n < 4)
    determinant = (
        1 - first**2 - second**2 - between**2 + 2 * first * second * between
    )  # determinant of the correlation matrix of three variables: negative only by rounding
    mean = (first + second) / 2
    spread = 2 * (n - 1) / max(n - 3, 1) * np.maximum(determinant, 0) + mean**2 * (1 - between) ** 3
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (first - second) * np.sqrt((n - 1) * (1 + between) / spread)
    t = np.where(np.abs(first - second) < EQUAL, 0.0, t)
    p_values = 2 * student.sf(np.abs(t), max(n - 3, 1))
    return np.where(nothing, np.nan, t), np.where(nothing, np.nan, p_values)
