"""What a correlation report shows, arranged as tables of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from iqbench.correlation.between import WITHIN_IMAGE, matrix
from iqbench.correlation.correlations import Correlations, perceptual_distances
from iqbench.correlation.parting import variation_names
from iqbench.document.text import number

__all__ = ["MATRICES", "TEXTS", "Matrix", "square", "square_text", "tables"]

Matrix = tuple[str, str, str]
"""Scope, coefficient and title."""

MATRICES: tuple[Matrix, ...] = (
    ("within dataset", "spearman", "Spearman within datasets"),
    (WITHIN_IMAGE, "kendall", "Kendall within images: do metrics rank the methods alike"),
)
TEXTS = ("metric", "group", "note")
"""Columns that are no numbers."""

_OPINION = {
    "srcc": "SRCC",
    "krcc": "KRCC",
    "plcc": "PLCC",
    "plcc-logistic4": "PLCC 4",
    "plcc-logistic5": "PLCC 5",
    "rmse-logistic4": "RMSE 4",
    "rmse-logistic5": "RMSE 5",
    "or-2sd-logistic5": "OR 2sd",
    "or-ci-logistic5": "OR ci",
    "auc-different-similar": "AUC different",
    "auc-better-worse": "AUC better",
    "correct-order": "correct",
    "2afc": "2AFC",
}


def tables(found: Correlations, matrices: Sequence[Matrix]) -> list[tuple[str, pd.DataFrame]]:
    """Arrange what is shown as tables of text."""
    arranged = []
    for scope, coefficient, title in matrices:
        values = square(found, scope, coefficient)
        if len(values):
            arranged.append((title, square_text(values)))
    layers = _layers(found)
    if len(layers):
        arranged.append(("What each perceptual distance tells: Kendall within images", layers))
    for (dataset, kind), part in found.opinion.groupby(["dataset", "distortion"], sort=False):
        if kind == "":
            arranged.append((f"Agreement with people on {dataset!s}", _opinion(part)))
    for dataset, part in found.opinion.groupby("dataset", sort=False):
        kinds = part[(part["distortion"] != "") & part["statistic"].isin(["srcc", "2afc"])]
        if len(kinds):
            wide = kinds.pivot(index="distortion", columns="metric", values="value")
            wide = wide[list(dict.fromkeys(kinds["metric"]))].map(lambda v: _coefficient(v, 3))
            frame = wide.reset_index().rename(columns={"distortion": "group"})
            what = "SRCC" if (kinds["statistic"] == "srcc").all() else "2AFC"
            arranged.append((f"{what} by distortion on {dataset!s}", frame))
    return arranged


def square(found: Correlations, scope: str, coefficient: str) -> pd.DataFrame:
    """Give the matrix of a scope that has no groups, without metrics that it has nothing of."""
    rows = found.between[found.between["scope"] == scope]
    return _used(matrix(rows, found.table.names, coefficient))


def square_text(values: pd.DataFrame) -> pd.DataFrame:
    """Write the lower half of a symmetric matrix; its rows are named in column ``metric``."""
    used = [str(name) for name in values.columns]
    texts = [
        [_coefficient(value, 2) if column < row else "" for column, value in enumerate(line[:-1])]
        for row, line in enumerate(values.to_numpy())
    ]
    frame = pd.DataFrame(texts, columns=used[:-1]).assign(metric=used)
    return frame[["metric", *used[:-1]]].iloc[1:]


def _used(whole: pd.DataFrame) -> pd.DataFrame:
    used = [name for name in whole.columns if whole[name].drop(name).notna().any()]
    return whole.loc[used, used]


def _layers(found: Correlations) -> pd.DataFrame:
    """Give perceptual distances against fidelity and total variation, with intervals."""
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
    table: dict[str, list[str]] = {"metric": perceptual}
    for other in against:
        pairs = [sorted((other, layer), key=names.index) for layer in perceptual]
        table[other] = [
            _cell(rows[first, second]) if (first, second) in rows else "-"
            for first, second in pairs
        ]
    return pd.DataFrame(table) if perceptual and against and rows else pd.DataFrame()


def _coefficient(value: float, decimals: int) -> str:
    """Write what lies between -1 and 1: next to nothing is nothing, without a sign or exponent."""
    return number(round(value, decimals) + 0.0, decimals)


def _cell(numbers: Sequence[float], decimals: int = 2) -> str:
    """Write a value with the ends of its interval, where it has one."""
    value, low, high = (_coefficient(float(one), decimals) for one in numbers)
    return value if pd.isna(numbers[1]) else f"{value} [{low}, {high}]"


def _opinion(part: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for metric, values in part.groupby("metric", sort=False):
        own = {row["statistic"]: row for row in values.to_dict("records")}
        row = {"metric": str(metric), "n": str(_ranked(own)["n"])}
        for statistic, heading in _OPINION.items():
            if statistic in own:
                one = own[statistic]
                whole = (one["value"], one["low"], one["high"])
                if statistic in ("srcc", "2afc"):
                    row[heading] = _cell(whole, 3)
                else:
                    write = number if statistic.startswith("rmse") else _coefficient
                    row[heading] = write(one["value"], 3)
        said = [
            f"{name[-1]}: {one['note']}"
            for name, one in own.items()
            if name.startswith("plcc-logistic") and one["note"]
        ]
        said += _other_counts(own)
        rows.append({**row, "note": "; ".join(said)})
    frame = pd.DataFrame(rows).fillna("-")
    return frame if (frame["note"] != "").any() else frame.drop(columns="note")


def _ranked(own: Mapping[str, Mapping[Any, Any]]) -> Mapping[Any, Any]:
    """Give the statistic whose count of rows stands in the column n."""
    return own["srcc"] if "srcc" in own else own["2afc"]


def _other_counts(own: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """Name the statistics that are of fewer rows: infinite values have ranks, but no distance."""
    n = _ranked(own)["n"]
    others: dict[int, list[str]] = {}
    for statistic, heading in _OPINION.items():
        if statistic in own and own[statistic]["n"] != n:
            others.setdefault(int(own[statistic]["n"]), []).append(heading)
    return [f"n {count}: {', '.join(headings)}" for count, headings in others.items()]
