"""Pictures for a page: a lossless part of the image, and a small thumbnail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from iqbench.document.page import data_uri
from iqbench.images.picture import Picture

__all__ = ["LONGEST", "THUMBNAIL", "Crop", "crop_of", "lossless", "middle_of", "thumbnail"]

LONGEST = 512
"""Longest side in pixels of an image that is shown whole; larger ones are cropped."""

THUMBNAIL = 168
"""Longer side of a thumbnail, in pixels."""

_STRIDE = 16

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Crop:
    """The part of an image that is shown: ``height`` rows from ``top``, ``width`` from ``left``."""

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """Cut this part out of an array whose first two axes are rows and columns."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


def crop_of(reference: Picture, outputs: Sequence[Picture]) -> Crop:
    """Choose the part to show: the whole image, or the window where the outputs are worst.

    Parameters
    ----------
    reference
        The reference, which decides the size.
    outputs
        At least one output.

    Returns
    -------
    Crop
        At most `LONGEST` pixels high and wide: the window with the largest squared error, summed
        over the outputs that have the reference's size.
    """
    height, width = min(reference.height, LONGEST), min(reference.width, LONGEST)
    if (height, width) == (reference.height, reference.width):
        return Crop(0, 0, height, width)
    error = np.zeros((reference.height, reference.width), dtype=np.float32)
    for output in outputs:
        if output.pixels.shape == reference.pixels.shape:
            error += _squared_error(reference, output)
    import cv2

    # Sums over windows are differences of an integral image.
    sums = cv2.integral(error, sdepth=cv2.CV_64F)
    tops = np.arange(0, reference.height - height + 1, _STRIDE)
    lefts = np.arange(0, reference.width - width + 1, _STRIDE)
    rows, columns = np.ix_(tops, lefts)
    windows = (
        sums[rows + height, columns + width]
        - sums[rows, columns + width]
        - sums[rows + height, columns]
        + sums[rows, columns]
    )
    at = np.unravel_index(int(windows.argmax()), windows.shape)
    return Crop(int(tops[at[0]]), int(lefts[at[1]]), height, width)


def middle_of(picture: Picture) -> Crop:
    """Choose the part to show of an output without a reference: all, or a centred window."""
    height, width = min(picture.height, LONGEST), min(picture.width, LONGEST)
    return Crop((picture.height - height) // 2, (picture.width - width) // 2, height, width)


def _squared_error(reference: Picture, output: Picture) -> NDArray[np.float32]:
    seen = [one.pixels / np.float32(one.peak) for one in (reference, output)]
    squared: NDArray[np.float32] = np.square(seen[0] - seen[1]).mean(axis=2)
    return squared


def lossless(pixels: NDArray[np.generic], peak: int | None = None) -> str:
    """Encode pixels as a data URI, lossless after rounding to 8 bits.

    Parameters
    ----------
    pixels
        (H, W, 1 or 3), 8 or 16 bits.
    peak
        The sample value of white; by default the largest of the pixels' type.
    """
    return _webp(_eight_bits(pixels, peak), lossless=True, quality=50, method=2)


def thumbnail(pixels: NDArray[np.generic], peak: int | None = None) -> tuple[str, int, int]:
    """Encode a small version of a whole image.

    Parameters
    ----------
    pixels, peak
        As for `lossless`.

    Returns
    -------
    tuple
        Data URI, width and height.
    """
    import cv2

    whole = _eight_bits(pixels, peak)
    height, width = whole.shape[:2]
    scale = min(1.0, THUMBNAIL / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    return _webp(np.asarray(small, dtype=np.uint8), quality=80, method=4), *size


def _eight_bits(pixels: NDArray[np.generic], peak: int | None) -> Pixels:
    if pixels.dtype == np.uint16:
        share = pixels.astype(np.float32) / np.float32(peak or np.iinfo(np.uint16).max)
        pixels = np.round(share.clip(0, 1) * 255).astype(np.uint8)
    plain = np.asarray(pixels, dtype=np.uint8)
    return plain[..., 0] if plain.ndim == 3 and plain.shape[2] == 1 else plain


def _webp(pixels: Pixels, **options: bool | int) -> str:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "WEBP", **options)
    return data_uri("webp", stream.getvalue())
