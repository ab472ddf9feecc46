"""A results folder: its stored values, and a writer that loses no rows after a flush."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from iqbench.errors import IqbenchError
from iqbench.results.changes import settle_changes
from iqbench.results.current import current_images, current_scores, still_current
from iqbench.results.known import ImageState, KnownImages, KnownMarks, Value
from iqbench.results.mirror import address_of
from iqbench.results.parts import TableParts, last_rows, merge
from iqbench.results.paths import slug
from iqbench.results.rows_of_run import RowsOfRun
from iqbench.results.schema import (
    ANY_MEMBERS,
    FORMAT,
    NOT_SCORED_YET,
    REPLACED,
    SCHEMAS,
    UNDEFINED,
    ColumnInfo,
    Footer,
    ImageRow,
    Kind,
    Manifest,
    Origin,
    ScoreRow,
    SetRow,
)
from iqbench.results.sets import members_digest

__all__ = ["Current", "Identity", "ImageState", "Key", "Store", "Writer"]

_OF_IMAGES: tuple[Kind, Kind] = ("images", "scores")

FLUSH_SECONDS = 30.0
"""Rows wait no longer than this for the next one to be added, so that none waits a minute."""

FLUSH_ROWS = 100_000


Key: TypeAlias = tuple[str, str]
"""Dataset and method."""

Identity: TypeAlias = tuple[str, str, str]
"""Image, metric and signature: which value of a dataset and method it is."""


@dataclass(frozen=True)
class Current:
    """The rows that a store has of one dataset and method.

    Parameters
    ----------
    images
        By image id; those that the dataset no longer has are left out.
    marks
        By image, of every current value, or value known to be undefined, the name of the files it
        was computed from. What failed is not among them: it is computed again.
    undefined
        Why there is no value, of those that are known to be undefined.
    """

    images: Mapping[str, ImageState]
    marks: Mapping[str, Mapping[Value, str | None]]
    undefined: Mapping[Identity, str] = field(default_factory=dict)


class Store:
    """A results folder.

    Parameters
    ----------
    root
        Holds ``scores/`` and ``images/``; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tables: dict[Path, TableParts] = {}

    @property
    def place(self) -> str:
        """Where it is, whatever the working folder: its path or its address."""
        return address_of(self.root) or str(self.root.expanduser().resolve())

    def folder(self, kind: Kind, dataset: str, method: str) -> Path:
        """Say where the parts of one dataset and method are."""
        return self.root / kind / slug(dataset) / slug(method)

    def table(self, kind: Kind, dataset: str, method: str) -> TableParts:
        """Give the parts of one dataset and method, always as the same object."""
        return self._of_folder(self.folder(kind, dataset, method), kind)

    def _of_folder(self, folder: Path, kind: Kind) -> TableParts:
        return self._tables.setdefault(folder, TableParts(folder, kind))

    def current(self, dataset: str, method: str) -> Current:
        """Read what need not be computed again.

        Raises
        ------
        IqbenchError
            Where a part is damaged, or written by another version.
        """
        images = current_images(self.table("images", dataset, method))
        scores = current_scores(self.table("scores", dataset, method), images)
        undefined = pc.fill_null(pc.starts_with(scores.column("error"), UNDEFINED), False)
        settled = scores.filter(pc.or_(pc.is_valid(scores.column("value")), undefined))
        missing = scores.filter(undefined)
        known = KnownImages(images)
        return Current(
            known,
            KnownMarks(known, settled, images.column("pair")),
            dict(zip(_identities(missing), missing.column("error").to_pylist(), strict=True)),
        )

    def identities(self, dataset: str, method: str) -> set[Identity]:
        """Name every current row of a value, with a value or without."""
        images = current_images(self.table("images", dataset, method))
        return set(_identities(current_scores(self.table("scores", dataset, method), images)))

    def values(self, dataset: str, method: str) -> dict[Identity, tuple[float | None, str | None]]:
        """Read every current value, and the name of the files that it was computed from."""
        images = current_images(self.table("images", dataset, method))
        scores = current_scores(self.table("scores", dataset, method), images)
        scores = scores.filter(pc.is_valid(scores.column("value")))
        found = zip(
            scores.column("value").to_pylist(), scores.column("pair").to_pylist(), strict=True
        )
        return dict(zip(_identities(scores), found, strict=True))

    def imported_sets(self, dataset: str, method: str) -> list[SetRow]:
        """Read the values of a whole method that were imported, the newest of each signature."""
        return [row for row in self._set_rows(dataset, method) if row.members == ANY_MEMBERS]

    def set_values(self, dataset: str, method: str, members: str) -> set[tuple[str, str]]:
        """Name the values of a set of images that are known, by metric and signature.

        Parameters
        ----------
        dataset, method
            Whose.
        members
            Digest of the images, as `members` gives it.
        """
        return {
            (row.metric, row.signature)
            for row in self._set_rows(dataset, method)
            if row.members == members and row.value is not None
        }

    def _set_rows(self, dataset: str, method: str) -> list[SetRow]:
        table = last_rows(self.table("sets", dataset, method).rows(), "sets")
        names = [item.name for item in fields(SetRow)]
        return [SetRow(**row) for row in table.select(names).to_pylist()]

    def set_columns(self, dataset: str, method: str) -> set[tuple[str, str]]:
        """Return metric and signature of every value of the whole method, current or stale."""
        table = last_rows(self.table("sets", dataset, method).rows(), "sets")
        names = ("metric", "signature", "members")
        rows = zip(*(table.column(name).to_pylist() for name in names), strict=True)
        return {(metric, text) for metric, text, members in rows if members != REPLACED}

    def members(self, dataset: str, method: str, *, outputs_alone: bool = False) -> str:
        """Name the images of a dataset and method as they are now: see `members_digest`."""
        images = current_images(self.table("images", dataset, method))
        return members_digest(images, outputs_alone=outputs_alone)

    def origins(self, dataset: str) -> dict[str, Origin]:
        """Read by method where the images of a dataset came from, of all methods in the tables."""
        found: dict[str, Origin] = {}
        for folder in sorted((self.root / "images" / slug(dataset)).glob("*")):
            footer = self._of_folder(folder, "images").footer()
            if footer is not None and footer.dataset == dataset:
                found[footer.method] = footer.origin
        return found

    def writer(
        self,
        manifest: Manifest,
        columns: Mapping[str, ColumnInfo],
        tasks: Mapping[str, str] | None = None,
        origins: Mapping[Key, Origin] | None = None,
    ) -> Writer:
        """Open for writing, as a context manager.

        Parameters
        ----------
        manifest
            What this run is made with.
        columns
            How to read the metrics that it writes.
        tasks
            Dataset to what its methods restore, where that is known.
        origins
            Dataset and method to where their images come from.

        Raises
        ------
        IqbenchError
            As `iqbench.results.changes.settle_changes`.
        """
        settle_changes(self.root)
        return Writer(self, manifest, columns, tasks or {}, origins or {})


