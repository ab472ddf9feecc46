"""Leaderboards as tables that a page sorts, filters and shades."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from iqbench.analysis.columns import SUFFIXES, column_info, metric_columns
from iqbench.report.board_sections import dataset_sections, overall_sections
from iqbench.report.overview import Overview
from iqbench.report.sections import Column, Entry, Section
from iqbench.results.schema import ColumnInfo

__all__ = ["Cell", "Head", "Table", "dataset_tables", "overall_tables", "with_metrics"]

_AVERAGE = "average rank"


@dataclass(frozen=True)
class Head:
    """What stands above a column.

    Attributes
    ----------
    key
        ``rank``, ``method``, ``tie``, ``front``, ``range`` or ``value``.
    metric
        The metric's heading where the column holds one; else empty.
    text
        What is shown.
    order
        Which way values are sorted first: ``ascending`` or ``descending``.
    summary
        What the numbers are, where no definition says so.
    protocol
        By which a metric's values were computed.
    """

    key: str
    metric: str
    text: str
    order: str
    summary: str = ""
    protocol: str = ""

    @property
    def numeric(self) -> bool:
        """Whether the column is aligned at the right."""
        return self.key in ("rank", "value")


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    head
        Of its column.
    entry
        Its text.
    sort
        What it is sorted by: a number as text, or text; empty for a missing value.
    shade
        From 0 for the last rank of the column to 1 for the first; None where nothing is ranked.
    """

    head: Head
    entry: Entry
    sort: str
    shade: float | None = None


@dataclass(frozen=True)
class Row:
    """One method's row."""

    method: str
    complete: bool
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """One table: a dataset's, a task's, or that of all datasets."""

    key: str
    title: str
    task: str
    facts: list[str]
    protocols: list[str]
    heads: list[Head]
    rows: list[Row]
    remarks: list[str] = field(default_factory=list)


def with_metrics(board: pd.DataFrame, more: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Add to a board the metrics that only a longer one has, so that they can be shown too.

    Parameters
    ----------
    board
        Its ranks, ties and completeness stay: they are judged by its own metrics.
    more
        A board of the same rows with more metrics.
    by
        Columns that name a row.
    """
    extra = [name for name in metric_columns(more) if name not in board.columns]
    names = [f"{name}{suffix}" for name in extra for suffix in SUFFIXES]
    names = [name for name in names if name in more]
    return board.merge(more[[*by, *names]], on=list(by), how="left") if names else board


def dataset_tables(
    board: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    protocols: Mapping[str, Mapping[str, str]],
) -> Iterator[Table]:
    """Make one table a dataset.

    Parameters
    ----------
    board
        As `iqbench.analysis.leaderboard.leaderboard` gives it.
    columns
        Directions and decimals.
    protocols
        By dataset and heading.
    """
    groups = board.groupby("dataset", sort=False)
    for section, (dataset, rows) in zip(dataset_sections(board, columns), groups, strict=True):
        name, task = str(dataset), str(rows["task"].iloc[0])
        yield Table(
            key=name,
            title=section.title,
            task=task,
            facts=[task, *section.facts] if task else section.facts,
            protocols=list(dict.fromkeys(protocols[name].values())),
            **_content(section, rows, columns, protocols[name]),
        )


def overall_tables(found: Overview, more: Overview) -> Iterator[Table]:
    """Make a table of the averages over datasets, those that say something new.

    Parameters
    ----------
    found
        By whose metrics methods are judged.
    more
        The same with all metrics.
    """
    overall = with_metrics(found.overall, more.overall, ["scope", "task", "method"])
    parts = {
        "overall" if scope == "overall" else str(task): (str(task), rows)
        for (scope, task), rows in overall.groupby(["scope", "task"], sort=False)
    }
    for section in overall_sections(overall, found.columns):
        task, rows = parts[section.title]
        yield Table(
            key="",
            title=f"All datasets of {task}" if task else "All datasets",
            task=task,
            facts=section.facts,
            protocols=[],
            **_content(section, rows, found.columns, {}),
        )


def _content(
    section: Section,
    rows: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    protocols: Mapping[str, str],
) -> dict[str, Any]:
    """Give heads, rows and remarks of a table."""
    complete = rows["complete"].to_numpy(dtype=bool)
    heads: list[Head] = []
    built: list[list[Cell]] = []
    for column in section.columns:
        head, values, shades = _head(column, columns, protocols), None, None
        if column.source:
            values = rows[column.source].to_numpy(dtype=np.float64)
        if column.metric and any(entry.place for entry in column.entries):
            shades = _shades(rows[f"{column.metric}_rank"].to_numpy(np.float64, na_value=np.nan))
        heads.append(head)
        built.append(_cells(head, column.entries, values, shades))
    named = zip(rows["method"], complete, *built, strict=True)
    return {
        "heads": heads,
        "rows": [Row(str(method), bool(whole), list(cells)) for method, whole, *cells in named],
        "remarks": section.remarks,
    }


def _head(column: Column, columns: Mapping[str, ColumnInfo], protocols: Mapping[str, str]) -> Head:
    order = "descending" if column.key == "front" else "ascending"
    if column.metric:
        direction = column_info(column.metric, columns).direction
        # Distances to a target have a column of their own, and less of them is better.
        order = "descending" if direction in ("higher", "none") else "ascending"
    protocol = protocols.get(column.metric, "")
    return Head(column.key, column.metric, column.heading, order, column.summary, protocol)


def _cells(
    head: Head, entries: Sequence[Entry], values: np.ndarray | None, shades: np.ndarray | None
) -> list[Cell]:
    cells = []
    for place, entry in enumerate(entries):
        if values is not None:
            key = "" if math.isnan(values[place]) else repr(float(values[place]))
        else:
            key = entry.text.partition("-")[0] if head.key in ("rank", "range") else entry.text
        shade = None
        if shades is not None and not math.isnan(shades[place]):
            shade = float(shades[place])
        cells.append(Cell(head, entry, key, shade))
    return cells


def _shades(ranks: np.ndarray) -> np.ndarray:
    """Say how good each rank is: 1 for the first, 0 for the last; NaN where nothing is ranked."""
    last = np.nanmax(ranks, initial=1.0)
    shades: np.ndarray = 1 - (ranks - 1) / (last - 1) if last > 1 else np.full(len(ranks), np.nan)
    return shades
