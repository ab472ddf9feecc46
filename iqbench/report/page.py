"""Headings, tables of ready-made cells and sentences, for a terminal or in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.text import Text

from iqbench.report.tables import markdown_table
from iqbench.report.terminal import Cell, Sheet, Window, draw, write_line
from iqbench.report.text import escape_markdown, fold_heading, number, printable

__all__ = ["Page", "mean_change", "signed"]


@dataclass(frozen=True)
class Page:
    """How text is set. All that is given to it is plain: it escapes as the format needs.

    Parameters
    ----------
    format
        ``markdown``, or ``table`` for a terminal.
    window
        What a terminal's lines have to fit into.
    """

    format: str = "table"
    window: Window = field(default_factory=Window)

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        text: int = 1,
        fixed: int | None = None,
    ) -> str:
        """Draw a table.

        Parameters
        ----------
        headings
            One a column.
        rows
            Cells.
        text
            How many of the first columns are text; those after them are aligned at the right.
        fixed
            How many are repeated where a table does not fit side by side; by default those of text.

        Returns
        -------
        str
            Ends with a newline, as all that a page gives.
        """
        numeric = [place >= text for place in range(len(headings))]
        if self.format == "markdown":
            escaped = [[escape_markdown(cell) for cell in row] for row in rows]
            return "\n".join(markdown_table(headings, numeric, escaped)) + "\n"
        cells = [[Cell(printable(cell)) for cell in row] for row in rows]
        folded = [fold_heading(printable(heading)) for heading in headings]
        sheet = Sheet(folded, numeric, [cells], text if fixed is None else fixed)
        return draw(sheet, self.window) + "\n"

    def title(self, text: str, *, level: int = 3) -> str:
        """Write a heading: bold in a terminal."""
        if self.format == "markdown":
            return f"{'#' * level} {escape_markdown(text)}\n"
        return write_line(Text(printable(text), "bold"), self.window) + "\n"

    def sentences(self, texts: Sequence[str]) -> str:
        """Write sentences below each other; nothing for none."""
        if self.format == "markdown":
            return "".join(f"{escape_markdown(text)}  \n" for text in texts)
        return "".join(
            write_line(Text(printable(text), "dim"), self.window) + "\n" for text in texts
        )


def signed(value: float, decimals: int | None = None) -> str:
    """Write a difference with its sign."""
    text = number(value, decimals)
    return f"+{text}" if value > 0 else text


def mean_change(value: float, decimals: int | None, rises: int, falls: int) -> str:
    """Write a mean of finite differences, and how many infinite ones there are besides.

    Parameters
    ----------
    value, decimals
        As for `signed`.
    rises, falls
        How many differences are +inf and -inf.

    Returns
    -------
    str
        ``-0.800 (1 +inf)``; only the infinity itself where there is no finite difference.
    """
    text = signed(value, decimals)
    if math.isinf(value):
        return text
    counts = [f"{count} {sign}inf" for count, sign in ((rises, "+"), (falls, "-")) if count]
    return f"{text} ({', '.join(counts)})" if counts else text
