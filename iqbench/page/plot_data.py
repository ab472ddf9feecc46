"""The data of a page's figures: the values of each image, and descriptions of the figures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.figures import box_panel, front_panel, scatter_panel, shows_each_value
from iqbench.boards.means_table import MeansTable
from iqbench.boards.order import averaged_info
from iqbench.correlation.metric_table import MetricTable, with_distances
from iqbench.document.figure import Boxes, Front, Scatter
from iqbench.document.model import direction_arrow
from iqbench.document.page import embedded_json
from iqbench.document.plotly_traces import for_plotly
from iqbench.document.text import printable
from iqbench.page.image_rows import Budget
from iqbench.results.columns import Columns, distance_name
from iqbench.results.schema import ColumnInfo

__all__ = ["add_values", "column_payload", "dataset_payload", "metrics_of"]

_NOTHING = np.empty(0)


def column_payload(headings: Sequence[str], columns: Columns) -> list[dict[str, Any]]:
    """Describe columns for the page's script; a column with a target also has its distances."""
    described = []
    for name in headings:
        info = columns.info(name)
        described.append(_described(name, info))
        if info.target is not None:
            described.append(_described(distance_name(name, info.target), averaged_info(info)))
    return described


def _described(name: str, info: ColumnInfo) -> dict[str, Any]:
    return {
        "name": printable(name),
        "label": f"{printable(name)} {direction_arrow(info)}".rstrip(),
        "decimals": info.decimals,
    }


def dataset_payload(one: DatasetBoard, table: MeansTable) -> dict[str, Any]:
    """Describe one dataset for the page's script, without the values of each image.

    Parameters
    ----------
    one
        The board of the dataset, with all its columns.
    table
        The rows of the dataset in the leaderboard.
    """
    return {
        "name": printable(one.dataset),
        "methods": [printable(name) for name in one.scores.methods],
        "figures": _figures(one, table),
        "scenes": {},  # by number of the image: the scene that shows it, and its methods
        "images": [],
        "values": {},
    }


def add_values(payload: dict[str, Any], one: DatasetBoard, budget: Budget) -> list[str]:
    """Add the values of each image to the description of a dataset.

    Parameters
    ----------
    payload
        The description, from `dataset_payload`.
    one
        The board of the dataset.
    budget
        The bytes that are left for the file.

    Returns
    -------
    list of str
        The columns that did not fit and are left out, the last column first.
    """
    scores = one.scores
    names = [printable(image) for image in scores.images]
    left_out = []
    named = budget.take(len(embedded_json(names).encode()))
    for place, heading in enumerate(scores.headings):
        column = np.ascontiguousarray(scores.values[:, :, place].T, dtype="<f4")
        text = base64.b64encode(column.tobytes()).decode()
        if named and budget.take(len(text) + len(embedded_json(heading).encode()) + 5):
            payload["values"][printable(heading)] = text
        else:
            left_out.append(heading)
    if payload["values"]:
        payload["images"] = names
    return left_out


def _figures(one: DatasetBoard, table: MeansTable) -> dict[str, Any]:
    """Describe a dataset's figures; the page's script fills in the values of each image.

    ``columns`` holds the columns that the figures show at first, by axis. ``methods`` holds, for
    each trace, the number of its method in the list of the dataset's methods.
    """
    front, boxes, scatter = front_panel(table), box_panel(one), scatter_panel(one)
    order = [str(name) for name in table.frame["method"] if name in one.scores.methods]
    numbers = one.at(order)
    found: dict[str, Any] = {}
    if front is not None:
        found["front"] = for_plotly(Front("front", "", [front]))
    if boxes is not None:
        bare = replace(boxes, rows=order, values=[_NOTHING] * len(order))
        found["boxes"] = {
            **for_plotly(Boxes("boxes", "", [bare], shows_each_value(one))),
            "columns": {"x": printable(boxes.axis.column)},
            "methods": numbers[::-1],
        }
    if scatter is not None:
        points = replace(scatter, x=_NOTHING, y=_NOTHING, groups=(), caption="")
        found["scatter"] = {
            **for_plotly(Scatter("scatter", "", [points], order)),
            "columns": {
                "x": printable(scatter.across.column),
                "y": printable(scatter.up.column),
            },
            "methods": numbers,
        }
    return found


def metrics_of(one: DatasetBoard) -> MetricTable:
    """Arrange a dataset's scores for correlations: one row per output, without empty columns."""
    scores = one.scores
    outputs = len(scores.methods) * len(scores.images)
    values = scores.values.swapaxes(0, 1).reshape(outputs, len(scores.headings))
    there = ~np.isnan(values)
    rows, used = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    index = pd.MultiIndex.from_product(
        [[one.dataset], scores.methods, scores.images], names=["dataset", "method", "image"]
    )
    headings = [scores.headings[place] for place in used]
    frame = pd.DataFrame(values[rows][:, used], index=index[rows], columns=headings)
    return MetricTable(with_distances(frame, one.columns), [[one.dataset]], columns=one.columns)
