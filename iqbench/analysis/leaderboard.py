"""Leaderboards: who is complete, the mean of every metric, ranks, and the best of each column."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.read import with_headings
from iqbench.results.schema import UNDEFINED, ColumnInfo

__all__ = [
    "best_cells",
    "column_info",
    "completeness",
    "leaderboard",
    "means",
    "metric_columns",
    "ranks",
    "sort_columns",
    "undefined_counts",
]

_PLACE = ["dataset", "method"]
_FRONT = ["dataset", "protocol", "rank", "method", "n", "expected", "complete"]
_BACK = ["missing", "undefined"]
_DIGITS = 12  # two means of the same values, added up in another order, are a tie


def leaderboard(
    scores: pd.DataFrame,
    images: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    *,
    sort: str | None = None,
    methods: Collection[str] | None = None,
) -> pd.DataFrame:
    """Compare methods, dataset by dataset.

    Parameters
    ----------
    scores
        Current scores in the long form, as `iqbench.load_scores` gives them. Every metric in them
        is shown, and a method is complete if it has a value, or one known to be undefined, in
        every column that its dataset has for every image that the dataset has.
    images
        As `iqbench.results.read.load_images` gives them, of all methods.
    columns
        Directions and the order of metrics.
    sort
        Metric, or column of the result, to rank by; by default each dataset's first one that has
        a direction.
    methods
        Which methods to show; all by default. The images that a dataset has are those of all.

    Returns
    -------
    pandas.DataFrame
        One row a dataset and method, the complete ones first and by rank, with dataset, protocol,
        rank (null where incomplete; ties share the best), method, n (images with any value),
        expected (images that the dataset has), complete, a column of means for each metric (see
        `means`), and as text which values are missing and how many are undefined.

    Raises
    ------
    IqbenchError
        Where ``sort`` names no column, several, or one that has no direction.
    """
    if methods is not None:
        scores = scores[scores["method"].isin(list(methods))]
    headed = scores.assign(column=with_headings(scores, by=["dataset"]))
    counts = completeness(headed, images)
    if methods is not None:
        counts = counts[counts.index.get_level_values("method").isin(list(methods))]
    lacking = counts.drop(columns=["n", "expected", "complete"])
    names = _ordered([str(name) for name in lacking.columns], columns)
    board = counts[["n", "expected", "complete"]].join(
        means(headed).reindex(index=counts.index, columns=names)
    )
    board["missing"] = _listed(lacking[names])
    board["undefined"] = _listed(undefined_counts(headed).reindex(counts.index))
    board["protocol"] = _protocols(scores).reindex(counts.index).fillna("")
    board = board.reset_index()
    board["rank"] = ranks(board, sort_columns(board, columns, sort), columns)
    board["dataset"] = board["dataset"].astype(str)
    board["method"] = board["method"].astype(str)
    order = board.assign(
        dataset=board["dataset"].map(_natural), method=board["method"].map(_natural)
    ).sort_values(["dataset", "complete", "rank", "method"], ascending=[True, False, True, True])
    return board.loc[order.index, [*_FRONT, *names, *_BACK]].reset_index(drop=True)


def metric_columns(board: pd.DataFrame) -> list[str]:
    """Name the columns of a leaderboard that hold means of metrics."""
    return [name for name in board.columns if name not in {*_FRONT, *_BACK}]


def column_info(heading: str, columns: Mapping[str, ColumnInfo]) -> ColumnInfo:
    """Say how the column under a heading is read: ``psnr [view=luma]`` as ``psnr`` is."""
    return columns.get(_metric(heading), ColumnInfo("none"))


def _metric(heading: str) -> str:
    return heading.partition(" [")[0]


def completeness(headed: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Count what each method has of what its dataset has.

    Parameters
    ----------
    headed
        Scores with the heading of each in ``column``.
    images
        Of all methods.

    Returns
    -------
    pandas.DataFrame
        Indexed by dataset and method: n, expected, complete, and for each heading how many images
        have neither a value nor one known to be undefined (NaN where the dataset has no such
        column).
    """
    place = images.astype({"dataset": str, "method": str})
    expected = place.groupby("dataset")["image"].nunique()
    index = pd.MultiIndex.from_frame(place[_PLACE].drop_duplicates())
    total = expected.reindex(index.get_level_values("dataset")).to_numpy()

    has_value = headed["value"].notna()
    settled = headed[has_value | _undefined(headed)]
    with_value = headed.loc[has_value, [*_PLACE, "image"]].drop_duplicates()
    n = _plain(with_value.groupby(_PLACE, observed=True).size()).reindex(index, fill_value=0)

    shown = _plain(headed.groupby(["dataset", "column"], observed=True).size()).unstack().notna()
    found = _plain(settled.groupby([*_PLACE, "column"], observed=True).size()).unstack()
    found = found.reindex(index=index, columns=shown.columns).fillna(0)
    shown = shown.reindex(index.get_level_values("dataset"), fill_value=False)
    lacking = found.rsub(total, axis=0).where(shown.to_numpy(dtype=bool))

    # Without any column there is nothing to be complete in: a run that died at once.
    complete = (lacking.fillna(0) == 0).all(axis=1) & lacking.notna().any(axis=1)
    counts = pd.DataFrame({"n": n, "expected": total, "complete": complete}, index=index)
    return counts.join(lacking)