class Writer:
    """Collect rows and write them as parts; merge the parts on leaving, whatever the reason.

    For one thread. An image's row is to be added before its scores: it is what makes older scores
    of that image disappear, so it becomes visible no later than the new ones.
    """

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        columns: Mapping[str, ColumnInfo],
        tasks: Mapping[str, str],
        origins: Mapping[Key, Origin],
    ) -> None:
        self._store = store
        self._origins = dict(origins)
        self._manifest = manifest
        self._columns = dict(columns)
        self._tasks = dict(tasks)
        self._announced: dict[Key, list[str]] = {}
        self._images: dict[Key, list[ImageRow]] = {}
        self._scores: dict[Key, list[ScoreRow]] = {}
        self._known: dict[Key, RowsOfRun] = {}
        """What was written, or was there and is relied on."""
        self.upgraded = False
        """Whether tables of an earlier format were merged into ones that older releases refuse."""
        self._rows = 0
        self._flushed = time.monotonic()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.flush()
        for key in self._known:
            images, scores = (self._store.table(one, *key) for one in _OF_IMAGES)
            self.upgraded |= merge(images)
            # Other readers of the scores then need no table of images to leave out what is stale.
            self.upgraded |= merge(scores, partial(still_current, images))
        if kind is None:
            self._check()

    def rely(self, row: ImageRow, signatures: Mapping[str, str]) -> None:
        """Note that rows which were there before count as results of this run.

        Parameters
        ----------
        row
            Of the image.
        signatures
            Metric to signature of the values.
        """
        known = self._rows_of((row.dataset, row.method))
        known.add_image(row)
        known.add_scores(row.image, ((*value, True) for value in signatures.items()))

    def _rows_of(self, key: Key) -> RowsOfRun:
        if key not in self._known:
            self._known[key] = RowsOfRun()
        return self._known[key]

    def _check(self) -> None:
        """Refuse to end as if all were well where rows have gone since they were written.

        Raises
        ------
        IqbenchError
            If the folder was removed, or parts of it, while the run went on.
        """
        lost = total = 0
        for key, known in self._known.items():
            images, scores = (self._store.table(one, *key) for one in _OF_IMAGES)
            counts = known.count_lost(images, scores)
            lost, total = lost + counts.lost, total + counts.total
        if lost:
            raise IqbenchError(
                f"{lost} of {total} rows that this run wrote or found in {self._store.root} are "
                "not there any more: the folder, or a part of it, was removed while the run went "
                "on",
                hint="Run the same command again: it computes only what is missing",
            )

    def announce(self, dataset: str, method: str, image: str) -> None:
        """Add a row of an image that a run is to score: killed, it then shows as incomplete."""
        self._announced.setdefault((dataset, method), []).append(image)
        self._count(1)

    def add_image(self, row: ImageRow) -> None:
        """Add the row of an image; older scores of other files of that image vanish with it."""
        self._images.setdefault((row.dataset, row.method), []).append(row)
        self._count(1)

    def add_scores(self, rows: Iterable[ScoreRow]) -> None:
        """Add values or errors of images whose rows were added before."""
        number = 0
        for row in rows:
            self._scores.setdefault((row.dataset, row.method), []).append(row)
            number += 1
        self._count(number)

    def _count(self, number: int) -> None:
        self._rows += number
        if self._rows >= FLUSH_ROWS or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits: images first.

        Raises
        ------
        IqbenchError
            Where the folder cannot be written. What was not written still waits.
        """
        self._write_images()
        self._write_scores()
        self._rows = 0
        self._flushed = time.monotonic()

    def write_sets(self, rows: Sequence[SetRow]) -> None:
        """Write values of one dataset and method as a whole, after the rows of all its images."""
        if not rows:
            return
        self.flush()
        first = rows[0]
        table = self._store.table("sets", first.dataset, first.method)
        task = self._tasks.get(first.dataset, "")
        origin = self._origins.get((first.dataset, first.method), Origin())
        footer = Footer(
            FORMAT, first.dataset, first.method, [self._manifest], self._columns, task, origin
        )
        table.write(_table(rows, "sets"), footer)
        merge(table)

    def _write_images(self) -> None:
        for key in list(dict.fromkeys([*self._announced, *self._images])):
            names, rows = self._announced.get(key, []), self._images.get(key, [])
            tables = [_announcements(key, names), _table(rows, "images")]
            whole = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
            self._write(key, whole, "images")
            known = self._rows_of(key)
            known.add_announced(names)
            for row in rows:
                known.add_image(row)
            self._announced.pop(key, None)
            self._images.pop(key, None)

    def _write_scores(self) -> None:
        for key in list(self._scores):
            rows = self._scores[key]
            self._write(key, _table(rows, "scores"), "scores")
            known = self._rows_of(key)
            of_images = (row for row in rows if row.scope == "image" and row.pair != REPLACED)
            for image, of_image in groupby(of_images, attrgetter("image")):
                known.add_scores(image, map(_value_of, of_image))
            del self._scores[key]

    def _write(self, key: Key, table: pa.Table, kind: Kind) -> None:
        dataset, method = key
        task = self._tasks.get(dataset, "")
        origin = self._origins.get(key, Origin())
        footer = Footer(FORMAT, dataset, method, [self._manifest], self._columns, task, origin)
        self._store.table(kind, *key).write(table, footer)


def _announcements(key: Key, images: Sequence[str]) -> pa.Table:
    """Make the rows of images that are announced."""
    constant = {"dataset": key[0], "method": key[1], "error": NOT_SCORED_YET}
    return pa.table(
        [
            _array(images, item.type)
            if item.name == "image"
            else _array([constant[item.name]] * len(images), item.type)
            if item.name in constant
            else pa.nulls(len(images), item.type)
            for item in SCHEMAS["images"]
        ],
        schema=SCHEMAS["images"],
    )


def _value_of(row: ScoreRow) -> tuple[str, str, bool]:
    """Say which value a row is, and whether it names the files that it is of."""
    return row.metric, row.signature, row.value is not None or row.pair is not None


def _identities(scores: pa.Table) -> Iterator[Identity]:
    keys = (scores.column(key).to_pylist() for key in ("image", "metric", "signature"))
    return zip(*keys, strict=True)


def _table(rows: Sequence[ScoreRow | ImageRow | SetRow], kind: Kind) -> pa.Table:
    return pa.table(
        [_array(list(map(attrgetter(field.name), rows)), field.type) for field in SCHEMAS[kind]],
        schema=SCHEMAS[kind],
    )


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)
