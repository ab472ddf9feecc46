"""The description of a metric's columns, for code that imports no metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["ColumnMap", "ColumnRole", "DifferenceKind", "Margin", "Tolerance", "gap_of_values"]

ColumnRole = Literal["fidelity", "perception", "naturalness", "set", "statistic", "cost"]
"""What a number tells: closeness to the reference, likeness to the eye, natural looks, likeness of
two sets, a property of the image that is not a quality by itself, or what the output costs."""

DifferenceKind = Literal["difference", "similarity", "change"]
"""Which values of a map mean no difference: 0; 1, as of SSIM; or 0, with a sign that tells in which
direction the output differs."""

_Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Margin:
    """How far a value has to move to count.

    Parameters
    ----------
    value
        Not negative, finite: in the metric's own unit, or a share of the baseline's value, which
        is the mean over images or, of an image margin, that of the image.
    relative
        Whether it is a share: 0.01 is one per cent.
    reason
        Why a default is what it is.
    """

    value: float
    relative: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.value) and self.value >= 0):
            raise ValueError(f"no such margin: {self.value}")

    def of(self, value: float) -> float:
        """Give the margin in the metric's unit, for a baseline of this finite value."""
        return self.value * abs(value) if self.relative else self.value

    def of_each(self, values: _Floats, mean: float, margin: float) -> _Floats:
        """Give the image margin of each image.

        Parameters
        ----------
        values
            The baseline's values, shape (n,).
        mean
            Of the finite ones.
        margin
            Of the mean, in the metric's unit.

        Returns
        -------
        numpy.ndarray
            In the metric's unit, shape (n,). A share of a tiny value would be passed by noise: it
            is raised to the margin of the mean, but not above what this share gives for the mean.
        """
        if not self.relative:
            return np.full(values.shape, self.value)
        shares = self.value * np.abs(np.where(np.isfinite(values), values, mean))
        return np.maximum(shares, min(margin, self.of(mean)))

    def __str__(self) -> str:
        return f"{100 * self.value:g} %" if self.relative else f"{self.value:g}"


@dataclass(frozen=True)
class Tolerance:
    """How far a value may be from that of an independent implementation in float64.

    Parameters
    ----------
    limit
        The largest deviation allowed.
    relative
        Whether the deviation is divided by the right value.
    unit
        Of the deviation.
    reason
        Where deviations come from, and what this limit tells from them.
    """

    limit: float
    relative: bool = False
    unit: str = ""
    reason: str = ""

    def deviation(self, value: float, right: float) -> float:
        """Measure how far a value is from the right one."""
        return abs(value - right) / (abs(right) if self.relative else 1.0)


_SAME = 1e-5
"""How far apart two computations of one value may be, as a share of it: sums in another order."""


def gap_of_values(
    stored: float | None, computed: float | None, tolerance: Tolerance | None, decimals: int
) -> float:
    """Measure how far apart two computations of one value are, in what is allowed.

    Parameters
    ----------
    stored, computed
        The two; None where there is no value.
    tolerance
        Of the metric; None if it states none.
    decimals
        That tables show: less than half of the last one is not a difference.

    Returns
    -------
    float
        Up to 1 for values that are equal as far as machines differ; infinite where only one is
        there, or only one is finite.
    """
    if stored == computed:
        return 0.0
    if stored is None or computed is None or not np.isfinite([stored, computed]).all():
        return float("inf")
    allowed = max(_SAME * abs(computed), 0.5 * 10.0**-decimals)
    if tolerance is not None:
        allowed = max(allowed, tolerance.limit * (abs(computed) if tolerance.relative else 1.0))
    return abs(stored - computed) / allowed


@dataclass(frozen=True)
class ColumnMap:
    """How the value of a column spreads over the image, where its closing formula is linear.

    Parameters
    ----------
    place
        Where the values of the metric's maps lie: ``centre``, each in the middle of its window (a
        window of one pixel: on that pixel); ``forward``, differences to the next pixel, on the
        first of the two; ``stretch``, a layer's map, stretched over the image.
    kind
        Which values mean no difference.
    """

    place: Literal["centre", "forward", "stretch"]
    kind: DifferenceKind = "difference"
