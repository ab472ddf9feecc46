"""Descriptions of columns as in footers of tables, for tables that are written by hand."""

from __future__ import annotations

from collections.abc import Mapping

from iqbench.results.columns import Columns
from iqbench.results.format1 import completed
from iqbench.results.schema import ColumnInfo


def as_stated(columns: Mapping[str, ColumnInfo]) -> Columns:
    """Add role, margin and definition of the metrics that come with iqbench."""
    return Columns({name: completed(name, info) for name, info in columns.items()})
