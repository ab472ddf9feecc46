"""Columns of names: each distinct name is processed once, not once for each of millions of rows.

The functions groupby and factorize of pandas would need several times the memory of the column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["coded", "combinations_of", "natural", "used_names"]


def coded(column: pd.Series) -> tuple[NDArray[Any], list[str]]:
    """Give the number of each row's name, and the names; not all of them need be in use."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), [str(name) for name in column.cat.categories]
    numbers, names = pd.factorize(column)
    return numbers, [str(name) for name in names]


def used_names(column: pd.Series) -> list[str]:
    """Name what is in use, in no order."""
    numbers, names = coded(column)
    return [names[number] for number in np.flatnonzero(np.bincount(numbers, minlength=len(names)))]


def combinations_of(
    frame: pd.DataFrame, keys: Sequence[str]
) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Find the combinations of names that rows have.

    Parameters
    ----------
    frame
        Any rows.
    keys
        Columns of names.

    Returns
    -------
    ndarray
        Of each row, the number of its combination.
    pandas.DataFrame
        One row a combination, in the order in which they are met.
    """
    named = [coded(frame[key]) for key in keys]
    code = np.zeros(len(frame), dtype=np.int64)
    for numbers, names in named:
        code *= max(len(names), 1)
        code += numbers
    number, met = pd.factorize(code)
    rows: dict[str, list[str]] = {}
    for key, (_, names) in reversed(list(zip(keys, named, strict=True))):
        met, places = np.divmod(met, max(len(names), 1))
        rows[key] = [names[place] for place in places]
    return number, pd.DataFrame(rows, columns=list(keys), dtype=object)


def natural(name: str) -> str:
    """Give the key by which Set5 sorts before Set14, whatever the case."""
    return re.sub(r"[0-9]+", lambda number: f"{int(number[0]):020d}", name.casefold())
