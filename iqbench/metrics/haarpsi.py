"""Haar wavelet-based perceptual similarity index."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._similarity import images_of, similarity
from iqbench.metrics._statistics import Total
from iqbench.metrics._tensors import score_tensors
from iqbench.native import library, loops
from iqbench.protocols.presets import Role

__all__ = ["Haarpsi", "haarpsi"]

C = 30 / 255**2
ALPHA = 4.2
TAP = Tap("haar", "coefficients", normalise=False)
STATISTICS = ("weighted", "weights")
SMALLEST = 16


class Haarpsi(Metric):
    """HaarPSI: the similarity of small Haar wavelet coefficients, weighted by large ones.

    Images are converted to YIQ at half size (mean over 2x2), with zero padding. In the vertical and
    in the horizontal direction, it computes the mean similarity (2 x y + C) / (x^2 + y^2 + C) of
    the wavelets of 2 and 4 pixels of Y; the weight is the larger coefficient of both images with 8
    pixels. For colour images, there is a third similarity, of the means over 2x2 of I and Q, with
    the mean of both weights. C = 30 for a peak of 255. The weighted mean of sigmoid(4.2 s) is
    transformed back and squared.
    """

    name: ClassVar[str] = "haarpsi"
    summary: ClassVar[str] = "Haar wavelet-based perceptual similarity index"
    citation: ClassVar[str] = "Reisenhofer et al. 2018, doi:10.1016/j.image.2017.11.001"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "perception"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``haarpsi``."""
        undefined = "both images are black"
        return (
            Column(
                "haarpsi",
                "higher",
                self.summary,
                (TAP,),
                headline=True,
                smallest=SMALLEST,
                undefined=undefined,
                margin=THIRD_DIGIT,
            ),
        )

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the weighted similarity, and the weights."""
        first, second = reference[0], output
        if library.suits(second):
            constants = torch.tensor([C, ALPHA], dtype=torch.float32, device="cpu")
            found = [
                loops.haar_sums(one, other, constants)
                for one, other in images_of(len(second), first, second)
            ]
            return {
                name: Total(total)
                for name, total in zip(STATISTICS, torch.stack(found, dim=1), strict=True)
            }
        similar = similarity(first, second, C)
        weights = torch.maximum(first[:, 4:6], second[:, 4:6])
        alike = (similar[:, 0:2] + similar[:, 2:4]) / 2
        if output.shape[1] > 6:
            of_colour = similar[:, 6:].mean(1, keepdim=True)
            alike = torch.cat([alike, of_colour], dim=1)
            weights = torch.cat([weights, weights.mean(1, keepdim=True)], dim=1)
        weighted = torch.sigmoid(ALPHA * alike) * weights
        return {
            name: Total(values.double().sum((1, 2, 3)))
            for name, values in zip(STATISTICS, (weighted, weights), strict=True)
        }

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Transform the weighted mean back."""
        return (torch.logit(means["weighted"] / means["weights"]) / ALPHA).square()


def haarpsi(reference: Tensor, output: Tensor) -> Tensor:
    """Haar wavelet-based perceptual similarity index of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3, at least 16x16. Gray images have no similarity of colours.

    Returns
    -------
    Tensor
        (N,) float64, 1 for equal images; NaN if both are black.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images, or are too small.

    Notes
    -----
    Reisenhofer et al. 2018, doi:10.1016/j.image.2017.11.001, as in the authors' code. ``piq`` uses
    other rounded coefficients for I and Q, so that colour images differ by about 1e-5.
    """
    return score_tensors(Haarpsi(), "haarpsi", reference, output)
