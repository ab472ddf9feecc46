"""Read published tables of opinions strictly, with bounded size; errors name file and line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from iqbench.datasets.sample import Direction, Opinion
from iqbench.datasets.storage.paths import Place, open_file
from iqbench.errors import IqbenchError

__all__ = ["MAXIMUM_BYTES", "Scale", "finite", "number", "read_csv", "read_lines"]

MAXIMUM_BYTES = 2**26
"""No table of opinions is larger: the largest known has 3 MB."""


@dataclass(frozen=True)
class Scale:
    """On which scale people judged.

    Attributes
    ----------
    low, high
        The published range. Another dataset's opinions, or a DMOS in place of a MOS, mostly leave
        it.
    direction
        Which end is good.
    """

    low: float
    high: float
    direction: Direction

    def opinion(self, mos: float, std: float | None, where: str) -> Opinion:
        """Take an opinion.

        Raises
        ------
        IqbenchError
            If it is off the scale, or its spread is negative or wider than the scale.
        """
        if not self.low <= mos <= self.high:
            raise IqbenchError(
                f"{where}: opinion {mos:g} is outside the scale, {self.low:g} to {self.high:g}",
                hint="Take the file of opinions as it is distributed, neither rescaled nor another "
                "dataset's",
            )
        if std is not None and not 0 <= std <= self.high - self.low:
            raise IqbenchError(
                f"{where}: the standard deviation is {std:g}, on a scale from {self.low:g} to "
                f"{self.high:g}",
                hint="Take the file of opinions as it is distributed",
            )
        return Opinion(mos, std, self.direction)


def number(text: str, where: str) -> float:
    """Read a finite number.

    Raises
    ------
    IqbenchError
        If it is none.
    """
    value = finite(text)
    if value is None:
        raise IqbenchError(
            f"{where}: {text[:40]!r} is not a number",
            hint="Take the file of opinions as it is distributed",
        )
    return value


def finite(text: str) -> float | None:
    """Read a finite number; None if it is none."""
    # float() would also take 1_000 and digits of other scripts.
    if not text.isascii() or "_" in text:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_lines(path: Place) -> list[tuple[str, str]]:
    """Read the lines of a text file that are not blank.

    Returns
    -------
    list of tuple
        Where each stands, for messages, and the line without surrounding blanks.

    Raises
    ------
    IqbenchError
        If the file cannot be read, is not text or is too large to be such a table.
    """
    text = _text(path)
    lines = ((f"{path}, line {count}", line.strip()) for count, line in _counted(text))
    return [(where, line) for where, line in lines if line]


def _counted(text: str) -> Iterator[tuple[int, str]]:
    return enumerate(io.StringIO(text), start=1)


def read_csv(path: Place, columns: Sequence[str]) -> list[tuple[str, Mapping[str, str]]]:
    """Read the rows of a CSV file with a header.

    Parameters
    ----------
    path
        The file.
    columns
        Those that it must have; it may have others.

    Returns
    -------
    list of tuple
        Where each row stands, for messages, and its values by column, without surrounding blanks.

    Raises
    ------
    IqbenchError
        As `read_lines`, or if a column is missing or named twice, or a row has too few or too
        many values.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    rows: list[tuple[str, Mapping[str, str]]] = []
    header: list[str] = []
    try:
        for values in reader:
            where = f"{path}, line {reader.line_num}"
            cells = [value.strip() for value in values]
            if not any(cells):
                continue
            if not header:
                header = _header(path, cells, columns)
            elif len(cells) != len(header):
                raise IqbenchError(
                    f"{where}: {len(cells)} values, but there are {len(header)} columns"
                )
            else:
                rows.append((where, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise IqbenchError(f"{path}, line {reader.line_num}: no valid CSV: {error}") from error
    if not header:
        raise IqbenchError(f"{path} is empty")
    return rows


def _header(path: Place, cells: list[str], columns: Sequence[str]) -> list[str]:
    missing = [name for name in columns if name not in cells]
    if missing:
        raise IqbenchError(
            f"{path} has no column {missing[0]!r}", hint=f"Its columns are {', '.join(cells)[:200]}"
        )
    if len(set(cells)) < len(cells):
        raise IqbenchError(f"{path} has several columns of one name")
    return cells


def _text(path: Place) -> str:
    try:
        with open_file(path) as file:
            content = file.read(MAXIMUM_BYTES + 1)
        if len(content) > MAXIMUM_BYTES:
            raise IqbenchError(
                f"{path} has more than {MAXIMUM_BYTES:,} bytes, too many for a table of opinions"
            )
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise IqbenchError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise IqbenchError(f"{path} is not UTF-8 text") from error
    if "\0" in text:
        raise IqbenchError(f"{path} is not text")
    return text
