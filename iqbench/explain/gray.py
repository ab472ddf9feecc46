"""Convert red, green and blue to gray, in all ways that are in use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import torch
from torch import Tensor

from iqbench.images.colour import FULL, luma_full, luma_studio, weighted_sum
from iqbench.images.rounding import round_half_away

__all__ = ["INTEGER", "to_gray"]

FIXED_POINT = {
    "gray-opencv": ((9798, 19235, 3735), 15),
    "gray-opencv-bgr": ((3735, 19235, 9798), 15),
    "gray-14-bit": ((4899, 9617, 1868), 14),
    "gray-14-bit-bgr": ((1868, 9617, 4899), 14),
    "gray-pillow": ((19595, 38470, 7471), 16),
}
"""Integer weights of red, green and blue, and by how many bits the sum is shifted.

One value in a thousand differs from the rounded luma. A test compares them with OpenCV and Pillow.
"""

MATLAB = (0.298936021293775, 0.587043074451121, 0.114020904255103)
"""MATLAB's ``rgb2gray``: the first row of the inverse of NTSC's matrix, not 0.299, 0.587, 0.114."""

REC709 = (0.2125, 0.7154, 0.0721)
"""scikit-image's ``rgb2gray``; BT.709 itself has 0.2126, 0.7152, 0.0722."""

SHORT = (0.2989, 0.587, 0.114)
"""torchvision's and TensorFlow's ``rgb_to_grayscale``, and many scripts: the sum is 0.9999."""

SRCNN = (64.738 / 256, 129.057 / 256, 25.064 / 256)
"""SRCNN-pytorch has 64.738 where MATLAB's Y has 65.738."""

# In float arithmetic, a luma that is an integer may come out a little less.
INTEGER_TOLERANCE = 2e-5

_BASES: dict[str, Callable[[Tensor], Tensor]] = {
    "luma-studio": luma_studio,
    "luma-full": luma_full,
    "luma-studio-srcnn": lambda image: weighted_sum(image, SRCNN) + 16 / 255,
    "luma-709": lambda image: weighted_sum(image, REC709),
    "luma-2989": lambda image: weighted_sum(image, SHORT),
    "mean-of-channels": lambda image: image.mean(1, keepdim=True),
}
_ROUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "luma-studio": lambda image: luma_studio(image, rounded=True),
    "luma-full": lambda image: luma_full(image, rounded=True),
}


def _fixed_point(levels: Tensor, weights: tuple[float, float, float], bits: int) -> Tensor:
    """Add integer weights up and shift the sum, rounded.

    Up to 2**24 float32 holds every integer, and no sum is larger.
    """
    return torch.floor((weighted_sum(levels, weights) + 2 ** (bits - 1)) / 2**bits)


def _pillow_ycbcr(levels: Tensor) -> Tensor:
    """Round each channel's part to 1/64, and truncate their sum."""
    parts = (
        round_half_away(channel.double() * (64 * weight))
        for channel, weight in zip(levels.unbind(1), FULL, strict=True)
    )
    return torch.floor(reduce(torch.add, parts) / 64).unsqueeze(1)


def _half_to_even(levels: Tensor) -> Tensor:
    """Round as NumPy rounds 0.299 R + 0.587 G + 0.114 B: float errors decide most halves."""
    red, green, blue = levels.double().unbind(1)
    return torch.round(FULL[0] * red + FULL[1] * green + FULL[2] * blue).unsqueeze(1)


_OF_BYTES: dict[str, Callable[[Tensor], Tensor]] = {
    **{
        name: partial(_fixed_point, weights=weights, bits=bits)
        for name, (weights, bits) in FIXED_POINT.items()
    },
    "gray-matlab": lambda levels: round_half_away(weighted_sum(levels, MATLAB)),
    "gray-numpy": _half_to_even,
    "gray-pillow-ycbcr": _pillow_ycbcr,
}
"""Grays of integers of 0 to 255, which are integers too."""

INTEGER = frozenset(
    set(_OF_BYTES)
    | {f"{base}{swap}-rounded" for base in _ROUNDED for swap in ("", "-bgr")}
    | {f"{base}-truncated" for base in _BASES}
)
"""The colours whose values are integers of 0 to 255."""


def to_gray(name: str, image: Tensor) -> Tensor:
    """Make one plane of a colour image.

    Parameters
    ----------
    name
        A key of `iqbench.explain.convention.COLOURS` that names one plane.
    image
        (1, 3, H, W) in [0, 1], red first. An image with one channel is returned unchanged.

    Returns
    -------
    Tensor
        (1, 1, H, W) in [0, 1].
    """
    if image.shape[1] == 1:
        return image
    if name in _OF_BYTES:
        levels = _OF_BYTES[name](round_half_away(image.clamp(0, 1) * 255))
        return (levels / 255).to(image.dtype)
    if "-bgr" in name:
        image, name = image.flip(1), name.replace("-bgr", "")
    base, _, how = name.rpartition("-")
    if how == "rounded":
        return _ROUNDED[base](image)
    if how == "truncated":
        return torch.floor(_BASES[base](image) * 255 + INTEGER_TOLERANCE) / 255
    return _BASES[name](image)
