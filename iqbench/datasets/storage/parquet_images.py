"""Images in a column of a Parquet file, as in datasets of the Hugging Face hub.

A column contains the bytes of the files, either directly or in a struct of ``bytes`` and ``path``.
Parquet compresses groups of rows, so a cell is read with its whole group. The last groups stay in
memory, so that consecutive rows are read only once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from iqbench.blobs.blob import Blob
from iqbench.datasets.files import some
from iqbench.datasets.storage.limits import Limits
from iqbench.datasets.storage.stored_file import part_identity
from iqbench.errors import IqbenchError, unknown_name
from iqbench.forks import ForkLock

__all__ = ["Column", "ImageCell", "list_cells"]

_GROUP_BYTES = 2**31
"""A group of rows, unpacked, may have so many bytes in the column of images."""

_HELD_BYTES = 2**29
"""Groups in memory, all together, unless one alone is larger."""

_REPEATED_BYTES = 2**33
"""Where a column could repeat one value into more bytes than this, values are kept once each."""

Column: TypeAlias = "tuple[str, ...]"
"""A column by its name; of a struct, with the name of the field."""

_REFUSED = (pa.ArrowException, ValueError, OSError, MemoryError)


@dataclass(frozen=True, slots=True)
class ImageCell:
    """One image of a column.

    Attributes
    ----------
    blob
        The Parquet file.
    column
        The column that has the bytes: its name, and that of the field in it where it is a struct.
    group, row
        Which group of rows, and which row of it.
    size
        Bytes of an average image of the group.
    """

    blob: Blob
    column: Column
    group: int
    row: int
    size: int

    @property
    def identity(self) -> str | None:
        """That of the Parquet file, and which cell."""
        return part_identity(self.blob, "parquet", self.column, self.group, self.row)

    def load(self) -> bytes:
        """Read the cell, with its group where that is not in memory."""
        values = _GROUPS.get(self.blob, self.column, self.group)
        value = values[self.row].as_py()
        if value is None:
            raise IqbenchError(
                f"{self.blob.name}: row {self.row} of group {self.group} of rows has no bytes in "
                f"column {_spelt(self.column)!r}",
                hint="Put the image itself there, not only its path",
            )
        return bytes(value)


class _Groups:
    """The groups of rows that were read last."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[Blob, Column, int], pa.Array] = OrderedDict()
        self._reading: dict[tuple[Blob, Column, int], ForkLock] = {}
        self._lock = ForkLock()

    def get(self, blob: Blob, column: Column, group: int) -> pa.Array:
        """Return the values of a column in a group, read once however many threads ask."""
        key = blob, column, group
        with self._lock:
            reading = self._reading.setdefault(key, ForkLock())
        with reading:
            with self._lock:
                if key in self._held:
                    self._held.move_to_end(key)
                    return self._held[key]
            values = _read_group(blob, column, group)
            with self._lock:
                self._held[key] = values
                total = sum(one.nbytes for one in self._held.values())
                while total > _HELD_BYTES and len(self._held) > 1:
                    oldest, gone = self._held.popitem(last=False)
                    self._reading.pop(oldest, None)
                    total -= gone.nbytes
            return values


_GROUPS = _Groups()


@lru_cache(maxsize=16)
def _metadata(blob: Blob) -> pq.FileMetaData:
    with blob.open() as file:
        return pq.read_metadata(file)


def _read_group(blob: Blob, column: Column, group: int) -> pa.Array:
    try:
        facts = _metadata(blob)
        chunk = _chunk(facts, column, group)
        most = min(_GROUP_BYTES, Limits().unpacked(chunk.total_compressed_size))
        if chunk.total_uncompressed_size > most:
            raise IqbenchError(
                f"{blob.name} is not read: group {group} of rows has "
                f"{chunk.total_uncompressed_size:,} bytes in column {_spelt(column)!r}, more than "
                f"the {most:,} that are allowed",
                hint="Write the file with smaller groups of rows (row_group_size=100)",
            )
        repeated = chunk.num_values * chunk.total_uncompressed_size > _REPEATED_BYTES
        with blob.open() as file:
            table = pq.ParquetFile(
                file,
                metadata=facts,
                read_dictionary=[_spelt(column)] if repeated else None,
                pre_buffer=True,
            ).read_row_group(group, columns=[_spelt(column)])
            table.validate(full=True)
        values = table.column(0).combine_chunks()
        if isinstance(values, pa.ChunkedArray):  # of no rows, or too long for one array
            values = pa.concat_arrays(values.chunks)
        for field in column[1:]:
            values = values.field(field)
    except _REFUSED as error:
        raise _damaged(blob, error) from error
    return values


def _chunk(facts: pq.FileMetaData, column: Column, group: int) -> Any:
    rows = facts.row_group(group)
    for number in range(rows.num_columns):
        if rows.column(number).path_in_schema == _spelt(column):
            return rows.column(number)
    raise ValueError(f"there is no column {_spelt(column)!r}")


def _spelt(column: Column) -> str:
    """Write a column as Parquet does; a name may have stops in it too."""
    return ".".join(column)


