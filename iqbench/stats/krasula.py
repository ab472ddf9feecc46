"""Krasula's analysis: how well a metric classifies and orders pairs of images (2016).

L. Krasula, K. Fliegel, P. Le Callet, M. Klima: On the accuracy of objective image and video quality
models: new methodology for performance evaluation, QoMEX 2016, doi:10.1109/QoMEX.2016.7498936.
No curve is fitted, and the analysis accounts for the uncertainty of the opinions: the metric need
not order pairs whose opinions do not differ significantly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from iqbench.stats.arrays import Floats, Indices
from iqbench.stats.bootstrap import SEED
from iqbench.stats.paired import differences

__all__ = ["Krasula", "krasula"]

_PROBABILITY = 0.95  # as in the paper: probability that the opinions of a pair differ in this way
_MOST = 5_000_000  # the largest number of pairs; if there are more, this many are drawn


@dataclass(frozen=True)
class Krasula:
    """The three numbers of the analysis, and the influence of each image.

    Attributes
    ----------
    different_similar
        Area under the curve: the probability that the metric's difference is larger in a pair
        that people find different than in a pair that they find similar. 0.5 is chance.
    better_worse
        Area under the curve over the different pairs: the probability that the metric's difference
        is larger for a better image than for a worse one. Below 0.5 the metric has the wrong sign.
    correct
        Share of the different pairs that the metric orders as people do; equal values are wrong.
    different, similar
        Counts of pairs.
    influence
        (images, 3) of these numbers, see `iqbench.stats.influence`.
    """

    different_similar: float
    better_worse: float
    correct: float
    different: int
    similar: int
    influence: Floats


def krasula(
    quality: Floats, opinion: Floats, deviation: Floats, raters: Floats, *, seed: int = SEED
) -> Krasula:
    """Analyse pairs of images.

    Parameters
    ----------
    quality
        (n,) values of the metric, negated if lower is better.
    opinion
        (n,) mean opinions, higher is better.
    deviation
        (n,) standard deviations of single opinions.
    raters
        (n,) number of opinions per image.
    seed
        The seed of the draw of pairs, if there are too many.

    Returns
    -------
    Krasula
        NaN if there are no different pairs, and ``different_similar`` also if there are no similar
        pairs.
    """
    first, second = _pairs(len(quality), seed)
    seen = opinion[first] - opinion[second]
    error = np.sqrt(deviation**2 / raters)
    margin = norm.ppf(_PROBABILITY) * np.hypot(error[first], error[second])
    different = np.abs(seen) > margin
    measured = differences(quality[first], quality[second])
    images = len(quality)
    apart, alike = np.abs(measured[different]), np.abs(measured[~different])
    right = np.sign(seen[different]) * measured[different]
    influence = np.zeros((images, 3))
    areas = [np.nan, np.nan, np.nan]
    if len(apart) and len(alike):
        of_apart, of_alike = _placed(apart, alike), 1 - _placed(alike, apart)
        areas[0] = float(of_apart.mean())
        part = np.empty(len(measured))
        part[different] = (of_apart - areas[0]) / len(apart)
        part[~different] = (of_alike - areas[0]) / len(alike)
        influence[:, 0] = _of_images(part, first, second, images)
    if len(right):
        placed = _placed(right, -right)
        areas[1:] = [float(placed.mean()), float(np.mean(right > 0))]
        pair = (first[different], second[different], images)
        influence[:, 1] = _of_images(2 * (placed - areas[1]) / len(right), *pair)
        influence[:, 2] = _of_images(((right > 0) - areas[2]) / len(right), *pair)
    return Krasula(areas[0], areas[1], areas[2], len(apart), len(alike), influence)


def _pairs(images: int, seed: int) -> tuple[Indices, Indices]:
    if images * (images - 1) // 2 <= _MOST:
        first, second = np.triu_indices(images, 1)
        return first, second
    generator = np.random.default_rng(seed)
    first = generator.integers(0, images, _MOST)
    second = (first + generator.integers(1, images, _MOST)) % images
    return first, second


def _placed(values: Floats, others: Floats) -> Floats:
    """Return, for each value, the share of the others below it; equal ones count half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left")
    upto = np.searchsorted(ordered, values, side="right")
    shares: Floats = (below + upto) / (2 * len(others))
    return shares


def _of_images(part: NDArray[np.float64], first: Indices, second: Indices, images: int) -> Floats:
    """Sum the contributions of pairs for both of their images."""
    found = np.bincount(first, part, images) + np.bincount(second, part, images)
    return found.astype(np.float64)
