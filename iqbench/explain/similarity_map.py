"""The map of SSIM for any window, range and covariance, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iqbench.images.filters import gaussian_weights
from iqbench.metrics.ssim import C1, C2, SIGMA, SIZES
from iqbench.native import library, loops

__all__ = [
    "VOLUME_WINDOW",
    "LocalMoments",
    "Look",
    "Planes",
    "combine",
    "map_in_strips",
    "similarity_map",
    "size_of",
]

VOLUME_WINDOW = "gaussian 11x11x11"
STRIP = 64
"""So many rows of a map are computed together: their moments stay in the caches."""

Planes: TypeAlias = NDArray[np.float64]


def size_of(shape: str) -> int:
    """Return how many rows a window has: ``gaussian``, ``uniform``, ``uniform 9x9``."""
    named = {str(name): size for name, size in SIZES.items()}
    return named[shape] if shape in named else int(shape.rpartition("x")[2])


class LocalMoments(NamedTuple):
    """The local moments that SSIM needs, (C, h, w) each.

    Attributes
    ----------
    product
        Twice the product of the two local means.
    energy
        The sum of their squares.
    covariance
        Twice the covariance.
    variance
        The sum of both variances.
    """

    product: Planes
    energy: Planes
    covariance: Planes
    variance: Planes


class Look(NamedTuple):
    """Everything that a map of SSIM depends on: the pixels, the window, the range, the covariance.

    And whether a negative product of contrast and structure counts as 0.
    """

    colour: str
    quantise: str
    gray: str
    brightness: str
    prepared: str
    shape: str
    scale: float
    offset: float
    sample: bool
    clipped: bool = False


def _weights(shape: str) -> Sequence[float]:
    """Return the weights of a window along one axis."""
    size = size_of(shape)
    return gaussian_weights(size, SIGMA) if shape.startswith("gaussian") else (1 / size,) * size


def _filter(plane: NDArray[Any], shape: str) -> Planes:
    """Filter with a window at all positions where it fits, in float64."""
    size = size_of(shape)
    if shape.startswith("gaussian"):
        weights = np.array(_weights(shape))
        filtered = cv2.sepFilter2D(plane, cv2.CV_64F, weights, weights)
    else:
        filtered = cv2.boxFilter(plane, cv2.CV_64F, (size, size))
    reach = size // 2
    return np.asarray(filtered[reach:-reach, reach:-reach], dtype=np.float64)


def _moments(reference: Tensor, output: Tensor, shape: str) -> LocalMoments:
    """Return local moments at all positions where the window fits."""
    channels, height, width = reference.shape[1:]
    reach = size_of(shape) - 1
    found = LocalMoments(*(np.empty((channels, height - reach, width - reach)) for _ in range(4)))
    first, second = (image[0].double().numpy() for image in (reference, output))
    read = [first, second, first * second, first * first + second * second]
    if shape == VOLUME_WINDOW:
        mix = _mix(channels)
        read = [np.tensordot(mix, planes, axes=1) for planes in read]
    for channel, planes in enumerate(zip(*read, strict=True)):
        product, energy, covariance, variance = (moment[channel] for moment in found)
        mean, other, mixed, squares = (_filter(plane, shape) for plane in planes)
        np.multiply(mean, other, out=product)
        np.multiply(product, 2, out=product)
        np.multiply(mean, mean, out=energy)
        energy += np.multiply(other, other, out=other)
        np.multiply(mixed, 2, out=covariance)
        covariance -= product
        np.subtract(squares, energy, out=variance)
    return found


def _mix(channels: int) -> Planes:
    """Return the weights of a window that is as wide in the channels as in space, (C, C).

    The edges are replicated in the channels, too, and so far that each filtered channel is a
    weighted sum of all.
    """
    weights = np.array(_weights(VOLUME_WINDOW))
    reach = len(weights) // 2
    mix = np.zeros((channels, channels))
    for channel in range(channels):
        read = np.clip(np.arange(channel - reach, channel + reach + 1), 0, channels - 1)
        np.add.at(mix[channel], read, weights)
    return mix


def similarity_map(reference: Tensor, output: Tensor, look: Look) -> Planes:
    """Return the map of pixels a x + b, summed over the channels.

    Moments of a x are those of x times a^2. Instead, the constants are divided by a^2.
    """
    size = size_of(look.shape) ** 2
    sample = size / (size - 1) if look.sample else 1.0
    c1, c2 = C1 / look.scale**2, C2 / look.scale**2
    offset = look.offset / look.scale
    floor = 0.0 if look.clipped else -math.inf
    compiled = look.shape != VOLUME_WINDOW and size_of(look.shape) in loops.WINDOWS
    if not (compiled and library.suits(reference, output)):
        return map_in_strips(reference, output, look.shape, (c1, c2 / sample, offset, floor))
    weights = [*_weights(look.shape), sample, c1, c2, floor]
    window = torch.tensor(weights, dtype=torch.float64, device="cpu")
    images = (image[0] + offset if offset else image[0] for image in (reference, output))
    maps = [
        loops.similarity_map(first.unsqueeze(-1), second.unsqueeze(-1), window, size_of(look.shape))
        for first, second in zip(*images, strict=True)
    ]
    return reduce(Tensor.add_, maps).numpy()


def map_in_strips(
    reference: Tensor, output: Tensor, shape: str, constants: tuple[float, float, float, float]
) -> Planes:
    """Compute the map with OpenCV, some rows at a time."""
    reach = size_of(shape) - 1
    parts = []
    for top in range(0, reference.shape[2] - reach, STRIP):
        rows = slice(top, top + STRIP + reach)
        moments = _moments(reference[:, :, rows], output[:, :, rows], shape)
        parts.append(combine(moments, *constants))
    return np.concatenate(parts)


def combine(moments: LocalMoments, c1: float, c2: float, offset: float, floor: float) -> Planes:
    """Turn moments into the map; the arrays of the moments are overwritten."""
    product, energy, covariance, variance = moments
    upper, lower = product + c1, energy + c1
    if offset:
        # Means are not negative, so their sum follows from their squares and product.
        added = 2 * offset * np.sqrt(product + energy) + 2 * offset**2
        upper += added
        lower += added
    covariance += c2
    upper *= np.maximum(covariance, floor, out=covariance)
    variance += c2
    lower *= variance
    upper /= lower
    return np.asarray(upper.sum(0))
