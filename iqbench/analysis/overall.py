"""Averages over datasets: of ranks, and of means that were made alike; per task and overall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from iqbench.analysis.bootstrap import percentile_interval
from iqbench.analysis.columns import ENDS, column_info, natural, ordered, round_digits, shortfall
from iqbench.analysis.critical import DATASETS, METHODS, critical_difference
from iqbench.analysis.ranking import competition_ranks, tied_groups
from iqbench.analysis.standing import Standing
from iqbench.results.schema import ColumnInfo
from iqbench.results.signature import headings

__all__ = ["overall_of", "rank_table"]

Floats = NDArray[np.float64]

_FRONT = (
    *("scope", "task", "datasets", "ranked_by", "rank", "average_rank", "average_rank_low"),
    *("average_rank_high", "tie", "method", "n", "expected", "complete"),
)


@dataclass(frozen=True)
class _Scope:
    """Datasets that are averaged over, and the methods that are complete on all of them."""

    kind: str
    task: str
    found: Sequence[Standing]

    @property
    def methods(self) -> list[str]:
        """Name the methods that some dataset lists, in natural order."""
        return sorted({name for one in self.found for name in one.rows["method"]}, key=natural)

    @property
    def complete(self) -> list[str]:
        """Name the methods that have a rank on every dataset, in natural order."""
        ranked = [set(one.ranked()) for one in self.found]
        return [name for name in self.methods if all(name in names for names in ranked)]

    @property
    def drawn(self) -> bool:
        """Say whether every dataset has resamples to average over."""
        return all(one.samples is not None for one in self.found)

    def interval(self, samples: Floats) -> tuple[Floats, Floats]:
        """Cut the tails off averages of resamples; none where a dataset has only one image."""
        low, high = percentile_interval(samples)
        enough = all(one.enough for one in self.found)
        return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def overall_of(found: Sequence[Standing], columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    """Average over the datasets of each task, and over all.

    Parameters
    ----------
    found
        The datasets, as `iqbench.analysis.leaderboard.standings` gives them. Those that rank no
        method are left out.
    columns
        Directions and the order of metrics.

    Returns
    -------
    pandas.DataFrame
        One row a scope and method, by rank, with

        - scope (``task`` or ``overall``), task, datasets (how many), ranked_by (the columns that
          rank the datasets);
        - rank, by average_rank: the mean over datasets of the rank among the methods that are
          complete on all of them, where ties have their mean rank; null for the other methods;
        - average_rank_low and average_rank_high: its interval, with the images of each dataset
          drawn anew and the datasets kept; like all intervals, only where the datasets have them;
        - tie: from five datasets and three methods on, a letter that methods share which do not
          differ significantly from the best of their group by Nemenyi's test;
        - n and expected: on how many datasets the method is complete, of how many;
        - for every metric that all datasets have under one signature, the mean over datasets of
          their means, each dataset counting alike, and the ends of its interval.
    """
    ranked = [one for one in found if one.ranked_by is not None]
    tasks = sorted({one.task for one in ranked} - {""}, key=natural)
    scopes = [_Scope("task", task, [one for one in ranked if one.task == task]) for task in tasks]
    if len(ranked) > 1:
        scopes.append(_Scope("overall", "", ranked))
    parts = [_rows(scope, columns) for scope in scopes]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_FRONT))
    ends = {f"{name}{end}" for name in frame.columns for end in ENDS}
    metrics = [name for name in frame.columns if name not in {*_FRONT, *ends}]
    names = [f"{name}{end}" for name in ordered(metrics, columns) for end in ("", *ENDS)]
    return frame[[name for name in (*_FRONT, *names) if name in frame.columns]]


def rank_table(found: Sequence[Standing], columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    """Rank the methods that are complete on all datasets, on each of them.

    Parameters
    ----------
    found
        The datasets; those that rank no method are left out.
    columns
        Directions.

    Returns
    -------
    pandas.DataFrame
        One row a dataset, one column a method, ties have their mean rank.
    """
    scope = _Scope("overall", "", [one for one in found if one.ranked_by is not None])
    ranks = [
        _average_ranks(one, one.means[np.newaxis], scope.complete, columns)[0]
        for one in scope.found
    ]
    names = [one.dataset for one in scope.found]
    return pd.DataFrame(ranks, index=names, columns=scope.complete, dtype=np.float64)


def _average_ranks(
    one: Standing, means: Floats, methods: Sequence[str], columns: Mapping[str, ColumnInfo]
) -> Floats:
    """Rank methods by means of shape (..., methods of the dataset, headings)."""
    assert one.ranked_by is not None
    values = means[:, one.at(methods), one.cube.headings.index(one.ranked_by)]
    distance = shortfall(values, column_info(one.ranked_by, columns))
    return np.asarray(stats.rankdata(distance, axis=1, nan_policy="propagate"), dtype=np.float64)


def _rows(scope: _Scope, columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
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
    averaged = pd.concat([_ranks(scope, columns), _means(scope)], axis=1).reindex(methods)
    rows = pd.concat([rows, averaged.reset_index(drop=True)], axis=1)
    rows["rank"] = rows["rank"].astype("Int64")
    rows["tie"] = rows["tie"].fillna("")
    return rows.sort_values("rank", kind="stable", ignore_index=True)


def _ranks(scope: _Scope, columns: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    methods = scope.complete
    table = rank_table(scope.found, columns)
    average = table.mean().to_numpy()
    rows = pd.DataFrame({"average_rank": average}, index=pd.Index(methods, dtype=object))
    rows["rank"] = competition_ranks(round_digits(average)) if methods else np.empty(0)
    if scope.drawn:
        drawn = [
            _average_ranks(one, one.samples, methods, columns)
            for one in scope.found
            if one.samples is not None
        ]
        low, high = scope.interval(np.mean(drawn, axis=0))
        rows["average_rank_low"], rows["average_rank_high"] = low, high
    rows["tie"] = ""
    if len(scope.found) >= DATASETS and len(methods) >= METHODS:
        p_values = critical_difference(table).p_values
        order = list(p_values.index)

        def compare(best: int, others: Sequence[int]) -> Floats:
            return p_values.iloc[best, list(others)].to_numpy(dtype=np.float64)

        rows.loc[order, "tie"] = tied_groups(len(order), compare)
    return rows


def _means(scope: _Scope) -> pd.DataFrame:
    """Average what all datasets have under one signature, each dataset counting alike."""
    methods = scope.complete
    kinds = [{kind: name for name, kind in one.cube.signatures.items()} for one in scope.found]
    common = [kind for kind in kinds[0] if all(kind in others for others in kinds)]
    heads = headings(common)
    table: dict[str, Floats] = {}
    for kind in common:
        pairs = list(zip(scope.found, (names[kind] for names in kinds), strict=True))
        with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
            table[heads[kind]] = np.mean(
                [_at(one, one.means, methods, name) for one, name in pairs], axis=0
            )
            if scope.drawn:
                drawn = [
                    _at(one, one.samples, methods, name)
                    for one, name in pairs
                    if one.samples is not None
                ]
                ends = scope.interval(np.mean(drawn, axis=0))
                table |= {
                    f"{heads[kind]}{end}": values for end, values in zip(ENDS, ends, strict=True)
                }
    return pd.DataFrame(table, index=pd.Index(methods, dtype=object))


def _at(one: Standing, means: Floats, methods: Sequence[str], heading: str) -> Floats:
    chosen: Floats = means[..., one.at(methods), one.cube.headings.index(heading)]
    return chosen
