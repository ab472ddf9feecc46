"""The sections of a leaderboard: one per dataset, one per task, and one for all datasets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from iqbench.boards.critical import DATASETS
from iqbench.boards.headings import SET_FACTS, metric_columns
from iqbench.boards.means_table import MeansTable
from iqbench.boards.published import PUBLISHED
from iqbench.boards.ranking import too_few
from iqbench.boards.score_array import SEVERAL
from iqbench.document.figure import Figure
from iqbench.document.model import Entry, Section, TableColumn, direction_arrow
from iqbench.document.text import NOTHING, number, plural
from iqbench.results.references import AGAIN
from iqbench.results.schema import REFERENCES

__all__ = ["dataset_sections", "few_images", "overall_sections"]

_ON_FRONT = "●"
_COMMON = "common images"
"""The unit of a comparison that uses only some images of each dataset."""


def dataset_sections(table: MeansTable) -> Iterator[Section]:
    """Make one section per dataset of a leaderboard."""
    marks = table.places()
    for dataset, rows in table.frame.groupby("dataset", sort=False):
        expected = int(rows["expected"].iloc[0])
        scored = rows[_text(rows, PUBLISHED) == ""]
        protocols = (name for text in scored["protocol"] for name in text.split(SEVERAL) if name)
        facts = [*dict.fromkeys(protocols), plural(expected, "image")]
        ranked = int(scored["rank"].notna().sum())
        if ranked:
            facts.append(f"ranked by {rows['ranked_by'].iloc[0]}")
        remarks = _remarks(rows)
        few = few_images(rows)
        if few:
            remarks.insert(0, f"{few} too few for any difference to be significant")
        found = [
            *_leading(rows, "image", ties=not few),
            *_values(table.part(rows), marks, "image"),
        ]
        spans = _text(rows, "front_by")
        section = Section(
            str(dataset), facts, found, list(rows["complete"]), remarks, spans.iloc[0], fixed=2
        )
        lacking = rows[~rows["complete"].astype(bool)]
        if "other_reference" in rows and (lacking["other_reference"] > 0).all():
            section = replace(section, unranked="incomplete methods, for the reasons given above")
        if len(lacking) and (_text(lacking, PUBLISHED) != "").all():
            section = replace(section, unranked="published means whose protocol is not the same")
        yield section


def few_images(rows: pd.DataFrame) -> str:
    """Describe the number of images if it is too small for any test; empty if it is large enough.

    Parameters
    ----------
    rows
        The rows of one dataset of a leaderboard.

    Returns
    -------
    str
        ``1 image is`` or ``6 images are``.
    """
    expected = int(rows["expected"].iloc[0])
    ranked = int(rows.loc[_text(rows, PUBLISHED) == "", "rank"].notna().sum())
    if ranked < 2 or not too_few(expected, ranked):
        return ""
    return "1 image is" if expected == 1 else f"{expected} images are"


def overall_sections(
    overall: MeansTable,
    *,
    every: bool = False,
    among: MeansTable | None = None,
    ranks: Figure | None = None,
) -> Iterator[Section]:
    """Make one section per task, and one for all datasets.

    Parameters
    ----------
    overall
        Averages over datasets, see `iqbench.boards.overall.overall_of`.
    every
        Whether to include averages that add nothing: of one dataset, of fewer than two complete
        methods, and of all datasets if they have one task.
    among
        All averages, if ``overall`` is a part of them.
    ranks
        The figure of the ranks over all datasets.
    """
    whole = (overall if among is None else among).frame
    marks = overall.places()
    largest = whole["datasets"].max() if len(whole) else 0
    several = whole.loc[whole["scope"] == "task", "task"].nunique() > 1
    for (scope, task), rows in overall.frame.groupby(["scope", "task"], sort=False):
        datasets = int(rows["datasets"].to_numpy()[0])
        again = scope == "task" and datasets == largest and not several
        if not every and (datasets < 2 or rows["complete"].sum() < 2 or again):
            continue
        title = "overall" if scope == "overall" else str(task)
        facts = [
            f"mean over {plural(datasets, 'dataset')}",
            f"ranked by average rank in {rows['ranked_by'].iloc[0]}",
        ]
        remarks = _compared(rows, "dataset")
        if datasets < DATASETS:
            remarks.append(f"no critical difference of ranks: it needs {DATASETS} datasets")
        average = TableColumn(
            "value",
            "average rank",
            _entries(rows, "average_rank", 2),
            "Mean over datasets of the rank",
        )
        values = _values(overall.part(rows), marks, "dataset")
        found = [*_leading(rows, "dataset"), average, *values]
        unranked = "methods that are not complete on all datasets"
        complete = list(rows["complete"])
        section = Section(title, facts, found, complete, remarks, unranked=unranked, fixed=2)
        yield replace(section, figure=ranks) if scope == "overall" else section


def _leading(rows: pd.DataFrame, unit: str, *, ties: bool = True) -> list[TableColumn]:
    """Return the columns rank and method, and the optional columns that are not empty."""
    ranks = [
        Entry(NOTHING, value=math.nan) if pd.isna(rank) else Entry(str(rank), value=int(rank))
        for rank in rows["rank"]
    ]
    names = [
        Entry(
            str(row["method"]),
            note=_note(row, unit),
        )
        for _, row in rows.iterrows()
    ]
    tie, front = _text(rows, "tie"), _text(rows, "front")
    marks = [Entry(_ON_FRONT if mark == "True" else "") for mark in front]
    extras = [
        TableColumn("tie", "tie", [Entry(text) for text in tie] if ties else [], _TIE),
        TableColumn("front", "front", marks, _FRONT, order="descending"),
        TableColumn("range", "ranks", list(_ranges(rows)), _RANGE),
    ]
    return [
        TableColumn("rank", "#", ranks, "Rank"),
        TableColumn("method", "method", names),
        *(column for column in extras if any(entry.text for entry in column.entries)),
    ]


def _note(row: pd.Series, unit: str) -> str:
    """Return the note beside a method's name if its row does not cover all images."""
    if row.get(PUBLISHED):
        return "" if str(row["method"]).endswith(f"({PUBLISHED})") else PUBLISHED
    return "" if row["complete"] else f"{row['n']}/{row['expected']} {unit}s"


