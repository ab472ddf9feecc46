"""Resizing as in published protocols: MATLAB's ``imresize``, and Pillow's bilinear filter.

Kernels are those of MATLAB: the bicubic one is Keys' cubic with a = -0.5
(doi:10.1109/TASSP.1981.1163711), those of Lanczos are windowed sincs with 2 and 3 lobes. For
shrinking, they are widened by 1/scale. Pixel centres are aligned, and the weights of each output
pixel are normalised to sum 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Edge",
    "Filter",
    "imresize",
    "imresize_uint8",
    "pillow_bilinear_weights",
    "resize_weights",
]

Edge = Literal["replicate", "symmetric"]
Filter = Literal["nearest", "bilinear", "bicubic", "lanczos2", "lanczos3"]
Size = tuple[int, int]


def imresize(
    image: Tensor,
    *,
    scale: float | None = None,
    size: Size | None = None,
    edge: Edge = "replicate",
    antialias: bool = True,
) -> Tensor:
    """Resize floating-point images; the operation is differentiable.

    Parameters
    ----------
    image
        (N, C, H, W), floating point, any range.
    scale
        Factor of both sides; the output is ceil(scale H) by ceil(scale W). Either this or ``size``.
    size
        Rows and columns of the output.
    edge
        The padding: ``"replicate"`` repeats the edge pixel, as in older versions of MATLAB and in
        the LR files of Set5, Set14, BSD100 and Urban100; ``"symmetric"`` mirrors the image, as in
        newer versions.
    antialias
        Whether the kernel is widened when shrinking.

    Returns
    -------
    Tensor
        (N, C, rows, columns), with the dtype and device of the input. Values may exceed the range
        of the input. There is no rounding, unlike in :func:`imresize_uint8`.

    Raises
    ------
    IqbenchError
        If not exactly one of ``scale`` and ``size`` is given, or it is not positive.
    """
    import torch

    targets = _targets((image.shape[2], image.shape[3]), scale, size)
    for axis, (length, factor) in zip((2, 3), targets, strict=True):
        indices, weights = resize_weights(image.shape[axis], length, factor, edge, antialias)
        where = torch.from_numpy(indices.copy()).to(image.device)
        share = torch.from_numpy(weights.copy()).to(image)
        if axis == 2:
            share = share[..., None]
        # Add one tap at a time, so that memory does not depend on the width of the kernel.
        image = sum(
            (
                image.index_select(axis, where[:, tap]) * share[:, tap]
                for tap in range(where.shape[1])
            ),
            start=image.new_zeros(()),
        )
    return image


def imresize_uint8(
    image: NDArray[np.uint8],
    *,
    scale: float | None = None,
    size: Size | None = None,
    edge: Edge = "replicate",
    antialias: bool = True,
    filter: Filter = "bicubic",
) -> NDArray[np.uint8]:
    """Resize 8-bit pixels exactly as MATLAB: rows first, with rounding after both passes.

    Parameters
    ----------
    image
        (H, W, C) uint8.
    scale, size, edge, antialias
        As for :func:`imresize`.
    filter
        The kernel, by MATLAB's name. ``nearest`` is never widened.

    Returns
    -------
    ndarray
        (rows, columns, C) uint8; halves are rounded up, as in MATLAB.

    Raises
    ------
    IqbenchError
        As :func:`imresize`.
    """
    targets = _targets((image.shape[0], image.shape[1]), scale, size)
    for axis, (length, factor) in enumerate(targets):
        indices, weights = resize_weights(
            image.shape[axis], length, factor, edge, antialias, filter=filter
        )
        share = weights[:, :, None, None] if axis == 0 else weights[None, :, :, None]
        total = np.zeros((1, 1, 1))
        for tap in range(indices.shape[1]):
            taken = np.take(image, indices[:, tap], axis=axis)
            total = total + taken * (share[:, tap] if axis == 0 else share[:, :, tap])
        image = np.clip(np.floor(total + 0.5), 0, 255).astype(np.uint8)
    return image


def _targets(shape: Size, scale: float | None, size: Size | None) -> list[tuple[int, float]]:
    """Return the output length and the scale of each axis."""
    if (scale is None) == (size is None):
        raise IqbenchError("resizing needs either a scale or a size", hint="Give one of them")
    if scale is not None:
        if not (math.isfinite(scale) and scale > 0):
            raise IqbenchError(f"resizing by {scale} is impossible: it is not a positive number")
        return [(math.ceil(scale * length), scale) for length in shape]
    assert size is not None
    if min(size) < 1:
        raise IqbenchError(f"resizing to {size} is impossible: it is not positive")
    return [(new, new / old) for new, old in zip(size, shape, strict=True)]


@lru_cache(maxsize=64)
def resize_weights(
    length: int,
    new_length: int,
    scale: float,
    edge: Edge,
    antialias: bool,
    *,
    filter: Filter = "bicubic",
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Compute the input pixels and their weights for each output pixel along one axis.

    Parameters
    ----------
    length, new_length
        Pixels of the input and of the output.
    scale
        Output pixels per input pixel: not always ``new_length / length``.
    edge, antialias, filter
        As for :func:`imresize_uint8`.

    Returns
    -------
    indices
        (new_length, taps) positions in the input.
    weights
        (new_length, taps), each row with sum 1.
    """
    support, kernel = _KERNELS[filter]
    shrink = min(scale, 1.0) if antialias and filter != "nearest" else 1.0
    width = support / shrink
    centres = (np.arange(new_length) + 0.5) / scale - 0.5
    taps = math.ceil(width) + 2
    positions = np.floor(centres - width / 2).astype(np.int64)[:, None] + np.arange(taps)
    weights = shrink * kernel(shrink * (centres[:, None] - positions))
    weights /= weights.sum(axis=1, keepdims=True)
    if edge == "replicate":
        indices = positions.clip(0, length - 1)
    else:
        indices = positions % (2 * length)
        indices = np.where(indices < length, indices, 2 * length - 1 - indices)
    used = np.any(weights != 0, axis=0)
    indices, weights = np.ascontiguousarray(indices[:, used]), weights[:, used]
    indices.flags.writeable = weights.flags.writeable = False  # the cache shares them
    return indices, weights


