"""Made leaderboards for tests of rendering."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from made_columns import as_stated

from iqbench.boards.document import render_leaderboard
from iqbench.boards.means_table import MeansTable
from iqbench.results.schema import ColumnInfo

__all__ = ["COLUMNS", "HOSTILE", "board", "shown"]

COLUMNS = as_stated(
    {
        "psnr": ColumnInfo("higher", 2, summary="Peak signal-to-noise ratio, dB"),
        "lpips-alex": ColumnInfo("lower", 4),
    }
)


def board(**changes: Any) -> pd.DataFrame:
    """Make a leaderboard of four methods, the last of them incomplete."""
    columns: dict[str, Any] = {
        "dataset": "Set14",
        "task": "super-resolution",
        "protocol": "sr-y:scale=4",
        "ranked_by": "psnr",
        "rank": pd.array([1, 2, 3, None], dtype="Int64"),
        "rank_low": pd.array([1, 1, 3, None], dtype="Int64"),
        "rank_high": pd.array([2, 2, 3, None], dtype="Int64"),
        "tie": ["a", "a", "", ""],
        "front": pd.array([True, False, True, None], dtype="boolean"),
        "front_by": "psnr, lpips-alex",
        "method": ["swinir", "edsr", "bi_cubic", "new"],
        "n": [14, 14, 14, 3],
        "expected": 14,
        "complete": [True, True, True, False],
        "psnr": [28.9, 28.8, 26.0, 33.0],
        "psnr_low": [27.9, 27.9, 25.5, 32.0],
        "psnr_high": [30.1, 29.8, 26.4, 34.0],
        "psnr_rank": pd.array([1, 2, 3, None], dtype="Int64"),
        "lpips-alex": [0.25, 0.3, 0.2, 0.1],
        "lpips-alex_low": [0.24, 0.29, 0.1, math.nan],
        "lpips-alex_high": [0.26, 0.31, math.inf, math.nan],
        "lpips-alex_rank": pd.array([2, 3, 1, None], dtype="Int64"),
        "missing": ["", "", "", "psnr 11, lpips-alex 11"],
        "undefined": "",
    }
    return pd.DataFrame({**columns, **changes})


def shown(
    frame: pd.DataFrame,
    format: str = "table",
    *,
    overall: pd.DataFrame | None = None,
    **options: Any,
) -> str:
    averages = None if overall is None else MeansTable(overall, COLUMNS)
    return render_leaderboard(MeansTable(frame, COLUMNS), format, overall=averages, **options)


HOSTILE = "[a]&b_c%d$e#f{g}h~i^j\\k<script>\x1b\n"
