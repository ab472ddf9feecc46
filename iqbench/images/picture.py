"""The class of decoded images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from iqbench.forks import cached_property

__all__ = ["Picture", "Pixels"]

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]

_ROWS = 8


@dataclass(frozen=True, eq=False)
class Picture:
    """The stored pixels of an image, with facts about its file.

    Attributes
    ----------
    pixels
        (H, W, C) uint8 or uint16, C 1 (gray) or 3 (RGB, in this order). For a tensor in memory that
        is not rounded, float32 in [0, 1] with peak 1.
    digest
        SHA-256 of the file's bytes (or of the entry inside a container, or of the pixels in
        memory), hexadecimal.
    name
        Its name in messages: the path.
    bytes
        Size of the file.
    peak
        The sample value of white; by default the largest of the pixels' type.
    composited
        Whether the file has transparency, so that the pixels are the image over white.
    noted_bits
        The original number of bits that a file of 16 bits states for its samples, or None.
    orientation
        The EXIF orientation, 1 to 8, that was applied.
    """

    pixels: Pixels
    digest: str
    name: str
    bytes: int
    peak: int = 0
    composited: bool = False
    noted_bits: int | None = None
    orientation: int = 1

    def __post_init__(self) -> None:
        if not self.peak:
            object.__setattr__(self, "peak", (1 << 8 * self.pixels.dtype.itemsize) - 1)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB."""
        return int(self.pixels.shape[2])

    @cached_property
    def is_gray(self) -> bool:
        """Whether it has one channel, or three that are equal everywhere."""
        if self.channels == 1:
            return True
        # Compare a few rows at a time: most colour images have colours in the first ones.
        for start in range(0, self.height, _ROWS):
            rows = self.pixels[start : start + _ROWS]
            if not (rows[..., 1:] == rows[..., :1]).all():
                return False
        return True

    @property
    def bit_depth(self) -> int:
        """Bits per sample: 8, 16, or 32 for floating point."""
        return int(self.pixels.dtype.itemsize) * 8

    @cached_property
    def largest(self) -> int:
        """The largest sample."""
        return int(self.pixels.max())

    @cached_property
    def mean(self) -> float:
        """The mean sample."""
        return float(self.pixels.mean(dtype=np.float64))
