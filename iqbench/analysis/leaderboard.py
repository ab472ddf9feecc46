"""Leaderboards: methods compared dataset by dataset, and the best of each column."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import pandas as pd

from iqbench.analysis.columns import (
    ENDS,
    column_info,
    metric_columns,
    natural,
    ordered,
    shortfall,
)
from iqbench.analysis.pareto import check_front
from iqbench.analysis.ranking import check_sort
from iqbench.analysis.standing import Choice, Standing, standing
from iqbench.results.schema import ColumnInfo

__all__ = [
    "Choice",
    "best_cells",
    "board_of",
    "check_choice",
    "column_info",
    "leaderboard",
    "metric_columns",
    "places",
    "standings",
]

_FRONT = (
    *("dataset", "task", "protocol", "ranked_by", "rank", "rank_low", "rank_high"),
    *(
        "tie",
        "p_vs_best",
        "effect_vs_best",
        "front",
        "front_by",
        "method",
        "n",
        "expected",
        "complete",
    ),
)
_BACK = ("missing", "undefined")


def leaderboard(
    scores: pd.DataFrame,
    images: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    *,
    sort: str | None = None,
    methods: Collection[str] | None = None,
    tasks: Mapping[str, str] | None = None,
    front: tuple[str, str] | None = None,
    intervals: bool = True,
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
    tasks
        As `iqbench.results.read.load_tasks` gives them.
    front
        Two metrics that span the Pareto front; by default PSNR or else SSIM, and LPIPS.
    intervals
        Whether means and ranks get their bootstrap intervals.

    Returns
    -------
    pandas.DataFrame
        One row a dataset and method, the complete ones first and by rank, with

        - dataset, task, protocol, ranked_by (the column that ranks);
        - rank (null where incomplete; ties share the best), and rank_low and rank_high, between
          which it stays in 95 % of the resamples of the images;
        - tie (a letter that methods share which do not differ significantly from the best of
          their group, see `iqbench.analysis.ranking.ties`), and p_vs_best and effect_vs_best of
          the paired test against the best method, p corrected by Holm, effect -1 where every
          image is worse;
        - front (whether no other method is better in both of the columns front_by; null where
          those are not there, or the method is incomplete);
        - method, n (images with any value), expected (images that the dataset has), complete;
        - for each metric the mean over the images that have a value, infinite if one is, and the
          ends of its interval under its name and ``_low`` and ``_high``;
        - as text which values are missing and how many are undefined.

    Raises
    ------
    IqbenchError
        Where ``sort`` or ``front`` names no column, or one that has no direction, or ``sort``
        several.
    """
    choice = Choice(sort, methods, front, intervals)
    return board_of(standings(scores, images, columns, choice, tasks or {}), columns)


def standings(
    scores: pd.DataFrame,
    images: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    choice: Choice,
    tasks: Mapping[str, str],
) -> list[Standing]:
    """Compare methods on each dataset, for a leaderboard and for averages over datasets.

    Parameters and errors are those of `leaderboard`.
    """
    of_dataset = dict(_by_dataset(scores))
    found = [
        standing(
            name, (of_dataset.get(name, scores[:0]), rows), columns, choice, tasks.get(name, "")
        )
        for name, rows in _by_dataset(images)
    ]
    check_choice(found, columns, choice)
    return [one for one in found if len(one.rows)]


def check_choice(
    found: Sequence[Standing], columns: Mapping[str, ColumnInfo], choice: Choice
) -> None:
    """Refuse names that are no column of any dataset.

    Raises
    ------
    IqbenchError
        Naming the nearest column there is.
    """
    headings = [heading for one in found for heading in one.cube.headings]
    if choice.sort is not None:
        check_sort(choice.sort, headings, columns)
    if choice.front is not None:
        check_front(choice.front, headings, columns)


def board_of(found: Sequence[Standing], columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    """Put the datasets of a leaderboard below each other, in natural order."""
    parts = [
        pd.concat([one.rows, one.mean_columns()], axis=1)
        for one in sorted(found, key=lambda one: natural(one.dataset))
    ]
    board = (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_FRONT, *_BACK])
    )
    headings = ordered({heading for one in found for heading in one.cube.headings}, columns)
    names = [f"{heading}{end}" for heading in headings for end in ("", *ENDS)]
    wanted = [name for name in (*_FRONT, *names, *_BACK) if name in board.columns]
    return board[wanted]


def places(
    board: pd.DataFrame, columns: Mapping[str, ColumnInfo], by: Sequence[str] = ("dataset",)
) -> pd.DataFrame:
    """Say which means are the best and the second best of their column.

    Parameters
    ----------
    board
        As `leaderboard` gives it.
    columns
        Directions; a column without one has no best.
    by
        Columns within whose values rows are compared.

    Returns
    -------
    pandas.DataFrame
        With the board's index and its metrics' columns: 1 for the best mean of the complete
        methods, 2 for the next, 0 for the others. Where all are equal, none is best.
    """
    marks = pd.DataFrame(0, index=board.index, columns=metric_columns(board))
    for _, rows in board[board["complete"].astype(bool)].groupby(list(by), observed=True):
        for heading in marks.columns:
            info = column_info(heading, columns)
            distance = pd.Series(shortfall(rows[heading], info), index=rows.index)
            if info.direction != "none" and distance.nunique() > 1:
                place = distance.rank(method="dense")
                marks.loc[rows.index, heading] = place.where(place <= 2, 0).astype(int)
    return marks


def best_cells(board: pd.DataFrame, columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    """Mark the best means of each dataset among its complete methods, see `places`."""
    return places(board, columns) == 1


def _by_dataset(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, rows in frame.groupby("dataset", observed=True):
        yield str(name), rows
