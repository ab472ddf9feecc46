"""Tables of scores and images, written by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from made_columns import as_stated

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import BoardOptions, DatasetBoard
from iqbench.results.schema import ColumnInfo

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2),
        "lpips-alex": ColumnInfo("lower", 4),
        "tv-output": ColumnInfo("none", 4),
        "tv-ratio": ColumnInfo("target:1", 3),
    }
)
UNDEFINED = "undefined: the reference is flat"

Value = float | str | tuple[str, float]


def frames(
    values: Mapping[tuple[str, str, str], Iterable[Value]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make scores and images of {(dataset, method, metric): values}; text is an error.

    A pair is a view and its value.
    """
    scores: list[dict[str, Any]] = []
    images: set[tuple[str, str, str]] = set()
    for (dataset, method, metric), several in values.items():
        for number, given in enumerate(several):
            view, value = given if isinstance(given, tuple) else ("rgb", given)
            failed = isinstance(value, str)
            images.add((dataset, method, f"image{number}"))
            scores.append(
                {
                    "dataset": dataset,
                    "method": method,
                    "image": f"image{number}",
                    "metric": metric,
                    "value": math.nan if failed else value,
                    "error": value if failed else None,
                    "signature": f"metric={metric}|view={view}",
                    "protocol": view,
                }
            )
    names = ["dataset", "method", "image"]
    return pd.DataFrame(scores), pd.DataFrame(sorted(images), columns=names)


def dataset_boards_of(
    values: Mapping[tuple[str, str, str], Iterable[Value]],
    tasks: Mapping[str, str] | None = None,
    **choice: Any,
) -> list[DatasetBoard]:
    """Compare the methods of such scores."""
    return Board.of(*frames(values), COLUMNS, BoardOptions(**choice), tasks=tasks).datasets
