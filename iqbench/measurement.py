"""The values of one pair of images as a document, for people and programs."""

from __future__ import annotations

import pandas as pd

from iqbench.document.model import (
    Document,
    Entry,
    Section,
    TableColumn,
    direction_arrow,
    texts,
)
from iqbench.document.render import render
from iqbench.document.terminal import Window
from iqbench.document.text import number
from iqbench.results.schema import ColumnInfo

__all__ = ["measurement_document", "render_measurement"]

_USUAL_PEAK = "255"


def render_measurement(frame: pd.DataFrame, format: str, *, window: Window | None = None) -> str:
    """Render values, see `measurement_document` and `iqbench.document.render.render`."""
    return render(measurement_document(frame), format, window=window)


def measurement_document(frame: pd.DataFrame) -> Document:
    """Arrange what `iqbench.measure` returned.

    Parameters
    ----------
    frame
        Columns metric, value, error, direction, decimals, signature, peak. CSV and JSON hold all
        but decimals.
    """
    rows = frame.to_dict("records")
    heads = [
        f"{row['metric']} {direction_arrow(ColumnInfo(direction=row['direction']))}".rstrip()
        for row in rows
    ]
    values = [Entry(number(row["value"], row["decimals"]), value=row["value"]) for row in rows]
    errors = ["" if pd.isna(row["error"]) else str(row["error"]) for row in rows]
    columns = [texts("metric", heads), TableColumn("value", "value", values)]
    columns += [TableColumn("note", "note", list(map(Entry, errors)))] if any(errors) else []
    made = [texts("metric", frame["metric"]), texts("signature", frame["signature"])]
    peak = next(iter(frame["peak"]), _USUAL_PEAK)
    return Document(
        [
            Section("", columns=columns),
            Section("How the values were computed", columns=made, more=True),
        ],
        notes=[] if peak == _USUAL_PEAK else [f"Sample value of white: {peak}"],
        records=frame.drop(columns="decimals"),
        page="iqbench measure",
    )
