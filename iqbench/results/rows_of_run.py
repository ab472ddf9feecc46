"""The rows of one dataset and method that a run wrote or relies on, in few bytes per row.

At its end, a run checks that all of them are in the tables. Names are stored as hashes, which are
valid only in this process: a row takes about 40 bytes for names of any length.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iqbench.results.current import current_images
from iqbench.results.parts import TableParts
from iqbench.results.schema import NOT_SCORED_YET, ImageRow

__all__ = ["Lost", "RowsOfRun"]

Hashes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

_FILES = ("reference_digest", "output_digest", "bitstream_digest")
_ROWS_AT_ONCE = 2**16


class Lost(NamedTuple):
    """How many rows are not there any more, of how many."""

    lost: int
    total: int


class RowsOfRun:
    """Rows of images and of their values, which are of the files in the image's last row."""

    def __init__(self) -> None:
        self._images: array[int] = array("q")
        self._files: array[int] = array("q")
        """Of each of these images."""
        self._scored: array[int] = array("q")
        """Images with values."""
        self._groups: array[int] = array("i")
        """Which values each of them has."""
        self._values: dict[frozenset[tuple[str, str, bool]], int] = {}

    def add_image(self, row: ImageRow) -> None:
        """Note the row of an image; its files are those that its values are of."""
        self._images.append(hash(row.image))
        self._files.append(hash((row.reference_digest, row.output_digest, row.bitstream_digest)))

    def add_announced(self, images: Iterable[str]) -> None:
        """Note rows of images of which no file was read yet."""
        names = array("q", map(hash, images))
        self._images.extend(names)
        self._files.extend(array("q", [hash((None, None, None))]) * len(names))

    def add_scores(self, image: str, values: Iterable[tuple[str, str, bool]]) -> None:
        """Note rows of values of an image.

        Parameters
        ----------
        image
            Whose.
        values
            Metric, signature, and whether the row names the files that it is of. The error of
            files that cannot be read names none.
        """
        self._scored.append(hash(image))
        self._groups.append(self._values.setdefault(frozenset(values), len(self._values)))

    def count_lost(self, images: TableParts, scores: TableParts) -> Lost:
        """Count the rows that are not there any more.

        Values of files that another run has replaced meanwhile may go.

        Parameters
        ----------
        images, scores
            The tables.
        """
        mine = np.unique(_hashes(self._images))
        there = images.rows(["image"]).column("image")
        lost, total = int((~np.isin(mine, _hashes_of_names(there))).sum()), len(mine)
        wanted = self._wanted(images)
        table = scores.rows(["image", "metric", "signature"])
        names = _hashes_of_names(table.column("image"))
        for (metric, signature), of_images in wanted.items():
            same = pc.and_(
                pc.equal(table.column("metric"), metric),
                pc.equal(table.column("signature"), signature),
            )
            found = names[same.to_numpy()]
            lost += int((~np.isin(of_images, found)).sum())
            total += len(of_images)
        return Lost(lost, total)

    def _wanted(self, table: TableParts) -> dict[tuple[str, str], Hashes]:
        """Return, by metric and signature, the images that must have a value."""
        current = _current_files(table)
        # The last row of an image that this run has says which files its values are of.
        images, last = np.unique(_hashes(self._images)[::-1], return_index=True)
        files = _hashes(self._files)[::-1][last]
        there, place = _find(current.images, images)
        same = place[current.files[place] == files[there]]
        unpaired = same[~current.paired[same]]
        scored, groups = _hashes(self._scored), np.frombuffer(self._groups, np.int32)
        found: dict[tuple[str, str], list[Hashes]] = {}
        for values, group in self._values.items():
            of_group = scored[groups == group]
            for metric, signature, named in values:
                kept = current.images[same if named else unpaired]
                found.setdefault((metric, signature), []).append(of_group[np.isin(of_group, kept)])
        return {value: np.unique(np.concatenate(some)) for value, some in found.items()}


class _CurrentFiles(NamedTuple):
    """Images as the tables have them, in the order of their hashes.

    Attributes
    ----------
    images, files
        Hashes.
    paired
        Whether both files of an image are known.
    """

    images: Hashes
    files: Hashes
    paired: np.ndarray[Any, np.dtype[np.bool_]]


def _current_files(images: TableParts) -> _CurrentFiles:
    """Read which images are scored, or failed, and their files."""
    table = current_images(images)
    announced = pc.fill_null(pc.equal(table.column("error"), NOT_SCORED_YET), False)
    table = table.filter(pc.invert(announced)).select(["image", *_FILES])
    rows = np.fromiter(_hashed_rows(table), dtype=(np.int64, 2), count=table.num_rows)
    paired = pc.and_(*(pc.is_valid(table.column(name)) for name in _FILES[:2])).to_numpy()
    order = np.argsort(rows[:, 0])
    return _CurrentFiles(rows[order, 0], rows[order, 1], paired[order])


def _hashed_rows(table: pa.Table) -> Iterator[tuple[int, int]]:
    for batch in table.to_batches(_ROWS_AT_ONCE):
        names, *files = (column.to_pylist() for column in batch.columns)
        for name, one in zip(names, zip(*files, strict=True), strict=True):
            yield hash(name), hash(one)


def _find(
    among: Hashes, wanted: Hashes
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Tell which are among sorted ones, and the places of these."""
    there = np.isin(wanted, among)
    return there, np.searchsorted(among, wanted[there])


def _hashes(numbers: array[int]) -> Hashes:
    return np.frombuffer(numbers, np.int64) if numbers else np.empty(0, np.int64)


def _hashes_of_names(column: pa.ChunkedArray) -> Hashes:
    """Hash a column of names, each name once."""
    names = column.combine_chunks()
    hashes = np.fromiter(map(hash, names.dictionary.to_pylist()), np.int64, len(names.dictionary))
    found: Hashes = hashes[names.indices.to_numpy()]
    return found
