"""Leaderboard rows with published means: no intervals, no tests, marked as published."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from iqbench.boards.composites import Composite
from iqbench.boards.headings import ENDS
from iqbench.boards.order import competition_ranks
from iqbench.boards.pareto import pareto_front
from iqbench.errors import IqbenchWarning
from iqbench.results.columns import Columns
from iqbench.results.published import PublishedMean
from iqbench.results.selector import Keys, Selector
from iqbench.stats.arrays import Floats
from iqbench.stats.gains import shortfall

__all__ = ["PUBLISHED", "with_published"]

PUBLISHED = "published"
"""The column with the source of a published row; tables without such rows lack it."""


def with_published(
    frame: pd.DataFrame,
    means: Sequence[PublishedMean],
    signatures: Mapping[str, Keys],
    columns: Columns,
    composites: Sequence[Composite] = (),
) -> pd.DataFrame:
    """Add published means to the leaderboard of one dataset.

    A mean is shown and ranked in the column of its metric and protocol. If no column has its
    protocol, it is shown in the metric's first column and not ranked.

    Parameters
    ----------
    frame
        Rows of one dataset, as `iqbench.boards.board.Board.table` describes them.
    means
        The published means of the dataset.
    signatures
        By heading, metric and signature of the shown columns.
    columns
        Descriptions of the columns.
    composites
        The composite scores among the columns. A published method gets a composite score if it
        has a mean, with the same protocol, in each column of the formula.

    Returns
    -------
    pandas.DataFrame
        With a column ``published``. If a published mean is ranked, ranks have no intervals.

    Warns
    -----
    IqbenchWarning
        About means of metrics that the tables do not have.
    """
    rows: dict[str, dict[str, object]] = {}
    ranked: dict[str, set[str]] = {}
    own = set(frame["method"].astype(str))
    for mean in means:
        found = _heading(mean, signatures)
        if found is None:
            if mean.metric not in columns:
                warnings.warn(
                    f"the published {mean.metric} of {mean.method} is not shown on "
                    f"{mean.dataset!r}: the tables have no such column",
                    IqbenchWarning,
                    stacklevel=2,
                )
            continue
        heading, same = found
        name = f"{mean.method} (published)" if mean.method in own else mean.method
        row = rows.setdefault(name, {"method": name, "protocol": mean.protocol})
        if same or heading not in row:
            row[heading] = mean.value
            row[PUBLISHED] = "; ".join(dict.fromkeys([*_sources(row), mean.source]))
        if same:
            ranked.setdefault(heading, set()).add(name)
    if not rows:
        return frame
    first = frame.iloc[0]
    common = "dataset", "task", "ranked_by", "front_by", "expected"
    shared = {name: first[name] for name in common}
    blank = {"tie": "", "missing": "", "undefined": "", "n": 0, "complete": False}
    blank |= {"other_reference": 0}
    added = pd.DataFrame([{**shared, **blank, **row} for row in rows.values()])
    whole = pd.concat([frame.assign(**{PUBLISHED: ""}), added], ignore_index=True)
    whole = whole.astype({name: frame[name].dtype for name in frame.columns if name in _KEPT})
    for heading, names in ranked.items():
        if columns.ranks(heading):
            _rank(whole, heading, names, columns)
    for one in composites:
        if one.name in signatures:
            ranked[one.name] = _compose(whole, one, signatures, ranked)
            _rank(whole, one.name, ranked[one.name], columns)
    return _ordered(whole, str(first["ranked_by"]), ranked)


def _compose(
    whole: pd.DataFrame,
    one: Composite,
    signatures: Mapping[str, Keys],
    ranked: Mapping[str, set[str]],
) -> set[str]:
    """Compute a composite score for published methods; return the methods that have one.

    If the formula uses ranks, it is also computed again for the other methods, as published means
    change their ranks.
    """
    published = whole[PUBLISHED].ne("").to_numpy()

    def values(name: str, suffix: str = "") -> Floats:
        heading = one.heading(name, signatures, "the dataset")
        assert heading is not None
        found = whole[f"{heading}{suffix}"].to_numpy(dtype=np.float64, na_value=np.nan)
        same = whole["method"].isin(ranked.get(heading, set())).to_numpy()
        return np.where(published & ~same, np.nan, found)

    found = one.formula.evaluate(values, lambda name: values(name, "_rank"))
    found = np.broadcast_to(found, len(whole))
    changed = published
    if one.formula.ranks:
        changed = np.ones(len(whole), dtype=bool)
        for end in ENDS:
            if f"{one.name}{end}" in whole:
                whole[f"{one.name}{end}"] = np.nan
    whole[one.name] = np.where(changed, found, whole[one.name].to_numpy(dtype=np.float64))
    return set(whole["method"][published & np.isfinite(found)])


_KEPT = ("complete", "n", "expected", "other_reference")


def _sources(row: Mapping[str, object]) -> list[str]:
    return str(row[PUBLISHED]).split("; ") if PUBLISHED in row else []


def _heading(mean: PublishedMean, signatures: Mapping[str, Keys]) -> tuple[str, bool] | None:
    """Return the column of a mean, and whether its protocol is the same."""
    own = {heading: keys for heading, keys in signatures.items() if keys[0] == mean.metric}
    if mean.protocol:
        selector = Selector(mean.metric, f"protocol={mean.protocol}")
        for heading, keys in own.items():
            if selector.fits(*keys):
                return heading, True
    return (next(iter(own)), False) if own else None


def _rank(whole: pd.DataFrame, heading: str, names: set[str], columns: Columns) -> None:
    """Rank the methods of one column again, with the published means."""
    info = columns.info(heading)
    kinds = (f"{heading}_compared", f"{heading}_distance", heading)
    deciding = next(name for name in kinds if name in whole and whole[name].notna().any())
    values = whole[deciding].to_numpy(dtype=np.float64, na_value=np.nan)
    published = whole["method"].isin(names).to_numpy()
    printed = whole[heading].to_numpy(dtype=np.float64, na_value=np.nan)
    if info.target is None:
        values = shortfall(np.where(published, printed, values), info)
    else:
        values = np.where(published, shortfall(printed, info), values)
    before = whole[f"{heading}_rank"].notna().to_numpy()
    ranks = competition_ranks(np.where(before | published, values, np.nan))
    whole[f"{heading}_rank"] = pd.Series(ranks, index=whole.index).astype("Int64")


def _ordered(whole: pd.DataFrame, ranked_by: str, ranked: Mapping[str, set[str]]) -> pd.DataFrame:
    """Set ranks and front from the columns, and sort the rows."""
    names = ranked.get(ranked_by, set())
    if names:
        whole["complete"] = whole["complete"] | whole["method"].isin(names)
        whole["rank"] = whole[f"{ranked_by}_rank"]
        for end in ("rank_low", "rank_high"):
            if end in whole:
                whole[end] = pd.Series(np.nan, index=whole.index).astype("Int64")
    axes = [f"{name}_rank" for name in str(whole["front_by"].iloc[0]).split(", ") if name]
    if len(axes) == 2 and all(name in whole for name in axes):
        ranks = whole[axes].to_numpy(dtype=np.float64, na_value=np.nan)
        there = ~np.isnan(ranks).any(axis=1)
        marks = pd.array([pd.NA] * len(whole), dtype="boolean")
        marks[there] = pareto_front(ranks)[there]
        whole["front"] = marks
    return whole.sort_values(["complete", "rank"], ascending=[False, True], kind="stable")
