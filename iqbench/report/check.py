"""A regression check for people (terminal, Markdown) and programs (JSON, CSV)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from iqbench.analysis.check import DOUBTFUL, VERDICTS, Check, worst_images
from iqbench.analysis.verdicts import IMAGE
from iqbench.report.board import direction_arrow
from iqbench.report.page import Page, mean_change, signed
from iqbench.report.tables import render_records
from iqbench.report.terminal import Window
from iqbench.report.text import mean_number, number
from iqbench.results.read import with_headings
from iqbench.results.schema import ColumnInfo

__all__ = [
    "FEW_ROWS",
    "check_records",
    "gain_text",
    "method_names",
    "render_check",
    "side_text",
    "worst_text",
]

FEW_ROWS = 20
"""Up to as many rows are shown all; of more only those that are not ``same``."""

_UNKNOWN = ColumnInfo("none")
_NAMED = 5  # new images that are listed by name


def render_check(
    found: Check,
    columns: Mapping[str, ColumnInfo],
    format: str,
    *,
    worst: int = 3,
    every: bool = False,
    window: Window | None = None,
) -> str:
    """Render a check.

    Parameters
    ----------
    found
        The check.
    columns
        Directions and decimals.
    format
        One of `iqbench.report.tables.FORMATS`.
    worst
        At most how many images are listed for each row that is worse.
    every
        Whether to show all rows, however many are ``same``. CSV and JSON always hold all.
    window
        What a terminal table has to fit into.

    Returns
    -------
    str
        Ends with a newline.
    """
    if format not in ("table", "markdown"):
        return render_records(check_records(found, columns, worst), format)
    page = Page(format, window or Window())
    rows = found.rows.assign(heading=with_headings(found.rows, by=["dataset"]).astype(str))
    rows = rows.sort_values("verdict", key=lambda names: names.map(VERDICTS.index), kind="stable")
    shown = rows if every or len(rows) <= FEW_ROWS else rows[rows["verdict"] != "same"]
    parts = [
        page.title(f"Regression check {'passed' if found.passed else 'failed'}: {found.why()}")
    ]
    for dataset in dict.fromkeys(found.rows["dataset"]):
        part = shown[shown["dataset"] == dataset]
        sections = [_judged(part, columns, page), _reasons(part, page)]
        sections.append(_worst(found, part, columns, worst, page))
        if any(sections):
            parts += [page.title(str(dataset), level=4), *sections]
    parts.append(page.sentences([*_remarks(found, shown), *_new(found.new)]))
    return "\n".join(part for part in parts if part)


def check_records(found: Check, columns: Mapping[str, ColumnInfo], worst: int) -> pd.DataFrame:
    """Give the rows of a check with, for those that are worse, their worst images as text."""
    texts = [
        worst_text(found, row, columns, worst) if row["verdict"] == "worse" else ""
        for row in found.rows.to_dict("index").values()
    ]
    return found.rows.assign(worst_images=pd.Series(texts, index=found.rows.index, dtype=object))


def worst_text(
    found: Check, row: Mapping[Any, Any], columns: Mapping[str, ColumnInfo], limit: int
) -> str:
    """Name the images that lost most in one comparison: ``baby (-3.21), bird (-2.98)``."""
    decimals = columns.get(row["metric"], _UNKNOWN).decimals + 1
    images = worst_images(found, row, limit)
    return ", ".join(
        f"{image} ({signed(gain, decimals)})"
        for image, gain in zip(images["image"], images["gain"], strict=True)
    )


def method_names(row: Mapping[Any, Any]) -> str:
    """Name the method of a row, and what the baseline calls it if that is another name."""
    old, new = str(row["baseline_method"]), str(row["method"])
    return new if old == new else f"{old} → {new}"


def side_text(row: Mapping[Any, Any], side: str, decimals: int | None = None) -> str:
    """Write the mean of the baseline or the candidate of a row: ``31.20 (+1 inf)``."""
    return mean_number(row[side], decimals, row[f"{side}_infinite"], row[f"{side}_distance"])


def gain_text(row: Mapping[Any, Any], decimals: int | None = None) -> str:
    """Write the gain of a row: ``-0.800 (1 +inf)``."""
    return mean_change(row["gain"], decimals, row["infinite_gains"], row["infinite_losses"])


def _heading(row: Mapping[Any, Any], columns: Mapping[str, ColumnInfo]) -> str:
    return f"{row['heading']} {direction_arrow(columns.get(row['metric'], _UNKNOWN))}".rstrip()


def _judged(rows: pd.DataFrame, columns: Mapping[str, ColumnInfo], page: Page) -> str:
    cells = []
    for row in rows[rows["n"] > 0].to_dict("index").values():
        decimals = columns.get(row["metric"], _UNKNOWN).decimals
        cells.append(
            [
                *(row["verdict"], method_names(row), _heading(row, columns)),
                *(side_text(row, side, decimals) for side in ("baseline", "candidate")),
                gain_text(row, decimals + 1),
                number(row["margin"]),
                "margin alone" if row["margin_alone"] else number(row["p_value"], 4),
                str(row["n"]),
            ]
        )
    headings = ["verdict", "method", "metric", "baseline", "now", "gain", "margin", "p", "n"]
    return page.table(headings, cells, text=3) if cells else ""


def _reasons(rows: pd.DataFrame, page: Page) -> str:
    """Tell of single images that decided, and of images that lack values."""
    by_image = rows["reason"] == IMAGE
    rows = rows[by_image | (rows["missing"] > 0) | (rows["not_comparable"] > 0)]
    cells = [
        [row["verdict"], method_names(row), row["heading"], reason]
        for row in rows.to_dict("index").values()
        for reason in (row["note"] if row["reason"] == IMAGE else "", row["lacking"])
        if reason
    ]
    headings = ["verdict", "method", "metric", "reason"]
    return page.table(headings, cells, text=4, fixed=3) if cells else ""


def _worst(
    found: Check, rows: pd.DataFrame, columns: Mapping[str, ColumnInfo], limit: int, page: Page
) -> str:
    cells = []
    for row in rows[rows["verdict"] == "worse"].to_dict("index").values():
        decimals = columns.get(row["metric"], _UNKNOWN).decimals
        for image in worst_images(found, row, limit).to_dict("index").values():
            cells.append(
                [
                    *(image["image"], method_names(row), _heading(row, columns)),
                    *(number(image[side], decimals) for side in ("baseline", "candidate")),
                    signed(image["gain"], decimals + 1),
                ]
            )
    headings = ["worst images", "method", "metric", "baseline", "now", "gain"]
    return page.table(headings, cells, text=3) if cells else ""


def _remarks(found: Check, shown: pd.DataFrame) -> list[str]:
    rows = found.rows
    remarks = []
    if hidden := len(rows) - len(shown):
        remarks.append(f"Not shown: {hidden} that are the same (--rows all)")
    if (shown["n"] > 0).any():
        remarks.append(
            "gain: how much better the mean got, in the metric's unit, negative is worse; p: of the"
            f" one-sided Wilcoxon test, corrected by Holm, significant up to {found.alpha:g}"
        )
    infinite = ["baseline_infinite", "candidate_infinite", "infinite_gains", "infinite_losses"]
    if shown[infinite].to_numpy().any():
        remarks.append("inf: infinite values are counted and are in no mean")
    if shown["baseline_distance"].notna().any():
        remarks.append("off: mean distance to the target (→), by which such a metric is judged")
    if alone := int(rows["margin_alone"].sum()):
        remarks.append(
            f"margin alone: in {alone} of {len(rows)} comparisons too few images changed for any"
            " to be significant, so that the margin alone decides"
        )
    lost = (rows["gain"] < 0) | (rows["infinite_losses"] > rows["infinite_gains"])
    doubtful = rows[rows["note"].str.contains(DOUBTFUL, regex=False) & lost]
    if len(doubtful):
        names = ", ".join(
            f"{row['dataset']} {method_names(row)} {row['metric']} {gain_text(row)}"
            for row in doubtful.head(_NAMED).to_dict("index").values()
        )
        rest = f" and {len(doubtful) - _NAMED} more" if len(doubtful) > _NAMED else ""
        remarks.append(f"Lost more than the margin, but not significantly: {names}{rest}")
    return remarks


def _new(new: pd.DataFrame) -> list[str]:
    """List what the baseline lacks: a line a dataset and method."""
    told = []
    for (dataset, method), images in new.groupby(["dataset", "method"]):
        names = [str(image) for image in images["image"].head(_NAMED)]
        rest = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
        told.append(f"New, not in the baseline: {dataset} {method}: {', '.join(names)}{rest}")
    return told
