"""Which column ranks a dataset's methods, and who ties with whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from iqbench.results.columns import Columns
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, select_one
from iqbench.stats.arrays import Floats
from iqbench.stats.gains import gains
from iqbench.stats.paired import holm, paired_tests, smallest_p

__all__ = [
    "ALPHA",
    "Ties",
    "sort_column",
    "tied_groups",
    "ties",
    "too_few",
]

ALPHA = 0.05


def sort_column(
    dataset: str,
    headings: Mapping[str, Keys],
    columns: Columns,
    sort: str | None,
) -> str | None:
    """Say which column ranks a dataset's methods.

    Parameters
    ----------
    dataset
        Its name, for the error.
    headings
        The columns that hold some value: metric and signature of each.
    columns
        Directions.
    sort
        A selector, see `iqbench.results.selector`; None for the first column that has a direction.

    Returns
    -------
    str or None
        A heading; None where there is none to rank by.

    Raises
    ------
    IqbenchError
        Where ``sort`` names several columns.
    """
    if sort is None:
        return next(filter(columns.ranks, headings), None)
    return select_one(sort, headings, f"dataset {dataset}")


@dataclass(frozen=True)
class Ties:
    """Which methods are not significantly worse than the best of their group.

    Attributes
    ----------
    letters
        One per method: equal where they tie; empty for a method that is alone.
    p_values
        Of each method against the best one, corrected by Holm for all of them; NaN for the best.
    effects
        Of each method against the best one: rank-biserial, -1 where every image is worse.
    """

    letters: list[str]
    p_values: Floats
    effects: Floats


def ties(values: Floats, info: ColumnInfo) -> Ties:
    """Group methods by paired tests with the best of each group.

    The best method is tested against all others, on the images that both have a value for, and the
    p values are corrected by Holm. It forms a group with those that are not significantly worse;
    the best of what is left forms the next group in the same way.

    Parameters
    ----------
    values
        Shape (images, methods), the methods by rank.
    info
        The column's direction.

    Returns
    -------
    Ties
        A method's group may reach past one that is better on average: that it was worse than the
        best has then not been shown.
    """
    count = values.shape[1]
    p_values, effects = np.full(count, np.nan), np.full(count, np.nan)

    def compare(best: int, others: Sequence[int]) -> Floats:
        better = gains(values[:, [best]], values[:, list(others)], info)
        tests = paired_tests(better)
        corrected = holm([test.p_value for test in tests])
        found = np.array([test.effect for test in tests])
        if best == 0:
            p_values[1:], effects[1:] = corrected, found
        # A method that is better on most images is not worse, however rarely that is by chance.
        return np.where(found < 0, corrected, 1.0)

    return Ties(tied_groups(count, compare, ALPHA), p_values, effects)


def too_few(images: int, methods: int) -> bool:
    """Say whether no outcome at all of the tests of `ties` could be significant.

    Parameters
    ----------
    images, methods
        How many there are.
    """
    return smallest_p(images) * (methods - 1) > ALPHA


def tied_groups(
    count: int, compare: Callable[[int, Sequence[int]], Floats], alpha: float = ALPHA
) -> list[str]:
    """Give methods that tie with the best of their group a common letter.

    Parameters
    ----------
    count
        How many methods there are; they are numbered by rank.
    compare
        Given the best one and the others that are left: their p values.
    alpha
        From which p on methods tie.

    Returns
    -------
    list of str
        ``a`` for the first group of several; empty for methods that are alone.
    """
    letters = [""] * count
    left = list(range(count))
    used = 0
    while left:
        best, *others = left
        p_values = compare(best, others)
        group = {other for other, p in zip(others, p_values, strict=True) if p > alpha}
        if group:
            for method in (best, *group):
                letters[method] = _letter(used)
            used += 1
        left = [other for other in others if other not in group]
    return letters


def _letter(number: int) -> str:
    """Count a, b, ..., z, aa, ab, ..."""
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else "") + "abcdefghijklmnopqrstuvwxyz"[last]
