"""Read opinion scores from a CSV or Parquet file of another source."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from iqbench.errors import IqbenchError, unknown_name
from iqbench.results.arrow_files import read_buffer
from iqbench.user_files import open_regular

__all__ = ["ROLES", "OpinionFile", "read_opinion"]

ROLES = {
    "dataset": "of the image; one for all of the file where there is no such column",
    "method": "whose output it is",
    "image": "id of the image, with or without the suffix of a file",
    "mos": "mean opinion",
    "std": "standard deviation of single opinions",
    "n": "how many opinions",
    "distortion": "kind of distortion",
    "judge": "share of people who chose the second of two outputs, 0 to 1",
    "first": "method of the first output",
    "second": "method of the second output",
}
_TEXTS = ("dataset", "method", "image", "distortion", "first", "second")
_CSV = ".csv"
_NO_NUMBER = ("", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "<na>")
"""How tables write that a number is missing."""
_LEADING_ZERO = re.compile(r"0[0-9]")
"""How an id starts that is not a number: 0801 is not 801."""
_WHOLE = re.compile(r"((?:0|[1-9][0-9]*))\.0+")
"""How tables write whole numbers of a column that has gaps."""


@dataclass(frozen=True)
class OpinionFile:
    """Opinions, and whatever other numbers stand beside them.

    Attributes
    ----------
    rows
        Columns by their `ROLES`, those that the file has, names as text; and all other columns of
        numbers under their own names.
    metrics
        Names of those.
    notes
        What is left out, and why, in sentences.
    """

    rows: pd.DataFrame
    metrics: list[str]
    notes: tuple[str, ...] = ()


def read_opinion(path: Path, columns: Mapping[str, str]) -> OpinionFile:
    """Read a file of opinions.

    Parameters
    ----------
    path
        Ends in ``.csv`` or ``.parquet``.
    columns
        Column of the file by role, where it is not simply called like the role.

    Returns
    -------
    OpinionFile
        Rows without an opinion are left out and counted; the others are sorted by their names.
        Names are text as it stands in the file: ``0801`` keeps its zero. A column in which a number
        starts with a zero holds names, too, and is not a metric.

    Raises
    ------
    IqbenchError
        Where the file cannot be read, a column is not there, or opinions are no numbers.
    """
    table = _read(path)
    names = {str(name).casefold(): str(name) for name in table.columns}
    roles = {role: names[role] for role in ROLES if role in names}
    for role, column in columns.items():
        if role not in ROLES:
            raise unknown_name("role of a column", role, ROLES)
        if column not in table.columns:
            raise unknown_name(f"column of {path}", column, [str(name) for name in table.columns])
        roles[role] = column
    if "mos" not in roles and "judge" not in roles:
        raise IqbenchError(
            f"{path} has no column 'mos' or 'judge'",
            hint=f"Name it by --mos-column; its columns are {', '.join(map(str, table.columns))}",
        )
    used = set(roles.values())
    rows = pd.DataFrame(
        {
            role: _texts(table[column]) if role in _TEXTS else _numbers(table[column], path)
            for role, column in roles.items()
        }
    )
    measured = _measured_text if _is_csv(path) else _measured
    others = {name: measured(table[name]) for name in table.columns if name not in used}
    values = {name: column for name, column in others.items() if column is not None}
    metrics = list(values)
    clash = sorted(set(metrics) & set(ROLES))
    if clash:
        raise IqbenchError(
            f"column {clash[0]!r} of {path} would be a metric with the name of a role",
            hint="Rename it in the file",
        )
    rows = rows.join(pd.DataFrame(values, index=rows.index))
    kept = rows[[role for role in ("mos", "judge") if role in roles]].notna().any(axis=1)
    if not kept.any():
        raise IqbenchError(f"{path} has no opinion in any row")
    _check_judge(rows, path)
    notes = [_mixed(table[name], path) for name in others if name not in values]
    if not kept.all():
        notes.append(f"{(~kept).sum()} of {len(kept)} rows of {path} have no opinion")
    # Resamples draw images by their places: the order of a file's rows must not change intervals.
    by = [role for role in _TEXTS if role in rows]
    rows = rows[kept].sort_values(by, kind="stable") if by else rows[kept]
    return OpinionFile(rows.reset_index(drop=True), metrics, tuple(note for note in notes if note))


def _read(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in (_CSV, ".parquet"):
        raise IqbenchError(
            f"cannot tell the format of {path} from its name",
            hint="Use a name that ends in .csv or .parquet",
        )
    try:
        with open_regular(path) as file:
            table = _read_csv(file) if _is_csv(path) else _read_parquet(file)
    except FileNotFoundError as error:
        raise IqbenchError(f"there is no file {path}", hint="Check --mos") from error
    except (OSError, ValueError) as error:  # parser errors of pandas and pyarrow are ValueErrors
        reason = str(error).partition("\n")[0]
        raise IqbenchError(f"cannot read {path}: {reason}", hint="Check --mos") from error
    if len(set(map(str, table.columns))) < table.shape[1]:
        raise IqbenchError(f"{path} has several columns of one name")
    return table.set_axis([str(name) for name in table.columns], axis=1)


def _read_parquet(file: BinaryIO) -> pd.DataFrame:
    return pd.read_parquet(pa.BufferReader(read_buffer(file)))


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == _CSV


def _read_csv(file: BinaryIO) -> pd.DataFrame:
    """Read all cells as text: a guessed type would turn 0801 into 801, and NA into nothing."""
    # Without a header, pandas neither renames columns nor takes the first for an index.
    cells = pd.read_csv(
        file,
        header=None,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
        encoding="utf-8-sig",
    )
    cells = cells.apply(lambda column: column.fillna("").str.strip())
    table: pd.DataFrame = cells.iloc[1:].reset_index(drop=True)
    return table.set_axis(list(cells.iloc[0]), axis=1)


def _texts(column: pd.Series) -> pd.Series:
    """Names as text, as they stand in the file; but 3.0 as 3 where all are such numbers."""
    texts = column.astype("string").astype(object)
    known = column.notna() & (texts != "")
    if known.any() and texts[known].map(_WHOLE.fullmatch).notna().all():
        texts = texts.where(~known, texts.str.partition(".")[0])
    return texts.where(known, None)


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    found = _floats(column)
    if found is None:
        raise IqbenchError(f"column {column.name!r} of {path} holds values that are not numbers")
    return found


def _measured(column: pd.Series) -> pd.Series | None:
    """Give the values of a metric; None where the column's type is another."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return column.astype("float64") if numeric else None


