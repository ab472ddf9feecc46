"""OpenCV's resize of 8 bits with its default, bilinear without antialiasing, bit by bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["resize_as_opencv"]

ONE = 1 << 11
"""Weights are integers: this many are 1."""

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


def resize_as_opencv(image: Bytes, height: int, width: int) -> Bytes:
    """Return what ``cv2.resize(image, (width, height))`` gives.

    Parameters
    ----------
    image
        (H, W, C) uint8.
    height, width
        Of the result.

    Returns
    -------
    ndarray
        (height, width, C) uint8.

    Notes
    -----
    ``modules/imgproc/src/resize.cpp`` of OpenCV 4: at exactly half the size it averages 2x2 pixels.
    """
    if image.shape[:2] == (2 * height, 2 * width):
        whole = image.astype(np.int64)
        total = whole[::2, ::2] + whole[1::2, ::2] + whole[::2, 1::2] + whole[1::2, 1::2]
        return ((total + 2) >> 2).astype(np.uint8)
    left, right, share = _places(image.shape[1], width)
    # The outermost columns count alone. The outermost rows are weighted with themselves, which
    # rounds another way.
    share = np.where(left == right, 0, share)[:, None]
    rows = image[:, left].astype(np.int64) * (ONE - share) + image[:, right] * share
    upper, lower, share = _places(image.shape[0], height)
    share = share[:, None, None]
    rows >>= 4
    total = ((rows[upper] * (ONE - share)) >> 16) + ((rows[lower] * share) >> 16)
    return ((total + 2) >> 2).astype(np.uint8)


def _places(old: int, new: int) -> tuple[Integers, Integers, Integers]:
    """Return the two pixels that each new one lies between, and the weight of the second."""
    exact = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    first = np.floor(exact).astype(np.int64)
    weight = np.rint((exact - first.astype(np.float32)) * ONE).astype(np.int64)
    return first.clip(0, old - 1), (first + 1).clip(0, old - 1), weight
