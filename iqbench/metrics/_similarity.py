"""What the indices of Zhang, Nafchi and others share: averaging, Scharr's gradient, similarity."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.metrics.tv import safe_sqrt

__all__ = ["averaged", "mixed", "real_power", "scharr", "similarity"]


def averaged(image: Tensor) -> Tensor:
    """Average images whose short side is longer to a short side of about 256 pixels.

    As MATLAB's ``conv2(image, fspecial("average", F), "same")`` at every F-th position: zeros
    outside the image.
    """
    factor = max(1, int(min(image.shape[2:]) / 256 + 0.5))  # halves up, as MATLAB
    before, after = (factor - 1) // 2, factor // 2
    return F.avg_pool2d(F.pad(image, (before, after, before, after)), factor)


def mixed(rgb: Tensor, rows: Sequence[tuple[float, float, float]]) -> Tensor:
    """Return weighted sums of red, green and blue, one a row of weights."""
    red, green, blue = rgb.unbind(1)
    return torch.stack([r * red + g * green + b * blue for r, g, b in rows], dim=1)


def scharr(plane: Tensor) -> Tensor:
    """Return the length of Scharr's gradient, (N, 1, h, w) to (N, h, w); zeros outside."""
    x = F.pad(plane[:, 0], (1, 1, 1, 1))
    down = 3 * x[:, :-2] + 10 * x[:, 1:-1] + 3 * x[:, 2:]
    across = 3 * x[..., :-2] + 10 * x[..., 1:-1] + 3 * x[..., 2:]
    horizontal = (down[..., 2:] - down[..., :-2]) / 16
    vertical = (across[:, 2:] - across[:, :-2]) / 16
    return safe_sqrt(horizontal.square() + vertical.square())


def similarity(first: Tensor, second: Tensor, constant: float) -> Tensor:
    """Return (2 x y + c) / (x^2 + y^2 + c)."""
    return (2 * first * second + constant) / (first.square() + second.square() + constant)


def real_power(base: Tensor, exponent: float) -> Tensor:
    """Return the real part of a power, also where the base is negative."""
    power = base.abs().clamp_min(torch.finfo(base.dtype).tiny) ** exponent
    return torch.where(base < 0, power * math.cos(math.pi * exponent), power)
