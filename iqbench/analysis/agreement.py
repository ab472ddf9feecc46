"""Whether two metrics rank the methods of an image alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iqbench.analysis.coefficients import Associations, Indices
from iqbench.analysis.influence import Floats

__all__ = ["ranking_agreement"]

_BLOCK = 4_000_000  # signs in memory at a time


def ranking_agreement(table: pd.DataFrame, contents: pd.Series) -> Associations:
    """Average Kendall's tau-b over images: of the values of two metrics over the methods of each.

    Parameters
    ----------
    table
        One column a metric, indexed by dataset, method and image.
    contents
        What each row shows, in the same order: the image, or the reference of several images.

    Returns
    -------
    Associations
        Of all pairs of columns; ``n`` counts the images in which tau-b is defined: at least two
        methods have both values, and neither metric gives all of them the same. Values are
        compared as they are, so metrics of opposite directions that agree have a tau of -1.
    """
    columns = table.shape[1]
    first, second = np.triu_indices(columns, 1)
    taus = [
        tau[:, first, second]
        for cube in _cubes(table, contents)
        for tau in map(_taus, np.array_split(cube, max(1, cube.size * cube.shape[1] // _BLOCK)))
    ]
    found = np.concatenate(taus) if taus else np.empty((0, len(first)))
    defined = ~np.isnan(found)
    n: Indices = defined.sum(axis=0)
    share = np.maximum(n, 1)
    value = np.where(n > 0, np.where(defined, found, 0).sum(axis=0) / share, np.nan)
    influence = np.where(defined, found - value, 0) / share
    return Associations(first, second, value, n, defined, influence)


def _cubes(table: pd.DataFrame, contents: pd.Series) -> Iterator[Floats]:
    """Give each dataset as (contents, rows of each, metrics), NaN where one has fewer rows."""
    index = table.index.to_frame(index=False).astype(str)
    values = table.to_numpy(np.float64)
    for _, rows in index.groupby("dataset", sort=True):
        content, names = pd.factorize(contents.to_numpy()[rows.index], sort=True)
        place = pd.Series(content).groupby(content).cumcount().to_numpy()
        cube = np.full((len(names), place.max() + 1, values.shape[1]), np.nan)
        cube[content, place] = values[rows.index]
        yield cube


def _taus(cube: Floats) -> Floats:
    """Tau-b of every content between all metrics: (contents, rows, m) -> (contents, m, m)."""
    first, second = np.triu_indices(cube.shape[1], 1)
    a, b = cube[:, first], cube[:, second]
    # Not the sign of a difference: two infinite values are equal, and NaN compares as neither.
    signs = (a > b).astype(np.float64) - (a < b)
    present: NDArray[np.float64] = (~(np.isnan(a) | np.isnan(b))).astype(np.float64)
    untied = np.abs(signs).transpose(0, 2, 1) @ present
    with np.errstate(divide="ignore", invalid="ignore"):
        taus: Floats = (signs.transpose(0, 2, 1) @ signs) / np.sqrt(
            untied * untied.transpose(0, 2, 1)
        )
    return taus
