"""How well a metric tells pairs of images apart as people do (Krasula et al. 2016).

L. Krasula, K. Fliegel, P. Le Callet, M. Klima: On the accuracy of objective image and video quality
models: new methodology for performance evaluation, QoMEX 2016, doi:10.1109/QoMEX.2016.7498936.
A curve is fitted nowhere, and the uncertainty of the opinions is taken into account: pairs whose
opinions differ by chance only are not asked to be ranked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from iqbench.stats.arrays import Floats, Indices
from iqbench.stats.bootstrap import SEED

__all__ = ["Krasula", "krasula"]

_PROBABILITY = 0.95  # as in the paper: that the opinions of a pair differ in the direction seen
_MOST = 5_000_000  # pairs; of more images than have so many, this many pairs are drawn


@dataclass(frozen=True)
class Krasula:
    """The three numbers of the analysis, and what each image contributes.

    Attributes
    ----------
    different_similar
        Area under the curve: how likely the metric's difference is larger in a pair that people
        see as different than in one that they do not. 0.5 is chance.
    better_worse
        Area under the curve, of the different pairs: how likely a difference of the metric is
        larger for a better image than for a worse one. Below 0.5 the metric runs the wrong way.
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
        (n,) values of the metric, turned so that higher is better.
    opinion
        (n,) mean opinions, higher is better.
    deviation
        (n,) standard deviations of single opinions.
    raters
        (n,) how many opinions there are of each image.
    seed
        Of the draw of pairs, where there are too many.

    Returns
    -------
    Krasula
        NaN where there are no different pairs or, for the first, no similar ones.
    """
    first, second = _pairs(len(quality), seed)
    seen = opinion[first] - opinion[second]
    error = np.sqrt(deviation**2 / raters)
    margin = norm.ppf(_PROBABILITY) * np.hypot(error[first], error[second])
    different = np.abs(seen) > margin
    with np.errstate(invalid="ignore"):
        measured = np.nan_to_num(quality[first] - quality[second], nan=0.0, posinf=np.inf)
    measured[np.isneginf(quality[first] - quality[second])] = -np.inf
    images = len(quality)
    apart, alike = np.abs(measured[different]), np.abs(measured[~different])
    right = (np.sign(seen) * measured)[different]
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
    """For every value, the share of the others below it, equal ones counted half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left")
    upto = np.searchsorted(ordered, values, side="right")
    shares: Floats = (below + upto) / (2 * len(others))
    return shares


def _of_images(part: NDArray[np.float64], first: Indices, second: Indices, images: int) -> Floats:
    """Give each image what its pairs contribute: a pair counts as often as both are drawn."""
    found = np.bincount(first, part, images) + np.bincount(second, part, images)
    return found.astype(np.float64)
