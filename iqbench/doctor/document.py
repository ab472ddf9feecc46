"""What ``iqbench doctor`` found, for people, programs and issues."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from iqbench.doctor.finding import verdict
from iqbench.document.records import json_records, markdown_table
from iqbench.document.terminal import Window
from iqbench.document.text import escape_markdown, printable
from iqbench.errors import unknown_name

__all__ = ["FORMATS", "render_checkup"]

FORMATS = ("table", "json", "markdown")

_HEADINGS = ("part", "check", "result", "deviation", "allowed", "note")
_NUMERIC = (False, False, False, True, True, False)
_RESULTS = {"ok": "ok", "off": "OFF", "not checked": "not checked", "info": ""}
_STYLES = {"ok": "green", "off": "bold red", "not checked": "yellow", "info": ""}


def render_checkup(
    frame: pd.DataFrame, format: str, *, verbose: bool = False, window: Window | None = None
) -> str:
    """Render what `iqbench.doctor.doctor` returned.

    Parameters
    ----------
    frame
        One row a check.
    format
        One of `FORMATS`. The terminal's table is followed by a plain text for an issue; JSON holds
        every row.
    verbose
        Show every row, where else those of one kind that are ok share one.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.

    Raises
    ------
    IqbenchError
        For an unknown format.
    """
    if format == "json":
        return json_records(frame.drop(columns="group"))
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    rows: list[dict[str, Any]] = [
        dict(zip(frame.columns, values, strict=True))
        for values in frame.itertuples(index=False, name=None)
    ]
    shown = rows if verbose else _gathered(rows)
    if format == "markdown":
        cells = [[escape_markdown(cell) for cell in _cells(row)] for row in shown]
        table = "\n".join(markdown_table(_HEADINGS, _NUMERIC, cells))
        return f"### iqbench doctor: {escape_markdown(_summary(frame))}\n\n{table}\n"
    text = "\n".join(_issue(frame, _gathered(rows)))
    return f"{_table(shown, window or Window())}\n\nTo paste into an issue:\n\n{text}\n"


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


def _table(rows: list[dict[str, Any]], window: Window) -> str:
    """Draw the table as wide as the window; only the note is folded."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, numeric in zip(_HEADINGS, _NUMERIC, strict=True):
        table.add_column(
            heading,
            justify="right" if numeric else "left",
            no_wrap=heading not in ("check", "note"),
            overflow="fold",
        )
    before = None
    for row in rows:
        part, check, result, *others = map(printable, _cells(row))
        if before not in (None, part):
            table.add_section()
        # Text, not str: a note may hold what rich takes for markup.
        table.add_row(
            Text(part if part != before else ""),
            Text(check),
            Text(result, _STYLES[row["status"]]),
            *map(Text, others),
        )
        before = part
    console = Console(
        file=StringIO(),
        width=window.width,
        force_terminal=window.color,
        color_system="standard" if window.color else None,
        legacy_windows=False,
        highlight=False,
        emoji=False,
    )
    console.print(table)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().rstrip("\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


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
    """Write what somebody else needs to know, in plain text."""
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
