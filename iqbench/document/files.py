"""Write texts and tables to files that a user names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pandas as pd

from iqbench.document.records import for_spreadsheet, json_lines
from iqbench.errors import IqbenchError
from iqbench.user_files import write_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "EXPORT_FORMATS",
    "export_format",
    "export_frame",
    "export_frames",
    "write_bytes",
    "write_text",
]

EXPORT_FORMATS = ("csv", "parquet", "jsonl")

_HINT = "Choose another place"

_BLOCK = 20_000
"""Number of rows that are converted to text at a time."""

_ROW_GROUP = 250_000
"""Rows per row group of a Parquet file; smaller pieces are joined."""


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; see `iqbench.user_files.write_file`.

    Raises
    ------
    IqbenchError
        If the file cannot be written.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; see `iqbench.user_files.write_file`.

    Raises
    ------
    IqbenchError
        If the file cannot be written.
    """
    write_file(path, content, hint=_HINT)


def export_format(path: Path, given: str | None = None) -> str:
    """Return the format of a table in `EXPORT_FORMATS`: the given one, or that of the suffix.

    Raises
    ------
    IqbenchError
        If neither is known.
    """
    found = given or path.suffix.lower().removeprefix(".")
    if found not in EXPORT_FORMATS:
        raise IqbenchError(
            f"cannot tell the format of {path} from its name",
            hint="Use a name that ends in .csv, .parquet or .jsonl, or give --format",
        )
    return found


def export_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table; the parameters and errors are those of `export_frames`."""
    export_frames([frame], path)


def export_frames(
    frames: Iterable[pd.DataFrame],
    path: Path,
    format: str | None = None,
    *,
    spreadsheet: bool = False,
) -> int:
    """Write a table that comes in pieces, as CSV, Parquet or JSON lines; no index is written.

    Only one piece is in memory. The file is written atomically: it does not appear if a later piece
    fails.

    Parameters
    ----------
    frames
        At least one. All have the same columns; the first one decides their types.
    path
        The file; its name ends with ``.csv``, ``.parquet`` or ``.jsonl``, unless the format is
        given.
    format
        One of `EXPORT_FORMATS`; by default that of the file's suffix.
    spreadsheet
        Whether a CSV is for a spreadsheet, see `iqbench.document.records.for_spreadsheet`.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    IqbenchError
        If the format is not known, or the file cannot be written.
    """
    writer = _WRITERS[export_format(path, format)]
    rows = 0

    def counted() -> Iterator[pd.DataFrame]:
        nonlocal rows
        for frame in frames:
            rows += len(frame)
            yield for_spreadsheet(frame) if spreadsheet else frame

    write_file(path, lambda file: writer(counted(), file), hint=_HINT)
    return rows


def _write_csv(frames: Iterable[pd.DataFrame], file: IO[bytes]) -> None:
    for number, frame in enumerate(frames):
        frame.to_csv(file, index=False, header=number == 0, lineterminator="\n")


def _write_lines(frames: Iterable[pd.DataFrame], file: IO[bytes]) -> None:
    for frame in frames:
        for first in range(0, len(frame), _BLOCK):
            text = json_lines(frame.iloc[first : first + _BLOCK])
            # Invalid Unicode becomes an escape sequence of JSON.
            file.write(text.encode(errors="backslashreplace"))


def _write_parquet(frames: Iterable[pd.DataFrame], file: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pieces = iter(frames)
    first = next(pieces)
    schema = _parquet_schema(first)
    with pq.ParquetWriter(file, schema) as writer:
        waiting: list[pa.Table] = []
        rows = 0
        for frame in chain([first], pieces):
            waiting.append(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
            rows += len(frame)
            if rows >= _ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting), row_group_size=_ROW_GROUP)
                waiting, rows = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=_ROW_GROUP)


def _parquet_schema(frame: pd.DataFrame) -> pa.Schema:
    """Return types of columns that can represent the values of all pieces."""
    import pyarrow as pa

    names = pa.dictionary(pa.int32(), pa.string())
    found = pa.Schema.from_pandas(frame, preserve_index=False)
    for place, field in enumerate(found):
        if pa.types.is_dictionary(field.type):
            found = found.set(place, field.with_type(names))
        elif pa.types.is_null(field.type) or pa.types.is_large_string(field.type):
            found = found.set(place, field.with_type(pa.string()))
    return found


_WRITERS: Mapping[str, Callable[[Iterable[pd.DataFrame], IO[bytes]], None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "jsonl": _write_lines,
}
