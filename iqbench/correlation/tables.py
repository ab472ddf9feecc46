"""The tables of a correlation report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from iqbench.correlation.between import WITHIN_IMAGE, matrix
from iqbench.correlation.correlations import Correlations, perceptual_distances
from iqbench.correlation.variation_gaps import variation_names
from iqbench.document.model import Entry, TableColumn, texts
from iqbench.document.text import NOTHING, number

__all__ = ["MATRICES", "Matrix", "lower_half", "square", "tables", "used_metrics"]

Matrix = tuple[str, str, str]
"""Scope, coefficient and title."""

MATRICES: tuple[Matrix, ...] = (
    ("within dataset", "spearman", "Spearman within datasets"),
    (WITHIN_IMAGE, "kendall", "Kendall within images: do metrics rank the methods alike"),
)

_NONE = Entry(NOTHING, value=math.nan)
_EMPTY = Entry("", value=math.nan)
_OPINION = {
    "srcc": "SRCC",
    "krcc": "KRCC",
    "plcc": "PLCC",
    "plcc-logistic4": "PLCC 4",
    "plcc-logistic5": "PLCC 5",
    "rmse-logistic4": "RMSE 4",
    "rmse-logistic5": "RMSE 5",
    "or-2sd": "OR 2sd",
    "or-ci": "OR ci",
    "auc-different-similar": "AUC different",
    "auc-better-worse": "AUC better",
    "correct-order": "correct",
    "2afc": "2AFC",
}


def tables(
    found: Correlations, matrices: Sequence[Matrix]
) -> Iterator[tuple[str, list[TableColumn]]]:
    """Return the title and the columns of each table."""
    for scope, coefficient, title in matrices:
        values = square(found, scope, coefficient)
        if len(values):
            yield title, lower_half(_with_sets(values, found))
    layers = _layers(found)
    if layers:
        yield "What each perceptual distance tells: Kendall within images", layers
    for (dataset, kind), part in found.opinion.groupby(["dataset", "distortion"], sort=False):
        if kind == "":
            yield (
                f"Agreement with people on {dataset!s}",
                _opinion(part, found.table.sets, f"-logistic{found.logistic}"),
            )
    for dataset, part in found.opinion.groupby("dataset", sort=False):
        kinds = part[(part["distortion"] != "") & part["statistic"].isin(["srcc", "2afc"])]
        if len(kinds):
            wide = kinds.pivot(index="distortion", columns="metric", values="value")
            columns = [
                TableColumn("value", str(name), [_coefficient(value, 3) for value in wide[name]])
                for name in dict.fromkeys(kinds["metric"])
            ]
            what = "SRCC" if (kinds["statistic"] == "srcc").all() else "2AFC"
            yield f"{what} by distortion on {dataset!s}", [texts("group", wide.index), *columns]


def square(found: Correlations, scope: str, coefficient: str) -> pd.DataFrame:
    """Return the matrix of a scope without groups, without metrics that have no coefficient."""
    rows = found.between[found.between["scope"] == scope]
    return used_metrics(matrix(rows, found.table.names, coefficient))


def lower_half(values: pd.DataFrame, sources: Mapping[str, str] | None = None) -> list[TableColumn]:
    """Show the lower half of a symmetric matrix, without its diagonal.

    Parameters
    ----------
    values
        The matrix.
    sources
        For a name without a column of values, the column it is computed from; for pages on which
        the reader chooses the metrics that are shown.
    """
    names = [str(name) for name in values.columns]
    chosen = {} if sources is None else {name: sources.get(name, name) for name in names}
    square = values.to_numpy(np.float64)
    columns = [
        TableColumn(
            "value",
            name,
            [
                _coefficient(square[row, column], 2) if column < row else _EMPTY
                for row in range(1, len(names))
            ],
            choice=chosen.get(name, ""),
        )
        for column, name in enumerate(names[:-1])
    ]
    rows = [Entry(name, about=chosen.get(name, "")) for name in names[1:]]
    return [TableColumn("text", "metric", rows), *columns]


def _with_sets(values: pd.DataFrame, found: Correlations) -> pd.DataFrame:
    """Add the metrics with one value per set, without numbers."""
    names = [*values.columns, *found.table.sets]
    whole = pd.DataFrame(np.nan, index=names, columns=names)
    whole.iloc[: len(values), : len(values)] = values.to_numpy(np.float64)
    return whole


def used_metrics(whole: pd.DataFrame) -> pd.DataFrame:
    """Leave out the metrics without a coefficient with any other metric."""
    used = [name for name in whole.columns if whole[name].drop(name).notna().any()]
    return whole.loc[used, used]


def _layers(found: Correlations) -> list[TableColumn]:
    """Return correlations of perceptual distances with fidelity and total variation."""
    names = found.table.names
    perceptual = perceptual_distances(found.roles, found.directions)
    against = [name for name in names if found.roles[name] == "fidelity"]
    against += variation_names(names)
    ranking = found.between[found.between["scope"] == WITHIN_IMAGE]
    rows = {
        (first, second): numbers
        for first, second, *numbers in ranking[
            ["first", "second", "value", "low", "high"]
        ].itertuples(index=False)
    }
    if not (perceptual and against and rows):
        return []
    columns = []
    for other in against:
        pairs = [tuple(sorted((other, layer), key=names.index)) for layer in perceptual]
        entries = [_with_ends(rows[pair]) if pair in rows else _NONE for pair in pairs]
        columns.append(TableColumn("value", other, entries))
    return [texts("metric", perceptual), *columns]


def _coefficient(value: float, decimals: int) -> Entry:
    """Show a number between -1 and 1; one that rounds to 0 has no sign and no exponent."""
    return Entry(number(round(value, decimals) + 0.0, decimals), value=float(value))


def _with_ends(numbers: Sequence[float], decimals: int = 2) -> Entry:
    """Show a value with the ends of its interval, if it has one."""
    value, low, high = (_coefficient(float(one), decimals) for one in numbers)
    text = value.text if pd.isna(numbers[1]) else f"{value.text} [{low.text}, {high.text}]"
    return Entry(text, value=value.value)


def _opinion(part: pd.DataFrame, sets: Sequence[str], drawn: str) -> list[TableColumn]:
    """Show the agreement of each metric with people; metrics of whole sets have no numbers."""
    metrics: list[str] = []
    counts: list[int] = []
    notes: list[str] = []
    columns: dict[str, list[Entry]] = {}
    for metric, values in part.groupby("metric", sort=False):
        own = {row["statistic"]: row for row in values.to_dict("records")}
        # Outlier ratios belong to the curve that is drawn.
        own |= {
            name.removesuffix(drawn): row
            for name, row in own.items()
            if name.startswith("or-") and name.endswith(drawn)
        }
        for statistic, heading in _OPINION.items():
            if statistic in own:
                entries = columns.setdefault(heading, [])
                entries += [_NONE] * (len(metrics) - len(entries))
                entries.append(_agreement(statistic, own[statistic]))
        said = [
            f"{name[-1]}: {one['note']}"
            for name, one in own.items()
            if name.startswith("plcc-logistic") and one["note"]
        ]
        metrics.append(str(metric))
        counts.append(int(_ranked(own)["n"]))
        notes.append("; ".join(said + _other_counts(own)))
    metrics += sets
    notes += [""] * len(sets)
    known = [Entry(str(count), value=count) for count in counts]
    return [
        texts("metric", metrics),
        TableColumn("value", "n", known + [_NONE] * len(sets)),
        *(
            TableColumn("value", heading, entries + [_NONE] * (len(metrics) - len(entries)))
            for heading, entries in columns.items()
        ),
        *([texts("note", notes)] if any(notes) else []),
    ]


def _agreement(statistic: str, one: Mapping[Any, Any]) -> Entry:
    """Show one statistic of one metric."""
    value = float(one["value"])
    if statistic in ("srcc", "2afc"):
        return _with_ends((value, one["low"], one["high"]), 3)
    if statistic.startswith("rmse"):
        return Entry(number(value, 3), value=value)
    return _coefficient(value, 3)


def _ranked(own: Mapping[str, Mapping[Any, Any]]) -> Mapping[Any, Any]:
    """Return the statistic whose number of rows is shown in the column n."""
    return own["srcc"] if "srcc" in own else own["2afc"]


def _other_counts(own: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """Name the statistics with fewer rows: infinite values have ranks, but no distances."""
    n = _ranked(own)["n"]
    others: dict[int, list[str]] = {}
    for statistic, heading in _OPINION.items():
        if statistic in own and own[statistic]["n"] != n:
            others.setdefault(int(own[statistic]["n"]), []).append(heading)
    return [f"n {count}: {', '.join(headings)}" for count, headings in others.items()]
