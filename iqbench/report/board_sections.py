"""A leaderboard as sections: one a dataset, one a task, one of all datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from iqbench.analysis.columns import column_info
from iqbench.analysis.critical import DATASETS
from iqbench.analysis.leaderboard import places
from iqbench.analysis.ranking import too_few
from iqbench.report.sections import Column, Entry, Section, direction_arrow
from iqbench.report.text import NOTHING, number
from iqbench.results.schema import ColumnInfo

__all__ = ["dataset_sections", "overall_sections"]

_ON_FRONT = "●"


def dataset_sections(board: pd.DataFrame, columns: Mapping[str, ColumnInfo]) -> Iterator[Section]:
    """Make one section a dataset.

    Parameters
    ----------
    board
        As `iqbench.analysis.leaderboard.leaderboard` gives it.
    columns
        Directions and decimals.
    """
    marks = places(board, columns)
    for dataset, rows in board.groupby("dataset", sort=False):
        expected = int(rows["expected"].iloc[0])
        protocols = [text for text in dict.fromkeys(rows["protocol"]) if text]
        facts = [*protocols, _plural(expected, "image")]
        ranked = int(rows["rank"].notna().sum())
        if ranked:
            facts.append(f"ranked by {rows['ranked_by'].iloc[0]}")
        remarks = _remarks(rows)
        unclear = ranked > 1 and too_few(expected, ranked)
        if unclear:
            few = "1 image is" if expected == 1 else f"{expected} images are"
            remarks.insert(0, f"{few} too few for any difference to be significant")
        found = [*_leading(rows, "image", ties=not unclear), *_values(rows, marks, columns)]
        spans = _text(rows, "front_by")
        yield Section(str(dataset), facts, found, list(rows["complete"]), remarks, spans.iloc[0])


def overall_sections(
    overall: pd.DataFrame, columns: Mapping[str, ColumnInfo], *, every: bool = False
) -> Iterator[Section]:
    """Make one section a task, and one of all datasets.

    Parameters
    ----------
    overall
        As `iqbench.analysis.overall.overall_of` gives it.
    columns
        Directions and decimals.
    every
        Whether also those that say nothing new: of one dataset, of fewer than two methods that
        are complete, of all datasets where these are of one task.
    """
    marks = places(overall, columns, ["scope", "task"])
    largest = overall["datasets"].max() if len(overall) else 0
    several = overall.loc[overall["scope"] == "task", "task"].nunique() > 1
    for (scope, task), rows in overall.groupby(["scope", "task"], sort=False):
        datasets = int(rows["datasets"].to_numpy()[0])
        again = scope == "task" and datasets == largest and not several
        if not every and (datasets < 2 or rows["complete"].sum() < 2 or again):
            continue
        title = "overall" if scope == "overall" else str(task)
        facts = [
            f"mean over {_plural(datasets, 'dataset')}",
            f"ranked by average rank in {rows['ranked_by'].iloc[0]}",
        ]
        remarks = []
        if datasets < DATASETS:
            remarks.append(f"no critical difference of ranks: it takes {DATASETS} datasets")
        average = Column(
            "value",
            "average rank",
            [_entry(row, "average_rank", 2) for _, row in rows.iterrows()],
            "Mean over datasets of the rank",
        )
        found = [*_leading(rows, "dataset"), average, *_values(rows, marks, columns)]
        unranked = "methods that are not complete on all datasets"
        complete = list(rows["complete"])
        yield Section(title, facts, found, complete, remarks, unranked=unranked)


def _leading(rows: pd.DataFrame, unit: str, *, ties: bool = True) -> list[Column]:
    """Give rank and method, and the extras that say anything."""
    ranks = [NOTHING if pd.isna(rank) else str(rank) for rank in rows["rank"]]
    names = [
        Entry(
            str(row["method"]),
            note="" if row["complete"] else f"{row['n']}/{row['expected']} {unit}s",
        )
        for _, row in rows.iterrows()
    ]
    tie, front = _text(rows, "tie"), _text(rows, "front")
    extras = {
        "tie": ("tie", list(tie) if ties else []),
        "front": ("front", [_ON_FRONT if mark == "True" else "" for mark in front]),
        "range": ("ranks", list(_ranges(rows))),
    }
    return [
        Column("rank", "#", [Entry(text) for text in ranks], "Rank"),
        Column("method", "method", names),
        *(
            Column(key, heading, [Entry(text) for text in texts], _EXTRAS[key])
            for key, (heading, texts) in extras.items()
            if any(texts)
        ),
    ]


_EXTRAS = {
    "tie": "Methods of one letter do not differ significantly from the best of them",
    "front": "No other method is better in fidelity and in perception",
    "range": "Ranks in 95 % of the resamples of the images",
}


def _text(rows: pd.DataFrame, name: str) -> pd.Series:
    """Give a column that a table may not have, as text."""
    if name not in rows:
        return pd.Series("", index=rows.index)
    return rows[name].astype(object).where(rows[name].notna(), "").astype(str)


def _ranges(rows: pd.DataFrame) -> Iterator[str]:
    if "rank_low" in rows:
        for low, high in zip(rows["rank_low"], rows["rank_high"], strict=True):
            if pd.isna(low):
                yield ""
            else:
                yield str(low) if low == high else f"{low}-{high}"


def _values(
    rows: pd.DataFrame, marks: pd.DataFrame, columns: Mapping[str, ColumnInfo]
) -> Iterator[Column]:
    """Give the columns of the metrics that have some value here."""
    for metric in marks.columns:
        if rows[metric].notna().any():
            info = column_info(metric, columns)
            entries = [
                _entry(row, metric, info.decimals, int(place))
                for (_, row), place in zip(
                    rows.iterrows(), marks.loc[rows.index, metric], strict=True
                )
            ]
            heading = f"{metric} {direction_arrow(info)}".rstrip()
            yield Column("value", heading, entries, info.summary)


def _entry(row: pd.Series, name: str, decimals: int, place: int = 0) -> Entry:
    low, high = row.get(f"{name}_low", np.nan), row.get(f"{name}_high", np.nan)
    half = (high - low) / 2 if np.isfinite(high) and np.isfinite(low) else np.nan
    spread = "" if np.isnan(half) else f"±{half:.{decimals}f}"
    return Entry(number(float(row[name]), decimals), place, spread)


def _remarks(rows: pd.DataFrame) -> list[str]:
    """Say what the numbers leave out: values missing of images that are there, and undefined."""
    # That an image is missing in all columns is said beside the method's name.
    lacking = rows[(rows["n"] == rows["expected"]) & (rows["missing"] != "")]
    remarks = [f"{row['method']} lacks values: {row['missing']}" for _, row in lacking.iterrows()]
    for text, same in rows[rows["undefined"] != ""].groupby("undefined", sort=False):
        who = "every method" if len(same) == len(rows) > 1 else ", ".join(same["method"])
        remarks.append(f"undefined and left out of the mean: {text} ({who})")
    return remarks


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
