"""Leaderboards as documents, for people (terminal, Markdown, LaTeX, HTML) and for programs."""

from __future__ import annotations

from iqbench.boards.means_table import MeansTable
from iqbench.boards.tables import dataset_sections, overall_sections
from iqbench.document.figure import Figure
from iqbench.document.model import Document
from iqbench.document.render import render
from iqbench.document.terminal import Window

__all__ = ["board_document", "render_leaderboard"]


def board_document(
    table: MeansTable,
    *,
    overall: MeansTable | None = None,
    hidden: int = 0,
    intervals: bool | None = None,
    ranks: Figure | None = None,
) -> Document:
    """Arrange a leaderboard.

    Parameters
    ----------
    table
        The leaderboard; or averages over datasets, which are then shown for all scopes.
    overall
        Averages over datasets, shown below the datasets unless they only repeat a dataset.
    hidden
        How many columns were left out, for a note below the tables.
    intervals
        False to leave intervals out of formats for programs.
    ranks
        The figure of the ranks over all datasets.

    Returns
    -------
    Document
        CSV and JSON contain the whole table.
    """
    if table.averages:
        sections = list(overall_sections(table, every=True, ranks=ranks))
    else:
        sections = list(dataset_sections(table))
        if overall is not None:
            sections += overall_sections(overall, ranks=ranks)
    notes = [f"{hidden} more column{'s' * (hidden != 1)}: --columns all"] if hidden else []
    records = table.without_intervals() if intervals is False else table
    return Document(sections, notes=notes, records=records.frame)


def render_leaderboard(
    table: MeansTable,
    format: str,
    *,
    overall: MeansTable | None = None,
    hidden: int = 0,
    intervals: bool | None = None,
    window: Window | None = None,
) -> str:
    """Render a leaderboard, see `board_document` and `iqbench.document.render.render`."""
    document = board_document(table, overall=overall, hidden=hidden, intervals=intervals)
    return render(document, format, intervals=intervals, window=window)
