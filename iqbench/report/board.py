"""Leaderboards for people (terminal, Markdown) and programs (CSV, JSON)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
from rich.text import Text

from iqbench.analysis.leaderboard import best_cells, column_info, metric_columns, sort_columns
from iqbench.report.tables import markdown_table, render_records
from iqbench.report.terminal import Cell, Sheet, Window, draw, write_line
from iqbench.report.text import escape_markdown, fold_heading, number, printable
from iqbench.results.schema import ColumnInfo

__all__ = ["direction_arrow", "render_leaderboard"]

_UNRANKED = "-"


def direction_arrow(info: ColumnInfo) -> str:
    """Give the sign beside a heading that says what is better; nothing where nothing is."""
    if info.target is not None:
        return f"→{info.target:g}"
    return {"higher": "↑", "lower": "↓"}.get(info.direction, "")


def render_leaderboard(
    board: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    format: str,
    *,
    sort: str | None = None,
    hidden: int = 0,
    window: Window | None = None,
) -> str:
    """Render a leaderboard.

    Parameters
    ----------
    board
        As `iqbench.analysis.leaderboard.leaderboard` gives it.
    columns
        Directions and decimals.
    format
        One of `iqbench.report.tables.FORMATS`. CSV and JSON hold the board as it is.
    sort
        What it was ranked by, as given to `leaderboard`.
    hidden
        How many columns were left out, for the line below that says so.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format not in ("table", "markdown"):
        return render_records(board, format)
    window = window or Window()
    part = _markdown if format == "markdown" else _terminal
    parts = [part(section, window) for section in _sections(board, columns, sort)]
    notes = _notes(board, hidden, starred=format == "table" and not window.color)
    if notes and format == "markdown":
        parts.append("".join(f"{escape_markdown(note)}  \n" for note in notes))
    elif notes:
        parts.append("".join(write_line(Text(note, "dim"), window) + "\n" for note in notes))
    return "\n".join(parts)


@dataclass(frozen=True)
class _Section:
    """One dataset: its rows, which of its cells are best, and what is said around them."""

    title: str
    facts: list[str]
    rows: pd.DataFrame
    best: pd.DataFrame
    columns: Mapping[str, ColumnInfo]
    remarks: list[str]

    @property
    def metrics(self) -> list[str]:
        return list(self.best.columns)

    def heading(self, metric: str) -> str:
        return f"{metric} {direction_arrow(column_info(metric, self.columns))}".rstrip()

    def value(self, row: pd.Series, metric: str) -> str:
        return number(float(row[metric]), column_info(metric, self.columns).decimals)

    def method(self, row: pd.Series) -> list[str]:
        """Give the name and, for an incomplete method, how many images there are of how many."""
        name = printable(str(row["method"]))
        return [name] if row["complete"] else [name, f"{row['n']}/{row['expected']} images"]


def _sections(
    board: pd.DataFrame, columns: Mapping[str, ColumnInfo], sort: str | None
) -> Iterator[_Section]:
    best = best_cells(board, columns)
    ranked_by = sort_columns(board, columns, sort)
    for dataset, rows in board.groupby("dataset", sort=False):
        shown = [name for name in metric_columns(board) if rows[name].notna().any()]
        expected = int(rows["expected"].iloc[0])
        protocols = [text for text in dict.fromkeys(rows["protocol"]) if text]
        facts = [*protocols, f"{expected} image{'s' * (expected != 1)}"]
        if dataset in ranked_by and rows["rank"].notna().any():
            facts.append(f"ranked by {ranked_by[str(dataset)]}")
        yield _Section(
            str(dataset), facts, rows, best.loc[rows.index, shown], columns, _remarks(rows)
        )


def _remarks(rows: pd.DataFrame) -> list[str]:
    """Say what the numbers leave out: values missing of images that are there, and undefined."""
    # That an image is missing in all columns is said beside the method's name.
    lacking = rows[(rows["n"] == rows["expected"]) & (rows["missing"] != "")]
    remarks = [f"{row['method']} lacks values: {row['missing']}" for _, row in lacking.iterrows()]
    for text, same in rows[rows["undefined"] != ""].groupby("undefined", sort=False):
        who = "every method" if len(same) == len(rows) > 1 else ", ".join(same["method"])
        remarks.append(f"undefined and left out of the mean: {text} ({who})")
    return remarks


def _notes(board: pd.DataFrame, hidden: int, *, starred: bool) -> list[str]:
    notes = []
    if starred and board["complete"].any():
        notes.append("* best of the complete methods")
    if not board["complete"].all():
        notes.append(
            "Not ranked: incomplete methods; the reasons are in column error of "
            "iqbench export -o scores.csv"
        )
    if hidden:
        notes.append(f"{hidden} more column{'s' * (hidden != 1)}: --columns all")
    return notes


def _terminal(section: _Section, window: Window) -> str:
    sections = [
        [_cells(section, rows.loc[index]) for index in rows.index]
        for _, rows in sorted(section.rows.groupby("complete"), reverse=True)
    ]
    headings = [fold_heading(section.heading(printable(metric))) for metric in section.metrics]
    numeric = [True, False, *(True for _ in section.metrics)]
    sheet = Sheet([["#"], ["method"], *headings], numeric, sections, fixed=2)
    title = Text.assemble(
        (printable(section.title), "bold"), ("  " + printable(", ".join(section.facts)), "dim")
    )
    remarks = [write_line(Text(printable(text), "dim"), window) for text in section.remarks]
    lines = [
        write_line(title, window),
        "",
        draw(sheet, window),
        *([""] if remarks else []),
        *remarks,
    ]
    return "\n".join(lines) + "\n"


def _cells(section: _Section, row: pd.Series) -> list[Cell]:
    dim = not row["complete"]
    rank = _UNRANKED if pd.isna(row["rank"]) else str(row["rank"])
    values = [
        Cell(section.value(row, metric), bool(section.best.at[row.name, metric]), dim)
        for metric in section.metrics
    ]
    return [Cell(rank, dim=dim), Cell("\n".join(section.method(row)), dim=dim), *values]


def _markdown(section: _Section, window: Window) -> str:
    facts = escape_markdown(", ".join(section.facts))
    lines = [f"### {escape_markdown(section.title)}", "", facts, ""]
    for complete, rows in sorted(section.rows.groupby("complete"), reverse=True):
        if not complete:
            lines += ["", "Incomplete, not ranked:", ""] if len(lines) > 4 else []
        lines += _markdown_rows(section, rows)
    lines += ["", *(f"{escape_markdown(text)}  " for text in section.remarks)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _markdown_rows(section: _Section, rows: pd.DataFrame) -> list[str]:
    table = []
    for index in rows.index:
        rank, _, *values = _cells(section, rows.loc[index])
        name, *count = [escape_markdown(text) for text in section.method(rows.loc[index])]
        method = f"{name} ({count[0]})" if count else name
        numbers = [f"**{cell.text}**" if cell.best else cell.text for cell in values]
        table.append([rank.text, method, *numbers])
    headings = ["#", "method", *(section.heading(metric) for metric in section.metrics)]
    return markdown_table(headings, [True, False, *(True for _ in section.metrics)], table)
