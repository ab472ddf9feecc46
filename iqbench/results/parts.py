"""A table as a folder of Parquet files, called parts, each of which appears complete or not at all.

The name of a part begins with the time of writing, so the order of names is the order of age. If
two parts have a row with the same identity, the later one counts. The name ends with the checksum
of the file (`iqbench.results.part_file`). Files with a leading dot in their names are not finished,
and are never read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from iqbench.errors import IqbenchError
from iqbench.results.part_file import encode, open_part, part_name, read_part
from iqbench.results.schema import FORMAT, NOT_SCORED_YET, REMOVED, SCHEMAS, Footer, Kind
from iqbench.user_files import replace_file

__all__ = [
    "MERGED_ROWS",
    "WRITTEN",
    "TableParts",
    "last_rows",
    "list_parts",
    "merge",
    "moment_of",
    "write",
]

WRITTEN = pa.field("written", pa.timestamp("ns", tz="UTC"))
"""When the part was written that a row is in, or the newest of the parts that were merged."""

_Result = TypeVar("_Result")

_IDENTITIES: Mapping[Kind, tuple[str, ...]] = {
    "images": ("image",),
    "scores": ("image", "metric", "signature", "scope"),
    "sets": ("metric", "signature"),
}
"""What tells the rows of one dataset and method apart."""

MERGED_ROWS = 250_000
"""Parts that together hold no more rows than this are merged into one."""

_TRIES = 20
_MOST_NUMBERS = 2**62
"""Combinations of names that an integer can number."""
_ABANDONED_SECONDS = 24 * 3600


def list_parts(folder: Path) -> list[Path]:
    """List the parts of a folder, oldest first; none if there is no such folder.

    A listing is not a snapshot: while another process merges, one may miss the merged part and the
    parts that it replaced. So list until two listings agree.
    """
    seen = _listing(folder)
    for _ in range(_TRIES):
        again = _listing(folder)
        if again == seen:
            break
        seen = again
    return [folder / name for name in seen]


def _listing(folder: Path) -> list[str]:
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise IqbenchError(
            f"cannot list {folder}: {error.strerror or error}", hint="Check its permissions"
        ) from error
    return sorted(name for name in names if name.endswith(".parquet") and name[0] != ".")


def write(folder: Path, table: pa.Table, footer: Footer, *, moment: int | None = None) -> Path:
    """Write a part that appears whole or not at all, and survives a power cut once it has.

    Parameters
    ----------
    folder
        Made where it is missing.
    table
        Rows of either schema.
    footer
        Goes into the file's key-value metadata.
    moment
        Age of the part in nanoseconds; by default now, and later than every part that is there,
        whatever the clocks of the machines say that wrote them.

    Returns
    -------
    Path
        Where the part is.

    Raises
    ------
    IqbenchError
        Where the folder cannot be written.
    """
    content = encode(table, footer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        moment = _next_moment(folder) if moment is None else moment
        part = folder / part_name(moment, content)
        replace_file(part, content)
    except OSError as error:
        raise IqbenchError(
            f"cannot write results to {folder}: {error.strerror or error}",
            hint="Fix that or choose another folder with --results; the run then continues "
            "where it was",
        ) from error
    return part


def moment_of(part: Path) -> int:
    """Give the age of a part, in nanoseconds; 0 where its name does not say it."""
    digits = part.name.partition("-")[0]
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


def _next_moment(folder: Path) -> int:
    return max([time.time_ns(), *(moment_of(part) + 1 for part in list_parts(folder))])


class TableParts:
    """The parts of one table of one dataset and method, to read.

    Footers that were read are kept, as one of many runs takes long to read. A part never changes
    once it is there, and what is asked for is read from the parts that are there at that moment.

    Parameters
    ----------
    folder
        Of one dataset and method.
    kind
        Which table.
    """

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.folder = folder
        self.kind = kind
        self._footers: dict[Path, Footer] = {}

    def paths(self) -> list[Path]:
        """List the parts as `list_parts` does."""
        return list_parts(self.folder)

    def footer(self) -> Footer | None:
        """Unite what the footers of all parts say; None where there are none.

        Raises
        ------
        IqbenchError
            Where a part is damaged, or written by another version.
        """
        return self._of_all(lambda parts: self.footer_of(parts) if parts else None)

    def footer_of(self, parts: Sequence[Path]) -> Footer:
        """Unite what the footers of some parts say, of at least one."""
        footers = [self._footer(part) for part in parts]
        self._refuse_mixed(footers)
        return Footer.united(footers)

    def rows(self, columns: list[str] | None = None, *, written: bool = False) -> pa.Table:
        """Read all rows, oldest first, those that newer ones replace included.

        Parameters
        ----------
        columns
            Which columns; all by default.
        written
            Whether to add the column `WRITTEN`.

        Returns
        -------
        pyarrow.Table
            In one chunk per column, with unified dictionaries.

        Raises
        ------
        IqbenchError
            Where a part is damaged, or written by another version.
        """

        def read(parts: list[Path]) -> pa.Table:
            tables = [self.rows_of(part, columns) for part in parts]
            self._refuse_mixed([self._footers[part] for part in parts])
            table = _together(tables, self.kind, columns)
            return table.append_column(WRITTEN, _moments(parts, tables)) if written else table

        return self._of_all(read)

    def _of_all(self, read: Callable[[list[Path]], _Result]) -> _Result:
        """Read all parts, and again if one vanished: another process merged it into a new one."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                return read(self.paths())
        raise _vanishing(self.folder)

    def rows_of(self, part: Path, columns: list[str] | None = None) -> pa.Table:
        """Read the rows of one part: see `iqbench.results.part_file.read_part`."""
        table, footer = read_part(part, self.kind, columns, self._footers.get(part))
        self._footers[part] = footer
        return table

    @contextmanager
    def open(self, part: Path) -> Iterator[tuple[pq.ParquetFile, Footer]]:
        """Open one part: see `iqbench.results.part_file.open_part`."""
        with open_part(part, self.kind, self._footers.get(part)) as (file, footer):
            self._footers[part] = footer
            yield file, footer

    def write(self, table: pa.Table, footer: Footer, *, moment: int | None = None) -> Path:
        """Add a part: see `write`."""
        part = write(self.folder, table, footer, moment=moment)
        self._footers[part] = footer
        return part

    def _footer(self, part: Path) -> Footer:
        if part not in self._footers:
            with self.open(part):
                pass
        return self._footers[part]

    def _refuse_mixed(self, footers: Iterable[Footer]) -> None:
        if len({(footer.dataset, footer.method) for footer in footers}) > 1:
            raise IqbenchError(
                f"{self.folder} holds results of more than one dataset and method",
                hint="Move the parts that were copied there out again",
            )


