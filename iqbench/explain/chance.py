"""How many conventions would fit by chance, from the spread of the values that were tried."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_matches"]

NEIGHBOURS = 0.8
"""This part of the other values is the neighbourhood of a number; others are mistakes of range."""

NEAR = 50
"""From so many of the nearest conventions the spread between images is taken."""

ALONE = 0.2
"""Spread that is assumed, as a part of the value, where too few values were tried to measure it."""

Values = NDArray[np.float64]


def expected_matches(
    values: Values, reported: Sequence[float], tolerances: Sequence[float]
) -> float:
    """Return how many of these conventions would be expected to fit if none of them were true.

    Parameters
    ----------
    values
        (conventions, numbers): what each convention gives for each number that was reported. NaN
        and infinite values count as far away.
    reported, tolerances
        The numbers, and by how much each may be off.

    Returns
    -------
    float
        How many times a number from the neighbourhood would be printed as one of the conventions
        prints it: the part of the neighbourhood that they cover. Each further number divides it by
        how many printed values lie within the spread of its difference from the first.
        Conventions that fit count as none, those that print the same as one: they do not say how
        crowded it is.

    Notes
    -----
    Values of images go up and down together, so only their differences are independent evidence.
    """
    target = np.asarray(reported, dtype=np.float64)
    if not np.isfinite(target).all():
        return 0.0  # the images are equal, so all conventions agree
    finite = values[np.isfinite(values).all(1)]
    allowed = np.asarray(tolerances, dtype=np.float64)
    off = np.abs(finite - target)
    others = finite[(off > allowed).any(1)]
    expected = _covered(others[:, 0], float(target[0]), float(allowed[0]))
    if len(target) == 1 or not len(others):
        return expected
    near = others[np.argsort(np.abs(others[:, 0] - target[0]), kind="stable")[:NEAR]]
    shifts = near[:, 1:] - near[:, :1]
    spread = np.subtract(*np.percentile(shifts, [90, 10], axis=0))
    factors = 2 * allowed[1:] / np.maximum(spread, 2 * allowed[1:])
    return float(expected * np.exp(np.log(np.maximum(factors, 1e-300)).sum()))


def _covered(values: Values, target: float, allowed: float) -> float:
    """Return which part of a number's neighbourhood would be printed as one of the values."""
    distances = np.abs(values - target)
    distances = distances[distances > allowed]
    reach = float(np.quantile(distances, NEIGHBOURS)) if len(distances) else ALONE * abs(target)
    reach = max(reach, allowed)
    near = np.sort(values[np.abs(values - target) <= reach])
    # Intervals of what is printed alike; where they overlap, they count once.
    lengths = np.minimum(np.diff(near, append=np.inf), 2 * allowed)
    return float(lengths.sum() if len(near) else 2 * allowed) / (2 * reach)
