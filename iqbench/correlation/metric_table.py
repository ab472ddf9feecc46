"""Scores as one column per metric, and which datasets may be pooled."""

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
"""Why a column such as FID is shown without numbers."""

_IDENTITY = ["dataset", "method", "image"]


@dataclass(frozen=True)
class MetricTable:
    """One row per image of a method and one column per metric.

    Attributes
    ----------
    values
        Indexed by dataset, method and image. A column is headed by its metric, or by what tells it
        apart where a dataset has several signatures of it.
    pools
        Datasets by the group within which every column has one signature: values of different
        signatures never meet in one number.
    references
        By dataset and image, the reference that the image was made from, where a dataset has
        several images of one. What has one reference is drawn together in a bootstrap, and is what
        a metric ranks.
    columns
        How the metrics are read; empty where only their names are known.
    sets
        Columns that have one value per set, such as FID, and so no correlation.
    keys
        Metrics and signatures of the columns: several where datasets that are pooled apart have
        others. Without any, what the heading says.
    """

    values: pd.DataFrame
    pools: list[list[str]]
    references: Mapping[tuple[str, str], str] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    sets: tuple[str, ...] = ()
    keys: Mapping[str, Sequence[Keys]] = field(default_factory=dict)

    def select(self, text: str, among: Sequence[str]) -> list[str]:
        """Name the columns that a selector means, see `iqbench.results.selector`.

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
        """All metrics, in their order."""
        return [str(name) for name in self.values.columns]

    @property
    def sources(self) -> dict[str, str]:
        """Of each distance to a target, the metric that has the target."""
        targets = {name: self.columns.info(name).target for name in self.names}
        return {
            distance_name(name, target): name
            for name, target in targets.items()
            if target is not None
        }

    @property
    def contents(self) -> pd.Series:
        """What every row shows: its reference or, where images have one each, the image."""
        index = self.values.index.to_frame(index=False).astype(str)
        return contents(index, self.references)


def contents(rows: pd.DataFrame, references: Mapping[tuple[str, str], str]) -> pd.Series:
    """Say what each row shows.

    Parameters
    ----------
    rows
        With columns dataset and image.
    references
        As `MetricTable.references`.
    """
    if not references:
        return rows["image"].astype(str)
    pairs = zip(rows["dataset"].astype(str), rows["image"].astype(str), strict=True)
    return pd.Series([references.get(pair, pair[1]) for pair in pairs], rows.index, dtype=object)


def metric_table(scores: pd.DataFrame, columns: Columns) -> MetricTable:
    """Arrange scores for correlation.

    Parameters
    ----------
    scores
        Long form, as ``iqbench.load_scores`` gives them.
    columns
        How metrics are read, see `with_distances`.

    Returns
    -------
    MetricTable
        Without metrics that have no value at all.
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
    """Put each dataset into the first group whose signatures do not contradict its own."""
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
    """Add to each metric that aims at a value how far from it each image is.

    Neither more nor less of ``tv-ratio`` is better, so it is ``|tv-ratio-1|`` that can agree with
    another metric about quality.
    """
    parts: dict[str, pd.Series] = {}
    for name in table.columns:
        parts[str(name)] = table[name]
        target = columns.info(str(name)).target
        if target is not None:
            parts[distance_name(str(name), target)] = (table[name] - target).abs()
    return pd.DataFrame(parts, index=table.index)
