"""The rows of a DataFrame as the columns of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from iqbench.document.model import Entry, TableColumn
from iqbench.document.records import is_numeric, text_of

__all__ = ["columns_of"]


def columns_of(
    frame: pd.DataFrame, decimals: int | Mapping[str, int] | None = None
) -> list[TableColumn]:
    """Show the columns of a DataFrame; numbers are right-aligned and sorted by value.

    Parameters
    ----------
    frame
        Any rows.
    decimals
        Digits after the decimal point, for all numbers or by column; by default four significant
        ones.
    """
    made = []
    for name in map(str, frame.columns):
        digits = decimals.get(name) if isinstance(decimals, Mapping) else decimals
        numeric = is_numeric(frame[name])
        entries = [
            Entry(
                text_of(value, digits),
                value=(math.nan if pd.isna(value) else float(value)) if numeric else None,
            )
            for value in frame[name]
        ]
        made.append(TableColumn("value" if numeric else "text", name, entries))
    return made
