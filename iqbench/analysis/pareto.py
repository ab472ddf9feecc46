"""The Pareto front of fidelity against perception: methods that no other beats in both.

Fidelity and perception cannot both be had in full (Blau & Michaeli 2018,
doi:10.1109/CVPR.2018.00652), so that one number ranks methods that have chosen differently; the
front names those whose choice nobody beats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from iqbench.analysis.columns import column_info, metric_of
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.schema import ColumnInfo

__all__ = ["check_front", "front_columns", "pareto_front"]

FIDELITY = ("psnr", "ssim")
PERCEPTION = ("lpips-alex", "lpips-vgg", "lpips-squeeze")


def pareto_front(distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the points that no other one beats.

    Parameters
    ----------
    distances
        Shape (methods, criteria); smaller is better.

    Returns
    -------
    numpy.ndarray
        Shape (methods,): whether no other method is at least as good in all criteria and better in
        one. Equal points are on the front together; a point with a NaN is not on it.
    """
    there = ~np.isnan(distances).any(axis=1)
    beaten = [
        bool(np.any(there & (distances <= one).all(axis=1) & (distances < one).any(axis=1)))
        for one in distances
    ]
    return there & ~np.array(beaten, dtype=bool)


def front_columns(
    headings: Sequence[str], chosen: tuple[str, str] | None = None
) -> tuple[str, str] | None:
    """Say which two columns span the front.

    Parameters
    ----------
    headings
        The columns that there are.
    chosen
        Two metrics or headings; by default PSNR, or else SSIM, and LPIPS of AlexNet, or else of
        VGG16 or SqueezeNet.

    Returns
    -------
    tuple of str or None
        Two headings, each the first of its metric; None where either is not there.
    """
    first: list[str] = []
    for names in ((name,) for name in chosen) if chosen else (FIDELITY, PERCEPTION):
        fit = [h for name in names for h in headings if name in (h, metric_of(h))]
        first += fit[:1]
    return (first[0], first[1]) if len(first) == 2 else None


def check_front(
    chosen: tuple[str, str], headings: Sequence[str], columns: Mapping[str, ColumnInfo]
) -> None:
    """Refuse to span a front by what is no column of any dataset, or has no direction.

    Raises
    ------
    IqbenchError
        Naming the nearest column there is.
    """
    for name in chosen:
        if name not in (known := {*headings, *map(metric_of, headings)}):
            raise unknown_name("metric of the front", name, known)
        if column_info(name, columns).direction == "none":
            raise IqbenchError(
                f"{name} has no direction, so no method is better in it",
                hint="Choose two metrics whose headings have an arrow",
            )