def list_cells(
    blob: Blob, column: str | None, key: str | None
) -> tuple[str, Iterator[tuple[str | None, ImageCell]]]:
    """List the images of a column; of the images, nothing is read.

    Parameters
    ----------
    blob
        The Parquet file.
    column
        The column of images; may be None where there is one only.
    key
        The column of names; by default the paths beside the bytes.

    Returns
    -------
    tuple
        The column's name, and for each row its name, None where it has none, and its cell.

    Raises
    ------
    IqbenchError
        If it is no Parquet file or damaged, or has no such column.
    """
    try:
        facts = _metadata(blob)
        schema = facts.schema.to_arrow_schema()
    except _REFUSED as error:
        raise _damaged(blob, error) from error
    if facts.num_rows > Limits().files:
        raise IqbenchError(
            f"{blob.name} is not read: it has more than {Limits().files:,} rows",
            hint="Split it into several files",
        )
    images = {field.name: leaf for field in schema if (leaf := _leaf(field))}
    chosen = _choose(blob, column, list(images), schema)
    field = schema.field(chosen)
    names: list[str | None] = [None] * facts.num_rows
    if key is not None:
        if key not in schema.names:
            raise _named(blob, unknown_name("column of names", key, schema.names))
        names = _texts(blob, (key,), schema.field(key).type)
    elif pa.types.is_struct(field.type) and (place := field.type.get_field_index("path")) >= 0:
        names = _texts(blob, (chosen, "path"), field.type.field(place).type)
    return chosen, _cells(blob, facts, images[chosen], names)


def _cells(
    blob: Blob, facts: pq.FileMetaData, column: Column, names: list[str | None]
) -> Iterator[tuple[str | None, ImageCell]]:
    rows = iter(names)
    for group in range(facts.num_row_groups):
        count = facts.row_group(group).num_rows
        size = _chunk(facts, column, group).total_uncompressed_size // max(count, 1)
        for row in range(count):
            yield next(rows), ImageCell(blob, column, group, row, size)


def _leaf(field: pa.Field) -> Column:
    """Name the column that has the bytes of images; empty where a column has none."""
    kind = field.type
    if not pa.types.is_struct(kind):
        return (field.name,) if _is_bytes(kind) else ()
    place = kind.get_field_index("bytes")
    return (field.name, "bytes") if place >= 0 and _is_bytes(kind.field(place).type) else ()


def _is_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return str(kind) in ("binary", "large_binary", "binary_view")


def _choose(blob: Blob, column: str | None, images: list[str], schema: pa.Schema) -> str:
    if column is not None and column in schema.names and column not in images:
        raise IqbenchError(
            f"{blob.name}: column {column!r} holds {schema.field(column).type}, not images",
            hint="A column of images holds bytes, or a struct of bytes and path",
        )
    if column is not None:
        if column not in images:
            raise _named(blob, unknown_name("column of images", column, images))
        return column
    if len(images) == 1:
        return images[0]
    if not images:
        raise IqbenchError(
            f"{blob.name} has no column of images",
            hint="A column of images holds bytes, or a struct of bytes and path",
        )
    raise IqbenchError(
        f"{blob.name} has {len(images)} columns of images: {some(images)}",
        hint=f"Say which: FILE.parquet#{images[0]}",
    )


def _texts(blob: Blob, column: Column, kind: pa.DataType) -> list[str | None]:
    """Read a column of names."""
    if pa.types.is_nested(kind):
        raise _not_names(blob, column, str(kind))
    values: list[Any] = []
    try:
        with blob.open() as file:
            # Values once each, group by group: a repeated text takes no more than it does there.
            opened = pq.ParquetFile(file, read_dictionary=[_spelt(column)])
            for group in range(opened.num_row_groups):
                table = opened.read_row_group(group, columns=[_spelt(column)])
                table.validate(full=True)
                values += table.column(0).to_pylist()
    except _REFUSED as error:
        raise _damaged(blob, error) from error
    for field in column[1:]:
        values = [None if value is None else value.get(field) for value in values]
    try:  # texts are often stored as bytes, and numbers as numbers
        return [
            value.decode() if isinstance(value, bytes) else None if value is None else str(value)
            for value in values
        ]
    except UnicodeDecodeError as error:
        raise _not_names(blob, column, "bytes that are no text") from error


def _not_names(blob: Blob, column: Column, what: str) -> IqbenchError:
    return IqbenchError(
        f"{blob.name}: column {_spelt(column)!r} holds {what}, not names of images",
        hint="Name a column of texts or numbers: FILE.parquet#COLUMN:key=NAMES",
    )


def _named(blob: Blob, error: IqbenchError) -> IqbenchError:
    return IqbenchError(f"{blob.name}: {error.message}", hint=error.hint)


def _damaged(blob: Blob, error: Exception) -> IqbenchError:
    lines = str(error).splitlines() or [type(error).__name__]
    return IqbenchError(
        f"{blob.name} is no Parquet file, or damaged: {lines[0][:300]}",
        hint="Make or fetch it again",
    )
