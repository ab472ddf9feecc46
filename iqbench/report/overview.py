"""From a results folder to the leaderboard that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from iqbench.analysis.leaderboard import column_info, leaderboard
from iqbench.errors import unknown_name
from iqbench.results.read import load_columns, load_images, load_scores
from iqbench.results.schema import ColumnInfo

__all__ = ["Overview", "read_leaderboard"]


@dataclass(frozen=True)
class Overview:
    """A leaderboard, how its columns are read, and how many metrics it leaves out."""

    board: pd.DataFrame
    columns: dict[str, ColumnInfo]
    hidden: int


def read_leaderboard(
    results: Path,
    filters: Mapping[str, tuple[str, ...]],
    *,
    sort: str | None = None,
    every: bool = False,
) -> Overview:
    """Read a results folder and compare its methods.

    Parameters
    ----------
    results
        The folder.
    filters
        As `load_scores` takes them.
    sort
        Metric to rank by; shown even if it is no headline.
    every
        Whether to show all metrics. Otherwise the headline ones are shown, or those that the
        filters name, or all if none is a headline.

    Returns
    -------
    Overview
        Of the datasets that have scores which pass the filters; without filters, of all.

    Raises
    ------
    IqbenchError
        As `load_scores` and `leaderboard`.
    """
    scores = load_scores(results, filters=filters)
    images = load_images(results)
    columns = load_columns(results)
    metrics = [str(metric) for metric in scores["metric"].cat.categories]
    sort_metric = (sort or "").partition(" [")[0]
    if sort_metric and sort_metric not in metrics:
        raise unknown_name("metric to sort by", sort_metric, metrics)
    shown = metrics if every or "metric" in filters else _headlines(metrics, columns)
    if sort_metric:
        shown = sorted({*shown, sort_metric})
    scores = scores[scores["metric"].isin(shown)]
    # Under these filters a dataset without any row was not asked for, rather than left incomplete.
    if filters.keys() & {"dataset", "protocol", "precision", "metric"}:
        images = images[images["dataset"].isin(scores["dataset"].astype(str).unique())]
    board = leaderboard(scores, images, columns, sort=sort, methods=filters.get("method"))
    return Overview(board, columns, len(metrics) - len(shown))


def _headlines(metrics: list[str], columns: Mapping[str, ColumnInfo]) -> list[str]:
    return [name for name in metrics if column_info(name, columns).headline] or metrics