_TIE = "Methods with the same letter are not significantly worse than the best of them"
_FRONT = "No other method is better in fidelity and in perception"
_RANGE = "Ranks in 95 % of the resamples of the images"


def _text(rows: pd.DataFrame, name: str) -> pd.Series:
    """Return an optional column as text."""
    if name not in rows:
        return pd.Series("", index=rows.index)
    return rows[name].astype(object).where(rows[name].notna(), "").astype(str)


def _ranges(rows: pd.DataFrame) -> Iterator[Entry]:
    if "rank_low" in rows:
        for low, high in zip(rows["rank_low"], rows["rank_high"], strict=True):
            if pd.isna(low):
                yield Entry("", value=math.nan)
            else:
                yield Entry(str(low) if low == high else f"{low}-{high}", value=int(low))


def _values(table: MeansTable, marks: pd.DataFrame, unit: str) -> Iterator[TableColumn]:
    """Return the columns of the metrics that have a value here.

    The best ones are marked in the column whose means decide the ranks: means of the values, of
    the distances to a target, or over the images that are finite for all methods. Published means
    have only the first.
    """
    rows = table.frame
    for metric in marks.columns:
        if _has_values(rows, metric):
            info = table.info(metric)
            heading = f"{metric} {direction_arrow(info)}".rstrip()
            kinds = [("", heading, info.summary)]
            if info.target is not None:
                summary = f"Mean of how far the values are from {info.target:g}"
                kinds.append(("_distance", f"{metric} distance ↓", summary))
            if _has(rows, f"{metric}_compared"):
                count = _counted(rows, metric, unit)
                kinds.append(("_compared", f"{kinds[-1][1]} on {count}", f"Mean over {count}"))
            present = rows[[f"{metric}{kind}" for kind, _, _ in kinds]].notna().to_numpy()
            deciding = np.where(present[:, -1], len(kinds) - 1, 0)
            ranked = list(_ranked(rows, metric, marks.loc[rows.index, metric]))
            for at, (kind, text, summary) in enumerate(kinds):
                entries = [
                    replace(entry, place=place, shade=shade) if at == own else entry
                    for entry, own, (place, shade) in zip(
                        _entries(rows, f"{metric}{kind}", info.decimals),
                        deciding,
                        ranked,
                        strict=True,
                    )
                ]
                # Distances to a target have their own column, and smaller ones are better.
                order = "descending" if info.direction in ("higher", "none") else "ascending"
                yield TableColumn("value", text, entries, summary, metric, order)


def _ranked(
    rows: pd.DataFrame, metric: str, places: pd.Series
) -> Iterator[tuple[int, float | None]]:
    """Return the place of each row, and its shade by rank if the column has a marked value."""
    shades = np.full(len(rows), np.nan)
    if places.any():
        ranks = rows[f"{metric}_rank"].to_numpy(np.float64, na_value=np.nan)
        last = np.nanmax(ranks, initial=1.0)
        shades = 1 - (ranks - 1) / (last - 1) if last > 1 else shades
    for place, shade in zip(places, shades, strict=True):
        yield int(place), None if np.isnan(shade) else float(shade)


def _has_values(rows: pd.DataFrame, metric: str) -> bool:
    """Return whether a metric has any value here; a mean of both infinities is not a value."""
    counts = [f"{metric}{kind}" for kind in ("_infinite", "_minus_infinite")]
    return _has(rows, metric) or any((rows[name] > 0).any() for name in counts if name in rows)


