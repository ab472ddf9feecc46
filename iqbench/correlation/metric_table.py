"""Scores with one column per metric, and the groups of datasets that may be pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from iqbench.results.columns import Columns, bracketed, distance_name, metric_of
from iqbench.results.names import combinations_of
from iqbench.results.read import with_headings
from iqbench.results.selector import Keys, Selector

__all__ = ["NO_CORRELATION", "MetricTable", "contents", "metric_table", "with_distances"]

NO_CORRELATION = "one value per set, which has no correlation"
"""The reason why a column such as FID is shown without numbers."""

_IDENTITY = ["dataset", "method", "image"]


@dataclass(frozen=True)
class MetricTable:
    """One row per image and method, and one column per metric.

    Attributes
    ----------
    values
        Indexed by dataset, method and image. The heading of a column is its metric, extended by
        the differing fields if a dataset has several signatures of the metric.
    pools
        Groups of datasets. Within a group every column has one signature, so that values of
        different signatures are never combined in one number.
    references
        By dataset and image, the reference of the image, for datasets with several images per
        reference. Images of one reference are resampled together in a bootstrap, and a metric
        ranks them among each other.
    columns
        Descriptions of the metrics; empty if only their names are known.
    sets
        Columns with one value per set, such as FID, which have no correlation.
    keys
        Metrics and signatures of the columns: several if groups of datasets have different ones.
        A column without an entry is selected by its heading.
    """

    values: pd.DataFrame
    pools: list[list[str]]
    references: Mapping[tuple[str, str], str] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    sets: tuple[str, ...] = ()
    keys: Mapping[str, Sequence[Keys]] = field(default_factory=dict)

    def select(self, text: str, among: Sequence[str]) -> list[str]:
        """Return the columns that match a selector, see `iqbench.results.selector`.

        Parameters
        ----------
        text
            A selector, or a heading.
        among
            Headings.
        """
        if text in among:
            return [text]
        selector = Selector.of(text)
        return [
            name
            for name in among
            if any(
                selector.fits(*keys)
                for keys in self.keys.get(name) or [(metric_of(name), bracketed(name))]
            )
        ]

    @property
    def names(self) -> list[str]:
        """The names of all metrics, in their order."""
        return [str(name) for name in self.values.columns]

    @property
    def sources(self) -> dict[str, str]:
        """By name of a distance to a target, the metric that has the target."""
        targets = {name: self.columns.info(name).target for name in self.names}
        return {
            distance_name(name, target): name
            for name, target in targets.items()
            if target is not None
        }

    @property
    def contents(self) -> pd.Series:
        """The content of every row: its reference, or its image if each has its own reference."""
        index = self.values.index.to_frame(index=False).astype(str)
        return contents(index, self.references)


def contents(rows: pd.DataFrame, references: Mapping[tuple[str, str], str]) -> pd.Series:
    """Return the content of each row: its reference or its image.

    Parameters
    ----------
    rows
        A table with columns dataset and image.
    references
        As `MetricTable.references`.
    """
    if not references:
        return rows["image"].astype(str)
    pairs = zip(rows["dataset"].astype(str), rows["image"].astype(str), strict=True)
    return pd.Series([references.get(pair, pair[1]) for pair in pairs], rows.index, dtype=object)


def metric_table(scores: pd.DataFrame, columns: Columns) -> MetricTable:
    """Arrange scores for correlations.

    Parameters
    ----------
    scores
        Long form, from ``iqbench.load_scores``.
    columns
        Descriptions of the metrics, see `with_distances`.

    Returns
    -------
    MetricTable
        Without metrics that have no value.
    """
    valued = scores["value"].notna()
    heads = with_headings(scores, by=["dataset"])
    headed = scores[[*_IDENTITY, "metric", "signature", "value"]].assign(column=heads)
    if not valued.all():
        headed = headed[valued]
    images = headed.groupby(_IDENTITY, observed=True, sort=True)
    index = pd.MultiIndex.from_frame(images.size().index.to_frame(index=False).astype(str))
    column, met = pd.factorize(headed["column"].cat.codes.to_numpy())
    names = headed["column"].cat.categories.take(met)
    values = np.full((len(index), len(names)), np.nan)
    values[images.ngroup().to_numpy(), column] = headed["value"].to_numpy()
    table = pd.DataFrame(values, index=index, columns=names)
    used = combinations_of(headed, ["column", "metric", "signature"])[1]
    keys: dict[str, list[Keys]] = {str(name): [] for name in names}
    for name, metric, signature in used.itertuples(index=False, name=None):
        keys[name].append((metric, signature))
    order = columns.ordered({name: several[0] for name, several in keys.items()})
    table = with_distances(table[order], columns)
    return MetricTable(table, _pools(headed), columns=columns, keys=keys)


def _pools(headed: pd.DataFrame) -> list[list[str]]:
    """Add each dataset to the first group whose signatures do not differ from its own."""
    used = combinations_of(headed, ["dataset", "column", "signature"])[1]
    pools: list[tuple[list[str], dict[str, str]]] = []
    for dataset, rows in used.groupby("dataset", sort=True):
        own = dict(zip(rows["column"], rows["signature"], strict=True))
        for datasets, known in pools:
            if all(known.get(column, text) == text for column, text in own.items()):
                datasets.append(str(dataset))
                known.update(own)
                break
        else:
            pools.append(([str(dataset)], own))
    return [datasets for datasets, _ in pools]


def with_distances(table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Add, for each metric with a target, the distance of each image to the target.

    For ``tv-ratio`` neither higher nor lower is better, so its distance ``|tv-ratio-1|`` is
    correlated with other metrics.
    """
    parts: dict[str, pd.Series] = {}
    for name in table.columns:
        parts[str(name)] = table[name]
        target = columns.info(str(name)).target
        if target is not None:
            parts[distance_name(str(name), target)] = (table[name] - target).abs()
    return pd.DataFrame(parts, index=table.index)
