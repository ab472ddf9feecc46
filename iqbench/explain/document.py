"""Render which conventions reproduce a reported value, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from iqbench.document.frames import columns_of
from iqbench.document.model import Document, Section
from iqbench.document.records import json_records
from iqbench.document.render import render
from iqbench.document.terminal import Window

__all__ = ["explanation_document", "render_explanation"]

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
        The conventions, and the effects of single changes.
    answer
        ``verdict``, ``sentence`` and ``advice``.
    format
        One of `iqbench.document.render.DOCUMENT_FORMATS`. JSON is a list of row objects of which
        ``table`` says whether it is the ``answer``, one of the ``settings`` or of the ``changes``.
    top
        How many conventions of each metric are shown.
    window
        The size of the terminal that a table must fit.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format == "json":
        shown = pd.concat([part.head(top) for _, part in frame.groupby("reported", sort=False)])
        rows = [
            {"table": name, **row}
            for name, part in (("settings", shown), ("changes", changes))
            for row in json.loads(json_records(part))
        ]
        rows.insert(0, {"table": "answer", **answer})
        return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return render(explanation_document(frame, changes, answer, top=top), format, window=window)


def explanation_document(
    frame: pd.DataFrame, changes: pd.DataFrame, answer: Mapping[str, str], *, top: int
) -> Document:
    """Arrange the answer, the conventions and the single changes, see `render_explanation`.

    CSV holds all conventions, not only those that are shown.
    """
    sections = [_settings(part, top) for _, part in frame.groupby("reported", sort=False)]
    for of, part in changes.groupby("of", sort=False):
        effects = part.drop(columns="of")
        if effects["images"].nunique() == 1:
            effects = effects.drop(columns="images")
        columns = columns_of(effects, DECIMALS)
        sections.append(Section(f"What one change does to {of}", columns=columns))
    return Document(sections, facts=answer["sentence"], records=frame, page="iqbench explain")


DECIMALS = {"value": 6, "difference": 6, "effect": 6}


def _settings(frame: pd.DataFrame, top: int) -> Section:
    """Make the table of one metric: conventions that reproduce it, otherwise the nearest."""
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
    return Section(title, columns=columns_of(shown, DECIMALS))
