"""Write texts and tables to the files that a user names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from iqbench.document.records import for_spreadsheet
from iqbench.errors import IqbenchError
from iqbench.user_files import Render, write_file

__all__ = ["EXPORT_FORMATS", "export_format", "export_frame", "write_bytes", "write_text"]

EXPORT_FORMATS = ("csv", "parquet")

_HINT = "Choose another place"


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; see `iqbench.user_files.write_file`.

    Raises
    ------
    IqbenchError
        Where the file cannot be written.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; see `iqbench.user_files.write_file`.

    Raises
    ------
    IqbenchError
        Where the file cannot be written.
    """
    write_file(path, content, hint=_HINT)


def export_format(path: Path, given: str | None = None) -> str:
    """Say whether a table is written as ``csv`` or ``parquet``: as given, or by the suffix.

    Raises
    ------
    IqbenchError
        Where neither says it.
    """
    found = given or path.suffix.lower().removeprefix(".")
    if found not in EXPORT_FORMATS:
        raise IqbenchError(
            f"cannot tell the format of {path} from its name",
            hint="Let it end in .csv or .parquet, or give --format",
        )
    return found


def export_frame(
    frame: pd.DataFrame, path: Path, format: str | None = None, *, spreadsheet: bool = False
) -> None:
    """Write a table as CSV or Parquet; its index is not written.

    Parameters
    ----------
    frame
        Any rows.
    path
        Ends in ``.csv`` or ``.parquet``, unless the format is given.
    format
        One of `EXPORT_FORMATS`; by default the file's suffix says it.
    spreadsheet
        Whether a CSV is for a spreadsheet, see `iqbench.document.records.for_spreadsheet`.

    Raises
    ------
    IqbenchError
        Where the format is not said, or the file cannot be written.
    """
    writers: dict[str, Render] = {
        "csv": lambda file: frame.to_csv(file, index=False, lineterminator="\n"),
        "parquet": lambda file: frame.to_parquet(file, index=False, engine="pyarrow"),
    }
    writer = writers[export_format(path, format)]
    if spreadsheet:
        frame = for_spreadsheet(frame)
    write_file(path, writer, hint=_HINT)
