"""Averages over datasets, per task and overall: of ranks, and of means with equal signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from iqbench.boards.critical import DATASETS, METHODS, critical_difference
from iqbench.boards.dataset_board import DatasetBoard
from iqbench.boards.headings import COUNTED, SUFFIXES, metric_columns
from iqbench.boards.means import ColumnMeans, Infinite, MethodMeans, differs
from iqbench.boards.order import (
    averaged_info,
    competition_ranks,
    lexicographic_ranks,
    order_methods,
)
from iqbench.boards.ranking import tied_groups
from iqbench.results.columns import Columns
from iqbench.results.names import natural
from iqbench.results.schema import ColumnInfo
from iqbench.results.signature import headings
from iqbench.stats.arrays import Floats, headroom
from iqbench.stats.gains import round_digits

__all__ = ["overall_of", "rank_table"]


_FRONT = (
    *("scope", "task", "datasets", "ranked_by", "rank", "average_rank", "average_rank_low"),
    *("average_rank_high", "tie", "method", "n", "expected", "complete"),
)


@dataclass(frozen=True)
class _Scope:
    """The datasets of one average, and the methods that are complete on all of them."""

    kind: str
    task: str
    found: Sequence[DatasetBoard]

    @property
    def methods(self) -> list[str]:
        """Return the methods of all datasets, in natural order."""
        return sorted({name for one in self.found for name in one.rows["method"]}, key=natural)

    @property
    def complete(self) -> list[str]:
        """Return the methods that have a rank on every dataset, in natural order."""
        ranked = [set(one.ranked()) for one in self.found]
        return [name for name in self.methods if all(name in names for names in ranked)]

    @property
    def drawn(self) -> bool:
        """Whether every dataset has resamples to average over."""
        return all(one.rank_samples is not None for one in self.found)

    @property
    def certain(self) -> NDArray[np.bool_]:
        """For each complete method, whether it has intervals: one image gives none."""
        return np.full(len(self.complete), all(one.enough for one in self.found))


def overall_of(found: Sequence[DatasetBoard]) -> pd.DataFrame:
    """Average over the datasets of each task, and over all.

    Parameters
    ----------
    found
        The boards of the datasets. Datasets that rank no method are left out.

    Returns
    -------
    pandas.DataFrame
        One row per scope and method, sorted by rank, with

        - scope (``task`` or ``overall``), task, datasets (how many), ranked_by (the columns that
          rank the datasets);
        - average_rank: the mean over datasets of the rank among the methods that are complete on
          all of them, where ties have their mean rank; null for the other methods; and rank, the
          rank by average_rank;
        - average_rank_low and average_rank_high: the interval of average_rank, from resampling
          the images of each dataset and keeping the datasets; only if the datasets have intervals;
        - tie: with at least five datasets and three methods, a letter shared by methods that do
          not differ significantly from the best of their group by Nemenyi's test;
        - n and expected: the number of datasets on which the method is complete, and of all;
        - for every metric that has one signature on all datasets, the columns of
          `iqbench.boards.board.Board.table`: means over datasets of their means, with equal
          weights. The compared mean leaves out a dataset on which a complete method has no
          comparable mean; infinite values are counted over all datasets.
    """
    ranked = [one for one in found if one.ranked_by is not None]
    tasks = sorted({one.task for one in ranked} - {""}, key=natural)
    scopes = [_Scope("task", task, [one for one in ranked if one.task == task]) for task in tasks]
    if len(ranked) > 1:
        scopes.append(_Scope("overall", "", ranked))
    parts = [_rows(scope) for scope in scopes]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_FRONT))
    metrics = metric_columns(frame)
    columns = ranked[0].columns if ranked else Columns()
    known = {name: keys for one in ranked for name, keys in one.signatures.items()}
    shown = columns.ordered({name: known[name] for name in metrics})
    names = [f"{name}{suffix}" for name in shown for suffix in SUFFIXES]
    frame = frame[[name for name in (*_FRONT, *names) if name in frame.columns]]
    return frame.astype(
        {name: "Int64" for name in names if name in frame if name.endswith(COUNTED)}
    )


def rank_table(found: Sequence[DatasetBoard]) -> pd.DataFrame:
    """Rank the methods that are complete on all datasets, on each of them.

    Parameters
    ----------
    found
        The boards of the datasets; datasets that rank no method are left out.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, one column per method; ties have their mean rank. The order of the
        methods on each dataset is that of its own table.
    """
    scope = _Scope("overall", "", [one for one in found if one.ranked_by is not None])
    ranks = [
        _among(one.means[str(one.ranked_by)].ranks[np.newaxis], one, scope.complete)[0]
        for one in scope.found
    ]
    names = [one.dataset for one in scope.found]
    return pd.DataFrame(ranks, index=names, columns=scope.complete, dtype=np.float64)


def _among(ranks: Floats, one: DatasetBoard, methods: Sequence[str]) -> Floats:
    """Rank a subset of methods among themselves, given ranks of shape (..., methods)."""
    chosen = ranks[:, one.at(methods)]
    return np.asarray(stats.rankdata(chosen, axis=1, nan_policy="propagate"), dtype=np.float64)


def _rows(scope: _Scope) -> pd.DataFrame:
    methods, complete = scope.methods, scope.complete
    on = [sum(name in one.ranked() for one in scope.found) for name in methods]
    used = dict.fromkeys(str(one.ranked_by) for one in scope.found)
    rows = pd.DataFrame(
        {
            "scope": scope.kind,
            "task": scope.task,
            "datasets": len(scope.found),
            "ranked_by": ", ".join(used),
            "method": methods,
            "n": on,
            "expected": len(scope.found),
            "complete": [name in complete for name in methods],
        }
    )
    averaged = pd.concat([_ranks(scope), _means(scope)], axis=1).reindex(methods)
    rows = pd.concat([rows, averaged.reset_index(drop=True)], axis=1)
    rows["rank"] = rows["rank"].astype("Int64")
    rows["tie"] = rows["tie"].fillna("")
    return rows.sort_values("rank", kind="stable", ignore_index=True)


def _ranks(scope: _Scope) -> pd.DataFrame:
    methods = scope.complete
    table = rank_table(scope.found)
    average = table.mean().to_numpy()
    rows = pd.DataFrame({"average_rank": average}, index=pd.Index(methods, dtype=object))
    rows["rank"] = competition_ranks(round_digits(average)) if methods else np.empty(0)
    if scope.drawn:
        drawn = [
            _among(one.rank_samples, one, methods)
            for one in scope.found
            if one.rank_samples is not None
        ]
        ends = MethodMeans(average, np.mean(drawn, axis=0), scope.certain).ends()
        assert ends is not None
        rows["average_rank_low"], rows["average_rank_high"] = ends
    rows["tie"] = ""
    if len(scope.found) >= DATASETS and len(methods) >= METHODS:
        p_values = critical_difference(table).p_values
        order = list(p_values.index)

        def compare(best: int, others: Sequence[int]) -> Floats:
            return p_values.iloc[best, list(others)].to_numpy(dtype=np.float64)

        rows.loc[order, "tie"] = tied_groups(len(order), compare)
    return rows


def _means(scope: _Scope) -> pd.DataFrame:
    """Average metrics that have one signature on all datasets; datasets have equal weights."""
    kinds = [{kind: name for name, kind in one.scores.signatures.items()} for one in scope.found]
    common = [kind for kind in kinds[0] if all(kind in others for others in kinds)]
    heads = headings(common)
    table: dict[str, Floats] = {}
    for kind in common:
        found = [one.means[names[kind]] for one, names in zip(scope.found, kinds, strict=True)]
        table |= dict(_average(scope, found, scope.found[0].info(heads[kind])).named(heads[kind]))
    return pd.DataFrame(table, index=pd.Index(scope.complete, dtype=object))


def _average(scope: _Scope, found: Sequence[ColumnMeans], info: ColumnInfo) -> ColumnMeans:
    """Average one column of several datasets."""
    places = [one.at(scope.complete) for one in scope.found]
    mean = _mean_of(scope, [one.mean for one in found], places)
    distances = [one.distance for one in found if one.distance is not None]
    distance = _mean_of(scope, distances, places) if distances else None
    infinite = Infinite.together(
        [one.infinite.at(at) for one, at in zip(found, places, strict=True)]
    )
    deciding = np.stack([_deciding(one, at) for one, at in zip(found, places, strict=True)])
    order = order_methods(deciding, averaged_info(info), np.ones(len(scope.complete), dtype=bool))
    compared = None
    if order.ranked.any() and (
        differs(order, deciding) or any(one.compared is not None for one in found)
    ):
        compared = _mean_of(scope, [one.deciding for one in found], places, order.images)
    ranks = lexicographic_ranks(order.ranks, infinite.bad(info))
    count = order.images.sum(axis=0)
    return ColumnMeans(mean, distance, compared, count, infinite, order.groups, ranks)


def _deciding(one: ColumnMeans, at: Sequence[int]) -> Floats:
    """Return the comparable means of a dataset, NaN for a method without one."""
    values, shown = one.deciding.values[at], (one.distance or one.mean).values[at]
    # A method without a finite value has no comparable mean, but an infinite one.
    values = np.where(np.isnan(values) & np.isinf(shown), shown, values)
    over_other_images = len(np.unique(one.groups[at][np.isfinite(values)])) > 1
    return np.full(len(values), np.nan) if over_other_images else values


def _mean_of(
    scope: _Scope,
    means: Sequence[MethodMeans],
    places: Sequence[Sequence[int]],
    used: NDArray[np.bool_] | None = None,
) -> MethodMeans:
    """Average over the used datasets; by default over those without infinite means."""
    table = np.stack([mean.values[at] for mean, at in zip(means, places, strict=True)])
    every = used is None
    used = ~np.isinf(table) if used is None else used
    values = _over(table, used)
    samples = None
    if scope.drawn:
        drawn = [
            m.samples[:, at] for m, at in zip(means, places, strict=True) if m.samples is not None
        ]
        samples = _over(np.stack(drawn), used[:, np.newaxis])
    if every:
        # A method with infinite means on all datasets gets an infinite average.
        with np.errstate(invalid="ignore"):
            values = np.where(used.any(axis=0), values, table.sum(axis=0))
    return MethodMeans(values, samples, scope.certain)


def _over(table: Floats, used: NDArray[np.bool_]) -> Floats:
    """Average the used entries over the first axis; NaN if none is used."""
    used = np.broadcast_to(used, table.shape)
    count = used.sum(axis=0)
    factor = headroom(table)
    sums = (np.where(used, table, 0.0) * factor).sum(axis=0)
    means: Floats = np.full(sums.shape, np.nan)
    np.divide(sums, count * factor, out=means, where=count > 0)
    return means
