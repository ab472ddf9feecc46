"""Gradient magnitude similarity deviation."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._similarity import dissimilarity
from iqbench.metrics._statistics import spread
from iqbench.metrics._tensors import score_tensors

__all__ = ["Gmsd", "gmsd"]

C = 170 / 255**2
TAP = Tap("gradient", "magnitude", normalise=False)


class Gmsd(Metric):
    """GMSD: the standard deviation of the similarity of gradient magnitudes.

    As in the authors' script, luma (0.299 R + 0.587 G + 0.114 B) is averaged over 2x2 to half size.
    The similarity of Prewitt's gradients (with zero padding) is
    (2 g1 g2 + c) / (g1^2 + g2^2 + c) with c = 170 / 255^2 for a peak of 1. The value is its sample
    standard deviation (with n - 1) over all positions.
    """

    name: ClassVar[str] = "gmsd"
    summary: ClassVar[str] = "Gradient magnitude similarity deviation"
    citation: ClassVar[str] = "Xue et al. 2014, doi:10.1109/TIP.2013.2293423"
    symmetric: ClassVar[bool] = True

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``gmsd``."""
        undefined = "the image has a single position"
        return (Column("gmsd", "lower", self.summary, (TAP,), headline=True, undefined=undefined),)

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return mean and spread of one minus the similarity."""
        first, second = reference[0].double(), output.double()
        return {"similarity": spread(dissimilarity(first, second, C))}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the standard deviation."""
        return safe_sqrt(means["similarity"][:, 1])


def gmsd(reference: Tensor, output: Tensor) -> Tensor:
    """GMSD of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3.

    Returns
    -------
    Tensor
        (N,) float64, 0 for equal images; NaN for images of at most 2x2 pixels.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.

    Notes
    -----
    Xue et al. 2014, doi:10.1109/TIP.2013.2293423, with the constant of the authors' script. ``piq``
    divides by n instead of n - 1, so that values differ by a factor sqrt((n - 1) / n).
    """
    return score_tensors(Gmsd(), "gmsd", reference, output)