def _has(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and bool(rows[name].notna().any())


def _counted(rows: pd.DataFrame, metric: str, unit: str) -> str:
    """Describe the number of images, or of datasets, on which a column compares methods."""
    counts = sorted({int(n) for n in rows[f"{metric}_compared_n"].dropna() if n})
    if unit == "dataset" and counts == [int(rows["datasets"].iloc[0])]:
        return _COMMON
    several = " or ".join(map(str, counts))
    return f"{several} {unit}{'s' * (counts != [1])}"


def _entries(rows: pd.DataFrame, name: str, decimals: int) -> list[Entry]:
    return [_entry(row, name, decimals) for _, row in rows.iterrows()]


def _entry(row: pd.Series, name: str, decimals: int) -> Entry:
    low, high = row.get(f"{name}_low", np.nan), row.get(f"{name}_high", np.nan)
    half = (high - low) / 2 if np.isfinite(high) and np.isfinite(low) else np.nan
    spread = "" if np.isnan(half) else f"±{number(half, decimals)}"
    value = float(row[name])
    counts = {
        sign: row.get(f"{name}{suffix}", 0)
        for sign, suffix in (("inf", "_infinite"), ("-inf", "_minus_infinite"))
    }
    # If the mean is infinite, all values are, and a count is not needed.
    found = {sign: n for sign, n in counts.items() if not pd.isna(n) and n and not np.isinf(value)}
    note = ", ".join(f"+{n} {sign}" for sign, n in found.items())
    return Entry(number(value, decimals), spread=spread, note=note, value=value)


def _remarks(rows: pd.DataFrame) -> list[str]:
    """Describe what the numbers leave out: missing and undefined values."""
    remarks = [
        f"{row['method']}: {plural(row['other_reference'], 'image')} scored against other "
        f"reference images than the newest, left out. {AGAIN}"
        for _, row in rows.iterrows()
        if row.get("other_reference", 0)
    ]
    remarks += [
        f"{row['method']} lacks values: {row['missing']}"
        for _, row in rows.iterrows()
        if row["missing"] and not _lacks_images_alone(row)
    ]
    for text, same in rows[rows["undefined"] != ""].groupby("undefined", sort=False):
        who = "every method" if len(same) == len(rows) > 1 else ", ".join(same["method"])
        remarks.append(f"undefined and left out of the mean: {text} ({who})")
    sources = _text(rows, PUBLISHED)
    for source, same in rows[sources != ""].groupby(sources, sort=False):
        remarks.append(f"published, not scored here: {', '.join(same['method'])} ({source})")
    return [*remarks, *_sets(rows), *_compared(rows, "image")]


def _lacks_images_alone(row: pd.Series) -> bool:
    """Return whether the number beside the method's name already tells what each column lacks."""
    counts = re.findall(r" ([0-9]+)(?=, |$)", row["missing"])
    return {int(count) for count in counts} == {row["expected"] - row["n"]}


def _sets(rows: pd.DataFrame) -> list[str]:
    """Describe the images of the values of whole sets."""
    columns: dict[str, list[str]] = {}
    for metric in metric_columns(rows):
        names = [f"{metric}{fact}" for fact in SET_FACTS]
        if not _has(rows, names[0]):
            continue
        of: dict[str, list[str]] = {}
        known = rows[["method", *names]].dropna()
        for method, n, against, reference_n in known.itertuples(index=False, name=None):
            of.setdefault(_set_of(int(n), against, int(reference_n)), []).append(method)
        texts = list(of)
        if len(of) > 1:
            texts = [f"{text} ({', '.join(methods)})" for text, methods in of.items()]
        columns.setdefault("; ".join(texts), []).append(metric)
    return [f"{', '.join(metrics)}: {text}" for text, metrics in columns.items()]


def _set_of(n: int, reference_set: str, reference_n: int) -> str:
    """Describe the images of a set value, and what they are compared with."""
    if reference_set != REFERENCES:
        return f"of {plural(n, 'image')} against {reference_set} ({plural(reference_n, 'image')})"
    count = "" if n == reference_n else f"{reference_n} "
    return f"of {plural(n, 'image')} against their {count}references"


def _compared(rows: pd.DataFrame, unit: str) -> list[str]:
    """Describe the images that decide the ranks if methods have infinite values."""
    remarks = []
    for metric in metric_columns(rows):
        if f"{metric}_compared_n" in rows and rows[f"{metric}_compared_n"].notna().any():
            if not _has(rows, f"{metric}_compared"):
                text = f"no {unit} is finite for all methods: they are ranked by infinite values"
            elif (rows[f"{metric}_compared_n"].dropna().nunique()) == 1:
                counted = _counted(rows, metric, unit)
                verb = "is" if counted.startswith("1 ") else "are"
                text = f"ranked on the {counted} that {verb} finite for all methods"
            else:
                text = (
                    f"no {unit} is finite for all methods: they are ranked by infinite values, and "
                    f"those with as many on the {unit}s that are finite for all of these"
                )
            remarks.append(f"{metric}: {text}")
        elif any(entry.note for entry in _entries(rows, metric, 0)):
            remarks.append(f"{metric}: means are those of the finite values")
    return remarks
