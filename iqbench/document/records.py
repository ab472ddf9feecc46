"""Render any DataFrame as a terminal table, Markdown, CSV or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from iqbench.document.terminal import Cell, Sheet, Window, draw
from iqbench.document.text import NOTHING, escape_markdown, fold_heading, number, printable
from iqbench.errors import unknown_name

__all__ = [
    "FORMATS",
    "for_spreadsheet",
    "is_numeric",
    "json_lines",
    "json_records",
    "markdown_table",
    "render_csv",
    "render_records",
    "text_of",
]

FORMATS = ("table", "markdown", "csv", "spreadsheet", "json")


def render_records(
    frame: pd.DataFrame,
    format: str,
    *,
    window: Window | None = None,
) -> str:
    """Render the rows of a DataFrame; its index is not shown.

    Parameters
    ----------
    frame
        Any rows. Names are escaped as the format needs.
    format
        One of `FORMATS`. CSV and JSON have full precision; ``spreadsheet`` is CSV without texts
        that a spreadsheet would treat as formulas, see `for_spreadsheet`.
    window
        The window for a terminal table; by default without limit and colours.

    Returns
    -------
    str
        Ends with a newline. JSON is a strict list of row objects: missing values are null, and
        infinite ones are the strings ``"inf"`` and ``"-inf"``.

    Raises
    ------
    IqbenchError
        For an unknown format.
    """
    if format == "csv":
        return render_csv(frame)
    if format == "spreadsheet":
        return render_csv(for_spreadsheet(frame))
    if format == "json":
        return json_records(frame)
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    names = [str(name) for name in frame.columns]
    numeric = [is_numeric(frame[name]) for name in frame.columns]
    rows = [[text_of(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    if format == "markdown":
        return "\n".join(markdown_table(names, numeric, _escaped(rows))) + "\n"
    window = window or Window()
    headings = [fold_heading(printable(name)) for name in names]
    cells = [[Cell(printable(text)) for text in row] for row in rows]
    return draw(Sheet(headings, numeric, [cells]), window) + "\n"


def render_csv(frame: pd.DataFrame) -> str:
    """Write CSV with a header and full precision; ``inf`` for infinite, empty for missing."""
    return frame.to_csv(index=False, lineterminator="\n")


def for_spreadsheet(frame: pd.DataFrame) -> pd.DataFrame:
    r"""Quote texts that a spreadsheet would treat as formulas, and escape control characters.

    Parameters
    ----------
    frame
        Any rows.

    Returns
    -------
    pandas.DataFrame
        The same rows. A text or heading that begins with ``=``, ``+``, ``-``, ``@`` or an
        apostrophe gets an apostrophe before it; to read the name, remove one. Control characters
        and backslashes before them are escaped, ``\\x1b``. Numbers stay numbers.
    """
    quoted = frame.rename(columns=lambda name: _quoted(str(name)))
    for place, kind in enumerate(frame.dtypes):
        if isinstance(kind, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(kind):
            column = quoted.iloc[:, place].astype(object)
            quoted.isetitem(place, column.map(_quoted, na_action="ignore").to_numpy())
    return quoted


def _quoted(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "'")) else text


def json_records(frame: pd.DataFrame) -> str:
    """Write a list of row objects as strict JSON, see `render_records`."""
    names = [str(name) for name in frame.columns]
    rows = [
        {name: _strict(value) for name, value in zip(names, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_lines(frame: pd.DataFrame) -> str:
    """Write one JSON object per row and line; the values are those of `json_records`."""
    keys = [f"{json.dumps(str(name), ensure_ascii=False)}: " for name in frame.columns]
    columns = [_json_texts(frame.iloc[:, place], key) for place, key in enumerate(keys)]
    return "".join(f"{{{', '.join(row)}}}\n" for row in zip(*columns, strict=True))


def _json_texts(column: pd.Series, key: str) -> list[str]:
    """Write each value of a column after its key; repeated values are converted once."""
    if is_numeric(column):
        return [f"{key}{_json(value)}" for value in column.tolist()]
    names = column.astype("category").cat
    texts = [f"{key}{_json(name)}" for name in (*names.categories, None)]
    return [texts[code] for code in names.codes.tolist()]  # -1, the last text, for a missing value


def _json(value: Any) -> str:
    if type(value) is float and math.isfinite(value):
        return float.__repr__(value)  # the same as json, several times as fast
    return json.dumps(_strict(value), ensure_ascii=False, allow_nan=False)


def markdown_table(
    headings: Sequence[str], numeric: Sequence[bool], rows: Iterable[Sequence[str]]
) -> list[str]:
    """Write the lines of a Markdown table.

    Parameters
    ----------
    headings
        Plain text.
    numeric
        Which columns are right-aligned.
    rows
        Markdown with escaped names.
    """
    rules = ["---:" if right else "---" for right in numeric]
    lines = [[escape_markdown(heading) for heading in headings], rules, *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _escaped(rows: list[list[str]]) -> list[list[str]]:
    return [[escape_markdown(text) for text in row] for row in rows]


def is_numeric(column: pd.Series) -> bool:
    """Return whether a column has numbers; truth values are not numbers."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def text_of(value: Any, decimals: int | None = None) -> str:
    """Write a value for people: numbers by `number`, truth values as yes and no, and texts."""
    if _is_missing(value):
        return NOTHING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, decimals)
    return str(value)


def _strict(value: Any) -> Any:
    if _is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value if isinstance(value, bool | int | float) else str(value)
