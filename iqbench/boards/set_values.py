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
    """A value whose uncertainty is a standard error, not resamples of images."""

    standard_errors: Floats | None = None

    def ends(self) -> tuple[Floats, Floats] | None:
        """Give the ends of the 95 % intervals, where standard errors are shown."""
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
        Those of the table.
    signatures
        By heading, its metric and its signature.
    values, standard_errors, missing
        By heading, of each method: NaN where there is none; how many images the value lacks.
    images
        By heading, of each method: of how many images its value is (``n``), with what they are
        compared (``reference_set``), and of how many images that is (``reference_n``). Empty where
        there is no value, or one that is not computed of images, such as a number of parameters.
    columns
        How metrics are read.
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
        """Names of the columns, in the order of tables."""
        return list(self.signatures)

    def facts(self) -> pd.DataFrame:
        """Say of which images the values are: by method, ``fid_n``, ``fid_reference_set``, ..."""
        parts = [
            frame.set_axis([f"{heading}{fact}" for fact in SET_FACTS], axis=1)
            for heading, frame in self.images.items()
            if frame["n"].notna().any()
        ]
        index = pd.Index(self.methods, dtype=object)
        return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=index)

    def means(self, complete: NDArray[np.bool_], *, intervals: bool) -> dict[str, ColumnMeans]:
        """Give what a leaderboard shows of each column; only complete methods get a rank."""
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
        The dataset. So many images as it has are missing where a method has no value.
    methods
        In the order of the result.
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
    """Say of which images the values of one column are."""
    facts = by_method.reindex(columns=[fact[1:] for fact in SET_FACTS])
    known = by_method["value"].notna() & facts["reference_set"].notna()
    facts = facts.astype({"n": "Int64", "reference_set": object, "reference_n": "Int64"})
    return facts.where(known).set_axis(pd.Index(by_method.index, dtype=object))
