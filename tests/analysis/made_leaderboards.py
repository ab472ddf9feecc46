"""Leaderboards of made scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from made_scores import COLUMNS, Value, frames

from iqbench.analysis.leaderboard import leaderboard

__all__ = ["board_of", "ranks"]


def board_of(
    values: Mapping[tuple[str, str, str], Iterable[Value]], **options: Any
) -> pd.DataFrame:
    return leaderboard(*frames(values), COLUMNS, **options)


def ranks(board: pd.DataFrame) -> dict[str, int | None]:
    return {
        method: None if pd.isna(rank) else int(rank)
        for method, rank in zip(board["method"], board["rank"], strict=True)
    }
