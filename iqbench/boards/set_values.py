"""Values of whole sets in a table of methods: one number per method, with its standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.boards.headings import SET_FACTS
from iqbench.boards.means import ColumnMeans, Infinite, MethodMeans
from iqbench.boards.order import order_methods
from iqbench.results.columns import Columns
from iqbench.results.read import DatasetTables, keys_of, with_headings

__all__ = ["SetValues", "set_values"]

Floats = NDArray[np.float64]

_NORMAL = 1.959963984540054
"""Half of a 95 % interval, in standard errors."""


@dataclass(frozen=True)
class _SetEstimates(MethodMeans):
    """Set values. Their uncertainty is a standard error instead of resamples of images."""

    standard_errors: Floats | None = None

    def ends(self) -> tuple[Floats, Floats] | None:
        """Return the ends of the 95 % intervals; None without standard errors."""
        if self.standard_errors is None:
            return None
        half = _NORMAL * self.standard_errors
        return self.values - half, self.values + half


@dataclass(frozen=True)
class SetValues:
    """The set values of one dataset.

    Attributes
    ----------
    methods
        The methods of the table.
    signatures
        By heading, metric and signature.
    values, standard_errors, missing
        By heading, of each method: the value and its standard error, NaN if there is none, and
        how many images the value lacks.
    images
        By heading, of each method: the number of images of its value (``n``), the set that they
        are compared with (``reference_set``), and the number of images in that set
        (``reference_n``). Empty without a value, and for a value that is not computed from
        images, such as a number of parameters.
    columns
        Descriptions of the metrics.
    """

    methods: list[str]
    signatures: dict[str, tuple[str, str]]
    values: dict[str, Floats]
    standard_errors: dict[str, Floats]
    missing: dict[str, NDArray[np.int64]]
    images: dict[str, pd.DataFrame]
    columns: Columns

    @property
    def headings(self) -> list[str]:
        """The names of the columns, in the order of tables."""
        return list(self.signatures)

    def facts(self) -> pd.DataFrame:
        """Return the images of the values, by method: ``fid_n``, ``fid_reference_set``, ..."""
        parts = [
            frame.set_axis([f"{heading}{fact}" for fact in SET_FACTS], axis=1)
            for heading, frame in self.images.items()
            if frame["n"].notna().any()
        ]
        index = pd.Index(self.methods, dtype=object)
        return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=index)

    def means(self, complete: NDArray[np.bool_], *, intervals: bool) -> dict[str, ColumnMeans]:
        """Return the means of each column for a leaderboard; only complete methods get a rank."""
        found = {}
        for heading, values in self.values.items():
            order = order_methods(values[np.newaxis], self.columns.info(heading), complete)
            errors = self.standard_errors[heading] if intervals else None
            found[heading] = ColumnMeans(
                _SetEstimates(values, None, ~np.isnan(values), errors),
                None,
                None,
                np.isfinite(values).astype(np.intp),
                Infinite.of(values[np.newaxis]),
                order.groups,
                order.ranks,
            )
        return found


def set_values(tables: DatasetTables, methods: list[str]) -> SetValues:
    """Arrange the set values of one dataset.

    Parameters
    ----------
    tables
        The tables of the dataset. A method without a value counts all its images as missing.
    methods
        The methods in the order of the result.
    """
    sets, expected = tables.sets, int(tables.images["image"].nunique())
    found = SetValues(methods, {}, {}, {}, {}, {}, tables.columns)
    if sets.empty:
        return found
    heads = with_headings(sets)
    for heading in tables.columns.ordered(keys_of(sets, heads)):
        rows = sets[(heads == heading).to_numpy()]
        first = rows.iloc[0]
        by_method = rows.assign(method=rows["method"].astype(str)).set_index("method")
        by_method = by_method.reindex(methods)
        values = by_method["value"].to_numpy(dtype=np.float64)
        lacking = (by_method["expected"] - by_method["n"]).astype("float64").to_numpy()
        missing = np.where(np.isnan(values), expected, np.nan_to_num(lacking))
        found.signatures[heading] = str(first["metric"]), str(first["signature"])
        found.values[heading] = values
        found.standard_errors[heading] = by_method["standard_error"].to_numpy(dtype=np.float64)
        found.missing[heading] = missing.astype(np.int64)
        found.images[heading] = _images(by_method)
    return found


def _images(by_method: pd.DataFrame) -> pd.DataFrame:
    """Return the images that the values of one column belong to."""
    facts = by_method.reindex(columns=[fact[1:] for fact in SET_FACTS])
    known = by_method["value"].notna() & facts["reference_set"].notna()
    facts = facts.astype({"n": "Int64", "reference_set": object, "reference_n": "Int64"})
    return facts.where(known).set_axis(pd.Index(by_method.index, dtype=object))
