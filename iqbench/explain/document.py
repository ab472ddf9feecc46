"""Which conventions reproduce a reported value, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd
from rich.text import Text

from iqbench.document.records import json_records, render_records
from iqbench.document.terminal import Window, write_line
from iqbench.document.text import escape_markdown, printable

__all__ = ["render_explanation"]

SHOWN = ["metric", "protocol", "library", "value", "difference", "plausibility", "chance"]


def render_explanation(
    frame: pd.DataFrame,
    changes: pd.DataFrame,
    answer: Mapping[str, str],
    format: str,
    *,
    top: int,
    window: Window | None = None,
) -> str:
    """Render what `iqbench.explain` returned: the answer, the conventions, the single changes.

    Parameters
    ----------
    frame, changes
        The conventions, and what single changes do.
    answer
        ``verdict``, ``sentence`` and ``advice``.
    format
        ``table``, ``markdown`` or ``json``: a list of row objects of which ``table`` says whether
        it is the ``answer``, one of the ``settings`` or of the ``changes``.
    top
        How many conventions of each metric are shown.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    parts = [part for _, part in frame.groupby("reported", sort=False)]
    if format == "json":
        shown = pd.concat([part.head(top) for part in parts])
        rows = [
            {"table": name, **row}
            for name, part in (("settings", shown), ("changes", changes))
            for row in json.loads(json_records(part))
        ]
        rows.insert(0, {"table": "answer", **answer})
        return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    texts = [_sentence(answer["sentence"], format, window)]
    texts += [_settings(part, format, top, window) for part in parts]
    for of, part in changes.groupby("of", sort=False):
        heading = f"What one change does to {of}"
        effects = part.drop(columns="of")
        if effects["images"].nunique() == 1:
            effects = effects.drop(columns="images")
        texts.append(render_records(effects, format, heading, DECIMALS, window=window))
    return "\n".join(texts)


DECIMALS = {"value": 6, "difference": 6, "effect": 6}


def _sentence(text: str, format: str, window: Window | None) -> str:
    if format == "markdown":
        return escape_markdown(text) + "\n"
    return write_line(Text(printable(text), "bold"), window or Window()) + "\n"


def _settings(frame: pd.DataFrame, format: str, top: int, window: Window | None) -> str:
    """Render the table of one metric: what reproduces it, else the nearest."""
    reported = frame["reported"].iloc[0]
    count = int(frame["reproduces"].sum())
    if count:
        shown = frame.head(min(top, count))
        title = f"{reported} is reproduced by {count} of {len(frame)} conventions"
        title += ", most plausible first" if count <= top else f", the {top} most plausible"
    else:
        shown = frame.head(top)
        title = f"None of {len(frame)} conventions reproduces {reported}; the nearest"
    shown = shown[SHOWN].rename(columns={"chance": "fit by chance"})
    if not count:
        shown = shown.drop(columns="fit by chance")
    if not shown["library"].any():
        shown = shown.drop(columns="library")
    return render_records(shown, format, title, DECIMALS, window=window)
