"""A document as HTML for word processors: plain tables with inline styles.

There are no scripts and no style sheets, because Word, LibreOffice and Google Docs keep only inline
styles. Lines are those of booktabs; the best values are bold and the second best underlined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iqbench.document.model import Document, Entry, Section, TableColumn
from iqbench.document.text import escape_html

__all__ = ["word_page"]

_FONT = "font-family:'Times New Roman',serif;font-size:10pt"
_THICK, _THIN = "1.5pt solid black", "0.75pt solid black"


def word_page(document: Document, *, intervals: bool = False) -> str:
    """Write a page to open in a word processor, or to copy from a browser.

    Parameters
    ----------
    document
        The document. Names are escaped.
    intervals
        Whether tables show intervals.
    """
    title = escape_html(document.title or document.page)
    lines = [
        "<!DOCTYPE html>",
        f'<html><head><meta charset="utf-8"><title>{title}</title></head>',
        f'<body style="{_FONT}">',
        *([f"<h1>{escape_html(document.title)}</h1>"] if document.title else []),
        *_paragraphs([document.facts, *document.points]),
    ]
    for section in document.sections:
        lines += _section(section, intervals)
    return "\n".join([*lines, *_paragraphs(document.notes), "</body></html>"]) + "\n"


def _paragraphs(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        if text:
            yield f"<p>{escape_html(text)}</p>"


def _section(section: Section, intervals: bool) -> Iterator[str]:
    if section.title:
        yield f"<h2>{escape_html(section.title)}</h2>"
    yield from _paragraphs([", ".join(section.facts), section.caption])
    if section.columns:
        shown = section if intervals else section.without_intervals()
        yield from _table(shown)
    yield from _paragraphs(section.remarks)


def _table(section: Section) -> Iterator[str]:
    yield f'<table style="border-collapse:collapse;{_FONT}">'
    rows = section.group_rows
    for level, spans in enumerate(rows):
        top = f"border-top:{_THICK};" if level == 0 else ""
        yield "<tr>" + "".join(_group(text, count, top) for text, count in spans) + "</tr>"
    yield "<tr>" + "".join(_heading(column, first=not rows) for column in section.columns) + "</tr>"
    for part in section.parts:
        for row in part:
            line = f"border-top:{_THIN};" if row == part[0] else ""
            line += f"border-bottom:{_THICK};" if row == section.rows - 1 else ""
            cells = (_cell(column, column.entries[row], line) for column in section.columns)
            yield f"<tr>{''.join(cells)}</tr>"
    yield "</table>"


def _group(text: str, count: int, top: str) -> str:
    below = f"border-bottom:{_THIN};" if text else ""
    return (
        f'<td colspan="{count}" style="{top}{below}text-align:center;padding:1pt 6pt">'
        f"{escape_html(text)}</td>"
    )


def _heading(column: TableColumn, *, first: bool) -> str:
    top = f"border-top:{_THICK};" if first else ""
    return f'<td style="{top}{_alignment(column)}">{escape_html(column.heading)}</td>'


def _cell(column: TableColumn, entry: Entry, line: str) -> str:
    text = escape_html(entry.text)
    if entry.place == 1:
        text = f"<b>{text}</b>"
    elif entry.place == 2:
        text = f"<u>{text}</u>"
    text += f" ({escape_html(entry.note)})" if entry.note else ""
    text += f" {escape_html(entry.spread)}" if entry.spread else ""
    return f'<td style="{line}{_alignment(column)}">{text}</td>'


def _alignment(column: TableColumn) -> str:
    return f"text-align:{'right' if column.numeric else 'left'};padding:1pt 6pt"
