"""Filters along the axes of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from torch import Tensor

__all__ = ["block_mean", "filter_axis", "gaussian_weights"]


@cache
def gaussian_weights(size: int, sigma: float) -> tuple[float, ...]:
    """Return the weights of a Gaussian window along one axis; their sum is 1."""
    offsets = (place - (size - 1) / 2 for place in range(size))
    weights = [math.exp(-(offset**2) / (2 * sigma**2)) for offset in offsets]
    return tuple(weight / math.fsum(weights) for weight in weights)


def block_mean(image: Tensor, side: int) -> Tensor:
    """Average adjacent square blocks; incomplete blocks are left out.

    (N, C, H, W) to (N, C, H // side, W // side), as contiguous planes. For channels-last images on
    the CPU, this is four times as fast as ``avg_pool2d``.

    Raises
    ------
    RuntimeError
        If no block fits.
    """
    if side == 1:
        return image
    height, width = (length // side for length in image.shape[2:])
    if not (height and width):
        raise RuntimeError(
            f"a block of {side} does not fit into an image of size {image.shape[2:]}"
        )
    rows = image[:, :, : height * side : side] + image[:, :, 1 : height * side : side]
    for place in range(2, side):
        rows += image[:, :, place : height * side : side]
    rows = rows.contiguous()
    blocks = rows[..., : width * side : side] + rows[..., 1 : width * side : side]
    for place in range(2, side):
        blocks += rows[..., place : width * side : side]
    return blocks.mul_(1 / side**2)


def filter_axis(image: Tensor, weights: Sequence[float], axis: int, *, stride: int = 1) -> Tensor:
    """Filter along an axis without padding, at each position or with a stride.

    It sums one shifted image per weight, on the CPU forty times as fast as a float64 convolution.

    Raises
    ------
    RuntimeError
        If the window does not fit.
    """
    size = image.shape[axis]
    if size < len(weights):
        raise RuntimeError(f"a window of {len(weights)} does not fit into an image of size {size}")
    length = (size - len(weights)) // stride + 1
    index = [slice(None)] * image.ndim

    def shifted(place: int) -> Tensor:
        index[axis] = slice(place, place + (length - 1) * stride + 1, stride)
        return image[tuple(index)]

    filtered = shifted(0) * weights[0]
    for place in range(1, len(weights)):
        filtered.add_(shifted(place), alpha=weights[place])
    return filtered
