"""Common parts of FSIM, VSI, MDSI and others: downsampling, Scharr's gradient, similarities.

Compiled loops replace a formula if `iqbench.native.library.suits` its tensors; they differ in the
last digits of float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.safe_sqrt import safe_sqrt
from iqbench.native import library, loops
from iqbench.networks.planes import Matrix, block_planes

__all__ = [
    "Features",
    "WeightedSimilarity",
    "averaged_planes",
    "dissimilarity",
    "images_of",
    "mixed",
    "real_power",
    "scharr",
    "similarity",
]

Features: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Weights and slopes, (N, h, w), and two colours, (N, 2, h, w); (N, 0, h, w) for gray."""


def averaged_planes(image: Tensor, rows: Matrix, scale: float = 1.0) -> Tensor:
    """Downsample images to a short side of about 256 pixels, and mix channels.

    This is MATLAB's ``conv2(image, fspecial("average", F), "same")`` at every F-th position, with
    zero padding. Smaller images are not downsampled.

    Parameters
    ----------
    image
        (N, C, H, W); gray counts as three equal channels.
    rows
        The weights of red, green and blue in each plane.
    scale
        A factor for the planes.

    Returns
    -------
    Tensor
        (N, P, h, w).
    """
    factor = max(1, int(min(image.shape[2:]) / 256 + 0.5))  # round halves up, as MATLAB
    return block_planes(image, rows, factor, before=(factor - 1) // 2, scale=scale)


def mixed(rgb: Tensor, rows: Sequence[tuple[float, float, float]]) -> Tensor:
    """Return weighted sums of red, green and blue, one per row of weights."""
    red, green, blue = rgb.unbind(1)
    return torch.stack([r * red + g * green + b * blue for r, g, b in rows], dim=1)


def scharr(plane: Tensor) -> Tensor:
    """Return the length of Scharr's gradient, (N, 1, h, w) to (N, h, w), with zero padding."""
    if library.suits(plane):
        return loops.gradient_lengths(plane[:, 0].contiguous(), "scharr")
    x = F.pad(plane[:, 0], (1, 1, 1, 1))
    squares = None
    for along, other in ((1, 2), (2, 1)):
        first, middle, last = (x.narrow(along, at, x.shape[along] - 2) for at in range(3))
        smooth = torch.add(first, last).mul_(3 / 16).add_(middle, alpha=10 / 16)
        length = smooth.shape[other] - 2
        slope = smooth.narrow(other, 2, length) - smooth.narrow(other, 0, length)
        squares = slope.square() if squares is None else squares.addcmul_(slope, slope)
    assert squares is not None
    return safe_sqrt(squares)


def similarity(first: Tensor, second: Tensor, constant: float, masking: float = 0.0) -> Tensor:
    """Return ((2 - a) x y + c) / (x^2 + y^2 - a x y + c); a is the masking. Equal values give 1."""
    return 1 - dissimilarity(first, second, constant, masking)


def dissimilarity(first: Tensor, second: Tensor, constant: float, masking: float = 0.0) -> Tensor:
    """Return 1 - `similarity` without cancellation: (x - y)^2 / (x^2 + y^2 - a x y + c)."""
    below = torch.addcmul(first.new_tensor(constant), first, first)
    below = torch.addcmul(below, second, second)  # not in place: outputs share one reference
    if masking:
        below.addcmul_(first, second, value=-masking)
    return (first - second).square() / below


def real_power(base: Tensor, exponent: float) -> Tensor:
    """Return the real part of a power, also for a negative base."""
    power = base.abs().clamp_min(torch.finfo(base.dtype).tiny) ** exponent
    return torch.where(base < 0, power * math.cos(math.pi * exponent), power)


def images_of(count: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the contiguous parts of tensors for each image; a single image is repeated."""
    for at in range(count):
        yield tuple(part[at if len(part) > 1 else 0].contiguous() for part in tensors)


@dataclass(frozen=True)
class WeightedSimilarity:
    """The similarity of weights, slopes and colours, averaged with the weights.

    Attributes
    ----------
    weights, slopes, colours
        The constants of the similarities.
    slope_exponent, colour_exponent
        Exponents of the similarity of slopes, and of the product of those of colours.
    """

    weights: float
    slopes: float
    colours: float
    slope_exponent: float
    colour_exponent: float

    def maps(self, first: Features, second: Features) -> tuple[Tensor, Tensor, Tensor]:
        """Return maps of N images.

        Parameters
        ----------
        first, second
            Features of the references, N or 1, and of the outputs, N.

        Returns
        -------
        tuple of Tensor
            (N, h, w) each: the larger weights; their product with the similarity of weights and
            slopes; and the product of this with the similarity of colours.
        """
        weights = torch.maximum(first[0], second[0])
        slopes = similarity(first[1], second[1], self.slopes)
        if self.slope_exponent != 1:
            slopes = slopes**self.slope_exponent
        alike = similarity(first[0], second[0], self.weights) * slopes * weights
        if not second[2].shape[1]:
            return weights, alike, alike
        colours = similarity(first[2], second[2], self.colours).prod(1)
        return weights, alike, alike * real_power(colours, self.colour_exponent)

    def sums(self, first: Features, second: Features) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sums of the maps, (N,) each, in float64 if a compiled loop is used."""
        if not library.suits(second[0]):
            weights, alike, coloured = (values.sum((1, 2)) for values in self.maps(first, second))
            return weights, alike, coloured
        constants = torch.tensor(
            [
                *(self.weights, self.slopes, self.colours, self.slope_exponent),
                *(self.colour_exponent, math.cos(math.pi * self.colour_exponent)),
            ],
            dtype=torch.float32,
            device="cpu",
        )
        found = [
            loops.weighted_sums(
                (w, other_w), (s, other_s), (c, other_c) if len(c) else None, constants
            )
            for w, s, c, other_w, other_s, other_c in images_of(len(second[0]), *first, *second)
        ]
        weights, alike, coloured = torch.stack(found, dim=1)
        return weights, alike, coloured
