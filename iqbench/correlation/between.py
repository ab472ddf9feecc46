"""Correlation between metrics: pooled, within datasets, within methods, and within images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.correlation.agreement import ranking_agreement
from iqbench.correlation.metric_table import MetricTable
from iqbench.stats.arrays import Floats, Indices
from iqbench.stats.coefficients import COEFFICIENTS, Associations, associate
from iqbench.stats.influence import DEFAULT, FEWEST, Bootstrap, intervals

__all__ = ["BETWEEN_COLUMNS", "POOLED", "WITHIN_IMAGE", "between_metrics", "matrix"]

BETWEEN_COLUMNS = [
    *("scope", "dataset", "method", "first", "second", "coefficient"),
    *("value", "low", "high", "n", "images", "groups"),
]
POOLED = "pooled"
WITHIN_IMAGE = "within image"

_Found = Mapping[str, tuple[Associations, Indices | int]]
"""By coefficient: its associations, and the number of groups that were averaged."""


def between_metrics(
    table: MetricTable,
    bootstrap: Bootstrap = DEFAULT,
) -> pd.DataFrame:
    """Correlate all pairs of metrics.

    Parameters
    ----------
    table
        The scores, from `iqbench.correlation.metric_table.metric_table`.
    bootstrap
        Options of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per scope, pair of metrics and coefficient (pearson, spearman, kendall): value,
        ends low and high of its bootstrap interval over images, n (rows), images (resampled) and
        groups. Pairs without a common row are left out. The scopes are

        - ``pooled``: all rows of the datasets of one pool, which are named;
        - ``dataset``, ``method``: the rows of one dataset or one method;
        - ``within dataset``, ``within method``: the mean of these over datasets, or over the
          methods of all datasets;
        - ``within image``: the mean, over images, of Kendall's tau-b between the two metrics'
          values of the methods. Images with one reference are taken as one image.
    """
    values = table.values
    if values.empty:
        return pd.DataFrame(columns=BETWEEN_COLUMNS)
    index = values.index.to_frame(index=False).astype(str)
    index["content"] = table.contents
    numbers = index.groupby(["dataset", "content"], sort=False).ngroup()
    clusters = numbers.to_numpy().astype(np.intp)
    scopes = _Scopes(table, index, clusters, bootstrap)
    ranking = ranking_agreement(values, index["content"])
    parts = [
        *scopes.frames(),
        scopes.frame((WITHIN_IMAGE, "", ""), {"kendall": (ranking, ranking.n)}),
    ]
    return pd.concat(parts, ignore_index=True)[BETWEEN_COLUMNS]


def matrix(between: pd.DataFrame, names: Sequence[str], coefficient: str) -> pd.DataFrame:
    """Arrange a coefficient of one scope as a square matrix.

    Parameters
    ----------
    between
        Rows of `between_metrics`, of one scope and group.
    names
        Metrics, in the order of rows and columns.
    coefficient
        The name of the coefficient.

    Returns
    -------
    pandas.DataFrame
        Symmetric, 1 on the diagonal, NaN where there is no value.
    """
    place = {name: number for number, name in enumerate(names)}
    square = np.eye(len(place))
    square[square == 0] = np.nan
    chosen = between[between["coefficient"] == coefficient]
    for first, second, value in chosen[["first", "second", "value"]].itertuples(index=False):
        if first in place and second in place:
            square[place[first], place[second]] = square[place[second], place[first]] = value
    return pd.DataFrame(square, index=list(names), columns=list(names))


@dataclass(frozen=True)
class _Scopes:
    table: MetricTable
    index: pd.DataFrame
    clusters: Indices
    bootstrap: Bootstrap

    def frames(self) -> Iterator[pd.DataFrame]:
        alone: dict[str, _Found] = {}
        for pool in self.table.pools:
            found = self._associate(self.index["dataset"].isin(pool).to_numpy())
            if len(pool) == 1:
                alone[pool[0]] = found
            yield self.frame((POOLED, " + ".join(pool), ""), found)
        for scope, keys in (("dataset", ["dataset"]), ("method", ["dataset", "method"])):
            average = _Average()
            for names, rows in self.index.groupby(keys, sort=True):
                dataset, method = map(str, (*names, "")[:2])
                if scope == "dataset" and dataset in alone:
                    found = alone[dataset]
                else:
                    mask = np.zeros(len(self.index), dtype=bool)
                    mask[rows.index] = True
                    found = self._associate(mask)
                average.add(found)
                yield self.frame((scope, dataset, method), found)
            yield self.frame((f"within {scope}", "", ""), average.found())

    def _associate(self, mask: np.ndarray) -> _Found:
        images, clusters = np.unique(self.clusters[mask], return_inverse=True)
        values = self.table.values.to_numpy(np.float64)[mask]
        count = int(self.clusters.max()) + 1
        found: dict[str, tuple[Associations, int]] = {}
        for coefficient in COEFFICIENTS:
            part = associate(
                values,
                clusters,
                len(images),
                coefficient,
                influences=self.bootstrap.resamples > 0,
            )
            taking_part = np.zeros((count, len(part.value)), dtype=bool)
            taking_part[images] = part.images
            influence = np.zeros((count, len(part.value)))
            influence[images] = part.influence
            found[coefficient] = (replace(part, images=taking_part, influence=influence), 1)
        return found

    def frame(self, place: tuple[str, str, str], found: _Found) -> pd.DataFrame:
        """Add intervals, and drop pairs without a common row."""
        names = np.array(self.table.names, dtype=object)
        scope, dataset, method = place
        frame = pd.concat(
            pd.DataFrame(
                {
                    **{"scope": scope, "dataset": dataset, "method": method},
                    **{"first": names[one.first], "second": names[one.second]},
                    **{"coefficient": coefficient, "value": one.value, "n": one.n},
                    "groups": groups,
                }
            )
            for coefficient, (one, groups) in found.items()
        )
        influence = np.concatenate([one.influence for one, _ in found.values()], axis=1)
        taking_part = np.concatenate([one.images for one, _ in found.values()], axis=1)
        frame["images"] = taking_part.sum(axis=0)
        enough = frame["images"].to_numpy() >= FEWEST
        frame[["low", "high"]] = np.nan
        frame.loc[enough, ["low", "high"]] = np.stack(
            intervals(
                frame["value"].to_numpy()[enough],
                influence[taking_part.any(axis=1)][:, enough],
                "correlation",
                self.bootstrap,
            ),
            axis=1,
        )
        return frame[frame["n"] > 0]


class _Average:
    """The mean of each pair over the groups in which it is defined, with equal weights.

    Influences are summed group by group, because those of all groups would take gigabytes.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[Associations]] = {}
        self._sums: dict[str, tuple[NDArray[np.bool_], Floats]] = {}

    def add(self, found: _Found) -> None:
        """Add a group."""
        nothing = np.zeros((0, 0))
        for coefficient, (one, _) in found.items():
            bare = replace(one, images=nothing.astype(bool), influence=nothing)
            self._parts.setdefault(coefficient, []).append(bare)
            if coefficient in self._sums:
                images, influence = self._sums[coefficient]
                images |= one.images
                influence += one.influence
            else:
                self._sums[coefficient] = one.images.copy(), one.influence.copy()

    def found(self) -> _Found:
        """Return the means."""
        return {
            coefficient: _mean(parts, *self._sums[coefficient])
            for coefficient, parts in self._parts.items()
        }


def _mean(
    found: Sequence[Associations], images: NDArray[np.bool_], influence: Floats
) -> tuple[Associations, Indices]:
    values = np.stack([one.value for one in found])
    defined = ~np.isnan(values)
    groups: Indices = defined.sum(axis=0)
    share = np.maximum(groups, 1)
    value = np.where(groups > 0, np.where(defined, values, 0).sum(axis=0) / share, np.nan)
    rows = np.stack([one.n for one in found])
    n = np.where(groups > 0, np.where(defined, rows, 0).sum(axis=0), rows.sum(axis=0))
    whole = Associations(found[0].first, found[0].second, value, n, images, influence / share)
    return whole, groups
