"""A comparison of two methods or two runs for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from iqbench.analysis.compare import Comparison, apart
from iqbench.report.board import direction_arrow
from iqbench.report.page import Page, mean_change, signed
from iqbench.report.tables import render_records
from iqbench.report.terminal import Window
from iqbench.report.text import mean_number, number
from iqbench.results.read import with_headings
from iqbench.results.schema import ColumnInfo

__all__ = ["render_comparison"]

_UNKNOWN = ColumnInfo("none")


def render_comparison(
    found: Comparison,
    columns: Mapping[str, ColumnInfo],
    format: str,
    *,
    names: tuple[str, str],
    images: int = 3,
    window: Window | None = None,
) -> str:
    """Render a comparison.

    Parameters
    ----------
    found
        The comparison.
    columns
        Directions and decimals.
    format
        One of `iqbench.report.tables.FORMATS`. CSV and JSON hold the rows as they are.
    names
        What to call the first and the second side.
    images
        At most how many images are listed for each row.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format not in ("table", "markdown"):
        return render_records(found.rows, format)
    page = Page(format, window or Window())
    rows = found.rows.assign(heading=with_headings(found.rows, by=["dataset"]).astype(str))
    parts = []
    for place, part in rows.groupby(["dataset", "baseline_method", "method"], sort=False):
        dataset, old, new = map(str, place)
        title = page.title(f"{dataset}: {old} and {new}" if old != new else f"{dataset}: {new}")
        compared = part[part["n"] > 0]
        if len(compared):
            parts += [title, _numbers(compared, columns, names, page)]
            parts.append(_images(found, compared, columns, names, page, limit=images))
    parts.append(page.sentences([*_remarks(rows, names), *_new(found.new, names[1])]))
    return "\n".join(part for part in parts if part)


def _numbers(
    rows: pd.DataFrame, columns: Mapping[str, ColumnInfo], names: tuple[str, str], page: Page
) -> str:
    cells = []
    for row in rows.to_dict("index").values():
        decimals = columns.get(row["metric"], _UNKNOWN).decimals
        ends = [signed(row[end], decimals + 1) for end in ("low", "high")]
        cells.append(
            [
                _heading(row, columns),
                *(
                    mean_number(
                        row[side], decimals, row[f"{side}_infinite"], row[f"{side}_distance"]
                    )
                    for side in ("first", "second")
                ),
                mean_change(
                    *(row["difference"], decimals + 1),
                    *(row["infinite_rises"], row["infinite_falls"]),
                ),
                " to ".join(ends) if row["n"] > 1 else number(None),
                number(row["p_value"], 4),
                signed(row["effect"], 2),
                *(str(row[count]) for count in ("wins", "losses", "ties", "n")),
            ]
        )
    headings = ["metric", *names, "difference", "95 % interval", "p", "effect"]
    return page.table([*headings, "wins", "losses", "ties", "n"], cells)


def _images(
    found: Comparison,
    rows: pd.DataFrame,
    columns: Mapping[str, ColumnInfo],
    names: tuple[str, str],
    page: Page,
    *,
    limit: int,
) -> str:
    cells = []
    for row in rows.to_dict("index").values():
        decimals = columns.get(row["metric"], _UNKNOWN).decimals
        for image in apart(found, row, limit).to_dict("index").values():
            cells.append(
                [
                    *(image["image"], _heading(row, columns)),
                    *(number(image[side], decimals) for side in ("baseline", "candidate")),
                    signed(image["difference"], decimals + 1),
                ]
            )
    headings = ["differ most", "metric", *names, "difference"]
    return page.table(headings, cells, text=2) if cells else ""


def _heading(row: Mapping[Any, Any], columns: Mapping[str, ColumnInfo]) -> str:
    return f"{row['heading']} {direction_arrow(columns.get(row['metric'], _UNKNOWN))}".rstrip()


def _remarks(rows: pd.DataFrame, names: tuple[str, str]) -> list[str]:
    remarks = []
    if (rows["n"] > 0).any():
        remarks += [
            f"difference: {names[1]} minus {names[0]}, with its bootstrap interval; p: Wilcoxon's"
            " test, two-sided, corrected by Holm over all rows",
            f"wins: images on which {names[1]} is better (without an arrow: greater); effect: from"
            " -1, better on none, to 1, on all",
        ]
    infinite = ["first_infinite", "second_infinite", "infinite_rises", "infinite_falls"]
    if rows[infinite].to_numpy().any():
        remarks.append(
            "inf: infinite values are counted and are in no mean; in the test a change between a"
            " finite and an infinite value is the largest"
        )
    if rows["first_distance"].notna().any():
        remarks.append(
            "off: mean distance to the target (→); p, effect and wins compare these distances"
        )
    lacking = rows[(rows["missing"] > 0) | (rows["not_comparable"] > 0)]
    for row in lacking.to_dict("index").values():
        told = [
            f"{row[name]} {one if row[name] == 1 else several} {words}"
            for name, one, several, words in (
                ("missing", "image has", "images have", f"no value of {names[1]}"),
                ("not_comparable", "image is", "images are", f"not comparable ({row['why']})"),
            )
            if row[name]
        ]
        remarks.append(f"{row['dataset']} {row['method']} {row['heading']}: {', '.join(told)}")
    return remarks


def _new(new: pd.DataFrame, name: str) -> list[str]:
    counts = new.groupby(["dataset", "method"]).size().rename("images").reset_index()
    return [
        f"Only {name} has {row['images']} of the images of {row['dataset']} {row['method']}"
        for row in counts.to_dict("index").values()
    ]
