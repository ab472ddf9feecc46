"""Leaderboard rows with published means: no intervals, no tests, marked as published."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from iqbench.boards.composites import Composite
from iqbench.boards.headings import ENDS
from iqbench.boards.means import Infinite
from iqbench.boards.order import averaged_info, competition_ranks, ranks_with_means
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
    *,
    by_infinite: Collection[str] = (),
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
    by_infinite
        The headings in which infinite values order the methods, see
        `iqbench.boards.means.ColumnMeans.infinite_first`.

    Returns
    -------
    pandas.DataFrame
        With a column ``published``. If a published mean is ranked, ranks have no intervals. The
        order of the other methods stays, except in composite scores of ranks.

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
            _rank(whole, heading, names, columns, by_infinite=heading in by_infinite)
    for one in composites:
        if one.name in signatures:
            ranked[one.name] = _compose(whole, one, signatures, ranked)
            _rank_scores(whole, one.name, ranked[one.name], columns)
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


def _rank(
    whole: pd.DataFrame, heading: str, names: set[str], columns: Columns, *, by_infinite: bool
) -> None:
    """Rank the published means among the methods of one column."""
    info = columns.info(heading)

    def numbers(suffix: str) -> Floats:
        name = f"{heading}{suffix}"
        if name not in whole:
            return np.full(len(whole), np.nan)
        return np.array(whole[name].to_numpy(dtype=np.float64, na_value=np.nan))

    shown = numbers("") if info.target is None else numbers("_distance")
    deciding = numbers("_compared")
    deciding = np.where(np.isnan(deciding), shown, deciding)
    behind = shortfall(deciding, averaged_info(info))
    above, below = (np.nan_to_num(numbers(f"{sign}_infinite")) for sign in ("", "_minus"))
    bad = Infinite(above.astype(np.intp), below.astype(np.intp)).bad(info)
    published = whole["method"].isin(names).to_numpy()
    ranks = numbers("_rank")
    ranks[~published], ranks[published] = ranks_with_means(
        ranks[~published],
        behind[~published],
        bad[~published],
        shortfall(numbers("")[published], info),
        by_infinite=by_infinite,
    )
    whole[f"{heading}_rank"] = pd.Series(ranks, index=whole.index).astype("Int64")


def _rank_scores(whole: pd.DataFrame, heading: str, names: set[str], columns: Columns) -> None:
    """Rank the methods by a composite score again, with the published ones."""
    scores = whole[heading].to_numpy(dtype=np.float64, na_value=np.nan)
    ranked = whole[f"{heading}_rank"].notna().to_numpy() | whole["method"].isin(names).to_numpy()
    behind = np.where(ranked, shortfall(scores, columns.info(heading)), np.nan)
    ranks = pd.Series(competition_ranks(behind), index=whole.index)
    whole[f"{heading}_rank"] = ranks.astype("Int64")


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
