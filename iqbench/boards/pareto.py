"""The Pareto front of fidelity and perception: methods that no other method beats in both.

A method cannot be optimal in fidelity and in perception at once (Blau & Michaeli 2018,
doi:10.1109/CVPR.2018.00652), and methods make different compromises. One number cannot rank them;
the front contains the methods that no other method beats.
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
    """Find the points that no other point dominates.

    Parameters
    ----------
    distances
        Shape (methods, criteria); smaller is better.

    Returns
    -------
    numpy.ndarray
        Shape (methods,): True if no other method is at least as good in all criteria and better in
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
    """Choose the two columns that span the front.

    Parameters
    ----------
    headings
        The available columns: metric and signature of each.
    columns
        Roles and directions of metrics.
    chosen
        Two selectors, see `iqbench.results.selector`; by default the first column of fidelity and
        the first of perception, headline columns before others.
    where
        The name of the table that has the columns, for the error.

    Returns
    -------
    tuple of str or None
        Two headings; None if one is missing.

    Raises
    ------
    IqbenchError
        If a selector matches several columns.
    """
    if chosen:
        found = [select_one(text, headings, where) for text in chosen]
        return None if found[0] is None or found[1] is None else (found[0], found[1])
    first = [names[0] for role in ROLES if (names := _of_role(role, headings, columns))]
    return (first[0], first[1]) if len(first) == 2 else None


def _of_role(role: str, headings: Iterable[str], columns: Columns) -> list[str]:
    """Return the columns of a role that have a direction, headline columns first."""
    ranking = [name for name in filter(columns.ranks, headings) if columns.info(name).role == role]
    return sorted(ranking, key=lambda name: not columns.info(name).headline)
