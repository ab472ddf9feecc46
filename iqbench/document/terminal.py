"""Tables for terminals. A table that is wider than the window is split into pieces."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from iqbench.document.text import elided, encodable

__all__ = ["Cell", "Sheet", "Window", "draw", "pieces", "write_line"]

_GAP = 2
_WIDEST_TEXT = 44
_NARROWEST = 12
_TONES = {"good": "green", "bad": "bold red", "open": "yellow"}
_UNLIMITED = 10_000


@dataclass(frozen=True)
class Window:
    """The properties of the terminal, or of the file, that shows a table.

    Parameters
    ----------
    width
        Characters per line.
    color
        Whether it supports bold and colours. If not, the best are marked by an asterisk, and the
        second best, if they are marked, by a plus.
    encoding
        The encoding; characters that it lacks are replaced before columns are laid out.
    """

    width: int = _UNLIMITED
    color: bool = False
    encoding: str = "utf-8"

    @property
    def limited(self) -> bool:
        """Whether the width has a limit."""
        return self.width < _UNLIMITED

    @classmethod
    def of_stdout(cls) -> Window:
        """Return that of stdout; a pipe or file has no colours, and no limit except ``COLUMNS``."""
        terminal = sys.stdout is not None and sys.stdout.isatty()
        limited = terminal or os.environ.get("COLUMNS", "").isdigit()
        width = shutil.get_terminal_size().columns if limited else _UNLIMITED
        encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
        return cls(max(width, 20), terminal and "NO_COLOR" not in os.environ, encoding)


@dataclass(frozen=True)
class Cell:
    """The text of a cell, and its style."""

    text: str
    best: bool = False
    dim: bool = False
    tone: str = ""
    second: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table of cells.

    Parameters
    ----------
    headings
        Lines of each column's heading.
    numeric
        Which columns have numbers, which are right-aligned.
    sections
        Rows, in sections with lines between them.
    fixed
        The number of first columns that are repeated in each piece of the table.
    glued
        Columns that stay beside the one before them.
    widest
        Largest number of characters per line of a column of text, if it is not the default.
    notes
        Columns of sentences, which are wrapped to the remaining width, if it is large enough.
    """

    headings: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    sections: Sequence[Sequence[Sequence[Cell]]]
    fixed: int = 1
    glued: Collection[int] = ()
    widest: Mapping[int, int] = field(default_factory=dict)
    notes: Collection[int] = ()

    def limit(self, column: int) -> int:
        """Return the largest number of characters per line of a column of text."""
        return self.widest.get(column, _WIDEST_TEXT)

    def fitted(self, width: int) -> Sheet:
        """Wrap columns of sentences to the width that the others leave."""
        whole = replace(self, widest=dict.fromkeys(self.notes, width))
        others = [one for one in range(len(self.headings)) if one not in self.notes]
        left = width - sum(self.width(column) + _GAP for column in others)
        widest = {}
        # Columns that need less than their share leave the rest to the others.
        for place, column in enumerate(sorted(self.notes, key=whole.width)):
            share = left // (len(self.notes) - place) - _GAP
            if share < min(_NARROWEST, whole.width(column)):
                return self
            widest[column] = min(share, whole.width(column))
            left -= widest[column] + _GAP
        return replace(self, widest=widest)

    def encoded(self, encoding: str) -> Sheet:
        """Replace characters that an encoding lacks, and shorten very long texts."""
        return replace(
            self,
            headings=[
                [encodable(elided(line, 60), encoding) for line in lines] for lines in self.headings
            ],
            sections=[
                [
                    [
                        replace(cell, text=encodable(elided(cell.text, 400), encoding))
                        for cell in row
                    ]
                    for row in rows
                ]
                for rows in self.sections
            ],
        )

    def width(self, column: int) -> int:
        """Return the width of a column in characters."""
        texts = [row[column].text for rows in self.sections for row in rows]
        rows = [row[column] for section in self.sections for row in section]
        texts = [line for cell in rows for line in cell.text.split("\n")]
        widest = max((cell_len(text) for text in texts), default=0) + self.hang(column)
        widest = max(widest, *(cell_len(line) for line in self.headings[column]))
        return widest if self.numeric[column] else min(widest, self.limit(column))

    def hang(self, column: int) -> int:
        """Return the width of marks to the right of a column's digits."""
        cells = [row[column] for section in self.sections for row in section]
        return int(any(cell.best or cell.second for cell in cells))


