"""A regression check for people (terminal, Markdown) and programs (JSON, CSV)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from iqbench.document.model import (
    Document,
    Entry,
    Section,
    TableColumn,
    direction_arrow,
    numbers,
    texts,
)
from iqbench.document.render import render
from iqbench.document.terminal import Window
from iqbench.document.text import mean_change, mean_number, number, printable, signed
from iqbench.gate.check import DOUBTFUL, VERDICTS, Check, worst_images
from iqbench.gate.sets import SET_SCOPE
from iqbench.gate.verdicts import IMAGE
from iqbench.results.read import with_headings

__all__ = [
    "FEW_ROWS",
    "FULL_BAR",
    "check_blocks",
    "check_document",
    "check_records",
    "gain_text",
    "headed_rows",
    "method_names",
    "render_check",
    "row_text",
    "side_text",
    "verdict_lines",
    "worst_text",
]

FULL_BAR = 4
"""The bar of a gain is full at this many margins."""

FEW_ROWS = 20
"""The largest number of rows that are all shown; with more, ``same`` rows are hidden."""

_TONES = {"worse": "bad", "missing": "bad", "not comparable": "bad", "better": "good"}
_NAMED = 5  # new images that are listed by name
_SUMMARISED = 10  # failed rows in a summary of a few lines


def render_check(
    found: Check,
    format: str,
    *,
    worst: int = 3,
    every: bool = False,
    window: Window | None = None,
) -> str:
    """Render a check, see `check_document` and `iqbench.document.render.render`."""
    document = check_document(found, worst=worst, every=every)
    return render(document, format, window=window)


def check_document(found: Check, *, worst: int = 3, every: bool = False) -> Document:
    """Arrange a check.

    Parameters
    ----------
    found
        The check.
    worst
        The largest number of images that are listed for each row that is worse.
    every
        Whether to show all rows, also many ``same`` ones. CSV and JSON always contain all.
    """
    rows = headed_rows(found)
    shown = rows if every or len(rows) <= FEW_ROWS else rows[rows["verdict"] != "same"]
    sections: list[Section] = []
    for dataset in dict.fromkeys(found.rows["dataset"]):
        sections += _sections(found, shown, str(dataset), worst)
    return Document(
        sections,
        title=f"Regression check {'passed' if found.passed else 'failed'}: {found.why()}",
        notes=[*_remarks(found, rows, shown), *_new(found.new)],
        records=check_records(found, worst),
    )


def _sections(found: Check, rows: pd.DataFrame, dataset: str, worst: int) -> list[Section]:
    """Return the tables of a dataset; the first has its name."""
    part = rows[rows["dataset"] == dataset]
    tables = [_judged(found, part), _reasons(part), _worst(found, part, worst)]
    own = [one for one in tables if one.rows]
    return [replace(one, title=dataset) for one in own[:1]] + own[1:]


def check_blocks(
    found: Check, *, worst: int = 3
) -> tuple[list[tuple[str, list[Section]]], list[str]]:
    """Return the tables of each dataset with all rows, and the remarks below them.

    Datasets are sorted by their most severe verdicts.
    """
    rows = headed_rows(found)
    blocks = [
        (dataset, _sections(found, rows, dataset, worst))
        for dataset in dict.fromkeys(rows["dataset"].astype(str))
    ]
    return blocks, [*_remarks(found, rows, rows), *_new(found.new)]


def check_records(found: Check, worst: int) -> pd.DataFrame:
    """Return the rows of a check; rows that are worse have their worst images as text."""
    texts = [
        worst_text(found, row, worst) if row["verdict"] == "worse" else ""
        for row in found.rows.to_dict("index").values()
    ]
    return found.rows.assign(worst_images=pd.Series(texts, index=found.rows.index, dtype=object))


def worst_text(found: Check, row: Mapping[Any, Any], limit: int) -> str:
    """Name the images with the largest losses of a row: ``baby (-3.21), bird (-2.98)``."""
    decimals = found.info(row["metric"]).decimals + 1
    images = worst_images(found, row, limit)
    return ", ".join(
        f"{image} ({signed(gain, decimals)})"
        for image, gain in zip(images["image"], images["gain"], strict=True)
    )


def headed_rows(found: Check) -> pd.DataFrame:
    """Return the rows of a check with their headings, the most severe verdict first."""
    rows = found.rows.assign(heading=with_headings(found.rows, by=["dataset"]).astype(str))
    return rows.sort_values("verdict", key=lambda names: names.map(VERDICTS.index), kind="stable")


def verdict_lines(found: Check, worst: int = 3) -> list[str]:
    """Summarise a check in a few lines: whether it passed, and the failed rows."""
    rows = headed_rows(found)
    failed = rows[rows["failed"].astype(bool)]
    lines = [f"check {'passed' if found.passed else 'failed'}: {found.why()}"]
    for row in failed.head(_SUMMARISED).to_dict("index").values():
        images = worst_text(found, row, worst) if row["verdict"] == "worse" else ""
        lines.append(
            f"  {row['dataset']} {method_names(row)} {row['heading']}: {row_text(row)}"
            + (f"; worst images: {images}" if images else "")
        )
    if len(failed) > _SUMMARISED:
        lines.append(f"  and {len(failed) - _SUMMARISED} more")
    return [printable(line) for line in lines]


def row_text(row: Mapping[Any, Any]) -> str:
    """Describe one comparison in one line."""
    parts = [row["verdict"]]
    if row["n"]:
        parts.append(f"mean {side_text(row, 'baseline')} to {side_text(row, 'candidate')}")
        parts.append(f"gain {gain_text(row)}, margin {number(row['margin'])}, n {row['n']}")
    return "; ".join([*parts, *(row[name] for name in ("lacking", "note") if row[name])])


def method_names(row: Mapping[Any, Any]) -> str:
    """Return the method of a row, with its name in the baseline if that differs."""
    old, new = str(row["baseline_method"]), str(row["method"])
    return new if old == new else f"{old} → {new}"


def side_text(row: Mapping[Any, Any], side: str, decimals: int | None = None) -> str:
    """Write the mean of the baseline or the candidate of a row: ``31.20 (+1 inf)``."""
    return mean_number(row[side], decimals, row[f"{side}_infinite"], row[f"{side}_distance"])


def gain_text(row: Mapping[Any, Any], decimals: int | None = None) -> str:
    """Write the gain of a row: ``-0.800 (1 +inf)``."""
    return mean_change(row["gain"], decimals, row["infinite_gains"], row["infinite_losses"])


def _heading(found: Check, row: Mapping[Any, Any]) -> str:
    return f"{row['heading']} {direction_arrow(found.info(row['metric']))}".rstrip()


def _judged(found: Check, rows: pd.DataFrame) -> Section:
    judged = list(rows[rows["n"] > 0].to_dict("index").values())
    decimals = [found.info(row["metric"]).decimals for row in judged]
    both = list(zip(judged, decimals, strict=True))
    table = [
        *_leading(judged, [_heading(found, row) for row in judged]),
        *(
            _numbers(heading, judged, side, (side_text(row, side, n) for row, n in both))
            for heading, side in (("baseline", "baseline"), ("now", "candidate"))
        ),
        _gains(judged, decimals),
        numbers("margin", (row["margin"] for row in judged)),
        _numbers(
            *("p", judged, "p_value"),
            (
                "margin alone" if row["margin_alone"] else number(row["p_value"], 4)
                for row in judged
            ),
        ),
        _numbers("n", judged, "n", (str(row["n"]) for row in judged)),
    ]
    return Section("", columns=table, fixed=3, level=4)


def _leading(rows: Sequence[Mapping[Any, Any]], headings: Sequence[str]) -> list[TableColumn]:
    """Return the columns that identify the comparison of each row, and its verdict."""
    verdicts = [Entry(row["verdict"], tone=_TONES.get(row["verdict"], "")) for row in rows]
    return [TableColumn("verdict", "verdict", verdicts), *_compared(rows, headings)]


def _compared(rows: Sequence[Mapping[Any, Any]], headings: Sequence[str]) -> list[TableColumn]:
    """Return the columns with method and metric of each row."""
    metrics = [
        Entry(text, about=str(row["heading"])) for row, text in zip(rows, headings, strict=True)
    ]
    return [
        TableColumn("method", "method", [Entry(method_names(row)) for row in rows]),
        TableColumn("text", "metric", metrics),
    ]


def _gains(rows: Sequence[Mapping[Any, Any]], decimals: Sequence[int]) -> TableColumn:
    entries = []
    for row, digits in zip(rows, decimals, strict=True):
        share = row["gain"] / row["margin"] / FULL_BAR if row["margin"] else 0.0
        bar = 0.0 if math.isnan(share) else max(-1.0, min(1.0, float(share)))
        entries.append(Entry(gain_text(row, digits + 1), value=float(row["gain"]), bar=bar))
    return TableColumn("value", "gain", entries)


def _numbers(
    heading: str, rows: Sequence[Mapping[Any, Any]], name: str, written: Iterable[str]
) -> TableColumn:
    """Make a column of numbers with their own texts."""
    entries = [Entry(text, value=float(row[name])) for row, text in zip(rows, written, strict=True)]
    return TableColumn("value", heading, entries)


def _reasons(rows: pd.DataFrame) -> Section:
    """Explain verdicts of single images and of set values, and missing values."""
    noted = (rows["reason"] == IMAGE) | (rows["scope"] == SET_SCOPE)
    rows = rows.assign(explained=rows["note"].where(noted, ""))
    rows = rows[noted | (rows["missing"] > 0) | (rows["not_comparable"] > 0)]
    given = [
        (row, reason)
        for row in rows.to_dict("index").values()
        for reason in (row["explained"], row["lacking"])
        if reason
    ]
    explained = [row for row, _ in given]
    table = _leading(explained, [str(row["heading"]) for row in explained])
    reasons = TableColumn("note", "reason", [Entry(str(reason)) for _, reason in given])
    return Section("", columns=[*table, reasons], fixed=3, level=4)


def _worst(found: Check, rows: pd.DataFrame, limit: int) -> Section:
    lost = [
        (row, image, found.info(row["metric"]).decimals)
        for row in rows[rows["verdict"] == "worse"].to_dict("index").values()
        for image in worst_images(found, row, limit).to_dict("index").values()
    ]
    images, rows_lost = [image for _, image, _ in lost], [row for row, _, _ in lost]
    table = [
        texts("worst images", (image["image"] for image in images)),
        *_compared(rows_lost, [_heading(found, row) for row in rows_lost]),
        *(
            _numbers(heading, images, side, (number(image[side], n) for _, image, n in lost))
            for heading, side in (("baseline", "baseline"), ("now", "candidate"))
        ),
        _numbers("gain", images, "gain", (signed(image["gain"], n + 1) for _, image, n in lost)),
    ]
    return Section("", columns=table, fixed=3, level=4)


def _remarks(found: Check, rows: pd.DataFrame, shown: pd.DataFrame) -> list[str]:
    remarks = []
    if hidden := len(rows) - len(shown):
        remarks.append(f"Not shown: {hidden} that are the same (--rows all)")
    if ((shown["n"] > 0) & (shown["scope"] != SET_SCOPE)).any():
        remarks.append(
            "gain: how much better the mean got, in the metric's unit, negative is worse; p: of the"
            f" one-sided Wilcoxon test, corrected by Holm, significant up to {found.alpha:g}"
        )
    if (shown["scope"] == SET_SCOPE).any():
        remarks.append(
            "A value of a whole set is not part of the tests: it is worse beyond the margin, where"
            " the interval of its gain excludes 0"
        )
    infinite = ["baseline_infinite", "candidate_infinite", "infinite_gains", "infinite_losses"]
    if shown[infinite].to_numpy().any():
        remarks.append("inf: infinite values are counted and are in no mean")
    if shown["baseline_distance"].notna().any():
        remarks.append("off: mean distance to the target (→), by which such a metric is judged")
    of_images = rows[rows["scope"] != SET_SCOPE]
    if alone := int(of_images["margin_alone"].sum()):
        remarks.append(
            f"margin alone: in {alone} of {len(of_images)} comparisons too few images changed for"
            " any to be significant, so that the margin alone decides"
        )
    lost = (rows["gain"] < 0) | (rows["infinite_losses"] > rows["infinite_gains"])
    doubtful = rows[rows["note"].str.contains(DOUBTFUL, regex=False) & lost]
    if len(doubtful):
        names = ", ".join(
            f"{row['dataset']} {method_names(row)} {row['heading']} {gain_text(row)}"
            for row in doubtful.head(_NAMED).to_dict("index").values()
        )
        rest = f" and {len(doubtful) - _NAMED} more" if len(doubtful) > _NAMED else ""
        remarks.append(f"Lost more than the margin, but not significantly: {names}{rest}")
    return remarks


def _new(new: pd.DataFrame) -> list[str]:
    """List the images that the baseline lacks, one line per dataset and method."""
    lines = []
    for (dataset, method), images in new.groupby(["dataset", "method"]):
        names = [str(image) for image in images["image"].head(_NAMED)]
        rest = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
        lines.append(f"New, not in the baseline: {dataset} {method}: {', '.join(names)}{rest}")
    return lines