def _measured_text(column: pd.Series) -> pd.Series | None:
    """Give the values of a metric that are written as text; None for a column of names."""
    if column.str.match(_LEADING_ZERO).any():
        return None
    found = _floats(column)
    return None if found is None or found.isna().all() else found


def _mixed(column: pd.Series, path: Path) -> str:
    """Say why a column in which numbers stand is not a metric."""
    cells = [cell for cell in column if isinstance(cell, str) and not _LEADING_ZERO.match(cell)]
    bad = [cell for cell in cells if _float(cell) is None]
    numbers = len(cells) - len(bad) - sum(cell.casefold() in _NO_NUMBER for cell in cells)
    if not bad or numbers < len(bad):
        return ""
    return f"column {column.name!r} of {path} is not a metric: {bad[0]!r} is not a number"


def _floats(column: pd.Series) -> pd.Series | None:
    """Read numbers, inf included; None where a cell is none and does not say that it is missing."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    found = [_float(cell) for cell in column]
    if None in found:
        return None
    return pd.Series(found, index=column.index, dtype="float64", name=column.name)


def _float(cell: object) -> float | None:
    if cell is None or cell is pd.NA:
        return math.nan
    text = str(cell)
    if text.casefold() in _NO_NUMBER:
        return math.nan
    # float() would also take 1_000 and digits of other scripts.
    if not text.isascii() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _check_judge(rows: pd.DataFrame, path: Path) -> None:
    if "judge" in rows and not rows["judge"].dropna().between(0, 1).all():
        raise IqbenchError(
            f"column 'judge' of {path} is not between 0 and 1",
            hint="It is the share of people who chose the second output",
        )
