"""What the indices of Zhang, Nafchi and others share: averaging, Scharr's gradient, similarity."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.filters import block_mean
from iqbench.images.safe_sqrt import safe_sqrt

__all__ = ["averaged", "dissimilarity", "mixed", "real_power", "scharr", "similarity"]


def averaged(image: Tensor) -> Tensor:
    """Average images whose short side is longer to a short side of about 256 pixels.

    As MATLAB's ``conv2(image, fspecial("average", F), "same")`` at every F-th position: zeros
    outside the image.
    """
    factor = max(1, int(min(image.shape[2:]) / 256 + 0.5))  # halves up, as MATLAB
    before = (factor - 1) // 2
    rows, columns = (-(-side // factor) * factor - side - before for side in image.shape[2:])
    if before or rows or columns:
        image = F.pad(image, (before, columns, before, rows))
    return block_mean(image, factor)


def mixed(rgb: Tensor, rows: Sequence[tuple[float, float, float]]) -> Tensor:
    """Return weighted sums of red, green and blue, one a row of weights."""
    red, green, blue = rgb.unbind(1)
    return torch.stack([r * red + g * green + b * blue for r, g, b in rows], dim=1)


def scharr(plane: Tensor) -> Tensor:
    """Return the length of Scharr's gradient, (N, 1, h, w) to (N, h, w); zeros outside."""
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
    """Return ((2 - a) x y + c) / (x^2 + y^2 - a x y + c), 1 of equal values; a is the masking."""
    return 1 - dissimilarity(first, second, constant, masking)


def dissimilarity(first: Tensor, second: Tensor, constant: float, masking: float = 0.0) -> Tensor:
    """Return 1 - `similarity`, with all its digits: (x - y)^2 / (x^2 + y^2 - a x y + c)."""
    below = torch.addcmul(first.new_tensor(constant), first, first).addcmul_(second, second)
    if masking:
        below.addcmul_(first, second, value=-masking)
    return (first - second).square() / below


def real_power(base: Tensor, exponent: float) -> Tensor:
    """Return the real part of a power, also where the base is negative."""
    power = base.abs().clamp_min(torch.finfo(base.dtype).tiny) ** exponent
    return torch.where(base < 0, power * math.cos(math.pi * exponent), power)
