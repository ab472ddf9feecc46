"""Images on which methods differ most, or on which metrics disagree most about the methods."""

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
    """Return the images on which methods differ most, or metrics disagree most.

    Parameters
    ----------
    found
        The boards of the datasets.
    top
        How many images of each kind and dataset.

    Returns
    -------
    pandas.DataFrame
        The column ``what`` names the kind of each row. In each kind the extreme image is first,
        and equal ones are sorted by name:

        - ``methods apart``: ``value`` is the difference between the best and the worst method in
          the column that ranks the dataset (for a target, the difference of their distances to
          it); ``metrics`` names the column, ``best`` and ``worst`` name the methods. Infinite
          values are ignored.
        - ``metrics apart``: ``value`` is Kendall's coefficient of concordance W between the
          rankings of the methods by all metrics that have a direction: 1 if all agree, 0 if the
          rankings cancel out; ``metrics`` is the number of these metrics. Only images for which
          at least three methods have all values.
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
    distance = shortfall(one.scores.column(one.ranked_by_images), one.info(one.ranked_by_images))
    distance = np.where(np.isfinite(distance), distance, np.nan)
    several = (~np.isnan(distance)).sum(axis=1) > 1
    gap = np.full(len(distance), np.nan)
    gap[several] = np.nanmax(distance[several], axis=1) - np.nanmin(distance[several], axis=1)
    return [
        {
            "what": METHODS_APART,
            "image": one.scores.images[at],
            "value": gap[at],
            "best": one.scores.methods[int(np.nanargmin(distance[at]))],
            "worst": one.scores.methods[int(np.nanargmax(distance[at]))],
            "metrics": one.ranked_by_images,
        }
        for at in smallest(np.where(gap > 0, -gap, np.nan), top)
    ]


def _metrics_apart(one: DatasetBoard, top: int) -> list[dict[str, Any]]:
    scores = one.scores
    names = list(filter(one.columns.ranks, scores.headings))
    if len(names) < 2 or len(scores.methods) < 3:
        return []
    distance = np.stack([shortfall(scores.column(name), one.info(name)) for name in names], axis=2)
    agreement = np.full(len(distance), np.nan)
    # Images that lack the same methods are computed together.
    patterns, pattern = np.unique(~np.isnan(distance).any(axis=2), axis=0, return_inverse=True)
    for number, methods in enumerate(patterns):
        if methods.sum() >= 3:
            images = pattern.ravel() == number
            agreement[images] = concordance(distance[images][:, methods])
    return [
        {
            "what": METRICS_APART,
            "image": scores.images[at],
            "value": agreement[at],
            "best": "",
            "worst": "",
            "metrics": str(len(names)),
        }
        for at in smallest(agreement, top)
    ]


def concordance(values: Floats) -> Floats:
    """Compute Kendall's coefficient of concordance W, corrected for ties.

    Parameters
    ----------
    values
        Shape (images, items, judges), none NaN.

    Returns
    -------
    numpy.ndarray
        Shape (images,): 1 if all judges rank the items equally, 0 if their rankings cancel
        out; NaN if every judge finds all items equal. Kendall and Babington Smith 1939,
        doi:10.1214/aoms/1177732186.
    """
    _, items, judges = values.shape
    ranks = stats.rankdata(values, axis=1)
    total = ranks.sum(axis=2)
    spread = ((total - total.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    # The largest possible sum of squares, given the ties of each judge.
    own = ((ranks - (items + 1) / 2) ** 2).sum(axis=1).sum(axis=1)
    with np.errstate(invalid="ignore"):
        found: Floats = spread / (judges * own)
    return found
