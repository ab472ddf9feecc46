"""Bootstrap intervals of anything that is smooth in the images, without computing it again.

A coefficient changes, to first order, by the sum of what each image's weight does to it: its
*influence*. A resample draws images with replacement, so the resampled coefficient is the
coefficient plus the influences of the images times how often each was drawn, less one. That is one
matrix product for all coefficients and all resamples, where recomputing them would take a sort for
each (Kendall's tau of 190 pairs of metrics on 20,000 rows, 2,000 times over, takes an hour).

Correlations are resampled on Fisher's scale, where their influence hardly depends on their size,
and deviations are widened by Student's factor for few images. By simulation, intervals cover at
least as well as those of the plain percentile bootstrap (see `docs/correlation.md`).
Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 20 and 21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm, t

from iqbench.stats.arrays import Floats
from iqbench.stats.bootstrap import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    bootstrap_counts,
    percentile_interval,
)

__all__ = [
    "DEFAULT",
    "EQUAL",
    "FEWEST",
    "Bootstrap",
    "Scale",
    "deviations",
    "intervals",
    "two_sided",
]


Scale = Literal["correlation", "share", "positive", "plain"]
"""Where a number lives: [-1, 1], [0, 1], above 0, or anywhere."""

EQUAL = 1e-6
"""Coefficients that are closer than this are equal: two fits of one curve agree to no more."""

FEWEST = 5
"""Images below which no interval is given: the resamples of four are too few kinds."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes
    ----------
    confidence
        How often such an interval holds the value of all images there could be.
    resamples
        How often images are drawn with replacement; 0 for no intervals.
    seed
        Equal seeds draw equal images.
    """

    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    seed: int = SEED


DEFAULT = Bootstrap()


def deviations(influence: Floats, bootstrap: Bootstrap) -> Floats:
    """Say how far each resample is from the value itself.

    Parameters
    ----------
    influence
        (images, numbers): by how much a number grows if an image counts once more. Images that
        have no part in any of the numbers are to be left out.
    bootstrap
        The same one draws the same images, so differences of two calls' deviations are paired.

    Returns
    -------
    ndarray
        (resamples, numbers), widened by sqrt(n / (n - 1)) and by Student's quantile at n - 2
        degrees of freedom over the normal one.
    """
    images = len(influence)
    centred = influence - influence.mean(axis=0)
    counts = bootstrap_counts(images, bootstrap.resamples, bootstrap.seed)
    drawn = [block @ centred for block in counts]
    widened = float(np.sqrt(images / (images - 1))) * _student(images, bootstrap)
    return np.concatenate(drawn) * widened


def intervals(
    values: Floats,
    influence: Floats,
    scale: Scale,
    bootstrap: Bootstrap,
) -> tuple[Floats, Floats]:
    """Give percentile intervals of several numbers over the same images.

    Parameters
    ----------
    values
        (numbers,); NaN where undefined.
    influence
        (images, numbers), see `deviations`.
    scale
        Where the numbers live. Correlations are resampled as atanh, positive numbers as logarithms;
        shares are cut off at 0 and 1.
    bootstrap
        How.

    Returns
    -------
    tuple of ndarray
        Lower and upper ends, (numbers,); NaN without resamples, below `FEWEST` images, and where
        the value is undefined. A correlation of exactly 1 or -1 is its own interval.
    """
    nothing = np.full(len(values), np.nan)
    if bootstrap.resamples == 0 or len(influence) < FEWEST or not len(values):
        return nothing, nothing.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = {
            "correlation": 1 / (1 - values**2),
            "positive": 1 / values,
        }.get(scale, np.ones(len(values)))
    exact = ~np.isfinite(slope)
    spread = deviations(influence * np.where(exact, 0, slope), bootstrap)
    low, high = percentile_interval(spread, bootstrap.confidence)
    ends = [_moved(values, end, scale) for end in (low, high)]
    for end in ends:
        end[exact] = values[exact]
        end[np.isnan(values)] = np.nan
    return ends[0], ends[1]


def two_sided(differences: Floats, spread: Floats, images: int, bootstrap: Bootstrap) -> Floats:
    """Give bootstrap p-values of numbers being zero.

    Resamples on the other side of zero are not counted: their share is no smaller than one of all
    resamples, which a correction for the pairs of a dozen metrics multiplies beyond any level.

    Parameters
    ----------
    differences
        (numbers,).
    spread
        (resamples, numbers) deviations of them.
    images
        How many were drawn from.
    bootstrap
        The one that made the deviations.

    Returns
    -------
    ndarray
        (numbers,): of Student's t, the number over its bootstrap standard error, with images - 2
        degrees of freedom. 1 where the number is below `EQUAL`. Where nothing varies, what as many
        images that all say the same have by a test of signs.
    """
    error = spread.std(axis=0) / _student(images, bootstrap)
    same, exact = np.abs(differences) < EQUAL, error < EQUAL / 1000
    ratio = np.divide(differences, error, out=np.zeros(len(error)), where=~exact)
    p_values: Floats = np.where(exact, 2.0 ** (1 - images), 2 * t.sf(np.abs(ratio), images - 2))
    return np.where(np.isnan(differences), np.nan, np.where(same, 1.0, p_values))


def _student(images: int, bootstrap: Bootstrap) -> float:
    """Return the factor that widens intervals of few images: their deviation is uncertain too."""
    tail = (1 + bootstrap.confidence) / 2
    return float(t.ppf(tail, images - 2) / norm.ppf(tail))


def _moved(values: Floats, by: Floats, scale: Scale) -> Floats:
    if scale == "correlation":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.tanh(np.arctanh(values) + by)
    if scale == "positive":
        return values * np.exp(by)
    moved = values + by
    return np.clip(moved, 0, 1) if scale == "share" else moved
