"""Leaderboards: methods compared dataset by dataset, and the best of each column."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import pandas as pd

from iqbench.analysis.columns import SUFFIXES, column_info, metric_columns, natural, ordered
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
_BACK = ("missing", "undefined", "other_reference")


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
    sets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare methods, dataset by dataset.

    Parameters
    ----------
    scores
        Current scores in the long form, as `iqbench.load_scores` gives them. Every metric in them
        is shown, and a method is complete if it has a value, or one known to be undefined, in
        every column that its dataset has for every image that the dataset has.
    images
        As `iqbench.results.read.load_images` gives them, of all methods. Scores of an image that
        were made with another reference than the newest are left out: nothing may be compared
        across two references, see `iqbench.analysis.references`.
    columns
        Directions and the order of metrics.
    sort
        Selector of the column to rank by, see `iqbench.results.selector`; by default each
        dataset's first one that has a direction.
    methods
        Which methods to show; all by default. The images that a dataset has are those of all.
    tasks
        As `iqbench.results.read.load_tasks` gives them.
    front
        Two metrics that span the Pareto front; by default PSNR or else SSIM, and LPIPS.
    intervals
        Whether means and ranks get their bootstrap intervals.
    sets
        Values of whole sets, as `iqbench.load_scores` with ``scope="set"`` gives them: columns
        such as ``fid`` beside the means, with 95 % intervals from their standard errors.

    Returns
    -------
    pandas.DataFrame
        One row a dataset and method, the complete ones first and by rank, with

        - dataset, task, protocol, ranked_by (the column that ranks);
        - rank, that of the column that ranks, see below (null where incomplete), and rank_low and
          rank_high, between which it stays in 95 % of the resamples of the images;
        - tie (a letter that methods share which are not significantly worse than the best of
          their group, see `iqbench.analysis.ranking.ties`), and p_vs_best and effect_vs_best of
          the paired test against the best method, p corrected by Holm, effect -1 where every
          image is worse;
        - front (whether no other method is better in both of the columns front_by; null where
          those are not there, or the method is incomplete);
        - method, n (images with any value), expected (images that the dataset has), complete;
        - for each metric, with its name in the place of ``psnr``:

          - ``psnr``, the mean of the finite values, infinite where there are only infinite ones;
            ``psnr_low`` and ``psnr_high``, the ends of its interval;
          - ``psnr_distance``, with its ends, for a metric with a target: the mean of the
            distances to it;
          - ``psnr_compared``, with its ends, and ``psnr_compared_n``, only where methods differ
            in which images are finite: the mean, of the distances for a target, over the
            ``psnr_compared_n`` images that are finite for all complete methods;
          - ``psnr_infinite``, how many values are infinite; ``psnr_minus_infinite``, how many are
            ``-inf``, only where there are any;
          - ``psnr_rank``, the rank of the complete methods in this column: by ``psnr_compared``,
            or else ``psnr_distance``, or else ``psnr``, and where these are equal by the infinite
            values, see `iqbench.analysis.order.order_methods`. Equal ones share the best rank;
        - as text which values are missing and how many are undefined; and other_reference, how
          many images were left out because they were scored against another reference.

    Raises
    ------
    IqbenchError
        Where ``sort`` or ``front`` names no column, or one that has no direction, or ``sort``
        several.
    """
    choice = Choice(sort, methods, front, intervals)
    found = standings(scores, images, columns, choice, tasks or {}, sets=sets)
    return board_of(found, columns)


def standings(
    scores: pd.DataFrame,
    images: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    choice: Choice,
    tasks: Mapping[str, str],
    *,
    sets: pd.DataFrame | None = None,
) -> list[Standing]:
    """Compare methods on each dataset, for a leaderboard and for averages over datasets.

    Parameters and errors are those of `leaderboard`.
    """
    of_dataset = dict(_by_dataset(scores))
    wholes = {} if sets is None else dict(_by_dataset(sets))
    found = [
        standing(
            name,
            (of_dataset.get(name, scores[:0]), rows),
            columns,
            choice,
            tasks.get(name, ""),
            sets=wholes.get(name),
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
    known = {keys for one in found for keys in one.signatures.values()}
    if choice.sort is not None:
        check_sort(choice.sort, known, columns)
    if choice.front is not None:
        check_front(choice.front, known, columns)


def board_of(found: Sequence[Standing], columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    """Put the datasets of a leaderboard below each other, in natural order."""
    parts = [
        pd.concat([one.rows, one.mean_columns()], axis=1)
        for one in sorted(found, key=lambda one: natural(one.dataset))
    ]
    board = (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_FRONT, *_BACK])
    )
    headings = ordered({heading for one in found for heading in one.signatures}, columns)
    names = [f"{heading}{suffix}" for heading in headings for suffix in SUFFIXES]
    wanted = [name for name in (*_FRONT, *names, *_BACK) if name in board.columns]
    return board[wanted]


def places(board: pd.DataFrame, by: Sequence[str] = ("dataset",)) -> pd.DataFrame:
    """Say which methods are the best and the second best in each column.

    Parameters
    ----------
    board
        As `leaderboard` gives it.
    by
        Columns within whose values rows are compared.

    Returns
    -------
    pandas.DataFrame
        With the board's index and its metrics' columns: 1 for the best of the complete methods, 2
        for the next, 0 for the others. Where all are equal, none is best.
    """
    metrics = metric_columns(board)
    marks = pd.DataFrame(0, index=board.index, columns=metrics)
    for heading in metrics:
        if f"{heading}_rank" in board:
            ranks = board[f"{heading}_rank"].astype(float)
            groups = ranks.groupby([board[name] for name in by], observed=True)
            place = groups.rank(method="dense").where(groups.transform("nunique") > 1)
            marks[heading] = place.where(place <= 2, 0).fillna(0).astype(int)
    return marks


def best_cells(board: pd.DataFrame) -> pd.DataFrame:
    """Mark the best methods of each dataset and column, see `places`."""
    return places(board) == 1


def _by_dataset(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, rows in frame.groupby("dataset", observed=True):
        yield str(name), rows
