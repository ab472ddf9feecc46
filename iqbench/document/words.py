"""Sections of a leaderboard in a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from rich.text import Text

from iqbench.document.model import Entry, Section, TableColumn
from iqbench.document.records import markdown_table
from iqbench.document.terminal import Cell, Sheet, Window, draw, pieces, write_line
from iqbench.document.text import escape_markdown, fold_heading, markdown_line, printable

__all__ = ["markdown_section", "shown_extras", "terminal_section", "write_folded"]

_EXTRAS = ("tie", "spread", "front", "range")
"""Extras beside ranks and means that are shown if they fit, the most important first."""

_INTERVALS = ("spread", "range")


def shown_extras(section: Section, format: str, intervals: bool | None, window: Window) -> set[str]:
    """Choose the extras to show beside ranks and means.

    Parameters
    ----------
    section
        The section.
    format
        ``table`` or ``markdown``.
    intervals
        Whether to show intervals; None to show them if they fit into a window with a limit.
    window
        The window. Extras that would split a terminal's table into more pieces are not chosen,
        except for intervals that are requested.
    """
    if format == "markdown":
        return {"tie", "front", *(_INTERVALS if intervals else ())}
    chosen: set[str] = set(_INTERVALS) if intervals else set()
    optional = _EXTRAS if intervals is None and window.limited else ("tie", "front")
    for key in optional:
        broken = len(pieces(_sheet(section, chosen), window.width))
        if len(pieces(_sheet(section, chosen | {key}), window.width)) <= broken:
            chosen.add(key)
    return chosen


def terminal_section(section: Section, extras: Collection[str], window: Window) -> str:
    """Draw a section: its title, a table that fits into the window, and its remarks."""
    title = Text.assemble(
        (printable(section.title), "bold"), ("  " + printable(", ".join(section.facts)), "dim")
    )
    remarks = [write_line(Text(printable(text), "dim"), window) for text in section.remarks]
    blocks = [
        *([write_line(title, window)] if section.title else []),
        *([write_line(Text(printable(section.caption)), window)] if section.caption else []),
        *([draw(_sheet(section, extras), window)] if section.columns else []),
        *(["\n".join(remarks)] if remarks else []),
    ]
    return "\n\n".join(blocks) + "\n"


@dataclass(frozen=True)
class _Drawn:
    """One column of a terminal's table."""

    heading: list[str]
    numeric: bool
    cells: list[Cell]
    glued: bool = False
    sentences: bool = False


def _sheet(section: Section, extras: Collection[str]) -> Sheet:
    drawn: list[_Drawn] = []
    for column in _ordered(section, extras):
        dim = [not section.is_complete(row) for row in range(section.rows)]
        below = [f"\n{entry.note}" if entry.note else "" for entry in column.entries]
        cells = [
            Cell(
                printable(entry.text) + ("" if column.numeric else note),
                *(entry.place == 1, grey, entry.tone),
                second=bool(section.second) and entry.place == 2,
            )
            for entry, note, grey in zip(column.entries, below, dim, strict=True)
        ]
        above = [line for text in column.groups for line in fold_heading(printable(text))]
        heading = [*above, *fold_heading(printable(column.heading))]
        drawn.append(_Drawn(heading, column.numeric, cells, sentences=column.key == "note"))
        if column.numeric and column.noted:
            notes = [Cell(f"({entry.note})" if entry.note else "") for entry in column.entries]
            drawn.append(_Drawn([""], False, notes, glued=True))
        if column.spread and "spread" in extras:
            reach = [Cell(entry.spread, dim=True) for entry in column.entries]
            drawn.append(_Drawn([""], True, reach, glued=True))
    return Sheet(
        [one.heading for one in drawn],
        [one.numeric for one in drawn],
        [[[one.cells[row] for one in drawn] for row in rows] for rows in section.parts],
        fixed=section.fixed,
        glued={place for place, one in enumerate(drawn) if one.glued},
        notes={place for place, one in enumerate(drawn) if one.sentences},
    )


def _ordered(section: Section, extras: Collection[str]) -> list[TableColumn]:
    """Move front and ranks to the end, so that means are first."""
    last = [column for column in section.columns if column.key in ("front", "range")]
    first = [column for column in section.columns if column not in last]
    return [one for one in (*first, *last) if one.key not in _EXTRAS or one.key in extras]


def write_folded(texts: Sequence[str], window: Window) -> str:
    """Write lines, wrapped to the window; wrapped lines of a list item are indented."""
    folded = [
        "\n".join(
            wrap(printable(text), window.width, subsequent_indent="  " * text.startswith("- "))
        )
        for text in texts
    ]
    return "".join(write_line(Text(text), window) + "\n" for text in folded)


def markdown_section(
    section: Section, extras: Collection[str], figures: Mapping[str, str] | None = None
) -> str:
    """Write a section with a heading; incomplete methods are in a separate table."""
    facts = markdown_line(", ".join(section.facts))
    heading = [f"{'#' * section.level} {escape_markdown(section.title)}", ""]
    caption = markdown_line(section.caption)
    lines = [*(heading if section.title else []), *([facts, ""] if facts else [])]
    lines += [caption, ""] if caption else []
    if section.figure is not None and section.figure.name in (files := figures or {}):
        figure = section.figure
        lines += [f"![{escape_markdown(figure.title)}]({files[figure.name]})", ""]
    columns = _ordered(section, extras)
    headings, numeric = [one.full_heading for one in columns], [one.numeric for one in columns]
    for number, rows in enumerate(section.parts):
        if not section.is_complete(rows[0]):
            lines += ["", "Incomplete, not ranked:", ""] if number else []
        table = [
            [
                _markdown(one.entries[row], "spread" in extras, bool(section.second))
                for one in columns
            ]
            for row in rows
        ]
        lines += markdown_table(headings, numeric, table)
    lines += [*([""] if section.columns else []), *(_lines(section.remarks))]
    return "\n".join(lines).rstrip("\n") + "\n"


def _lines(texts: Sequence[str]) -> list[str]:
    return [f"{markdown_line(text)}  " for text in texts]


def _markdown(entry: Entry, spread: bool, second: bool) -> str:
    text = escape_markdown(entry.text)
    if entry.place == 1:
        text = f"**{text}**"
    elif entry.place == 2 and second:
        text = f"<ins>{text}</ins>"  # Markdown has no underlining, and GitHub supports this element
    note = escape_markdown(entry.note)
    return " ".join(
        [
            text,
            *([f"({note})"] if note else []),
            *([entry.spread] if spread and entry.spread else []),
        ]
    )
