"""The class of documents: sections of tables, figures and text, without any format."""

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
    """Return the arrow beside a heading for its direction; empty without a direction."""
    if info.target is not None:
        return f"→{info.target:g}"
    return {"higher": "↑", "lower": "↓"}.get(info.direction, "")


@dataclass(frozen=True)
class Entry:
    """One cell.

    Attributes
    ----------
    text
        The text, not escaped.
    place
        1 for the best of the column, 2 for the second best, 0 for the others.
    spread
        Half the width of the interval, as text.
    note
        A note after the text: below a method's name, in parentheses after a number.
    value
        The number for sorting and for programs, which may be NaN; None to use the text.
    shade
        The relative rank in its column, from 0 for the last to 1 for the first; None without ranks.
    tone
        The colour of the text: ``good``, ``bad`` or ``open``; empty for none.
    cite
        BibTeX key, for LaTeX.
    about
        On a page, the heading of the metric of the row, for its definition and for filters.
    bar
        On a page, the length of a bar below the text, from -1 (to the left) to 1.
    link
        On a page, the target of a link: a path below the page's folder, or an address that starts
        with ``https://`` or ``http://``.
    anchor
        On a page, the id of the row, as a target of links.
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
        """The key by which a page sorts the cell; empty for a missing value."""
        if self.value is None:
            return self.text
        return "" if math.isnan(self.value) else repr(self.value)


@dataclass(frozen=True)
class TableColumn:
    """One column of a table.

    Attributes
    ----------
    key
        The kind of the column: ``rank``; ``method`` (the subject of the row, which pages keep
        visible and search in); the extras ``tie``, ``front`` and ``range``; ``text``; ``value``;
        ``verdict`` (which pages filter by); or ``note`` (sentences, which a terminal wraps).
    heading
        Plain text, with its arrow.
    entries
        One per row.
    summary
        A description of the numbers.
    metric
        The heading of the metric if the column has its means; else empty.
    order
        The first sort order on a page: ``ascending`` or ``descending``.
    groups
        Headings above its own, the outermost first; adjacent columns share equal ones.
    choice
        For a column without a metric, the name by which readers of a page show or hide it; empty
        for a column that is always shown.
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
        """The heading and those above it, in one line."""
        return " ".join(text for text in (*self.groups, self.heading) if text)

    @property
    def numeric(self) -> bool:
        """Whether it is right-aligned."""
        return self.key in ("rank", "value")

    @property
    def kind(self) -> str:
        """The kind of sort keys on a page: ``numbers`` or ``texts``."""
        return "numbers" if any(entry.value is not None for entry in self.entries) else "texts"

    @property
    def noted(self) -> bool:
        """Whether any entry has a note."""
        return any(entry.note for entry in self.entries)

    @property
    def spread(self) -> bool:
        """Whether any entry has an interval."""
        return any(entry.spread for entry in self.entries)

    def values(self) -> list[float | str | None]:
        """Return the values for programs: unrounded numbers, and texts."""
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
    """A heading, a table and text.

    Attributes
    ----------
    title, facts
        Text above the table. A section without a title belongs to the one before it.
    columns
        The columns of the table; empty for text only.
    complete
        For each row, whether its method is complete; complete ones are first. By default all are.
    remarks
        Text below the table, such as what the numbers leave out.
    front
        The two columns that span the Pareto front, if there is one.
    bold
        The meaning of values that are marked as first.
    unranked
        Why methods have no rank.
    fixed
        The number of columns that are repeated if the table is split.
    level
        The level of its heading in Markdown.
    figure
        A figure above the table, in pages and in folders of files.
    more
        Whether a terminal leaves it out.
    second
        The meaning of values that are marked as second; empty if terminals and Markdown mark only
        the first.
    caption, label
        Caption and label of the table in a paper, as given by the user; by default LaTeX makes them
        from title and facts.
    wide, size
        Whether the LaTeX table spans both columns of a page, and its font size.
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
        """The rows of headings above those of the columns: texts, and the columns of each span.

        A span is always inside a span of the row above.
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
        """The number of rows of the table."""
        return len(self.columns[0].entries) if self.columns else 0

    def is_complete(self, row: int) -> bool:
        """Return whether the method of a row is complete."""
        return self.complete[row] if self.complete else True

    def has(self, key: str) -> bool:
        """Return whether there is a column of this kind."""
        return any(column.key == key for column in self.columns)

    def has_place(self, place: int) -> bool:
        """Return whether a value is marked as first, or as second."""
        return any(entry.place == place for column in self.columns for entry in column.entries)

    @property
    def parts(self) -> list[range]:
        """The rows of the complete methods, and those of the others, if there are any."""
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
    """The result of a command, in reading order.

    Attributes
    ----------
    sections
        Its sections.
    title
        The title.
    notes
        Notes at the end.
    records
        The table for CSV and JSON, if it has more than the shown tables.
    facts
        A line below the title about the subject.
    points
        The main results, one sentence each.
    level
        The level of the title in Markdown.
    page
        The title of a page for a document without one.
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
        """Return the table for CSV and JSON: all tables concatenated, each row with its section."""
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
