"""Figures of a board: the front of fidelity and perception, distributions, two metrics, ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.diagram import ranks_of
from iqbench.boards.headings import ENDS, MEANS
from iqbench.boards.means_table import MeansTable
from iqbench.boards.order import averaged_info
from iqbench.document.figure import (
    Boxes,
    BoxPanel,
    Figure,
    Front,
    FrontPanel,
    Panel,
    Scatter,
    Spot,
    Triple,
)
from iqbench.document.model import direction_arrow
from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.columns import distance_name
from iqbench.results.names import natural

__all__ = ["FIGURES", "board_figure", "front_panel"]


def front_panel(table: MeansTable, dataset: str = "") -> FrontPanel | None:
    """Describe the methods of one dataset by fidelity and perception.

    Parameters
    ----------
    table
        The dataset's part of a leaderboard.
    dataset
        Its name.

    Returns
    -------
    FrontPanel or None
        None where either column is not there, or no method has both.
    """
    board = table.frame
    axes = [name for name in str(board["front_by"].iloc[0]).split(", ") if name]
    if len(axes) != 2 or any(name not in board for name in axes):
        return None
    spots = []
    for row in board.to_dict("records"):
        across, up = (_deciding(row, name) for name in axes)
        if np.isfinite(across[0]) and np.isfinite(up[0]):
            on = row["front"] is True or row["front"] is np.True_
            spots.append(Spot(str(row["method"]), (across, up), on, bool(row["complete"])))
    if not spots:
        return None
    infos = [table.info(name) for name in axes]
    names = [
        name if info.target is None else distance_name(name, info.target)
        for name, info in zip(axes, infos, strict=True)
    ]
    read = [averaged_info(info) for info in infos]
    labels = [
        f"{name} {direction_arrow(info)}".rstrip() for name, info in zip(names, read, strict=True)
    ]
    lower = [info.direction == "lower" for info in read]
    return FrontPanel(
        *(dataset, (names[0], names[1]), (labels[0], labels[1]), (lower[0], lower[1]), spots)
    )


def _deciding(row: Mapping[Any, Any], name: str) -> Triple:
    """Give the mean by which a method is ranked, with the ends of its interval."""
    for kind in MEANS[::-1]:
        if np.isfinite(row.get(f"{name}{kind}", np.nan)):
            low, high = (float(row.get(f"{name}{kind}{end}", np.nan)) for end in ENDS)
            return float(row[f"{name}{kind}"]), low, high
    return np.nan, np.nan, np.nan


def _front(board: Board) -> Front | None:
    panels = [front_panel(table, dataset) for dataset, table in board.table.parts()]
    known = [panel for panel in panels if panel is not None]
    return Front("front", "Perception and fidelity", known) if known else None


def _boxes(board: Board) -> Boxes | None:
    """Show the values by image in the column that ranks."""
    panels = list(_box_panels(board))
    return Boxes("boxes", "Values by image", panels) if panels else None


def _in_order(board: Board) -> list[DatasetBoard]:
    return sorted(board.standings, key=lambda one: natural(one.dataset))


def _box_panels(board: Board) -> Iterator[BoxPanel]:
    for one in _in_order(board):
        heading = one.compared_by_images
        if heading is None:
            continue
        values = one.cube.column(heading)
        methods = [name for name in one.rows["method"] if name in one.cube.methods]
        columns = [values[:, at] for at in one.at(methods)]
        kept = [
            (str(name), column[np.isfinite(column)])
            for name, column in zip(methods, columns, strict=True)
            if np.isfinite(column).any()
        ]
        if kept:
            label = f"{heading} {direction_arrow(one.info(heading))}".rstrip()
            yield BoxPanel(one.dataset, label, [name for name, _ in kept], [own for _, own in kept])


def _scatter(board: Board) -> Scatter | None:
    """Show the two columns of the front, image by image."""
    fronts = dict(board.table.frame[["dataset", "front_by"]].itertuples(index=False, name=None))
    panels = []
    for one in _in_order(board):
        panel = _scatter_panel(one, str(fronts.get(one.dataset, "")))
        if panel is not None:
            panels.append(panel)
    return Scatter("scatter", "Image by image", panels, "") if panels else None


def _scatter_panel(one: DatasetBoard, front_by: str) -> Panel | None:
    axes = [name for name in front_by.split(", ") if name]
    if len(axes) != 2 or any(name not in one.cube.headings for name in axes):
        return None
    across, up = (one.cube.column(name) for name in axes)
    known = np.isfinite(across) & np.isfinite(up)
    if not known.any():
        return None
    methods = np.broadcast_to(np.array(one.cube.methods, dtype=object), known.shape)
    labels = [f"{name} {direction_arrow(one.info(name))}".rstrip() for name in axes]
    return Panel(
        *(labels[0], across[known], up[known]),
        caption=one.dataset,
        groups=[str(name) for name in methods[known]],
        upward=labels[1],
    )


_MAKERS: dict[str, Callable[[Board], Figure | None]] = {
    "front": _front,
    "boxes": _boxes,
    "scatter": _scatter,
    "ranks": ranks_of,
}
_LACKING = {
    "front": "no dataset has a fidelity metric and a perceptual one that a method has values of",
    "boxes": "no dataset has a column to rank its images by",
    "scatter": "no dataset has a fidelity metric and a perceptual one with values of images",
}

FIGURES = tuple(_MAKERS)
"""What can be drawn of a board."""


def board_figure(board: Board, kind: str) -> Figure:
    """Describe a figure of a board, one panel per dataset.

    Parameters
    ----------
    board
        What there is.
    kind
        ``front``: methods by the two columns of the front, with intervals; ``boxes``: the values
        by image in the column that ranks; ``scatter``: the two columns of the front, image by
        image; ``ranks``: the critical-difference diagram.

    Raises
    ------
    IqbenchError
        For an unknown kind, or where there is nothing to draw.
    """
    if kind not in _MAKERS:
        raise unknown_name("figure", kind, FIGURES)
    found = _MAKERS[kind](board)
    if found is None:
        raise IqbenchError(
            f"there is no figure {kind}: {_LACKING[kind]}",
            hint="Choose columns by --columns, --sort and --front",
        )
    return found
