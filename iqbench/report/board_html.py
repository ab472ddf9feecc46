"""Sections of a leaderboard as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iqbench.report.sections import Column, Section
from iqbench.report.text import escape_html

__all__ = ["html_page"]

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; }
body { padding: 0 1rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0; }
p { margin: .2rem 0 .8rem; opacity: .7; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: left; white-space: nowrap; }
th { border-bottom: 1px solid; font-weight: 600; vertical-align: bottom; }
.n { text-align: right; }
.best { color: light-dark(#087830, #7ed38e); font-weight: 700; }
.second { text-decoration: underline; }
.incomplete { opacity: .6; }
small { opacity: .65; }"""


def html_page(sections: Sequence[Section], notes: Sequence[str], *, spread: bool = True) -> str:
    """Write a page.

    Parameters
    ----------
    sections
        A table each. What its columns are shows when the pointer rests on a heading.
    notes
        Lines at the end.
    spread
        Whether means and ranks have their intervals.
    """
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        "<title>iqbench leaderboard</title>",
        f"<style>\n{_STYLE}\n</style>",
        "</head>",
        "<body>",
        *(line for section in sections for line in _section(section, spread)),
        *(f"<p>{escape_html(note)}</p>" for note in notes),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _section(section: Section, spread: bool) -> Iterator[str]:
    columns = [column for column in section.columns if spread or column.key != "range"]
    yield f"<h2>{escape_html(section.title)}</h2>"
    yield f"<p>{escape_html(', '.join(section.facts))}</p>"
    yield "<div><table>"
    yield f"<thead><tr>{''.join(_heading(column) for column in columns)}</tr></thead>"
    for rows in section.parts:
        yield "<tbody>"
        for row in rows:
            kind = "" if section.complete[row] else ' class="incomplete"'
            yield f"<tr{kind}>{''.join(_cell(column, row, spread) for column in columns)}</tr>"
        yield "</tbody>"
    yield "</table></div>"
    yield from (f"<p>{escape_html(text)}</p>" for text in section.remarks)


def _heading(column: Column) -> str:
    title = f' title="{escape_html(column.summary)}"' if column.summary else ""
    kind = ' class="n"' if column.numeric else ""
    return f'<th scope="col"{kind}{title}>{escape_html(column.heading)}</th>'


def _cell(column: Column, row: int, spread: bool) -> str:
    entry = column.entries[row]
    place = {1: "best", 2: "second"}.get(entry.place)
    text = escape_html(entry.text)
    if place:
        text = f'<span class="{place}">{text}</span>'
    note = f"({entry.note})" if entry.note and column.numeric else entry.note
    small = [note, entry.spread if spread else ""]
    after = "".join(f" <small>{escape_html(part)}</small>" for part in small if part)
    kind = ' class="n"' if column.numeric else ""
    return f"<td{kind}>{text}{after}</td>"