def means(headed: pd.DataFrame) -> pd.DataFrame:
    """Average every column over the images that have a value.

    Parameters
    ----------
    headed
        Scores with the heading of each in ``column``.

    Returns
    -------
    pandas.DataFrame
        Indexed by dataset and method, a column a heading: arithmetic means in float64. One value
        of +inf makes the mean +inf; values that are undefined or failed are left out.
    """
    valued = headed[headed["value"].notna()]
    # Not groupby().mean(): its compensated sums turn an infinite value into NaN in some versions.
    groups = valued.groupby([*_PLACE, "column"], observed=True)
    sizes = groups.size()
    sums = np.bincount(
        groups.ngroup().to_numpy(), weights=valued["value"].to_numpy(), minlength=len(sizes)
    )
    return _plain(pd.Series(sums / sizes.to_numpy(), index=sizes.index)).unstack()


def undefined_counts(headed: pd.DataFrame) -> pd.DataFrame:
    """Count the values known to be undefined: by dataset and method, a column a heading."""
    undefined = headed[_undefined(headed)]
    return _plain(undefined.groupby([*_PLACE, "column"], observed=True).size()).unstack()


def sort_columns(
    board: pd.DataFrame, columns: Mapping[str, ColumnInfo], sort: str | None = None
) -> dict[str, str]:
    """Say which column ranks each dataset.

    Parameters
    ----------
    board
        Rows with dataset and means.
    columns
        Directions.
    sort
        A metric or heading, or None for the first column with a direction.

    Returns
    -------
    dict
        Heading by dataset; a dataset that has no such column is left out, and not ranked.

    Raises
    ------
    IqbenchError
        Where ``sort`` names no column, several of one dataset, or one without direction.
    """
    names = metric_columns(board)
    if sort is not None:
        _check_sort(sort, names, columns)
    chosen: dict[str, str] = {}
    for dataset, rows in board.groupby("dataset", observed=True):
        filled = [name for name in names if rows[name].notna().any()]
        if sort is None:
            fit = [n for n in filled if column_info(n, columns).direction != "none"][:1]
        else:
            fit = [name for name in filled if sort in (name, _metric(name))]
        if len(fit) > 1:
            raise IqbenchError(
                f"{sort} has several columns on dataset {dataset}: {', '.join(fit)}",
                hint="Sort by one of these, or choose with --protocol or --precision",
            )
        if fit:
            chosen[str(dataset)] = fit[0]
    return chosen


