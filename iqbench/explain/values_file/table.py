"""Values of single images from a table with commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from iqbench.errors import IqbenchError
from iqbench.explain.names import Names
from iqbench.explain.printed import read_printed
from iqbench.explain.values_file.headings import (
    VALUE_COLUMNS,
    is_absent,
    is_image_heading,
    is_summary,
    metric_of,
    values_of_cell,
)

__all__ = ["rows_of_table"]

Row = tuple[str, str, str]


def rows_of_table(path: Path, text: str, metrics: Sequence[str], names: Names) -> Iterator[Row]:
    """Yield image, metric and number of each cell that holds one.

    Without a line of headings, a row is the name of an image and a number of each metric, in their
    order.

    Raises
    ------
    IqbenchError
        If no column is that of a metric.
    """
    rows = _read(path, text)
    if not rows:
        return
    if any(names.find(cell) is not None for cell in rows[0]):
        headings, body = _made_headings(path, rows[0], metrics, names), rows
    else:
        headings, body = rows[0], rows[1:]
    image = _image_column(headings, body, names)
    tidy = [place for place, name in enumerate(headings) if name.strip().lower() == "metric"]
    if not tidy and not _has_metric(headings, image, metrics):
        raise IqbenchError(
            f"{path} has no column {' or '.join(metrics)}, but {', '.join(headings)}",
            hint="Call the columns image and value, or by the metric's name",
        )
    for row in body:
        name = row[image].strip() if image < len(row) else ""
        if is_summary(name, names):
            continue
        for place, (heading, cell) in enumerate(zip(headings, row, strict=False)):
            if place == image:
                continue
            if tidy and heading.strip().lower() in VALUE_COLUMNS:
                metric = metric_of(row[tidy[0]], metrics)
                if metric is not None and not is_absent(cell):
                    yield name, metric, cell.strip()
            elif not tidy:
                yield from ((name, *value) for value in values_of_cell(heading, cell, metrics))


def _read(path: Path, text: str) -> list[list[str]]:
    """Split the text into cells; rows without any are left out."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    # A comma may stand in a number where columns are separated otherwise.
    delimiter = next((mark for mark in "\t;," if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise IqbenchError(f"{path}, line {reader.line_num}: {error}") from error


def _made_headings(
    path: Path, row: Sequence[str], metrics: Sequence[str], names: Names
) -> list[str]:
    """Return headings for a table that has none."""
    image = max(range(len(row)), key=lambda place: names.find(row[place]) is not None)
    numbers = [place for place in range(len(row)) if place != image and _is_number(row[place])]
    if len(numbers) != len(metrics):
        raise IqbenchError(
            f"{path} has no line of headings, and {len(numbers)} columns of numbers for "
            f"{len(metrics)} metrics",
            hint=f"Write image,{','.join(metrics)} as its first line",
        )
    named = dict(zip(numbers, metrics, strict=True))
    return [named.get(place, "image" if place == image else "") for place in range(len(row))]


def _is_number(cell: str) -> bool:
    try:
        read_printed(cell)
    except IqbenchError:
        return False
    return True


def _image_column(headings: Sequence[str], rows: Sequence[Sequence[str]], names: Names) -> int:
    """Return the column of the images: by its heading, by the names in it, else the first."""

    def known(place: int) -> int:
        return sum(place < len(row) and names.find(row[place]) is not None for row in rows)

    named = [place for place, name in enumerate(headings) if is_image_heading(name)]
    places = named or list(range(len(headings)))
    return max(places, key=known, default=0)


def _has_metric(headings: Sequence[str], image: int, metrics: Sequence[str]) -> bool:
    return any(
        metric_of(part, metrics) is not None
        for place, name in enumerate(headings)
        if place != image
        for part in (name, *name.split("/"))
    )
