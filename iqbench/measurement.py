"""One pair's values for people and programs."""

from __future__ import annotations

import pandas as pd

from iqbench.document.model import direction_arrow
from iqbench.document.records import render_records
from iqbench.document.terminal import Window
from iqbench.document.text import NOTHING, number
from iqbench.results.schema import ColumnInfo

__all__ = ["render_measurement"]

_USUAL_PEAK = "255"


def render_measurement(frame: pd.DataFrame, format: str, *, window: Window | None = None) -> str:
    """Render what `iqbench.measure` returned.

    Parameters
    ----------
    frame
        Columns metric, value, error, direction, decimals, signature, peak.
    format
        One of `iqbench.document.records.FORMATS`; all but the terminal's table hold every column.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format != "table":
        return render_records(frame.drop(columns="decimals"), format)
    rows = []
    for row in frame.to_dict("records"):
        arrow = direction_arrow(ColumnInfo(direction=row["direction"]))
        value = NOTHING if pd.isna(row["value"]) else number(row["value"], row["decimals"])
        name = f"{row['metric']} {arrow}".rstrip()
        rows.append({"metric": name, "value": value, "note": row["error"] or ""})
    shown = pd.DataFrame(rows)
    if not shown["note"].any():
        shown = shown.drop(columns="note")
    text = render_records(shown, format, window=window)
    peak = next(iter(frame["peak"]), _USUAL_PEAK)
    return text if peak == _USUAL_PEAK else f"{text}Sample value of white: {peak}\n"
