"""Which conventions reproduce a reported value, for people and programs."""

from __future__ import annotations

import json

import pandas as pd

from iqbench.document.records import json_records, render_records
from iqbench.document.terminal import Window

__all__ = ["render_explanation"]

SHOWN = ["metric", "protocol", "library", "value", "difference"]


def render_explanation(
    frame: pd.DataFrame,
    changes: pd.DataFrame,
    format: str,
    *,
    reported: str,
    top: int,
    window: Window | None = None,
) -> str:
    """Render what `iqbench.explain.explain` and `iqbench.explain.changes` returned.

    Parameters
    ----------
    frame, changes
        The conventions, and what single changes do.
    format
        ``table``, ``markdown`` or ``json``: a list of row objects of which ``table`` says whether
        it is one of the ``settings`` or of the ``changes``.
    reported
        The value as typed.
    top
        How many conventions are shown.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format == "json":
        rows = [
            {"table": name, **row}
            for name, part in (("settings", frame.head(top)), ("changes", changes))
            for row in json.loads(json_records(part))
        ]
        return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    count = int(frame["reproduces"].sum())
    if count:
        shown = frame.head(min(top, count))
        title = f"{reported} is reproduced by {count} of {len(frame)} conventions"
        title += ", simplest first" if count <= top else f", the {top} simplest"
    else:
        shown = frame.head(top)
        title = f"None of {len(frame)} conventions reproduces {reported}; the nearest"
    decimals = {"value": 6, "difference": 6, "effect": 6}
    shown = shown[SHOWN]
    if not shown["library"].any():
        shown = shown.drop(columns="library")
    texts = [render_records(shown, format, title, decimals, window=window)]
    for of, part in changes.groupby("of", sort=False):
        heading = f"What one change does to {of}"
        effects = part.drop(columns="of")
        texts.append(render_records(effects, format, heading, decimals, window=window))
    return "\n".join(texts)
