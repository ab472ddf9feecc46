"""Leaderboards for people (terminal, Markdown, LaTeX, HTML) and programs (CSV, JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from rich.text import Text

from iqbench.analysis.columns import ENDS, MEANS, metric_columns
from iqbench.report.board_html import html_page
from iqbench.report.board_latex import latex_tables
from iqbench.report.board_sections import dataset_sections, overall_sections
from iqbench.report.board_text import markdown_section, shown_extras, terminal_section
from iqbench.report.sections import Section, direction_arrow
from iqbench.report.tables import FORMATS, render_records
from iqbench.report.terminal import Window, write_line
from iqbench.report.text import escape_markdown
from iqbench.results.schema import ColumnInfo

__all__ = ["BOARD_FORMATS", "direction_arrow", "render_leaderboard", "render_sections"]

BOARD_FORMATS = (*FORMATS, "latex", "html")


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
    """Render a leaderboard.

    Parameters
    ----------
    board
        As `iqbench.analysis.leaderboard.leaderboard` gives it; or as `overall_of` does: then all
        its scopes are shown.
    columns
        Directions and decimals.
    format
        One of `BOARD_FORMATS`. CSV and JSON hold the board as it is.
    overall
        Averages over datasets, to be shown below the datasets where they say something new.
    hidden
        How many columns were left out, for the line below that says so.
    intervals
        Whether to show them; by default a terminal does if its window has the room, Markdown and
        LaTeX do not, and the others do.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format in ("csv", "json"):
        return render_records(_without_intervals(board) if intervals is False else board, format)
    if "scope" in board.columns:
        sections = list(overall_sections(board, columns, every=True))
    else:
        sections = list(dataset_sections(board, columns))
        if overall is not None:
            sections += overall_sections(overall, columns)
    return render_sections(sections, format, hidden=hidden, intervals=intervals, window=window)


def render_sections(
    sections: Sequence[Section],
    format: str,
    *,
    hidden: int = 0,
    intervals: bool | None = None,
    window: Window | None = None,
) -> str:
    """Render sections in one of the formats for people, see `render_leaderboard`."""
    if format == "latex":
        return latex_tables(sections, spread=bool(intervals))
    if format == "html":
        spread = intervals is not False
        every = {"tie", "front", *(("range", "spread") if spread else ())}
        return html_page(sections, _notes(sections, every, hidden), spread=spread)
    window = window or Window()
    choices = [shown_extras(section, format, intervals, window) for section in sections]
    extras = set.intersection(*choices) if choices else set()  # all tables alike
    if format == "markdown":
        parts = [markdown_section(section, extras) for section in sections]
    else:
        parts = [terminal_section(section, extras, window) for section in sections]
    starred = format == "table" and not window.color
    below = _notes(sections, extras, hidden, starred=starred)
    if below and format == "markdown":
        parts.append("".join(f"{escape_markdown(note)}  \n" for note in below))
    elif below:
        parts.append("".join(write_line(Text(note, "dim"), window) + "\n" for note in below))
    return "\n".join(parts)


def _without_intervals(board: pd.DataFrame) -> pd.DataFrame:
    """Leave out the ends of intervals."""
    means = [f"{name}{kind}" for name in metric_columns(board) for kind in MEANS]
    ends = [f"{name}{end}" for name in (*means, "rank", "average_rank") for end in ENDS]
    return board.drop(columns=ends, errors="ignore")


def _notes(
    sections: Sequence[Section], extras: set[str], hidden: int, *, starred: bool = False
) -> list[str]:
    """Say what the marks mean that are shown, what is not ranked and what is not shown."""
    found: list[str] = []
    if starred:
        found += dict.fromkeys(f"* {one.bold}" for one in sections if one.has_place(1))
    if "tie" in extras and any(one.has("tie") for one in sections):
        found.append("tie: not significantly worse than the best method with that letter")
    fronts = dict.fromkeys(one.front for one in sections if one.has("front"))
    if "front" in extras and fronts:
        found.append(
            f"front: no method is better in both {' or '.join(fronts).replace(', ', ' and ')}"
        )
    if "spread" in extras and any(column.spread for one in sections for column in one.columns):
        found.append("±: half of the mean's 95 % bootstrap interval over images")
    if "range" in extras and any(one.has("range") for one in sections):
        found.append("ranks: those in 95 % of the resamples of the images")
    found += dict.fromkeys(
        f"Not ranked: {one.unranked}" for one in sections if not all(one.complete)
    )
    if hidden:
        found.append(f"{hidden} more column{'s' * (hidden != 1)}: --columns all")
    return found
