"""The numbers behind a page's plots: values by image, means, and how metrics correlate."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.figures import front_panel
from iqbench.boards.means_table import MeansTable
from iqbench.boards.order import averaged_info
from iqbench.correlation.agreement import ranking_agreement
from iqbench.correlation.metric_table import MetricTable, with_distances
from iqbench.document.model import direction_arrow
from iqbench.document.page import embedded_json
from iqbench.document.text import number, printable
from iqbench.page.image_rows import Budget
from iqbench.results.columns import Columns, distance_name
from iqbench.results.schema import ColumnInfo
from iqbench.stats.coefficients import Associations, associate

__all__ = ["Matrix", "column_payload", "dataset_payload", "matrices_of", "metric_under"]


@dataclass(frozen=True)
class Matrix:
    """A square of correlations.

    Attributes
    ----------
    title, note
        What the numbers are.
    names
        Metrics, in the order of rows and columns.
    cells
        The lower half, without the diagonal: text and value, of each row.
    """

    title: str
    note: str
    names: list[str]
    cells: list[list[tuple[str, float | None]]]


def column_payload(headings: Sequence[str], columns: Columns) -> list[dict[str, Any]]:
    """Describe columns for the page's script, and the distances to targets by which some rank."""
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
        "direction": info.direction.partition(":")[0],
        "decimals": info.decimals,
    }


def dataset_payload(
    one: DatasetBoard, table: MeansTable, budget: Budget
) -> tuple[dict[str, Any], list[str]]:
    """Give one dataset's numbers to the page's script.

    Parameters
    ----------
    one
        With all its columns.
    table
        Its part of the leaderboard.
    budget
        What is left of the file's size; columns that do not fit are left out, from the last.

    Returns
    -------
    tuple
        What becomes JSON, and the columns left out.
    """
    cube = one.cube
    names = [printable(image) for image in cube.images]
    values: dict[str, str] = {}
    left_out = []
    named = budget.take(len(embedded_json(names).encode()))
    for place, heading in enumerate(cube.headings):
        column = np.ascontiguousarray(cube.values[:, :, place].T, dtype="<f4")
        text = base64.b64encode(column.tobytes()).decode()
        if named and budget.take(len(text) + len(embedded_json(heading).encode()) + 2):
            values[printable(heading)] = text
        else:
            left_out.append(heading)
    order = [
        cube.methods.index(str(name)) for name in table.frame["method"] if name in cube.methods
    ]
    payload = {
        "name": printable(one.dataset),
        "methods": [printable(name) for name in cube.methods],
        "order": order,
        "ranked": printable(one.ranked_by or ""),
        "front": _front(table),
        "scenes": {},  # by number of the image, the scene that shows it, and of which methods
    }
    # This much is always there: what comes after has less room.
    budget.left -= len(embedded_json(payload).encode())
    return payload | {"images": names if values else [], "values": values}, left_out


def _front(table: MeansTable) -> dict[str, Any] | None:
    """Give fidelity and perception of every method, with intervals; None where either lacks."""
    panel = front_panel(table)
    if panel is None:
        return None
    points = [
        {
            "method": printable(spot.name),
            "complete": spot.complete,
            "front": spot.front,
            "at": [[_finite(value) for value in triple] for triple in spot.at],
        }
        for spot in panel.spots
    ]
    return {"axes": [printable(name) for name in panel.axes], "points": points}


def _finite(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def matrices_of(one: DatasetBoard) -> list[Matrix]:
    """Correlate the metrics of a dataset.

    Parameters
    ----------
    one
        With all its columns.

    Returns
    -------
    list of Matrix
        Those that have a number.
    """
    table = _metric_table(one)
    return [one for one in _matrices(table) if one.names] if len(table.names) > 1 else []


def _metric_table(one: DatasetBoard) -> MetricTable:
    """Arrange a dataset's scores for correlation: one row per output, without empty columns."""
    cube = one.cube
    outputs = len(cube.methods) * len(cube.images)
    values = cube.values.swapaxes(0, 1).reshape(outputs, len(cube.headings))
    there = ~np.isnan(values)
    rows, used = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    index = pd.MultiIndex.from_product(
        [[one.dataset], cube.methods, cube.images], names=["dataset", "method", "image"]
    )
    headings = [cube.headings[place] for place in used]
    frame = pd.DataFrame(values[rows][:, used], index=index[rows], columns=headings)
    return MetricTable(with_distances(frame, one.columns), [[one.dataset]], columns=one.columns)


def _matrices(table: MetricTable) -> Iterator[Matrix]:
    values = table.values.to_numpy(np.float64)
    together = np.zeros(len(values), dtype=np.intp)
    yield _matrix(
        table.names,
        associate(values, together, 1, "spearman"),
        "Spearman over images and methods",
        "Do two metrics order all outputs alike?",
    )
    yield _matrix(
        table.names,
        ranking_agreement(table.values, table.contents),
        "Kendall within images",
        "Do two metrics rank the methods of an image alike? The mean of tau-b over images.",
    )


def _matrix(names: list[str], found: Associations, title: str, note: str) -> Matrix:
    count = len(names)
    square = np.full((count, count), np.nan)
    square[found.second, found.first] = square[found.first, found.second] = found.value
    used = np.flatnonzero((~np.isnan(square)).any(axis=0))
    cells = [
        [(_coefficient(square[row, column]), _finite(square[row, column])) for column in used[:at]]
        for at, row in enumerate(used)
    ]
    return Matrix(title, note, [names[place] for place in used], cells)


def _coefficient(value: float) -> str:
    # Adding zero to what was rounded turns -0.0 into 0.0.
    return number(round(value, 2) + 0.0, 2) if np.isfinite(value) else number(None)


def metric_under(name: str) -> str:
    """Name the column that a row of a matrix is about: ``tv-ratio`` for ``|tv-ratio-1|``."""
    if not name.startswith("|"):
        return name
    distance, bracket, rest = name.partition(" [")
    return f"{distance.strip('|').rpartition('-')[0]}{bracket}{rest}"
