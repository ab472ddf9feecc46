"""One part of a table: a Parquet file with a checksum in its name, read as untrusted input.

The checksum is in the name, so that damage of the content cannot change it. Parts of older releases
have none. In newer parts, Parquet's pages have checksums, too.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from iqbench.errors import IqbenchError
from iqbench.results.arrow_files import UNREADABLE, open_again, read_buffer
from iqbench.results.format1 import completed
from iqbench.results.schema import DEFAULTS, FOOTER_KEY, FORMATS, SCHEMAS, Footer, Kind
from iqbench.results.signature import parse_signature
from iqbench.user_files import open_regular

__all__ = ["ChecksumError", "checksum_in_name", "encode", "open_part", "part_name", "read_part"]

_FOOTER = TypeAdapter(Footer)
_NAME = re.compile(r"\d+-[0-9a-f]+-([0-9a-f]{64})\.parquet")
_DISTINCT = (
    *("reference_digest", "output_digest", "bitstream_digest"),
    *("value", "standard_error", "replicates"),
)
"""Columns that hardly repeat a value, so that a dictionary of values gains nothing."""

_BLOCK = 2**20
_IN_MEMORY = 64 * 2**20
"""Smaller parts are read once, and what is checked is what is used."""

# A small file can ask for any amount of memory: one text in a dictionary stands for all its rows.
_ROWS = 1_000_000
_ROWS_A_BYTE = 16
_MOST_TEXT = 2**30
_LONGEST_NAME = 2**16
_MOST_GROUPS = 10_000


class ChecksumError(IqbenchError):
    """A part is not the file that was written."""


def encode(table: pa.Table, footer: Footer) -> bytes:
    """Write a table as the bytes of a part; each of its pages has a checksum.

    Parameters
    ----------
    table
        Rows of either schema.
    footer
        Goes into the file's key-value metadata.
    """
    sink = pa.BufferOutputStream()
    bare = table.replace_schema_metadata(None)
    repeated = [name for name in bare.column_names if name not in _DISTINCT]
    with pq.ParquetWriter(
        sink, bare.schema, compression="zstd", use_dictionary=repeated, write_page_checksum=True
    ) as writer:
        writer.write_table(bare)
        # As metadata of the schema, pyarrow would write it twice.
        writer.add_key_value_metadata({FOOTER_KEY: _FOOTER.dump_json(footer)})
    content: bytes = sink.getvalue().to_pybytes()
    return content


def part_name(moment: int, content: bytes) -> str:
    """Name a part: by its age, by chance, and by the checksum of its content."""
    return f"{moment:020d}-{secrets.token_hex(4)}-{hashlib.sha256(content).hexdigest()}.parquet"


def checksum_in_name(part: Path) -> str | None:
    """Return the SHA-256 that a part must have; None for parts of older releases."""
    match = _NAME.fullmatch(part.name)
    return match[1] if match else None


@contextmanager
def open_part(
    part: Path, kind: Kind, footer: Footer | None = None
) -> Iterator[tuple[pq.ParquetFile, Footer]]:
    """Check a part's content, columns and footer, and open it.

    Parameters
    ----------
    part
        The file.
    kind
        Which table.
    footer
        Its footer where that was read before: a footer of many runs takes long.

    Raises
    ------
    FileNotFoundError
        Where the part is gone: another process has merged it.
    IqbenchError
        Naming the part, where it is not a regular file, not what was written, or not of this table.
    """
    try:
        source = _checked(part)
    except FileNotFoundError:
        if part.is_symlink():
            raise _damaged(part, "it is a link that leads nowhere") from None
        raise
    except OSError as error:
        raise _damaged(part, error.strerror or error) from error
    with source:
        try:
            facts = pq.read_metadata(source)
            file = pq.ParquetFile(
                source,
                metadata=facts,
                read_dictionary=_large_texts(facts, source.size()),
                page_checksum_verification=True,
            )
            schema = file.schema_arrow  # made anew each time it is asked for
            footer = footer or _footer(file, schema, kind)
        except UNREADABLE as error:
            raise _damaged(part, error) from error
        if footer is None:
            raise IqbenchError(
                f"{part} was written by another version of iqbench",
                hint="Move the results folder away, or choose another one with --results, and run "
                "iqbench evaluate again",
            )
        _check_types(part, schema, SCHEMAS[kind])
        yield file, footer


def _footer(file: pq.ParquetFile, schema: pa.Schema, kind: Kind) -> Footer | None:
    """Read what iqbench noted in the file; None where it is not a known format of this table."""
    found = (file.metadata.metadata or {}).get(FOOTER_KEY)
    names = schema.names
    lacking = set(SCHEMAS[kind].names).difference(names, DEFAULTS)
    if found is None or lacking or len(set(names)) < len(names):
        return None
    with suppress(ValidationError):
        footer = _FOOTER.validate_json(found)
        if footer.format == 1:
            columns = {name: completed(name, info) for name, info in footer.columns.items()}
            return replace(footer, columns=columns)
        return footer if footer.format in FORMATS else None
    return None


def read_part(
    part: Path, kind: Kind, columns: list[str] | None = None, footer: Footer | None = None
) -> tuple[pa.Table, Footer]:
    """Read a part's rows; other types of columns that hold the same values are converted.

    Parameters
    ----------
    part
        The file.
    kind
        Which table.
    columns
        Which columns; all by default.
    footer
        As for `open_part`.

    Raises
    ------
    FileNotFoundError, IqbenchError
        As `open_part`; also where rows are damaged, lack a name, or are not what the footer says.
    """
    with open_part(part, kind, footer) as (file, found):
        try:
            table = _rows(file, SCHEMAS[kind], columns)
            table.validate(full=True)
            _check_names(table, found)
        except FileNotFoundError:
            raise
        except UNREADABLE as error:
            raise _damaged(part, error) from error
    return table, found


def _checked(part: Path) -> pa.NativeFile:
    """Read or open a part whose checksum is the one in its name."""
    wanted = checksum_in_name(part)
    with open_regular(part) as file:
        if os.fstat(file.fileno()).st_size < _IN_MEMORY:
            content = read_buffer(file)
            if wanted is not None:
                _compare(part, wanted, hashlib.sha256(content).hexdigest())
            return pa.BufferReader(content)
        if wanted is not None:
            _compare(part, wanted, _digest(file))
        return open_again(part, file)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _compare(part: Path, wanted: str, found: str) -> None:
    if wanted != found:
        raise ChecksumError(
            f"{part} is not the file that was written: its SHA-256 is {found}, not the one in its "
            "name",
            hint="Put back a copy of it; or delete it and run iqbench evaluate again: only what it "
            "held is computed again",
        )


def _check_types(part: Path, found: pa.Schema, wanted: pa.Schema) -> None:
    for field in wanted:
        if field.name not in found.names:  # it has a default
            continue
        kind = found.field(field.name).type
        if not _holds(kind, field.type):
            raise IqbenchError(
                f"column {field.name!r} of {part} has the type {str(kind)[:80]}, which does not "
                f"convert to {_plain(field.type)}",
                hint="iqbench wrote no such part: move it out of the results folder",
            )


def _holds(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Say whether values of a type may be those of a column."""
    plain = _plain(kind)
    if pa.types.is_null(kind):
        fits = not pa.types.is_dictionary(wanted)
    elif pa.types.is_list(wanted):
        fits = pa.types.is_list(kind) and _holds(kind.value_type, wanted.value_type)
    elif pa.types.is_string(_plain(wanted)):
        fits = pa.types.is_string(plain) or pa.types.is_large_string(plain)
    elif pa.types.is_integer(wanted):
        fits = pa.types.is_integer(plain)
    else:
        fits = pa.types.is_integer(plain) or pa.types.is_floating(plain)
    return bool(fits)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _large_texts(facts: pq.FileMetaData, size: int) -> list[str]:
    """Name the columns whose texts could take far more memory than the file: read them once each.

    Raises
    ------
    ValueError
        Where a file declares far more rows than its size can hold.
    """
    if facts.num_rows > _ROWS and facts.num_rows > _ROWS_A_BYTE * size:
        raise ValueError(f"it declares {facts.num_rows:,} rows in {size:,} bytes")
    if facts.num_row_groups > _MOST_GROUPS:
        raise ValueError(f"it has {facts.num_row_groups:,} groups of rows")
    bounds: Counter[str] = Counter()
    for number in range(facts.num_row_groups):
        group = facts.row_group(number)
        for place in range(group.num_columns):
            chunk = group.column(place)
            if chunk.num_values > _ROWS and chunk.num_values > _ROWS_A_BYTE * size:
                raise ValueError(f"it declares {chunk.num_values:,} values in {size:,} bytes")
            if chunk.physical_type == "BYTE_ARRAY":
                # At most, each value of a group is as long as all that the group holds.
                bounds[chunk.path_in_schema] += chunk.num_values * chunk.total_uncompressed_size
    return [name for name, bound in bounds.items() if bound > _MOST_TEXT]


