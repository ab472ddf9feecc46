"""Images on which methods lie furthest apart, or metrics disagree most about the methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from iqbench.boards.dataset_board import DatasetBoard
from iqbench.results.names import natural
from iqbench.stats.arrays import Floats, smallest
from iqbench.stats.gains import shortfall

__all__ = ["METHODS_APART", "METRICS_APART", "concordance", "disputed_images"]

METHODS_APART = "methods apart"
METRICS_APART = "metrics apart"

_NAMES = ("dataset", "what", "image", "value", "best", "worst", "metrics")


def disputed_images(found: Sequence[DatasetBoard], top: int = 3) -> pd.DataFrame:
    """Name the images that tell most about methods and metrics.

    Parameters
    ----------
    found
        The datasets.
    top
        How many images of each kind and dataset.

    Returns
    -------
    pandas.DataFrame
        Rows of two kinds, ``what``, the extreme image first and equal ones by name:

        - ``methods apart``: ``value`` is the distance between the best and the worst method in the
          column that ranks the dataset (of how far from the best value, for a target), which
          ``metrics`` names; ``best`` and ``worst`` name the methods. Infinite values do not count.
        - ``metrics apart``: ``value`` is Kendall's coefficient of concordance W between the
          rankings of the methods by all metrics that have a direction: 1 where all agree, 0 where
          none does; how many metrics these are is in ``metrics``. Only images of which at least
          three methods have all values.
    """
    rows: list[dict[str, Any]] = []
    for one in sorted(found, key=lambda one: natural(one.dataset)):
        facts = {"dataset": one.dataset}
        rows += [facts | row for row in _methods_apart(one, top)]
        rows += [facts | row for row in _metrics_apart(one, top)]
    return pd.DataFrame(rows, columns=list(_NAMES)).astype({"value": float})


def _methods_apart(one: DatasetBoard, top: int) -> list[dict[str, Any]]:
    if one.ranked_by_images is None:
        return []
    distance = shortfall(one.cube.column(one.ranked_by_images), one.info(one.ranked_by_images))
    distance = np.where(np.isfinite(distance), distance, np.nan)
    several = (~np.isnan(distance)).sum(axis=1) > 1
    gap = np.full(len(distance), np.nan)
    gap[several] = np.nanmax(distance[several], axis=1) - np.nanmin(distance[several], axis=1)
    return [
        {
            "what": METHODS_APART,
            "image": one.cube.images[at],
            "value": gap[at],
            "best": one.cube.methods[int(np.nanargmin(distance[at]))],
            "worst": one.cube.methods[int(np.nanargmax(distance[at]))],
            "metrics": one.ranked_by_images,
        }
        for at in smallest(np.where(gap > 0, -gap, np.nan), top)
    ]


def _metrics_apart(one: DatasetBoard, top: int) -> list[dict[str, Any]]:
    cube = one.cube
    names = list(filter(one.columns.ranks, cube.headings))
    if len(names) < 2 or len(cube.methods) < 3:
        return []
    distance = np.stack([shortfall(cube.column(name), one.info(name)) for name in names], axis=2)
    agreement = np.full(len(distance), np.nan)
    # Images that lack the same methods are done at once.
    patterns, pattern = np.unique(~np.isnan(distance).any(axis=2), axis=0, return_inverse=True)
    for number, methods in enumerate(patterns):
        if methods.sum() >= 3:
            images = pattern.ravel() == number
            agreement[images] = concordance(distance[images][:, methods])
    return [
        {
            "what": METRICS_APART,
            "image": cube.images[at],
            "value": agreement[at],
            "best": "",
            "worst": "",
            "metrics": str(len(names)),
        }
        for at in smallest(agreement, top)
    ]


def concordance(values: Floats) -> Floats:
    """Give Kendall's coefficient of concordance W, corrected for ties.

    Parameters
    ----------
    values
        Shape (images, items, judges), none NaN.

    Returns
    -------
    numpy.ndarray
        Shape (images,): 1 where all judges rank the items alike, 0 where their rankings cancel
        out; NaN where every judge finds all items equal. Kendall and Babington Smith 1939,
        doi:10.1214/aoms/1177732186.
    """
    _, items, judges = values.shape
    ranks = stats.rankdata(values, axis=1)
    total = ranks.sum(axis=2)
    spread = ((total - total.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    # The largest spread that there could be, with each judge's ties as they are.
    own = ((ranks - (items + 1) / 2) ** 2).sum(axis=1).sum(axis=1)
    with np.errstate(invalid="ignore"):
        found: Floats = spread / (judges * own)
    return found