@lru_cache(maxsize=64)
def pillow_bilinear_weights(
    length: int, new_length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Compute the input pixels and their integer weights for each output pixel along one axis.

    This is Pillow's bilinear filter for 8-bit images: a triangle, widened for shrinking, truncated
    at the edges, in units of 2^-22.

    Parameters
    ----------
    length, new_length
        Pixels of the input and of the output.

    Returns
    -------
    indices
        (new_length, taps) positions in the input.
    weights
        (new_length, taps); 0 for unused positions.
    unit
        The sum of the weights of an output pixel, up to rounding.
    """
    unit = 1 << 22
    scale = length / new_length
    support = max(scale, 1.0)
    centres = (np.arange(new_length) + 0.5) * scale
    first = np.maximum((centres - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centres + support + 0.5).astype(np.int64), length)
    positions = first[:, None] + np.arange((end - first).max())
    triangle = 1 - np.abs((positions - centres[:, None] + 0.5) * (1 / support))
    weights = np.where(positions < end[:, None], triangle.clip(0), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    indices, whole = positions.clip(0, length - 1), (weights * unit + 0.5).astype(np.int64)
    indices.flags.writeable = whole.flags.writeable = False  # the cache shares them
    return indices, whole, unit


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -0.5, which is zero beyond 2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _box(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest pixel; of two equally near ones, the first."""
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return (1 - np.abs(x)).clip(0)


def _lanczos(x: NDArray[np.float64], lobes: int) -> NDArray[np.float64]:
    """A sinc windowed by a wider one, in MATLAB's form, which needs no special case for 0."""
    tiny = np.finfo(np.float64).eps
    above = np.sin(np.pi * x) * np.sin(np.pi * x / lobes) + tiny
    found: NDArray[np.float64] = above / (np.pi**2 * x**2 / lobes + tiny) * (np.abs(x) < lobes)
    return found


_Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_KERNELS: dict[Filter, tuple[int, _Kernel]] = {
    "nearest": (1, _box),
    "bilinear": (2, _triangle),
    "bicubic": (4, _cubic),
    "lanczos2": (4, partial(_lanczos, lobes=2)),
    "lanczos3": (6, partial(_lanczos, lobes=3)),
}
"""By MATLAB's name of a kernel: its width in pixels and its function."""
