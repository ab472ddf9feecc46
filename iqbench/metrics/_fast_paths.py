"""Fast paths: declarations of what a metric computes, so that devices can compute it faster.

`Metric.fast_path` declares what `observe` computes at a tap. The readers (``iqbench/readers``)
know these kinds, but no metrics. They compute the same statistics with fewer passes over the
images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "PIXEL_SUMS",
    "UNIT_EPSILON",
    "ChannelMoments",
    "FastPath",
    "FeatureMean",
    "PixelMean",
    "SimilarityMean",
]

PIXEL_SUMS = (
    "squared_error",
    *(f"{name}_reference" for name in ("dx", "dx2", "dy", "dy2", "iso")),
    *(f"{name}_output" for name in ("dx", "dx2", "dy", "dy2", "iso")),
    "dx_residual",
    "dy_residual",
)
"""Maps of pixels: (x - y)^2; and for the reference, the output or their difference: |dx|, dx^2,
|dy|, dy^2 and sqrt(dx^2 + dy^2), with forward differences along the rows (dx) and columns (dy)."""

UNIT_EPSILON = 1e-10
"""A constant that is added to the norm over channels before features are divided by it."""


@dataclass(frozen=True)
class PixelMean:
    """The mean of a map of pixels and their neighbours, over positions and channels.

    Attributes
    ----------
    statistic
        One of `PIXEL_SUMS`, which is also the name of the metric's statistic.
    """

    statistic: str

    def __post_init__(self) -> None:
        if self.statistic not in PIXEL_SUMS:
            raise ValueError(f"{self.statistic} is none of {', '.join(PIXEL_SUMS)}")


@dataclass(frozen=True)
class FeatureMean:
    """The mean, over positions, of a distance of features.

    Attributes
    ----------
    statistic
        The name of the metric's statistic.
    distance
        ``absolute`` and ``squared``: the mean over channels too; ``unit``: the weighted sum over
        channels of the squared difference of features at unit length (see `UNIT_EPSILON`).
    weight
        For ``unit``: the name of the metric's parameter with a weight for each channel.
    """

    statistic: str
    distance: Literal["absolute", "squared", "unit"]
    weight: str = ""


@dataclass(frozen=True)
class SimilarityMean:
    """The mean of SSIM, or of its contrast and structure, on valid positions; float64 moments.

    Attributes
    ----------
    statistic
        The name of the metric's statistic; with one statistic per channel, the names are
        ``<statistic>.<channel>``.
    window
        Weights of the separable window along an axis.
    constants
        A factor for the moments, C1, C2, and the smallest contrast times structure.
    part
        ``whole``: luminance, contrast and structure; ``structure``: contrast times structure.
    by_channel
        Whether there is one statistic per channel.
    """

    statistic: str
    window: tuple[float, ...]
    constants: tuple[float, float, float, float]
    part: Literal["whole", "structure"] = "whole"
    by_channel: bool = False


@dataclass(frozen=True)
class ChannelMoments:
    """Means, variances and covariance of every channel, as from `pair_moments`.

    Attributes
    ----------
    statistic
        The name of the metric's statistic.
    """

    statistic: str


FastPath: TypeAlias = PixelMean | FeatureMean | SimilarityMean | ChannelMoments
