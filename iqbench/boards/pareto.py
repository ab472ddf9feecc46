"""The Pareto front of fidelity against perception: methods that no other beats in both.

Fidelity and perception cannot both be had in full (Blau & Michaeli 2018,
doi:10.1109/CVPR.2018.00652), so that one number ranks methods that have chosen differently; the
front names those whose choice nobody beats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from iqbench.results.columns import Columns
from iqbench.results.selector import Keys, select_one

__all__ = ["front_columns", "pareto_front"]

ROLES = ("fidelity", "perception")


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
    headings: Mapping[str, Keys],
    columns: Columns,
    chosen: tuple[str, str] | None = None,
    where: str = "the dataset",
) -> tuple[str, str] | None:
    """Say which two columns span the front.

    Parameters
    ----------
    headings
        The columns that there are: metric and signature of each.
    columns
        Roles and directions of metrics.
    chosen
        Two selectors, see `iqbench.results.selector`; by default the first column of fidelity and
        the first of perception, headline ones before others.
    where
        What has the columns, for the error.

    Returns
    -------
    tuple of str or None
        Two headings; None where either is not there.

    Raises
    ------
    IqbenchError
        Where one of those chosen means several columns.
    """
    if chosen:
        found = [select_one(text, headings, where) for text in chosen]
        return None if found[0] is None or found[1] is None else (found[0], found[1])
    first = [names[0] for role in ROLES if (names := _of_role(role, headings, columns))]
    return (first[0], first[1]) if len(first) == 2 else None


def _of_role(role: str, headings: Iterable[str], columns: Columns) -> list[str]:
    """Name the columns of a role that rank, headline ones first."""
    ranking = [name for name in filter(columns.ranks, headings) if columns.info(name).role == role]
    return sorted(ranking, key=lambda name: not columns.info(name).headline)
