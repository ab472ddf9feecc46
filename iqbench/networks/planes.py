"""Planes of an image: channels averaged over blocks and mixed."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from iqbench.images.filters import block_mean
from iqbench.native import library, loops

__all__ = ["Matrix", "block_planes"]

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
"""Each row has the weights of red, green and blue in a plane."""


def block_planes(
    image: Tensor,
    matrix: Matrix | None = None,
    factor: int = 1,
    *,
    before: int = 0,
    scale: float = 1.0,
) -> Tensor:
    """Average square blocks, and mix channels.

    Parameters
    ----------
    image
        (N, C, H, W), C 1 or 3, padded with zeros. When channels are mixed, gray counts as three
        equal channels.
    matrix
        The weights; by default the planes are the channels.
    factor
        Side of a block.
    before
        Rows and columns of padding in the first block.
    scale
        A factor for all planes.

    Returns
    -------
    Tensor
        (N, P, ceil(H / factor), ceil(W / factor)).
    """
    high, wide = (-(-side // factor) for side in image.shape[2:])
    if library.suits(image):
        weights = _weights(matrix, scale, image.shape[1])
        last = image.permute(0, 2, 3, 1).contiguous()
        return loops.mixed_means(last, weights, factor, before=before, size=(high, wide))
    below, behind = (
        blocks * factor - before - side
        for blocks, side in zip((high, wide), image.shape[2:], strict=True)
    )
    if before or below or behind:
        image = F.pad(image, (before, behind, before, below))
    image = block_mean(image, factor)
    if scale != 1:
        image = image * scale
    return image if matrix is None else _mixed(image.expand(-1, 3, -1, -1), matrix)


def _mixed(image: Tensor, matrix: Matrix) -> Tensor:
    """Return the weighted sums of channels."""
    first, *others = image.unbind(1)
    planes = []
    for weight, *weights in matrix:
        plane = first * weight
        for channel, other in zip(others, weights, strict=True):
            plane = plane.add(channel, alpha=other)
        planes.append(plane)
    return torch.stack(planes, dim=1)


@lru_cache(maxsize=16)
def _weights(matrix: Matrix | None, scale: float, channels: int) -> Tensor:
    """Return the matrix for this number of channels, float32."""
    if matrix is None:
        return torch.eye(channels, dtype=torch.float32, device="cpu") * scale
    rows = torch.tensor(matrix, dtype=torch.float64, device="cpu") * scale
    return (rows.sum(1, keepdim=True) if channels == 1 else rows).float()
