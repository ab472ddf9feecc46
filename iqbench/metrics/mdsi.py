"""Mean deviation similarity index."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.metrics._base import THIRD_DIGIT, Column, Maps, Metric, Place, Statistics, Tap
from iqbench.metrics._similarity import averaged_planes, images_of, similarity
from iqbench.metrics._statistics import Mean
from iqbench.metrics._tensors import score_tensors
from iqbench.native import library, loops
from iqbench.networks.gradient import PrewittMagnitude
from iqbench.protocols.presets import Role

__all__ = ["Mdsi", "mdsi"]

LHM = ((0.2989, 0.5870, 0.1140), (0.30, 0.04, -0.35), (0.34, -0.60, 0.17))
C1, C2, C3 = (constant / 255**2 for constant in (140, 55, 550))
ALPHA = 0.6
TAP = Tap(whole=True)


class Mdsi(Metric):
    """MDSI: the deviation of the similarity of gradients and colours over the image.

    Larger images are first averaged to a short side of about 256 pixels. The gradient similarity
    uses L (0.2989 R + 0.587 G + 0.114 B): the similarity of the Prewitt gradients of both images,
    plus the difference of their similarities to the gradient of the fused image. The colour
    similarity is the joint one of H and M (0.3 R + 0.04 G - 0.35 B, 0.34 R - 0.6 G + 0.17 B). Both
    are added with weights 0.6 and 0.4. The value is the fourth root of the mean absolute deviation
    of the fourth root of this sum (which is complex if the sum is negative). Images have zero
    padding. Gray counts as three equal channels.
    """

    name: ClassVar[str] = "mdsi"
    summary: ClassVar[str] = "Mean deviation similarity index"
    citation: ClassVar[str] = "Nafchi et al. 2016, doi:10.1109/ACCESS.2016.2604042"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "perception"

    def columns(self) -> tuple[Column, ...]:
        """Return the one column, ``mdsi``; the deviation needs the mean over the whole image."""
        return (Column("mdsi", "lower", self.summary, (TAP,), headline=True, margin=THIRD_DIGIT),)

    def prepare(self, tap: Tap, reference: Tensor, parameters: Maps) -> tuple[Tensor, ...]:
        """Return L, H and M of the reference, and its gradient."""
        channels = averaged_planes(reference, LHM)
        return channels, _gradient(channels[:, :1])

    def maps(
        self, tap: Tap, reference: tuple[Tensor, ...], output: Tensor, parameters: Maps
    ) -> Maps:
        """Return the deviation from the mean at every position."""
        first, slope = reference
        second = averaged_planes(output, LHM)
        other = _gradient(second[:, :1])
        fused = _gradient((first[:, :1] + second[:, :1]) / 2)
        by_slope = similarity(slope, other, C1) + similarity(other, fused, C2)
        by_slope = by_slope - similarity(slope, fused, C2)
        products = (first[:, 1:] * second[:, 1:]).sum(1, keepdim=True)
        squares = (first[:, 1:].square() + second[:, 1:].square()).sum(1, keepdim=True)
        alike = ALPHA * by_slope + (1 - ALPHA) * (2 * products + C3) / (squares + C3)
        # The fourth root of a negative number is on the diagonal of the complex plane.
        root = safe_sqrt(safe_sqrt(alike.abs()))
        real = torch.where(alike < 0, root * 0.5**0.5, root)
        imaginary = torch.where(alike < 0, real, 0.0)
        parts = torch.cat([real, imaginary], dim=1)
        away = parts - parts.mean((2, 3), keepdim=True)
        return {"deviation": safe_sqrt(away.square().sum(1))}

    def observe(
        self,
        tap: Tap,
        reference: tuple[Tensor, ...],
        output: Tensor,
        parameters: Maps,
        place: Place,
    ) -> Statistics:
        """Return the mean of the map, in two passes if compiled loops are used."""
        if not library.suits(output):
            return super().observe(tap, reference, output, parameters, place)
        first, slope = reference
        second = averaged_planes(output, LHM)
        other, fused = _gradient(second[:, :1]), _gradient((first[:, :1] + second[:, :1]) / 2)
        features = images_of(len(second), first, second, slope[:, 0], other[:, 0], fused[:, 0])
        totals = [_total_deviation(*one) for one in features]
        return {"deviation": Mean(torch.stack(totals), slope[0].numel())}

    def close(self, column: str, means: Maps, parameters: Maps) -> Tensor:
        """Return the fourth root of the mean."""
        return safe_sqrt(safe_sqrt(means["deviation"]))


def _total_deviation(
    first: Tensor, second: Tensor, slope: Tensor, other: Tensor, fused: Tensor
) -> Tensor:
    """Return the sum of the map of one output."""
    constants = torch.tensor([C1, C2, C3, ALPHA], dtype=torch.float32, device="cpu")
    roots, sums = loops.joint_roots((first, second), (slope, other, fused), constants)
    return loops.root_distances(roots, (sums / roots.numel()).float())


def _gradient(plane: Tensor) -> Tensor:
    return PrewittMagnitude().forward(plane)


def mdsi(reference: Tensor, output: Tensor) -> Tensor:
    """Mean deviation similarity index of each image of a batch.

    Parameters
    ----------
    reference, output
        (N, C, H, W) in [0, 1], C 1 or 3; gray counts as three equal channels.

    Returns
    -------
    Tensor
        (N,), 0 for equal images.

    Raises
    ------
    IqbenchError
        If the tensors are not a pair of images.

    Notes
    -----
    Nafchi et al. 2016, doi:10.1109/ACCESS.2016.2604042, as in the authors' script, with the sum of
    both similarities and the mean absolute deviation.
    """
    return score_tensors(Mdsi(), "mdsi", reference, output)
