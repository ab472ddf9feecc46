"""The document: sections of tables, figures and words, without any format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from iqbench.document.figure import Figure
from iqbench.document.text import number
from iqbench.results.schema import ColumnInfo

__all__ = [
    "Document",
    "Entry",
    "Section",
    "TableColumn",
    "direction_arrow",
    "numbers",
    "texts",
]


def direction_arrow(info: ColumnInfo) -> str:
    """Give the sign beside a heading that says what is better; nothing where nothing is."""
    if info.target is not None:
        return f"→{info.target:g}"
    return {"higher": "↑", "lower": "↓"}.get(info.direction, "")


@dataclass(frozen=True)
class Entry:
    """One cell.

    Attributes
    ----------
    text
        What is in it, not escaped.
    place
        1 for the best of the column, 2 for the second best, 0 for the others.
    spread
        How far the interval goes to each side.
    note
        What stands after the text: below a method's name, in parentheses after a number.
    value
        What rows are sorted by, and what programs get: a number, which may be NaN; None for the
        text.
    shade
        How good it is in its column: from 0 for the last rank to 1 for the first; None where
        nothing is ranked.
    tone
        What colours say of it: ``good``, ``bad`` or ``open``; empty for nothing.
    cite
        Key of the bibliography, for LaTeX.
    about
        On a page, the metric's heading that a row is about: its definition is opened from here,
        and filters know the row by it.
    bar
        On a page, how far a bar below the text reaches: from -1, wholly to the left, to 1.
    link
        On a page, where the text leads to: a path below the page's folder, or an address of which
        is known that it begins with ``https://`` or ``http://``.
    anchor
        On a page, what its row is called, so that links lead to it.
    """

    text: str
    place: int = 0
    spread: str = ""
    note: str = ""
    value: float | None = None
    shade: float | None = None
    tone: str = ""
    cite: str = ""
    about: str = ""
    bar: float | None = None
    link: str = ""
    anchor: str = ""

    @property
    def sort_key(self) -> str:
        """What a page sorts the cell by; empty for a missing value."""
        if self.value is None:
            return self.text
        return "" if math.isnan(self.value) else repr(self.value)


@dataclass(frozen=True)
class TableColumn:
    """One column of a table.

    Attributes
    ----------
    key
        ``rank``, ``method`` (what a row is about: pages keep it in sight, and search in it), the
        extras ``tie``, ``front`` and ``range``, ``text``, ``value``, ``verdict`` (which pages
        filter by), or ``note``: sentences, which a terminal folds into the room that is left.
    heading
        Plain, with its arrow.
    entries
        One per row.
    summary
        What the numbers are.
    metric
        The metric's heading where the column holds means of one; else empty.
    order
        Which way a page sorts it first: ``ascending`` or ``descending``.
    groups
        Headings above its own, the outermost first; columns side by side share equal ones.
    choice
        Of a column without a metric, by what name the reader of a page shows and hides it; empty
        for one that is always shown.
    """

    key: str
    heading: str
    entries: list[Entry]
    summary: str = ""
    metric: str = ""
    order: str = "ascending"
    groups: tuple[str, ...] = ()
    choice: str = ""

    @property
    def full_heading(self) -> str:
        """The heading with those above it, in one line."""
        return " ".join(text for text in (*self.groups, self.heading) if text)

    @property
    def numeric(self) -> bool:
        """Whether it is aligned at the right."""
        return self.key in ("rank", "value")

    @property
    def kind(self) -> str:
        """What a page sorts it by: ``numbers`` or ``texts``."""
        return "numbers" if any(entry.value is not None for entry in self.entries) else "texts"

    @property
    def noted(self) -> bool:
        """Whether some entry has a note."""
        return any(entry.note for entry in self.entries)

    @property
    def spread(self) -> bool:
        """Whether some entry has an interval."""
        return any(entry.spread for entry in self.entries)

    def values(self) -> list[float | str | None]:
        """Give what programs get: numbers in full, and texts."""
        return [one.text if one.value is None else one.value for one in self.entries]


def texts(heading: str, values: Iterable[object]) -> TableColumn:
    """Make a column of texts."""
    return TableColumn("text", heading, [Entry(str(value)) for value in values])


def numbers(heading: str, values: Iterable[float], decimals: int | None = None) -> TableColumn:
    """Make a column of numbers; None for four significant digits."""
    given = [float(value) for value in values]
    entries = [Entry(number(value, decimals), value=value) for value in given]
    return TableColumn("value", heading, entries)


@dataclass(frozen=True)
class Section:
    """A heading, a table and words.

    Attributes
    ----------
    title, facts
        What stands above the table. A section without a title belongs to the one before it.
    columns
        Of the table; none where there are words only.
    complete
        Of each row, whether its method is complete; those that are come first. By default all are.
    remarks
        What stands below the table: what the numbers leave out.
    front
        The two columns that span the front, if there is one.
    bold
        What the values have in common that are marked as first.
    unranked
        Why methods have no rank.
    fixed
        How many columns are repeated where the table does not fit side by side.
    level
        Of its heading in Markdown.
    figure
        Above the table, in pages and in folders of files.
    more
        Whether a terminal leaves it out.
    second
        What the values have in common that are marked as second, where terminals and Markdown mark
        them too; empty where these mark the first alone.
    caption, label
        Of the table in a paper, as the user wrote them; LaTeX makes others of title and facts.
    wide, size
        Whether LaTeX's table spans both columns of a page, and LaTeX's name of the size of its
        letters.
    """

    title: str
    facts: list[str] = field(default_factory=list)
    columns: list[TableColumn] = field(default_factory=list)
    complete: list[bool] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    front: str = ""
    bold: str = "best of the complete methods"
    unranked: str = (
        "incomplete methods; the reasons are in column error of iqbench export -o scores.csv, "
        "and iqbench evaluate goes on with what is still to do"
    )
    fixed: int = 1
    level: int = 3
    figure: Figure | None = None
    more: bool = False
    second: str = ""
    caption: str = ""
    label: str = ""
    wide: bool = False
    size: str = ""

    @property
    def group_rows(self) -> list[list[tuple[str, int]]]:
        """The rows of headings above those of the columns: texts, and how many columns each spans.

        A span never reaches past one of a row above.
        """
        levels = max((len(column.groups) for column in self.columns), default=0)
        rows: list[list[tuple[str, int]]] = []
        for level in range(levels):
            spans: list[tuple[str, int]] = []
            before: tuple[str, ...] | None = None
            for column in self.columns:
                path = column.groups[: level + 1]
                if path and path == before:
                    spans[-1] = (spans[-1][0], spans[-1][1] + 1)
                else:
                    spans.append((path[level] if len(path) > level else "", 1))
                before = path
            rows.append(spans)
        return rows

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return len(self.columns[0].entries) if self.columns else 0

    def is_complete(self, row: int) -> bool:
        """Say whether the method of a row is complete."""
        return self.complete[row] if self.complete else True

    def has(self, key: str) -> bool:
        """Say whether there is a column of some kind."""
        return any(column.key == key for column in self.columns)

    def has_place(self, place: int) -> bool:
        """Say whether some value is marked as first, or second."""
        return any(entry.place == place for column in self.columns for entry in column.entries)

    @property
    def parts(self) -> list[range]:
        """The rows of the complete methods, and those of the others, where there are any."""
        end = sum(self.complete) if self.complete else self.rows
        return [rows for rows in (range(end), range(end, self.rows)) if rows]

    def without_intervals(self) -> Section:
        """Leave out the intervals of means and of ranks."""
        kept = [
            replace(column, entries=[replace(entry, spread="") for entry in column.entries])
            for column in self.columns
            if column.key != "range"
        ]
        return replace(self, columns=kept)


@dataclass(frozen=True)
class Document:
    """What a command found, in the order in which it is read.

    Attributes
    ----------
    sections
        Its tables.
    title
        Above all.
    notes
        Below all.
    records
        What CSV and JSON hold, where that is more than the tables do.
    facts
        Below the title: what the document is about.
    points
        What stands out, a sentence each.
    level
        Of the title in Markdown.
    page
        What a page is called that has no title.
    """

    sections: Sequence[Section]
    title: str = ""
    notes: Sequence[str] = ()
    records: pd.DataFrame | None = None
    facts: str = ""
    points: Sequence[str] = ()
    level: int = 3
    page: str = "iqbench leaderboard"

    def frame(self) -> pd.DataFrame:
        """Give what CSV and JSON hold: all tables below each other, each row with its section."""
        if self.records is not None:
            return self.records
        tables, title = [], ""
        for section in self.sections:
            title = section.title or title
            if section.columns:
                table = pd.DataFrame({one.full_heading: one.values() for one in section.columns})
                table.insert(0, "section", title)
                tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"section": []})
