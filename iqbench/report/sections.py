"""Sections of ready-made text, each a table, which every format then sets in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field

from iqbench.results.schema import ColumnInfo

__all__ = ["Column", "Entry", "Section", "direction_arrow"]


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
    """

    text: str
    place: int = 0
    spread: str = ""
    note: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a section.

    Attributes
    ----------
    key
        ``rank``, ``method``, the extras ``tie``, ``front`` and ``range``, or ``value``.
    heading
        Plain, with its arrow.
    entries
        One a row.
    summary
        What the numbers are.
    metric
        The metric's heading where the column holds means of one; else empty.
    source
        The column of the board whose numbers these are; empty where there is none.
    """

    key: str
    heading: str
    entries: list[Entry]
    summary: str = ""
    metric: str = ""
    source: str = ""

    @property
    def numeric(self) -> bool:
        """Whether it is aligned at the right."""
        return self.key in ("rank", "value")

    @property
    def noted(self) -> bool:
        """Whether some entry has a note."""
        return any(entry.note for entry in self.entries)

    @property
    def spread(self) -> bool:
        """Whether some entry has an interval."""
        return any(entry.spread for entry in self.entries)


@dataclass(frozen=True)
class Section:
    """One table: a dataset's, a task's, or that of all datasets.

    Attributes
    ----------
    title, facts
        What stands above it.
    columns
        Rank and method first.
    complete
        Of each row, whether its method is complete; those that are come first.
    remarks
        What the numbers leave out.
    front
        The two columns that span the front, if there is one.
    bold
        What the values have in common that are marked as first.
    unranked
        Why methods have no rank.
    """

    title: str
    facts: list[str]
    columns: list[Column]
    complete: list[bool]
    remarks: list[str] = field(default_factory=list)
    front: str = ""
    bold: str = "best of the complete methods"
    unranked: str = (
        "incomplete methods; the reasons are in column error of iqbench export -o scores.csv, "
        "and iqbench evaluate goes on with what is still to do"
    )

    def has(self, key: str) -> bool:
        """Say whether there is a column of some kind."""
        return any(column.key == key for column in self.columns)

    def has_place(self, place: int) -> bool:
        """Say whether some value is marked as first, or second."""
        return any(entry.place == place for column in self.columns for entry in column.entries)

    @property
    def parts(self) -> list[range]:
        """The rows of the complete methods, and those of the others, where there are any."""
        end = sum(self.complete)
        return [rows for rows in (range(end), range(end, len(self.complete))) if rows]
