"""Write texts and tables to the files that a user names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from iqbench.errors import IqbenchError
from iqbench.report.tables import for_spreadsheet
from iqbench.user_files import Render, write_file

__all__ = ["export_frame", "write_text"]

_HINT = "Choose another place with -o"


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; see `iqbench.user_files.write_file`.

    Raises
    ------
    IqbenchError
        Where the file cannot be written.
    """
    write_file(path, text.encode(errors="backslashreplace"), hint=_HINT)


def export_frame(frame: pd.DataFrame, path: Path, *, spreadsheet: bool = False) -> None:
    """Write a table as CSV or Parquet, as the file's suffix says; its index is not written.

    Parameters
    ----------
    frame
        Any rows.
    path
        Ends in ``.csv`` or ``.parquet``.
    spreadsheet
        Whether a CSV is for a spreadsheet, see `iqbench.report.tables.for_spreadsheet`.

    Raises
    ------
    IqbenchError
        For another suffix, or where the file cannot be written.
    """
    writers: dict[str, Render] = {
        ".csv": lambda file: frame.to_csv(file, index=False, lineterminator="\n"),
        ".parquet": lambda file: frame.to_parquet(file, index=False, engine="pyarrow"),
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise IqbenchError(
            f"cannot tell the format of {path} from its name",
            hint="Let it end in .csv or .parquet",
        )
    if spreadsheet:
        frame = for_spreadsheet(frame)
    write_file(path, writer, hint=_HINT)