def _check_sort(sort: str, names: list[str], columns: Mapping[str, ColumnInfo]) -> None:
    known = [*names, *(_metric(name) for name in names)]
    if sort not in known:
        raise unknown_name("metric to sort by", sort, set(known))
    if column_info(sort, columns).direction == "none":
        raise IqbenchError(
            f"{sort} has no direction, so it ranks nothing",
            hint="Sort by a metric whose heading has an arrow",
        )


def ranks(
    board: pd.DataFrame, by: Mapping[str, str], columns: Mapping[str, ColumnInfo]
) -> pd.Series:
    """Rank the complete methods of each dataset.

    Parameters
    ----------
    board
        Rows with dataset, complete and means.
    by
        Which column ranks a dataset, as `sort_columns` gives it.
    columns
        Directions.

    Returns
    -------
    pandas.Series
        1 for the best, ties share the best rank ("1224"); null for incomplete methods.
    """
    result = pd.Series(pd.NA, index=board.index, dtype="Int64", name="rank")
    for dataset, heading in by.items():
        rows = board[(board["dataset"] == dataset) & board["complete"]]
        distance = _distance(rows[heading], column_info(heading, columns))
        result.loc[rows.index] = distance.rank(method="min").astype("Int64")
    return result


def best_cells(board: pd.DataFrame, columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    """Mark the best means of each dataset among its complete methods.

    Parameters
    ----------
    board
        As `leaderboard` gives it.
    columns
        Directions; a column without one has no best.

    Returns
    -------
    pandas.DataFrame
        bool, with the board's index and its metrics' columns. Where all are equal, none is best.
    """
    marks = pd.DataFrame(False, index=board.index, columns=metric_columns(board))
    for _, rows in board[board["complete"]].groupby("dataset", observed=True):
        for heading in marks.columns:
            info = column_info(heading, columns)
            distance = _distance(rows[heading], info)
            if info.direction != "none" and distance.nunique() > 1:
                marks.loc[rows.index, heading] = distance == distance.min()
    return marks


def _distance(values: pd.Series, info: ColumnInfo) -> pd.Series:
    """How far from the best: smaller is better, equal to 12 digits is equal."""
    rounded = values.map(lambda value: float(f"{value:.{_DIGITS}g}")).astype("float64")
    if info.target is not None:
        return (rounded - info.target).abs().round(_DIGITS)
    return -rounded if info.direction == "higher" else rounded


def _undefined(headed: pd.DataFrame) -> pd.Series:
    return headed["error"].astype("string").str.startswith(UNDEFINED).fillna(False).astype(bool)


def _plain(counted: pd.Series) -> pd.Series:
    """Turn the categories of an index into text, so that tables of different categories join."""
    frame = counted.index.to_frame(index=False).astype(str)
    return counted.set_axis(pd.MultiIndex.from_frame(frame))


def _ordered(names: list[str], columns: Mapping[str, ColumnInfo]) -> list[str]:
    order = {metric: place for place, metric in enumerate(columns)}
    return sorted(names, key=lambda name: (order.get(_metric(name), len(order)), name))


def _listed(counts: pd.DataFrame) -> pd.Series:
    """Write counts as text: ``psnr 2, ssim 1``."""
    texts = [
        ", ".join(f"{name} {int(number)}" for name, number in row.items() if number > 0)
        for row in counts.to_dict("index").values()
    ]
    return pd.Series(texts, index=counts.index, dtype=object)


def _protocols(scores: pd.DataFrame) -> pd.Series:
    used = scores[[*_PLACE, "protocol"]].drop_duplicates().astype(str)
    return used.sort_values("protocol").groupby(_PLACE)["protocol"].agg(" + ".join)


def _natural(name: str) -> str:
    """Sort Set5 before Set14, whatever the case."""
    return re.sub(r"[0-9]+", lambda number: f"{int(number[0]):020d}", name.casefold())
