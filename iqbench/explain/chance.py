"""How many conventions would fit by chance, from the spread of the values that were tried."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_matches"]

NEIGHBOURS = 0.8
"""This part of the other values is a number's neighbourhood; farther ones are wrong ranges."""

NEAR = 50
"""The spread between images is measured on so many of the nearest conventions."""

ALONE = 0.2
"""The relative spread that is assumed if too few values were tried to measure it."""

Values = NDArray[np.float64]


def expected_matches(
    values: Values, reported: Sequence[float], tolerances: Sequence[float]
) -> float:
    """Return how many of these conventions would fit by chance if none of them were true.

    Parameters
    ----------
    values
        (conventions, numbers): what each convention gives for each number that was reported. NaN
        and infinite values of the first number count as far away. Others may be NaN where a
        convention was not measured.
    reported, tolerances
        The numbers, and by how much each may be off.

    Returns
    -------
    float
        The expected number: the part of the neighbourhood of the first number in which a
        convention would fit. Each further number divides it by how many printed values lie within
        the spread of its difference from the first. Conventions that fit are not counted, and
        those that print the same count once: they do not tell how dense the values are.

    Notes
    -----
    A convention raises or lowers all images together, so only differences between images are
    independent evidence.
    """
    target = np.asarray(reported, dtype=np.float64)
    if not np.isfinite(target).all():
        return 0.0  # the images are equal, so all conventions agree
    finite = values[np.isfinite(values[:, 0]) & ~np.isinf(values).any(1)]
    allowed = np.asarray(tolerances, dtype=np.float64)
    off = np.abs(finite - target)
    others = finite[(off > allowed).any(1)]
    expected = _covered(others[:, 0], float(target[0]), float(allowed[0]))
    whole = others[~np.isnan(others).any(1)]
    if len(target) == 1 or not len(whole):
        return expected
    near = whole[np.argsort(np.abs(whole[:, 0] - target[0]), kind="stable")[:NEAR]]
    shifts = near[:, 1:] - near[:, :1]
    spread = np.subtract(*np.percentile(shifts, [90, 10], axis=0))
    factors = 2 * allowed[1:] / np.maximum(spread, 2 * allowed[1:])
    return float(expected * np.exp(np.log(np.maximum(factors, 1e-300)).sum()))


def _covered(values: Values, target: float, allowed: float) -> float:
    """Return the part of a number's neighbourhood in which one of the values would be printed."""
    distances = np.abs(values - target)
    distances = distances[distances > allowed]
    reach = float(np.quantile(distances, NEIGHBOURS)) if len(distances) else ALONE * abs(target)
    reach = max(reach, allowed)
    near = np.sort(values[np.abs(values - target) <= reach])
    # Each value covers the numbers that are printed like it. Where these overlap, count once.
    lengths = np.minimum(np.diff(near, append=np.inf), 2 * allowed)
    return float(lengths.sum() if len(near) else 2 * allowed) / (2 * reach)
