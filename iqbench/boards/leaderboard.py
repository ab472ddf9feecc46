"""The Python function of ``iqbench leaderboard``: compare the methods of a results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

from iqbench.boards.board import Board, read_board
from iqbench.boards.composites import read_composites
from iqbench.results.filters import Filters
from iqbench.results.mirror import addresses_in_errors, local_results

__all__ = ["leaderboard"]


@addresses_in_errors()
def leaderboard(
    results: str | PathLike[str] = "results",
    *,
    sort: str | None = None,
    columns: str | Sequence[str] = "all",
    front: tuple[str, str] | None = None,
    composites: Sequence[str] = (),
    intervals: bool = True,
    filters: Mapping[str, str | Sequence[str]] | None = None,
) -> Board:
    """Compare methods by their mean scores, as ``iqbench leaderboard`` does.

    One dataset's rows are in memory at a time.

    Parameters
    ----------
    results
        The results folder, or its address.
    sort
        The column to rank by, e.g. ``"psnr"`` or ``"psnr[protocol=sr-y:scale=4]"``; by default the
        first column that has a direction.
    columns
        Which columns to show: ``"all"``, ``"headline"``, or selectors of columns in their order.
    front
        Two columns that span the Pareto front, e.g. ``("psnr", "lpips-alex")``; by default the
        first column of fidelity and the first of perception, headline columns before others.
    composites
        Composite scores of the means of columns: each ``"NAME = FORMULA"`` with columns in quotes,
        a file of such lines, or the name of a preset such as ``"ntire-perceptual"``.
    intervals
        Whether to compute bootstrap intervals of means and ranks.
    filters
        The value or values to keep of ``dataset``, ``method``, ``metric``, ``protocol`` or
        ``precision``.

    Returns
    -------
    Board
        ``table.frame`` is the leaderboard and ``overall.frame`` the averages over datasets, as
        DataFrames; ``pairs()``, ``images(top)``, ``disputes(top)`` and ``ranks()`` return others.

    Raises
    ------
    IqbenchError
        If the folder cannot be read, or an argument names something that does not exist.

    Examples
    --------
    >>> board = iqbench.leaderboard("results", sort="psnr")  # doctest: +SKIP
    >>> board.table.frame[["dataset", "method", "rank", "psnr"]]  # doctest: +SKIP
    """
    one_selector = isinstance(columns, str) and columns not in ("all", "headline")
    return read_board(
        local_results(results),
        Filters.of(filters).wanted,
        sort=sort,
        shown=(str(columns),) if one_selector else columns,
        front=front,
        intervals=intervals,
        composites=read_composites(composites),
    )
