"""Visual information fidelity in the pixel domain."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.images.filters import filter_axis, gaussian_weights
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._statistics import Total
from iqbench.metrics._tensors import score_tensors
from iqbench.networks.vif import WINDOWS

__all__ = ["Vifp", "vifp"]

NOISE = 2.0 / 255**2
"""Variance of the visual noise, for a peak of 1."""
SMALL = 1e-10 / 255**2
SMALLEST = 41
TAPS = tuple(
    Tap("vif", f"scale{scale}", window, normalise=False)
    for scale, window in enumerate(WINDOWS, start=1)
)


class Vifp(Metric):
    """VIFp: the share of the reference's information that the output preserves.

    This is the authors' approximation in the pixel domain (vifp_mscale), with luma (0.299 R +
    0.587 G + 0.114 B) at four scales, moments in Gaussian windows of 17, 9, 5 and 3 pixels (sigma
    is a fifth) on valid positions, and noise of variance 2 for a peak of 255. The value is 1 for
    equal images, and above 1 if contrast is enhanced.
    """

    name: ClassVar[str] = "vifp"
    summary: ClassVar[str] = "Visual information fidelity in the pixel domain"
    citation: ClassVar[str] = "Sheikh and Bovik 2006, doi:10.1109/TIP.2005.859378"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``vifp``."""
        undefined = "the reference is flat"
        return (
            Column(
                "vifp",
                "higher",
                self.summary,
                TAPS,
                headline=True,
                smallest=SMALLEST,
                undefined=undefined,
                margin=THIRD_DIGIT,
            ),
        )

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return the reference, its local mean and variance, in float64."""
        image = reference.double()
        mean = _blurred(image, tap)
        return image, mean, (_blurred(image.square(), tap) - mean.square()).clamp_min(0)

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the information of the output, and that of the reference, at a scale."""
        image, mean, variance = reference
        other = output.double()
        other_mean = _blurred(other, tap)
        other_variance = (_blurred(other.square(), tap) - other_mean.square()).clamp_min(0)
        covariance = _blurred(image * other, tap) - mean * other_mean
        gain = covariance / (variance + SMALL)
        rest = other_variance - gain * covariance
        # If the reference is flat, the whole output is noise; if the output is flat, it has none.
        flat, silent = variance < SMALL, other_variance < SMALL
        rest = torch.where(flat, other_variance, rest)
        variance = torch.where(flat, 0.0, variance)
        gain = torch.where(flat | silent, 0.0, gain)
        rest = torch.where(silent, 0.0, rest)
        rest = torch.where(gain < 0, other_variance, rest).clamp_min(SMALL)
        kept = torch.log10(1 + gain.clamp_min(0).square() * variance / (rest + NOISE))
        there = torch.log10(1 + variance / NOISE)
        return {
            f"output.{tap.layer}": Total(kept.sum((1, 2, 3))),
            f"reference.{tap.layer}": Total(there.sum((1, 2, 3))),
        }

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the ratio of the sums over scales."""
        kept, there = (
            torch.stack([means[f"{which}.{tap.layer}"] for tap in TAPS]).sum(0)
            for which in ("output", "reference")
        )
        return kept / there


def _blurred(image: Tensor, tap: Tap) -> Tensor:
    """Filter with the Gaussian of a scale on valid positions."""
    weights = gaussian_weights(tap.window, tap.window / 5)
    return filter_axis(filter_axis(image, weights, 2), weights, 3)


def vifp(reference: Tensor, output: Tensor) -> Tensor:
    """Visual information fidelity in the pixel domain of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 41x41.

    Returns
    -------
    Tensor
        (N,) float64, 1 for equal images; NaN if the reference is flat.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Sheikh and Bovik 2006, doi:10.1109/TIP.2005.859378, as in the authors' ``vifp_mscale``.
    """
    return score_tensors(Vifp(), "vifp", reference, output)
