"""Leaderboards as documents: for people (terminal, Markdown, LaTeX, HTML) and programs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from iqbench.analysis.columns import ENDS, MEANS, metric_columns
from iqbench.document.model import Document
from iqbench.document.render import render
from iqbench.document.terminal import Window
from iqbench.report.board_sections import dataset_sections, overall_sections
from iqbench.results.schema import ColumnInfo

__all__ = ["board_document", "render_leaderboard"]


def board_document(
    board: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    *,
    overall: pd.DataFrame | None = None,
    hidden: int = 0,
    intervals: bool | None = None,
) -> Document:
    """Arrange a leaderboard.

    Parameters
    ----------
    board
        As `iqbench.analysis.leaderboard.leaderboard` gives it; or as `overall_of` does: then all
        its scopes are shown.
    columns
        Directions and decimals.
    overall
        Averages over datasets, to be shown below the datasets where they say something new.
    hidden
        How many columns were left out, for the line below that says so.
    intervals
        False for programs to get none.

    Returns
    -------
    Document
        CSV and JSON hold the board as it is.
    """
    if "scope" in board.columns:
        sections = list(overall_sections(board, columns, every=True))
    else:
        sections = list(dataset_sections(board, columns))
        if overall is not None:
            sections += overall_sections(overall, columns)
    notes = [f"{hidden} more column{'s' * (hidden != 1)}: --columns all"] if hidden else []
    records = _without_intervals(board) if intervals is False else board
    return Document(sections, notes=notes, records=records)


def render_leaderboard(
    board: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    format: str,
    *,
    overall: pd.DataFrame | None = None,
    hidden: int = 0,
    intervals: bool | None = None,
    window: Window | None = None,
) -> str:
    """Render a leaderboard, see `board_document` and `iqbench.document.render.render`."""
    document = board_document(board, columns, overall=overall, hidden=hidden, intervals=intervals)
    return render(document, format, intervals=intervals, window=window)


def _without_intervals(board: pd.DataFrame) -> pd.DataFrame:
    """Leave out the ends of intervals."""
    means = [f"{name}{kind}" for name in metric_columns(board) for kind in MEANS]
    ends = [f"{name}{end}" for name in (*means, "rank", "average_rank") for end in ENDS]
    return board.drop(columns=ends, errors="ignore")
