"""The critical-difference diagram of average ranks, as a figure."""

from __future__ import annotations

from iqbench.boards.board import Board
from iqbench.boards.critical import DATASETS, METHODS, critical_difference
from iqbench.boards.ranking import ALPHA
from iqbench.document.figure import Ranks

__all__ = ["rank_figure", "ranks_of"]


def ranks_of(found: Board) -> Ranks:
    """Describe the average ranks over all datasets, and which methods do not differ.

    Raises
    ------
    IqbenchError
        If there are too few datasets or methods.
    """
    ranks = found.ranks()
    difference = critical_difference(ranks)
    metrics = dict.fromkeys(one.ranked_by for one in found.datasets if one.ranked_by)
    title = (
        f"{', '.join(metrics)}, average rank over {len(ranks)} datasets\n"
        f"Friedman p = {difference.p_value:.2g}; critical difference {difference.difference:.2f} "
        "(Nemenyi, 5 %)"
    )
    p_values = difference.p_values.to_numpy()
    count = len(p_values)
    # For each method, best first: the last method that does not differ from it.
    last = [int((p_values[one] > ALPHA).nonzero()[0].max()) for one in range(count)]
    joined = [
        (one, last[one]) for one in range(count) if last[one] > max([one, *last[:one]], default=0)
    ]
    names = [str(name) for name in difference.average.index]
    return Ranks("ranks", title, names, difference.average.to_numpy(), joined)


def rank_figure(found: Board) -> Ranks | None:
    """Describe the average ranks; None if there are too few datasets or methods."""
    datasets, methods = found.ranks().shape
    return ranks_of(found) if datasets >= DATASETS and methods >= METHODS else None
