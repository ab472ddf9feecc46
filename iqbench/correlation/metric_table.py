"""Scores as one column a metric, and which datasets may be pooled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from iqbench.results.columns import Columns, distance_name
from iqbench.results.read import with_headings

__all__ = ["NO_CORRELATION", "MetricTable", "contents", "metric_table", "with_distances"]

NO_CORRELATION = "one value a set, which has no correlation"
"""Why a column such as FID is shown without numbers."""

_IDENTITY = ["dataset", "method", "image"]


@dataclass(frozen=True)
class MetricTable:
    """One row an image of a method and one column a metric.

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
        Columns that have one value a set, such as FID, and so no correlation.
    """

    values: pd.DataFrame
    pools: list[list[str]]
    references: Mapping[tuple[str, str], str] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    sets: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All metrics, in their order."""
        return [str(name) for name in self.values.columns]

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
    keys = [*_IDENTITY, "column", "signature"]
    headed = scores.assign(column=with_headings(scores, by=["dataset"]))
    headed = headed.loc[headed["value"].notna(), [*keys, "value"]]
    images = headed.groupby(_IDENTITY, observed=True, sort=True)
    index = pd.MultiIndex.from_frame(images.size().index.to_frame(index=False).astype(str))
    column, names = pd.factorize(headed["column"].astype(str))
    values = np.full((len(index), len(names)), np.nan)
    values[images.ngroup().to_numpy(), column] = headed["value"].to_numpy()
    table = pd.DataFrame(values, index=index, columns=names)
    table = with_distances(table[columns.ordered(map(str, names))], columns)
    return MetricTable(table, _pools(headed), columns=columns)


def _pools(headed: pd.DataFrame) -> list[list[str]]:
    """Put each dataset into the first group whose signatures do not contradict its own."""
    used = headed[["dataset", "column", "signature"]].drop_duplicates().astype(str)
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
