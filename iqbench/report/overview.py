"""From a results folder to the leaderboard that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from iqbench.results.read import DatasetTables, iter_datasets, load_columns, load_tasks
from iqbench.results.schema import ColumnInfo
from iqbench.results.selector import Keys, pick

__all__ = ["Overview", "read_leaderboard", "read_overviews"]


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
    (found,) = read_overviews(
        results, filters, (shown,), sort=sort, front=front, intervals=intervals
    )
    return found


def read_overviews(
    results: Path,
    filters: Mapping[str, tuple[str, ...]],
    several: Sequence[str | Sequence[str]],
    *,
    sort: str | None = None,
    front: tuple[str, str] | None = None,
    intervals: bool = True,
    each: Callable[[DatasetTables, Mapping[str, ColumnInfo]], None] | None = None,
) -> list[Overview]:
    """Read a results folder once, and compare its methods by several choices of columns.

    Parameters and errors are those of `read_leaderboard`, and

    several
        What it calls ``shown``; the order of metrics is that of the first.
    each
        Is called with the tables of each dataset while they are in memory.
    """
    columns, tasks = load_columns(results), load_tasks(results)
    first = [metric_of(name) for name in _named(several[0])]
    columns = {name: columns[name] for name in first if name in columns} | columns
    extra = [*([sort] if sort else []), *(front or ())]
    methods = filters.get("method")
    choice = Choice(sort, methods, front, intervals)
    # Under these filters a dataset without any row was not asked for, rather than left incomplete.
    narrowed = bool(filters.keys() & {"dataset", "protocol", "precision", "metric"})
    known: set[Keys] = set()
    used: list[set[Keys]] = [set() for _ in several]
    found: list[list[Standing]] = [[] for _ in several]
    for tables in iter_datasets(results, filters=filters):
        if tables.scores.empty and tables.sets.empty and narrowed:
            continue
        task = tasks.get(tables.dataset, "")
        made: dict[frozenset[Keys], Standing] = {}
        for place, shown in enumerate(several):
            narrow = "all" if shown == "headline" and "metric" in filters else shown
            scores, there, taken = shown_scores(tables.scores, narrow, columns, extra)
            sets, of_sets, taken_of_sets = shown_scores(tables.sets, narrow, columns, extra)
            there, taken = there | of_sets, taken | taken_of_sets
            alike = frozenset(taken)
            if alike not in made:
                own = (scores, tables.images)
                made[alike] = standing(tables.dataset, own, columns, choice, task, sets=sets)
            found[place].append(made[alike])
            known |= there
            used[place] |= taken
        if each is not None:
            each(tables, columns)
    for shown, standings in zip(several, found, strict=True):
        pick(_named(shown), known)
        check_choice(standings, columns, choice)
    metrics = {metric for metric, _ in known}
    return [
        Overview(
            [one for one in standings if len(one.rows)],
            columns,
            len(metrics - {metric for metric, _ in taken}),
        )
        for standings, taken in zip(found, used, strict=True)
    ]


def _named(shown: str | Sequence[str]) -> list[str]:
    return [] if isinstance(shown, str) else list(shown)