def draw(sheet: Sheet, window: Window) -> str:
    """Draw a table, in several pieces if it is too wide.

    Parameters
    ----------
    sheet
        The table.
    window
        The window.

    Returns
    -------
    str
        Lines, with escape sequences if the window has colours.
    """
    sheet = sheet.encoded(window.encoding).fitted(window.width)
    return "\n\n".join(_piece(sheet, columns, window) for columns in pieces(sheet, window.width))


def write_line(text: Text, window: Window) -> str:
    """Write a line of text, wrapped at the window's width."""
    console = _console(window)
    console.print(text)
    return _shown(console)


def pieces(sheet: Sheet, width: int) -> list[list[int]]:
    """Return the pieces of a table, each as its columns.

    Parameters
    ----------
    sheet
        The table.
    width
        Characters per line.
    """
    fixed = list(range(min(sheet.fixed, len(sheet.headings))))
    room = width - sum(sheet.width(column) + _GAP for column in fixed)
    found: list[list[int]] = []
    left = 0
    for columns in _together(sheet, len(fixed)):
        needed = sum(sheet.width(column) + _GAP for column in columns)
        if not found or needed - _GAP > left:
            found.append([*fixed])
            left = room
        found[-1] += columns
        left -= needed
    return found or [fixed]


def _together(sheet: Sheet, first: int) -> list[list[int]]:
    groups: list[list[int]] = []
    for column in range(first, len(sheet.headings)):
        if groups and column in sheet.glued:
            groups[-1].append(column)
        else:
            groups.append([column])
    return groups


def _piece(sheet: Sheet, columns: list[int], window: Window) -> str:
    # The gap is one space of padding and one between columns.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    height = max(len(sheet.headings[column]) for column in columns)
    for column in columns:
        table.add_column(
            Text("\n" * (height - len(sheet.headings[column])) + "\n".join(sheet.headings[column])),
            justify="right" if sheet.numeric[column] else "left",
            overflow="fold",
            no_wrap=sheet.numeric[column],
            max_width=None if sheet.numeric[column] else sheet.limit(column),
        )
    console = _console(window)
    for rows in sheet.sections:
        for row in rows:
            styled = {column: _styled(row[column], sheet, column, window) for column in columns}
            table.add_row(
                *(
                    text if sheet.numeric[column] else _wrapped(text, sheet.limit(column), console)
                    for column, text in styled.items()
                )
            )
        table.add_section()
    console.print(table)
    return _shown(console)


def _wrapped(text: Text, limit: int, console: Console) -> Text:
    """Wrap a text; rich before version 15 counts the space at the end of a line as a part of it."""
    lines = text.wrap(console, limit, overflow="fold")
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


def _styled(cell: Cell, sheet: Sheet, column: int, window: Window) -> Text:
    if window.color:
        plain = "bold green" if cell.best else "underline" if cell.second else ""
        return Text(cell.text, _TONES.get(cell.tone, plain or ("dim" if cell.dim else "")))
    mark = "*" if cell.best else "+" if cell.second else " " * sheet.hang(column)
    return Text(cell.text + mark)


def _console(window: Window) -> Console:
    return Console(
        file=StringIO(),
        width=window.width,
        force_terminal=window.color,
        color_system="standard" if window.color else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
        markup=False,
        _environ={},
    )


def _shown(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n"))