def _moments(parts: list[Path], tables: list[pa.Table]) -> pa.Array:
    """Give the age of the part that each row is in."""
    rows = [table.num_rows for table in tables]
    # A name may hold any number.
    moments = [min(moment_of(part), np.iinfo(np.int64).max) for part in parts]
    ages = np.repeat(np.array(moments, dtype=np.int64), rows)
    return pa.array(ages).cast(WRITTEN.type)


def _vanishing(folder: Path) -> IqbenchError:
    return IqbenchError(
        f"{folder} keeps changing while it is read", hint="Try again when the other run is done"
    )


def _together(tables: list[pa.Table], kind: Kind, columns: list[str] | None) -> pa.Table:
    if not tables:
        empty = SCHEMAS[kind].empty_table()
        return empty if columns is None else empty.select(columns)
    bare = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables(bare).unify_dictionaries().combine_chunks()


def codes(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Give the dictionary indices of a column that is in one chunk and has no nulls."""
    indices: np.ndarray[Any, np.dtype[np.int32]] = column.chunk(0).indices.to_numpy()
    return indices


def last_rows(table: pa.Table, kind: Kind) -> pa.Table:
    """Keep the last row of every identity within one dataset and method.

    Parameters
    ----------
    table
        As `read_parts` gives it: oldest first, one chunk per column.
    kind
        Which table.

    Returns
    -------
    pyarrow.Table
        In the same order, one row an identity. Of an image that was scored, or failed, rows that
        only announce it are passed over: another run, which began before, wrote them.
    """
    if table.num_rows == 0:
        return table
    if kind == "images":
        table = _without_late_announcements(table)
    replaced = pd.Series(_identities(table, kind)).duplicated(keep="last").to_numpy()
    return table.filter(pa.array(~replaced)).combine_chunks() if replaced.any() else table


def _identities(table: pa.Table, kind: Kind) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number the identities of rows."""
    number = np.zeros(table.num_rows, dtype=np.int64)
    most = 1
    for key in _IDENTITIES[kind]:
        names = len(table.column(key).chunk(0).dictionary)
        if most * names > _MOST_NUMBERS:
            number = np.unique(number, return_inverse=True)[1].astype(np.int64)
            most = table.num_rows
        number *= names
        number += codes(table.column(key))
        most *= names
    return number


def _without_late_announcements(table: pa.Table) -> pa.Table:
    """Drop rows that announce an image, unless it is new or was removed before."""
    error = table.column("error")
    announced = pc.fill_null(pc.equal(error, NOT_SCORED_YET), False).to_numpy()
    if not announced.any():
        return table
    names = pd.Series(codes(table.column("image")))
    last = ~names[~announced].duplicated(keep="last")
    removed = pc.fill_null(pc.starts_with(error, REMOVED), False).to_numpy()
    there = names[~announced][last & ~removed[~announced]]
    late = announced & names.isin(there).to_numpy()
    return table.filter(pa.array(~late)).combine_chunks() if late.any() else table


def merge(table: TableParts, keep: Callable[[pa.Table], pa.Table] | None = None) -> bool:
    """Merge neighbouring small parts, so that a folder does not fill with slivers.

    Safe against dying at any point and against other processes that read, write or merge: only
    neighbours in age are merged, the new part takes the age of the newest it replaces, and it is
    in place before those are deleted. Whoever sees both sees the same rows twice, not other ones.
    What is merged is written in the format of this release. A part with columns that this release
    does not know stays as it is, so that nothing is lost.

    Parameters
    ----------
    table
        One dataset and method of one table.
    keep
        Chooses the rows that are still current: parts with others are written again without them.

    Returns
    -------
    bool
        Whether parts of an earlier format became one of this format, which earlier releases refuse.
    """
    _sweep(table.folder)
    upgraded = False
    # When a part vanishes, another process is merging this folder, and will finish that.
    with suppress(FileNotFoundError):
        for parts in _neighbours(table):
            if len(parts) == 1 and keep is None:
                continue
            rows = [table.rows_of(part) for part in parts]
            footer = table.footer_of(parts)
            whole = last_rows(_together(rows, table.kind, None), table.kind)
            # After the parts were read: whoever wrote their rows had said before what is current.
            current = whole if keep is None else keep(whole)
            if len(parts) == 1 and current.num_rows == rows[0].num_rows:
                continue
            upgraded |= any(table.footer_of([part]).format < FORMAT for part in parts)
            table.write(current, replace(footer, format=FORMAT), moment=moment_of(parts[-1]))
            for part in parts:
                _delete(part)
    return upgraded


def _neighbours(table: TableParts) -> list[list[Path]]:
    groups: list[list[Path]] = []
    rows = 0
    for part in table.paths():
        with table.open(part) as (file, _):
            size = file.metadata.num_rows
            foreign = set(file.schema_arrow.names) - set(SCHEMAS[table.kind].names)
        if foreign:
            rows = MERGED_ROWS + 1  # what is older and what is newer are no neighbours
            continue
        if not groups or rows + size > MERGED_ROWS:
            groups.append([])
            rows = 0
        groups[-1].append(part)
        rows += size
    return groups


def _delete(part: Path) -> None:
    # Left behind, it only repeats rows: another process deleted it first, or holds it open.
    with suppress(OSError):
        part.unlink()


def _sweep(folder: Path) -> None:
    """Delete what dead processes left half written; a live one is never a day behind."""
    for temporary in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - temporary.stat().st_mtime > _ABANDONED_SECONDS:
                temporary.unlink()