def _rows(file: pq.ParquetFile, schema: pa.Schema, columns: list[str] | None) -> pa.Table:
    """Read columns by name: those that a part lacks get their default, unknown ones are ignored."""
    names = schema.names if columns is None else columns
    known = set(file.schema_arrow.names)
    there = [name for name in names if name in known]
    table = file.read(columns=there)
    # Of no column Parquet gives no rows.
    rows = table.num_rows if there else file.metadata.num_rows
    fields = [schema.field(name) for name in names]
    return pa.table(
        [
            _converted(table.column(field.name), field)
            if field.name in there
            else _default(field, rows)
            for field in fields
        ],
        schema=pa.schema(fields),
    )


def _default(field: pa.Field, rows: int) -> pa.Array:
    """Return a column of what a part means that lacks it."""
    value = DEFAULTS[field.name]
    if value is None and not pa.types.is_dictionary(field.type):
        return pa.nulls(rows, field.type)
    values = pa.repeat(pa.scalar(value, pa.string()), rows)
    return values.dictionary_encode().cast(field.type)


def _converted(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type) and pa.types.is_string(_plain(field.type)):
        _check_size(column, field.name)
    if not field.nullable and column.null_count:
        raise ValueError(f"column {field.name!r} has rows without a value")
    if column.type == field.type:
        return column
    if pa.types.is_dictionary(field.type):
        return column.cast(pa.string()).dictionary_encode().cast(field.type)
    return column.cast(field.type)


