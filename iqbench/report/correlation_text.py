"""The correlation report in a terminal, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from rich.text import Text

from iqbench.document.records import json_records, render_csv
from iqbench.document.terminal import Cell, Sheet, Window, draw, write_line
from iqbench.document.text import fold_heading, printable
from iqbench.report.correlation import Correlations
from iqbench.report.correlation_folder import facts, markdown_report
from iqbench.report.correlation_tables import MATRICES, TEXTS, tables
from iqbench.report.correlation_words import sentences

__all__ = ["render_correlations"]


def render_correlations(found: Correlations, format: str, window: Window | None = None) -> str:
    """Render what was found.

    Parameters
    ----------
    found
        All of it.
    format
        ``table`` for a terminal, ``markdown`` (the report without figures), or ``csv`` and
        ``json`` with every number, one a row.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format == "csv":
        return render_csv(found.rows())
    if format == "json":
        return json_records(found.rows())
    if format == "markdown":
        return markdown_report(found, {})
    window = window or Window()
    parts = [_lines([facts(found)], window), _lines([f"- {s}" for s in sentences(found)], window)]
    for title, frame in tables(found, MATRICES):
        sheet = Sheet(
            [fold_heading(printable(name)) for name in frame.columns],
            [name not in TEXTS for name in frame.columns],
            [[[Cell(printable(text)) for text in row] for row in frame.to_numpy()]],
        )
        head = write_line(Text(printable(title), "bold"), window)
        parts.append(f"{head}\n\n{draw(sheet, window)}\n")
    notes = [
        "Intervals and definitions: iqbench correlate --help; all numbers: --format csv, "
        "all scopes and figures: -o DIR"
    ]
    if found.hidden:
        notes.append(f"{found.hidden} more metric{'s' * (found.hidden != 1)}: --columns all")
    return "\n".join([part for part in (*parts, _lines(notes, window, "dim")) if part])


def _lines(texts: Sequence[str], window: Window, style: str = "") -> str:
    """Write lines, folded to the window; what follows a dash hangs below its text."""
    folded = [
        "\n".join(
            wrap(printable(text), window.width, subsequent_indent="  " * text.startswith("- "))
        )
        for text in texts
    ]
    return "".join(write_line(Text(text, style), window) + "\n" for text in folded)
