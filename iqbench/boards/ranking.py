"""Choose the column that ranks a dataset's methods, and find ties."""

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
    """Return the column that ranks a dataset's methods.

    Parameters
    ----------
    dataset
        The name of the dataset, for the error.
    headings
        The columns that hold a value: metric and signature of each.
    columns
        Descriptions of the metrics.
    sort
        A selector, see `iqbench.results.selector`; None for the first column that has a direction.

    Returns
    -------
    str or None
        A heading; None if no column can rank.

    Raises
    ------
    IqbenchError
        If ``sort`` names several columns.
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
        One per method: equal for methods that tie; empty for a method without ties.
    p_values
        p-value of each method against the best one, corrected by Holm for all of them; NaN for
        the best one.
    effects
        Rank-biserial correlation of each method against the best one: -1 if every image is worse.
    """

    letters: list[str]
    p_values: Floats
    effects: Floats


def ties(values: Floats, info: ColumnInfo) -> Ties:
    """Group methods by paired tests with the best of each group.

    The best method is tested against all others, on the images for which both have a value, and
    the p-values are corrected by Holm. The methods that are not significantly worse form a group
    with it. The best remaining method forms the next group in the same way.

    Parameters
    ----------
    values
        Shape (images, methods), the methods sorted by rank.
    info
        The description of the column, for its direction.

    Returns
    -------
    Ties
        A group may contain a method that is worse on average than a method outside the group, if
        the test does not show that it is worse than the best one.
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
        # A method that is better on most images is not worse, even if its p-value is small.
        return np.where(found < 0, corrected, 1.0)

    return Ties(tied_groups(count, compare, ALPHA), p_values, effects)


def too_few(images: int, methods: int) -> bool:
    """Return whether there are too few images for any outcome of `ties` to be significant.

    Parameters
    ----------
    images, methods
        The number of images and of methods.
    """
    return smallest_p(images) * (methods - 1) > ALPHA


def tied_groups(
    count: int, compare: Callable[[int, Sequence[int]], Floats], alpha: float = ALPHA
) -> list[str]:
    """Assign a common letter to methods that tie with the best of their group.

    Parameters
    ----------
    count
        The number of methods; they are numbered by rank.
    compare
        Returns the p-values of the remaining methods against the best one.
    alpha
        The significance level: methods with a larger p tie.

    Returns
    -------
    list of str
        ``a`` for the first group with several methods; empty for methods without ties.
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