def _check_size(column: pa.ChunkedArray, name: str) -> None:
    """Refuse texts that would take gigabytes once each row has its own."""
    total = 0
    for chunk in column.chunks:
        chunk.validate(full=True)  # before an index is followed
        lengths = pc.binary_length(chunk.dictionary)
        total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
        if (pc.max(lengths).as_py() or 0) > (_LONGEST_NAME if name != "error" else _MOST_TEXT):
            raise ValueError(f"a text of column {name!r} is longer than {_LONGEST_NAME:,} bytes")
    if total > _MOST_TEXT:
        raise ValueError(f"the texts of column {name!r} take {total:,} bytes")


def _check_names(table: pa.Table, footer: Footer) -> None:
    """Compare rows with the footer; every signature must be one."""
    for key, said in (("dataset", footer.dataset), ("method", footer.method)):
        if key in table.column_names:
            for name in table.column(key).unique().to_pylist():
                if name != said:
                    raise ValueError(
                        f"it has rows of the {key} {name!r}, but its footer says {said!r}"
                    )
    if "signature" in table.column_names:
        for text in table.column("signature").unique().to_pylist():
            parse_signature(text)


def _damaged(part: Path, error: Exception | str) -> IqbenchError:
    text = str(error)
    reason = text.splitlines()[0].rstrip(".")[:300] if text else type(error).__name__
    return IqbenchError(
        f"cannot read {part}: {reason}",
        hint="If it is damaged, delete it and run iqbench evaluate again: only what it held is "
        "computed again",
    )
