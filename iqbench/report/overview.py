"""From a results folder to the leaderboard that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from iqbench.analysis.by_image import images_of
from iqbench.analysis.columns import metric_of, shown_scores
from iqbench.analysis.leaderboard import board_of, check_choice
from iqbench.analysis.overall import overall_of, rank_table
from iqbench.analysis.pairwise import pairs_of
from iqbench.analysis.standing import Choice, Standing, standing
from iqbench.results.read import iter_datasets, load_columns, load_tasks
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, pick

__all__ = ["Overview", "read_leaderboard"]


@dataclass(frozen=True)
class Overview:
    """What a results folder says about its methods.

    Attributes
    ----------
    standings
        One a dataset.
    columns
        How the metrics' columns are read, in the order in which they are shown.
    hidden
        How many metrics are left out.
    """

    standings: list[Standing]
    columns: dict[str, ColumnInfo]
    hidden: int

    @cached_property
    def board(self) -> pd.DataFrame:
        """The leaderboard, see `iqbench.analysis.leaderboard.leaderboard`."""
        return board_of(self.standings, self.columns)

    @cached_property
    def overall(self) -> pd.DataFrame:
        """Averages over datasets, see `iqbench.analysis.overall.overall_of`."""
        return overall_of(self.standings, self.columns)

    def pairs(self) -> pd.DataFrame:
        """Compare each two methods, see `iqbench.analysis.pairwise.pairs_of`."""
        return pairs_of(self.standings, self.columns)

    def images(self, top: int) -> pd.DataFrame:
        """Name the images at the ends, see `iqbench.analysis.by_image.images_of`."""
        return images_of(self.standings, self.columns, top)

    def ranks(self) -> pd.DataFrame:
        """Rank methods on each dataset, see `iqbench.analysis.overall.rank_table`."""
        return rank_table(self.standings)


def read_leaderboard(
    results: Path,
    filters: Mapping[str, tuple[str, ...]],
    *,
    sort: str | None = None,
    shown: str | Sequence[str] = "headline",
    front: tuple[str, str] | None = None,
    intervals: bool = True,
) -> Overview:
    """Read a results folder and compare its methods; one dataset's rows are in memory at a time.

    Parameters
    ----------
    results
        The folder.
    filters
        As `load_scores` takes them.
    sort
        Selector of the column to rank by; shown even if it was not asked for.
    shown
        ``all`` columns; those that selectors name, in that order; or the ``headline`` ones: of each
        dataset, those that the filters name, or all if none is a headline.
    front
        Two selectors of columns that span the Pareto front; shown too.
    intervals
        Whether means and ranks get their bootstrap intervals.

    Returns
    -------
    Overview
        Of the datasets that have scores which pass the filters; without filters, of all.

    Raises
    ------
    IqbenchError
        As `load_scores` and `leaderboard`; and where ``shown`` names an unknown metric.
    """
    columns, tasks = load_columns(results), load_tasks(results)
    names = [] if isinstance(shown, str) else list(shown)
    first = [metric_of(name) for name in names]
    columns = {name: columns[name] for name in first if name in columns} | columns
    extra = [*([sort] if sort else []), *(front or ())]
    methods = filters.get("method")
    choice = Choice(sort, methods, front, intervals)
    # Under these filters a dataset without any row was not asked for, rather than left incomplete.
    narrowed = bool(filters.keys() & {"dataset", "protocol", "precision", "metric"})
    known: set[Keys] = set()
    used: set[Keys] = set()
    found: list[Standing] = []
    for tables in iter_datasets(results, filters=filters):
        if tables.scores.empty and narrowed:
            continue
        narrow = "all" if shown == "headline" and "metric" in filters else shown
        scores, there, taken = shown_scores(tables.scores, narrow, columns, extra)
        task = tasks.get(tables.dataset, "")
        found.append(standing(tables.dataset, (scores, tables.images), columns, choice, task))
        known |= there
        used |= taken
    pick(names, known)
    check_choice(found, columns, choice)
    hidden = {metric for metric, _ in known} - {metric for metric, _ in used}
    return Overview([one for one in found if len(one.rows)], columns, len(hidden))
