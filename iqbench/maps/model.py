"""What a map is. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iqbench.columns import DifferenceKind

__all__ = ["DEFAULT_MAPS", "DifferenceMap"]

DEFAULT_MAPS = (
    "absolute-error",
    "ssim",
    "lpips-alex",
    "perceptual-vgg16-relu2_2-l1",
    "tv-aniso",
)


@dataclass(frozen=True, eq=False)
class DifferenceMap:
    """The difference between a reference and an output at every position.

    The mean of the values that are there is the number that the table has.

    Attributes
    ----------
    name
        ``absolute-error``, ``tv-aniso``, ``tv-iso``, ``tv-sq``, or the column that is its mean.
    values
        (height, width) float32, one a pixel of what the protocol sees of the image; NaN where
        there is none, because a window does not fit.
    low, high
        The values that a picture shows in the first and last colour, unless told otherwise.
    summary
        What the values are, and which part of the image they lie on.
    kind
        ``difference``: 0 is none; ``similarity``: 1 is none, as of SSIM; ``change``: 0 is none,
        and the sign says in which direction.
    top, left
        Row and column of the stored image that the first value lies on.
    """

    name: str
    values: NDArray[np.float32]
    low: float
    high: float
    summary: str
    kind: DifferenceKind = "difference"
    top: int = 0
    left: int = 0

    @property
    def mean(self) -> float:
        """Mean of the values that are there."""
        return float(np.nanmean(self.values, dtype=np.float64))
