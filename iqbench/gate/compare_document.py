"""A comparison of two methods or two runs as a document, for people and programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
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
from iqbench.document.text import mean_change, mean_number, number, signed
from iqbench.gate.compare import Comparison, apart
from iqbench.gate.sets import SET_SCOPE
from iqbench.results.read import with_headings

__all__ = ["comparison_document", "comparison_in_notebook", "render_comparison"]


def render_comparison(
    found: Comparison,
    format: str,
    *,
    names: tuple[str, str],
    images: int = 3,
    window: Window | None = None,
) -> str:
    """Render a comparison, see `comparison_document` and `iqbench.document.render.render`."""
    return render(comparison_document(found, names=names, images=images), format, window=window)


def comparison_in_notebook(found: Comparison) -> Document:
    """Arrange a comparison with the names ``first`` and ``second`` for the two sides."""
    return comparison_document(found, names=("first", "second"))


def comparison_document(
    found: Comparison,
    *,
    names: tuple[str, str],
    images: int = 3,
) -> Document:
    """Arrange a comparison.

    Parameters
    ----------
    found
        The comparison. CSV and JSON contain its rows without changes.
    names
        Names of the first and the second side.
    images
        The largest number of images that are listed for each row.
    """
    rows = found.rows.assign(heading=with_headings(found.rows, by=["dataset"]).astype(str))
    sections = []
    for place, part in rows.groupby(["dataset", "baseline_method", "method"], sort=False):
        dataset, old, new = map(str, place)
        title = f"{dataset}: {old} and {new}" if old != new else f"{dataset}: {new}"
        compared = part[part["n"] > 0]
        if len(compared):
            sections.append(Section(title, columns=_numbers(found, compared, names)))
            apart_images = _images(found, compared, names, limit=images)
            sections.append(Section("", columns=apart_images, fixed=2))
    return Document(
        [section for section in sections if section.rows],
        notes=[*_remarks(rows, names), *_new(found.new, names[1])],
        records=found.rows,
    )


def _numbers(found: Comparison, rows: pd.DataFrame, names: tuple[str, str]) -> list[TableColumn]:
    given = list(rows.to_dict("index").values())
    decimals = [found.info(row["metric"]).decimals for row in given]

    def column(
        heading: str, key: str, write: Callable[[Mapping[Any, Any], int], str]
    ) -> TableColumn:
        entries = [
            Entry(write(row, n), value=float(row[key]))
            for row, n in zip(given, decimals, strict=True)
        ]
        return TableColumn("value", heading, entries)

    def mean(side: str) -> Callable[[Mapping[Any, Any], int], str]:
        return lambda row, n: mean_number(
            row[side], n, row[f"{side}_infinite"], row[f"{side}_distance"]
        )

    return [
        texts("metric", (_heading(found, row) for row in given)),
        *(
            column(name, side, mean(side))
            for name, side in zip(names, ("first", "second"), strict=True)
        ),
        column("difference", "difference", _change),
        column("95 % interval", "low", _interval),
        column("p", "p_value", lambda row, n: number(row["p_value"], 4)),
        column("effect", "effect", lambda row, n: signed(row["effect"], 2)),
        *(column(count, count, _count(count)) for count in ("wins", "losses", "ties", "n")),
    ]


def _count(name: str) -> Callable[[Mapping[Any, Any], int], str]:
    of_images = ("wins", "losses", "ties")
    return lambda row, decimals: (
        number(None) if row["scope"] == SET_SCOPE and name in of_images else str(row[name])
    )


def _change(row: Mapping[Any, Any], decimals: int) -> str:
    return mean_change(
        row["difference"], decimals + 1, row["infinite_rises"], row["infinite_falls"]
    )


def _interval(row: Mapping[Any, Any], decimals: int) -> str:
    ends = [signed(row[end], decimals + 1) for end in ("low", "high")]
    known = row["n"] > 1 and not np.isnan(row["low"])
    return " to ".join(ends) if known else number(None)


def _images(
    found: Comparison,
    rows: pd.DataFrame,
    names: tuple[str, str],
    *,
    limit: int,
) -> list[TableColumn]:
    given = [
        (row, image, found.info(row["metric"]).decimals)
        for row in rows.to_dict("index").values()
        for image in apart(found, row, limit).to_dict("index").values()
    ]

    def column(
        heading: str, key: str, write: Callable[[float, int], str], more: int
    ) -> TableColumn:
        entries = [
            Entry(write(image[key], n + more), value=float(image[key])) for _, image, n in given
        ]
        return TableColumn("value", heading, entries)

    return [
        texts("differ most", (image["image"] for _, image, _ in given)),
        texts("metric", (_heading(found, row) for row, _, _ in given)),
        column(names[0], "baseline", number, 0),
        column(names[1], "candidate", number, 0),
        column("difference", "difference", signed, 1),
    ]


def _heading(found: Comparison, row: Mapping[Any, Any]) -> str:
    return f"{row['heading']} {direction_arrow(found.info(row['metric']))}".rstrip()


def _remarks(rows: pd.DataFrame, names: tuple[str, str]) -> list[str]:
    remarks = []
    if ((rows["n"] > 0) & (rows["scope"] != SET_SCOPE)).any():
        remarks += [
            f"difference: {names[1]} minus {names[0]}, with its bootstrap interval; p: Wilcoxon's"
            " test, two-sided, corrected by Holm over all rows",
            f"wins: images on which {names[1]} is better (without an arrow: greater); effect: from"
            " -1, better on none, to 1, on all",
        ]
    if (rows["scope"] == SET_SCOPE).any():
        remarks.append(
            "A value of a whole set is one number: it has no test and no wins, and its interval"
            " leaves the same images out on both sides"
        )
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
        if row["scope"] == SET_SCOPE:
            state = "missing" if row["missing"] else "not comparable"
            remarks.append(
                f"{row['dataset']} {row['method']} {row['heading']}: {state} ({row['why']})"
            )
            continue
        counts = [
            f"{row[name]} {one if row[name] == 1 else several} {words}"
            for name, one, several, words in (
                ("missing", "image has", "images have", f"no value of {names[1]}"),
                ("not_comparable", "image is", "images are", f"not comparable ({row['why']})"),
            )
            if row[name]
        ]
        remarks.append(f"{row['dataset']} {row['method']} {row['heading']}: {', '.join(counts)}")
    return remarks


def _new(new: pd.DataFrame, name: str) -> list[str]:
    counts = new.groupby(["dataset", "method"]).size().rename("images").reset_index()
    return [
        f"Only {name} has {row['images']} of the images of {row['dataset']} {row['method']}"
        for row in counts.to_dict("index").values()
    ]
