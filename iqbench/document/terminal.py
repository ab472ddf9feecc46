"""Tables for terminals: as wide as the window, in several pieces where that is too narrow."""

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
    """Where a table is going to be shown.

    Parameters
    ----------
    width
        Characters in a line.
    color
        Whether bold and colours show. Where not, the best are marked by an asterisk, and the second
        best by a plus where they are marked at all.
    encoding
        What a text may hold; what it lacks is replaced before columns are laid out.
    """

    width: int = _UNLIMITED
    color: bool = False
    encoding: str = "utf-8"

    @property
    def limited(self) -> bool:
        """Say whether there is a limit at all."""
        return self.width < _UNLIMITED

    @classmethod
    def of_stdout(cls) -> Window:
        """Take the terminal's; a pipe or file has no colours, and no limit but ``COLUMNS``."""
        terminal = sys.stdout is not None and sys.stdout.isatty()
        limited = terminal or os.environ.get("COLUMNS", "").isdigit()
        width = shutil.get_terminal_size().columns if limited else _UNLIMITED
        encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
        return cls(max(width, 20), terminal and "NO_COLOR" not in os.environ, encoding)


@dataclass(frozen=True)
class Cell:
    """Text of a cell, and how it is shown."""

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
        Which columns hold numbers: they are aligned at the right.
    sections
        Rows, in sections between which a line is drawn.
    fixed
        How many of the first columns are repeated where the table is broken into pieces.
    glued
        Columns that stay beside the one before them.
    widest
        Characters in a line of each column of text, where it is not the usual limit.
    notes
        Columns of sentences: they are folded into the room that is left, if there is enough.
    """

    headings: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    sections: Sequence[Sequence[Sequence[Cell]]]
    fixed: int = 1
    glued: Collection[int] = ()
    widest: Mapping[int, int] = field(default_factory=dict)
    notes: Collection[int] = ()

    def limit(self, column: int) -> int:
        """Say how many characters a line of a column of text has at most."""
        return self.widest.get(column, _WIDEST_TEXT)

    def fitted(self, width: int) -> Sheet:
        """Fold columns of sentences into what the others leave of a window."""
        whole = replace(self, widest=dict.fromkeys(self.notes, width))
        others = [one for one in range(len(self.headings)) if one not in self.notes]
        left = width - sum(self.width(column) + _GAP for column in others)
        widest = {}
        # What needs less than its share leaves the rest to those that need more.
        for place, column in enumerate(sorted(self.notes, key=whole.width)):
            share = left // (len(self.notes) - place) - _GAP
            if share < min(_NARROWEST, whole.width(column)):
                return self
            widest[column] = min(share, whole.width(column))
            left -= widest[column] + _GAP
        return replace(self, widest=widest)

    def encoded(self, encoding: str) -> Sheet:
        """Replace what an encoding lacks, and shorten what is far longer than names are."""
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
        """Say how many characters a column takes."""
        texts = [row[column].text for rows in self.sections for row in rows]
        rows = [row[column] for section in self.sections for row in section]
        texts = [line for cell in rows for line in cell.text.split("\n")]
        widest = max((cell_len(text) for text in texts), default=0) + self.hang(column)
        widest = max(widest, *(cell_len(line) for line in self.headings[column]))
        return widest if self.numeric[column] else min(widest, self.limit(column))

    def hang(self, column: int) -> int:
        """Say how many characters hang out to the right of a column's digits: those of marks."""
        cells = [row[column] for section in self.sections for row in section]
        return int(any(cell.best or cell.second for cell in cells))


def draw(sheet: Sheet, window: Window) -> str:
    """Draw a table, in pieces below each other where it does not fit side by side.

    Parameters
    ----------
    sheet
        What is in it.
    window
        What it has to fit into.

    Returns
    -------
    str
        Lines, with escape sequences if the window has colours.
    """
    sheet = sheet.encoded(window.encoding).fitted(window.width)
    return "\n\n".join(_piece(sheet, columns, window) for columns in pieces(sheet, window.width))


def write_line(text: Text, window: Window) -> str:
    """Write a line of text, folded at the window's width."""
    console = _console(window)
    console.print(text)
    return _shown(console)


def pieces(sheet: Sheet, width: int) -> list[list[int]]:
    """Say into which pieces a table is broken, each as its columns.

    Parameters
    ----------
    sheet
        What is in it.
    width
        Characters in a line.
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
    # One space of padding and one between columns make the gap.
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
    for rows in sheet.sections:
        for row in rows:
            table.add_row(*(_styled(row[column], sheet, column, window) for column in columns))
        table.add_section()
    console = _console(window)
    console.print(table)
    return _shown(console)


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
