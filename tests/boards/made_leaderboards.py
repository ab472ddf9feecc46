"""Leaderboards of made scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from made_scores import COLUMNS, Value, frames

from iqbench.boards.board import Board
from iqbench.boards.dataset_board import BoardOptions
from iqbench.boards.means_table import MeansTable
from iqbench.results.columns import Columns

__all__ = ["best_cells", "board_of", "leaderboard", "ranks"]


def board_of(
    values: Mapping[tuple[str, str, str], Iterable[Value]], **options: Any
) -> pd.DataFrame:
    return leaderboard(*frames(values), COLUMNS, **options)


def leaderboard(
    scores: pd.DataFrame,
    images: pd.DataFrame,
    columns: Columns,
    *,
    tasks: Mapping[str, str] | None = None,
    sets: pd.DataFrame | None = None,
    **choice: Any,
) -> pd.DataFrame:
    """Give the table of the methods of such tables."""
    return Board.of(
        scores, images, columns, BoardOptions(**choice), tasks=tasks, sets=sets
    ).table.frame


def best_cells(board: pd.DataFrame) -> pd.DataFrame:
    """Mark the best methods of each dataset and column."""
    return MeansTable(board, COLUMNS).places() == 1


def ranks(board: pd.DataFrame) -> dict[str, int | None]:
    return {
        method: None if pd.isna(rank) else int(rank)
        for method, rank in zip(board["method"], board["rank"], strict=True)
    }
