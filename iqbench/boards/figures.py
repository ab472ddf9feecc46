"""Figures of a board: Pareto front, box plots, scatter plots of two metrics, average ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.diagram import ranks_of
from iqbench.boards.headings import ENDS, MEANS
from iqbench.boards.means_table import MeansTable
from iqbench.boards.order import averaged_info
from iqbench.document.figure import (
    Axis,
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
from iqbench.results.schema import ColumnInfo

__all__ = [
    "FIGURES",
    "board_figure",
    "box_panel",
    "front_panel",
    "scatter_panel",
    "shows_each_value",
]


_FEW = 60
"""The largest number of images for which box plots also show each image as a point."""


def _axis(name: str, info: ColumnInfo) -> Axis:
    label = f"{name} {direction_arrow(info)}".rstrip()
    return Axis(label, name, info.decimals, info.direction == "lower")


def front_panel(table: MeansTable, dataset: str = "") -> FrontPanel | None:
    """Describe the methods of one dataset by their fidelity and their perceptual quality.

    Parameters
    ----------
    table
        The rows of the dataset in a leaderboard.
    dataset
        The name of the dataset.

    Returns
    -------
    FrontPanel or None
        None if a column is missing, or no method has both values.
    """
    board = table.frame
    names = [name for name in str(board["front_by"].iloc[0]).split(", ") if name]
    if len(names) != 2 or any(name not in board for name in names):
        return None
    spots = []
    for row in board.to_dict("records"):
        across, up = (_deciding(row, name) for name in names)
        if np.isfinite(across[0]) and np.isfinite(up[0]):
            on = row["front"] is True or row["front"] is np.True_
            spots.append(Spot(str(row["method"]), (across, up), on, bool(row["complete"])))
    first, second = (_deciding_axis(name, table.info(name)) for name in names)
    return FrontPanel(dataset, (first, second), spots) if spots else None


def _deciding_axis(name: str, info: ColumnInfo) -> Axis:
    """Describe the axis of the mean that ranks methods: of values, or of distances to a target."""
    title = name if info.target is None else distance_name(name, info.target)
    return _axis(title, averaged_info(info))


def _deciding(row: Mapping[Any, Any], name: str) -> Triple:
    """Return the mean that ranks a method, with the ends of its interval."""
    for kind in MEANS[::-1]:
        if np.isfinite(row.get(f"{name}{kind}", np.nan)):
            low, high = (float(row.get(f"{name}{kind}{end}", np.nan)) for end in ENDS)
            return float(row[f"{name}{kind}"]), low, high
    return np.nan, np.nan, np.nan


def box_panel(one: DatasetBoard) -> BoxPanel | None:
    """Describe the values of images in the column that ranks, for each method.

    Returns
    -------
    BoxPanel or None
        If the ranking column has no values of images, of the first column that has; None if no
        column has.
    """
    heading = one.compared_by_images or next(iter(one.scores.headings), None)
    if heading is None:
        return None
    methods = _methods(one)
    columns = one.scores.column(heading)[:, one.at(methods)].T
    values = [column[np.isfinite(column)] for column in columns]
    return BoxPanel(one.dataset, _axis(heading, one.info(heading)), methods, values)


def shows_each_value(one: DatasetBoard) -> bool:
    """Return whether there are few enough images to show each as a point."""
    return len(one.scores.images) <= _FEW


def scatter_panel(one: DatasetBoard) -> Panel | None:
    """Describe the two columns of the front, image by image.

    Returns
    -------
    Panel or None
        If the columns of the front have no values of images, of the first two columns that have;
        None if there are no two.
    """
    headings = one.scores.headings
    names = [name for name in str(one.rows["front_by"].iloc[0]).split(", ") if name in headings]
    if len(names) < 2:
        names = headings[:2]
    if len(names) < 2:
        return None
    methods = _methods(one)
    values = [one.scores.column(name)[:, one.at(methods)].T for name in names]
    known = np.isfinite(values[0]) & np.isfinite(values[1])
    groups = np.repeat(np.array(methods, dtype=object), known.sum(axis=1))
    axes = [_axis(name, one.info(name)) for name in names]
    return Panel(
        *(axes[0], axes[1], values[0][known], values[1][known]),
        caption=one.dataset,
        groups=[str(name) for name in groups],
    )


def _methods(one: DatasetBoard) -> list[str]:
    """Return the names of the methods that have values, by rank."""
    return [str(name) for name in one.rows["method"] if name in one.scores.methods]


def _in_order(board: Board) -> list[DatasetBoard]:
    return sorted(board.datasets, key=lambda one: natural(one.dataset))


def _front(board: Board) -> Front | None:
    panels = [front_panel(table, dataset) for dataset, table in board.table.parts()]
    known = [panel for panel in panels if panel is not None]
    return Front("front", "Perception and fidelity", known) if known else None


def _boxes(board: Board) -> Boxes | None:
    panels = [box_panel(one) for one in _in_order(board)]
    known = [panel for panel in panels if panel is not None and any(map(len, panel.values))]
    every = all(shows_each_value(one) for one in board.datasets)
    return Boxes("boxes", "Values by image", known, every) if known else None


def _scatter(board: Board) -> Scatter | None:
    panels = [scatter_panel(one) for one in _in_order(board)]
    known = [panel for panel in panels if panel is not None and len(panel.x)]
    groups = list(dict.fromkeys(name for panel in known for name in panel.groups))
    return Scatter("scatter", "Image by image", known, groups) if known else None


_MAKERS: dict[str, Callable[[Board], Figure | None]] = {
    "front": _front,
    "boxes": _boxes,
    "scatter": _scatter,
    "ranks": ranks_of,
}
_LACKING = {
    "front": "no dataset has a fidelity metric and a perceptual one with finite means of a method",
    "boxes": "no dataset has a column with finite values of images",
    "scatter": "no dataset has two columns that are finite for the same images",
}

FIGURES = tuple(_MAKERS)
"""The names of the figures of a board."""


def board_figure(board: Board, kind: str) -> Figure:
    """Describe a figure of a board, one panel per dataset.

    Parameters
    ----------
    board
        The board.
    kind
        ``front``: methods by the two columns of the front, with intervals; ``boxes``: the values
        of images in the column that ranks; ``scatter``: the values of images in the two columns
        of the front, or else in the first two; ``ranks``: the critical-difference diagram.

    Raises
    ------
    IqbenchError
        If the kind is unknown, or there is nothing to draw.
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
