"""Write a result to a file that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from iqbench.errors import IqbenchError

__all__ = ["export_frame", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, replacing what was there only once all of it is written.

    Raises
    ------
    IqbenchError
        Where the file cannot be written.
    """
    # newline="": the text has its line ends already, CSV on Windows included
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""))


def export_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, as the file's suffix says; its index is not written.

    Parameters
    ----------
    frame
        Any rows.
    path
        Ends in ``.csv`` or ``.parquet``.

    Raises
    ------
    IqbenchError
        For another suffix, or where the file cannot be written.
    """
    writers: dict[str, Callable[[Path], object]] = {
        ".csv": lambda file: frame.to_csv(file, index=False, lineterminator="\n"),
        ".parquet": lambda file: frame.to_parquet(file, index=False, engine="pyarrow"),
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise IqbenchError(
            f"cannot tell the format of {path} from its name",
            hint="Let it end in .csv or .parquet",
        )
    _replace(path, writer)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise IqbenchError(
            f"cannot write {path}: {error.strerror or error}",
            hint="Choose another place with -o",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
