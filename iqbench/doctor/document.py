"""The result of ``iqbench doctor`` as a document, for people, programs and issues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd

from iqbench.doctor.finding import verdict
from iqbench.document.model import Document, Entry, Section, TableColumn
from iqbench.document.render import render
from iqbench.document.terminal import Window
from iqbench.document.text import printable

__all__ = ["checkup_document", "render_checkup"]

_HEADINGS = (
    *(("part", "text"), ("check", "note"), ("result", "text")),
    *(("deviation", "value"), ("allowed", "value"), ("note", "note")),
)
"""Headings of the columns, and their descriptions."""

_RESULTS = {"ok": "ok", "off": "OFF", "not checked": "not checked", "info": ""}
_TONES = {"ok": "good", "off": "bad", "not checked": "open"}


def render_checkup(
    frame: pd.DataFrame, format: str, *, verbose: bool = False, window: Window | None = None
) -> str:
    """Render the result, see `checkup_document` and `iqbench.document.render.render`.

    The terminal's table is followed by a plain text for an issue.
    """
    document = checkup_document(frame, verbose=verbose)
    if format != "table":
        return render(document, format)
    table = render(replace(document, title=""), format, window=window)
    issue = "\n".join(_issue(frame, _gathered(_rows(frame))))
    return f"{table}\nTo paste into an issue:\n\n{issue}\n"


def checkup_document(frame: pd.DataFrame, *, verbose: bool = False) -> Document:
    """Arrange what `iqbench.doctor.doctor` returned.

    Parameters
    ----------
    frame
        One row a check. CSV and JSON hold every row.
    verbose
        Show every row, where else those of one kind that are ok share one.
    """
    rows = _rows(frame) if verbose else _gathered(_rows(frame))
    cells = [_cells(row) for row in rows]
    columns = [
        TableColumn(kind, heading, [Entry(cell[place]) for cell in cells])
        for place, (heading, kind) in enumerate(_HEADINGS)
    ]
    tones = [_TONES.get(row["status"], "") for row in rows]
    results = [
        replace(entry, tone=tone) for entry, tone in zip(columns[2].entries, tones, strict=True)
    ]
    columns[2] = replace(columns[2], entries=results)
    for place, name in ((3, "deviation"), (4, "tolerance")):
        entries = [
            replace(entry, value=float(row[name]))
            for entry, row in zip(columns[place].entries, rows, strict=True)
        ]
        columns[place] = replace(columns[place], entries=entries)
    return Document(
        [Section("", columns=columns, fixed=2)],
        title=f"iqbench doctor: {_summary(frame)}",
        records=frame.drop(columns="group"),
    )


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        dict(zip(frame.columns, values, strict=True))
        for values in frame.itertuples(index=False, name=None)
    ]


def _gathered(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let rows of one group share one, which shows the worst; what is off keeps its own."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for number, row in enumerate(rows):
        alone = not row["group"] or row["status"] == "off"
        note = "" if row["status"] == "ok" else row["note"]
        key = (str(number),) if alone else (row["part"], row["group"], row["status"], note)
        groups.setdefault(key, []).append(row)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[dict[str, Any]]) -> dict[str, Any]:
    """Make one row of several."""
    if len(group) == 1:
        return group[0]
    worst = max(group, key=_strain)
    check = f"{worst['group']} ({len(group)})"
    return {**worst, "check": check, "note": "" if worst["status"] == "ok" else worst["note"]}


def _strain(row: dict[str, Any]) -> float:
    """Return which part of its tolerance a deviation takes."""
    return float(row["deviation"] / row["tolerance"]) if row["tolerance"] > 0 else 0.0


def _cells(row: dict[str, Any]) -> list[str]:
    deviation, allowed = (_amount(row[name]) for name in ("deviation", "tolerance"))
    unit = f" {row['unit']}" if row["unit"] and allowed else ""
    return [
        row["part"],
        row["check"],
        _RESULTS[row["status"]],
        deviation,
        f"{allowed}{unit}",
        row["note"],
    ]


def _amount(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2g}"


def _summary(frame: pd.DataFrame) -> str:
    """Say in a sentence what came out."""
    count = frame["status"].value_counts()
    made = int(count.get("ok", 0)) + int(count.get("off", 0))
    if verdict(frame) == "off":
        return f"{count['off']} of {made} checks {'is' if count['off'] == 1 else 'are'} off"
    if verdict(frame) == "not proven":
        return f"all of {made} checks are right, but {count['not checked']} could not be made"
    return f"all of {made} checks are right"


def _issue(frame: pd.DataFrame, rows: list[dict[str, Any]]) -> list[str]:
    """Write the facts for an issue, in plain text."""
    facts = {row["check"]: row["note"] for row in rows if row["part"] == "versions"}
    packages = [name for name in facts if name not in ("platform", "processor")]
    lines = [f"iqbench doctor: {_summary(frame)}"]
    lines.append(", ".join(f"{name} {facts[name]}" for name in packages if facts[name]))
    lines.append("; ".join(facts[name] for name in ("platform", "processor") if name in facts))
    device = [row for row in rows if row["part"] == "device" and row["check"] != "memory"]
    lines += [f"{row['check']}: {row['note']}" for row in device if row["status"] != "off"]
    deviations = [
        f"{row['group'] or row['check']} {_amount(row['deviation'])} {row['unit']}".rstrip()
        for row in rows
        if row["status"] == "ok" and row["part"] == "scores"
    ]
    if deviations:
        lines.append(f"largest deviations: {', '.join(deviations)}")
    for row in rows:
        if row["status"] in ("off", "not checked"):
            part, check, result, deviation, allowed, note = _cells(row)
            amount = f" (deviation {deviation}, allowed {allowed})" if deviation else ""
            where = part if check == part else f"{part}, {check}"
            lines.append(f"{result}: {where}{amount}: {note}")
    return [printable(line) for line in lines if line]
