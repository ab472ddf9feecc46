"""Gaps between total variation and perceptual distance: methods that change one, not the other.

The two have no common unit, so ranks are compared. On every image, the methods get two places
between 0 (nearest to the reference) and 1 (farthest): one by their change of total variation, one
by perceptual distance. The gap of a method is the difference of its two places, averaged over
images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from iqbench.correlation.metric_table import contents
from iqbench.stats.arrays import Floats
from iqbench.stats.coefficients import clustered
from iqbench.stats.influence import DEFAULT, Bootstrap, intervals

__all__ = ["ALL_PERCEPTUAL", "GAP_COLUMNS", "variation_gaps", "variation_names"]

ALL_PERCEPTUAL = "all perceptual"
GAP_COLUMNS = [
    *("dataset", "by", "group", "variation", "perceptual"),
    *("variation_place", "perceptual_place", "value", "low", "high"),
    *("variation_mean", "perceptual_mean", "n", "images"),
]


def variation_names(names: Sequence[str]) -> list[str]:
    """Return the metrics that measure the change of total variation (0 for no change)."""
    return [name for name in names if name.startswith(("|tv-ratio", "tv-residual"))]


def variation_gaps(
    values: pd.DataFrame,
    perceptual: Sequence[str],
    distortion: pd.Series | None = None,
    bootstrap: Bootstrap = DEFAULT,
    references: Mapping[tuple[str, str], str] | None = None,
) -> pd.DataFrame:
    """Compare total variation and perceptual distance of each method or distortion.

    Parameters
    ----------
    values
        One column per metric, indexed by dataset, method and image: `MetricTable.values`.
    perceptual
        Names of the perceptual distances among the columns.
    distortion
        Kind of each row's distortion, if the dataset has it; same index.
    bootstrap
        Options of the intervals.
    references
        As `MetricTable.references`.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, group, variation and perceptual column, and one for the mean of all
        perceptual columns. ``by`` is ``method``, with places among the methods of an image; or
        ``distortion``, with places among all images of the dataset. ``value`` is the gap, the
        perceptual place minus that of the variation: above 0, the group changes perceptual
        distance more than total variation. Means are means of the metrics' values. Images without
        places (one method, or all methods equal) are left out.
    """
    names = [str(name) for name in values.columns]
    frames = [
        _gaps(rows, by, variation, perceptual, bootstrap)
        for rows, by in _datasets(values, distortion, references or {})
        for variation in variation_names(names)
        if perceptual
    ]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=GAP_COLUMNS)
    return pd.concat(frames, ignore_index=True)[GAP_COLUMNS]


def _datasets(
    values: pd.DataFrame,
    distortion: pd.Series | None,
    references: Mapping[tuple[str, str], str],
) -> Iterator[tuple[pd.DataFrame, str]]:
    """Return each dataset with columns ``block`` (rows that are ranked together) and ``group``."""
    rows = values.reset_index()
    rows[["dataset", "method", "image"]] = rows[["dataset", "method", "image"]].astype(str)
    rows["content"] = contents(rows, references)
    kinds = None if distortion is None else distortion.reindex(values.index).to_numpy()
    for _, part in rows.groupby("dataset", sort=True):
        if part["method"].nunique() > 1:
            yield part.assign(block=part["image"], group=part["method"]), "method"
        if kinds is not None:
            kind = pd.Series(kinds[part.index], index=part.index)
            if kind.nunique() > 1:
                known = part[kind.notna()]
                yield known.assign(block="", group=kind[kind.notna()].astype(str)), "distortion"


def _gaps(
    rows: pd.DataFrame, by: str, variation: str, perceptual: Sequence[str], bootstrap: Bootstrap
) -> pd.DataFrame:
    known = [name for name in perceptual if rows[name].notna().any()]
    rows = rows.dropna(subset=[variation, *known])
    names = [variation, *known]
    places = _places(rows, names)
    kept = places.notna().all(axis=1)
    rows, places = rows[kept], places[kept]
    if rows.empty or not known:
        return pd.DataFrame(columns=GAP_COLUMNS)
    places[ALL_PERCEPTUAL] = places[known].mean(axis=1)
    columns = [*known, ALL_PERCEPTUAL]
    gaps = places[columns].sub(places[variation], axis=0).to_numpy()
    clusters = pd.factorize(rows["content"])[0]
    found = []
    for group, part in rows.groupby("group", sort=True):
        at = rows.index.get_indexer(part.index)
        low, high = _interval(gaps[at], clusters[at], bootstrap)
        own = places.loc[part.index]
        found.append(
            pd.DataFrame(
                {
                    **{"dataset": str(part["dataset"].iloc[0]), "by": by, "group": str(group)},
                    **{"variation": variation, "perceptual": columns},
                    "variation_place": own[variation].mean(),
                    "perceptual_place": own[columns].mean().to_numpy(),
                    **{"value": gaps[at].mean(axis=0), "low": low, "high": high},
                    "variation_mean": part[variation].mean(),
                    "perceptual_mean": part[known].mean().reindex(columns).to_numpy(),
                    **{"n": len(part), "images": part["content"].nunique()},
                }
            )
        )
    return pd.concat(found)


def _places(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Rank rows within their block, from 0 to 1; NaN if all rows of a block are equal."""
    blocks = rows.groupby("block", sort=False)
    sizes = blocks["block"].transform("size")
    places = (blocks[list(names)].rank() - 1).div((sizes - 1).where(sizes > 1), axis=0)
    for name in names:
        places[name] = places[name].where(blocks[name].transform("nunique") > 1)
    return places


def _interval(gaps: Floats, clusters: np.ndarray, bootstrap: Bootstrap) -> tuple[Floats, Floats]:
    images, numbers = np.unique(clusters, return_inverse=True)
    influence = clustered((gaps - gaps.mean(axis=0)) / len(gaps), numbers, len(images))
    return intervals(gaps.mean(axis=0), influence, "plain", bootstrap)
