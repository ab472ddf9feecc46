"""Read opinion scores from a file of somebody else's: CSV or Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from iqbench.errors import IqbenchError, unknown_name

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
    """

    rows: pd.DataFrame
    metrics: list[str]


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
        Rows without an opinion are left out.

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
    metrics = [
        str(name)
        for name in table.columns
        if name not in used and pd.api.types.is_numeric_dtype(table[name])
    ]
    clash = sorted(set(metrics) & set(ROLES))
    if clash:
        raise IqbenchError(
            f"column {clash[0]!r} of {path} would be a metric with the name of a role",
            hint="Rename it in the file",
        )
    rows = rows.join(table[metrics].astype("float64"))
    kept = rows[[role for role in ("mos", "judge") if role in roles]].notna().any(axis=1)
    if not kept.any():
        raise IqbenchError(f"{path} has no opinion in any row")
    _check_judge(rows, path)
    return OpinionFile(rows[kept].reset_index(drop=True), metrics)


def _read(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise IqbenchError(
            f"cannot tell the format of {path} from its name",
            hint="Let it end in .csv or .parquet",
        )
    try:
        table = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    except FileNotFoundError as error:
        raise IqbenchError(f"there is no file {path}", hint="Check --mos") from error
    except (OSError, ValueError) as error:  # parser errors of pandas and pyarrow are ValueErrors
        reason = str(error).partition("\n")[0]
        raise IqbenchError(f"cannot read {path}: {reason}", hint="Check --mos") from error
    if len(set(map(str, table.columns))) < table.shape[1]:
        raise IqbenchError(f"{path} has several columns of one name")
    return table.set_axis([str(name) for name in table.columns], axis=1)


def _texts(column: pd.Series) -> pd.Series:
    """Names as text; numbers such as 3.0 as 3."""
    if pd.api.types.is_float_dtype(column):
        whole = column.dropna()
        if (whole % 1 == 0).all():
            column = column.astype("Int64")
    return column.astype("string").astype(object).where(column.notna(), None)


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    try:
        return pd.to_numeric(column).astype("float64")
    except (ValueError, TypeError) as error:
        raise IqbenchError(f"column {column.name!r} of {path} holds other than numbers") from error


def _check_judge(rows: pd.DataFrame, path: Path) -> None:
    if "judge" in rows and not rows["judge"].dropna().between(0, 1).all():
        raise IqbenchError(
            f"column 'judge' of {path} is not between 0 and 1",
            hint="It is the share of people who chose the second output",
        )
