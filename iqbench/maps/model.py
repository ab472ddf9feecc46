"""The class of difference maps, without torch."""

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
    """The difference between a reference and an output at each position.

    The mean of its values, without NaN, is the value in tables.

    Attributes
    ----------
    name
        ``absolute-error``, ``tv-aniso``, ``tv-iso``, ``tv-sq``, or the column that is its mean.
    values
        (height, width) float32, one value per pixel of the image after the protocol; NaN where a
        window does not fit.
    low, high
        The default values of the first and the last colour in a picture.
    summary
        A description of the values, and of the part of the image that they cover.
    kind
        ``difference``: 0 means no difference; ``similarity``: 1 means no difference, as for SSIM;
        ``change``: 0 means no difference, and the sign is the direction.
    top, left
        Row and column of the first value in the stored image.
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
        """The mean of the values, without NaN."""
        return float(np.nanmean(self.values, dtype=np.float64))
