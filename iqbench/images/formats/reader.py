"""Random access to the bytes of a file, and the errors of format readers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iqbench.errors import IqbenchError

__all__ = ["BufferReader", "ByteReader", "ImageHeader", "Samples", "unpack_bits"]

Samples: TypeAlias = NDArray[Any]
"""(H, W, C) uint8 or uint16 as stored: gray, gray and alpha, RGB or RGBA."""


@dataclass(frozen=True)
class ImageHeader:
    """The facts in the header of an image: size and type of the decoded image.

    Attributes
    ----------
    format
        ``"png"``, ``"jpeg"``, ``"bmp"``, ``"tiff"``, ``"webp"``, ``"pnm"``, or
        ``"pixels"`` for an array.
    height, width
        Rows and columns, after the EXIF orientation.
    channels
        1 for gray, 3 for RGB, without alpha.
    bit_depth
        Bits per sample after decoding: 8 or 16.
    has_alpha
        Whether there is transparency of any kind.
    orientation
        The EXIF orientation, 1 to 8, that decoding applies.
    maximum
        The sample value of white if the format states it; 0 for the largest value of the depth.
    noted_bits
        The original number of bits that a file of 16 bits states for its samples, or None.
    """

    format: str
    height: int
    width: int
    channels: int
    bit_depth: int = 8
    has_alpha: bool = False
    orientation: int = 1
    maximum: int = 0
    noted_bits: int | None = None

    @property
    def peak(self) -> int:
        """The sample value of white, as far as the format states it."""
        return self.maximum or (1 << self.bit_depth) - 1

    def oriented(self, orientation: int) -> ImageHeader:
        """Return the header of the image after its orientation is applied."""
        if orientation >= 5:  # 5 to 8 swap rows and columns
            return replace(self, orientation=orientation, height=self.width, width=self.height)
        return replace(self, orientation=orientation)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Rows and columns as stored, before the EXIF orientation."""
        if self.orientation >= 5:
            return self.width, self.height
        return self.height, self.width


class ByteReader:
    """Reads bytes of one file at any offset; beyond its end, it raises the error for truncation.

    Parameters
    ----------
    name
        The file in messages.
    size
        The number of bytes.
    read
        Returns ``count`` bytes at ``offset``; the range is always within ``size``.
    """

    def __init__(self, name: str, size: int, read: Callable[[int, int], bytes]) -> None:
        self.name = name
        self.size = size
        self._read = read

    def at(self, offset: int, count: int) -> bytes:
        """Read ``count`` bytes at ``offset``, or raise the error for a truncated file."""
        self.reaches(offset + count)
        piece = self._read(offset, count)
        if len(piece) != count:  # the file became smaller while it was read
            raise self.truncated()
        return piece

    def unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        """Read integers by a :mod:`struct` layout."""
        return struct.unpack(layout, self.at(offset, struct.calcsize(layout)))

    def reaches(self, end: int) -> None:
        """Raise the error for a truncated file unless it has ``end`` bytes."""
        if end > self.size:
            raise self.truncated()

    def truncated(self) -> IqbenchError:
        """Return the error for a file that ends too early."""
        return IqbenchError(f"{self.name} is truncated", hint="Write or copy the file again")

    def damaged(self, what: str) -> IqbenchError:
        """Return the error for a file with a wrong structure."""
        return IqbenchError(f"{self.name} is damaged: {what}", hint="Write or copy the file again")

    def refused(self, what: str, hint: str) -> IqbenchError:
        """Return the error for a valid file of an unsupported kind."""
        return IqbenchError(f"{self.name} {what}", hint=hint)


class BufferReader(ByteReader):
    """A reader of a file in memory.

    Attributes
    ----------
    data
        All bytes of the file.
    chunks
        The chunks of the file, cached after the first search.
    """

    chunks: tuple[tuple[bytes, int, int], ...] | None = None

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name, len(data), lambda offset, count: data[offset : offset + count])
        self.data = data


def unpack_bits(rows: NDArray[np.uint8], bits: int, width: int) -> NDArray[np.uint8]:
    """Unpack samples of 1, 2, 4 or 8 bits from rows of bytes, highest bits first.

    Parameters
    ----------
    rows
        (H, bytes).
    bits
        Bits per sample.
    width
        Samples per row; the rest of the last byte of a row is padding.

    Returns
    -------
    ndarray
        (H, width), one byte per sample.
    """
    if bits == 8:
        return rows[:, :width]
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    separate = rows[..., np.newaxis] >> shifts & np.uint8(2**bits - 1)
    return separate.reshape(len(rows), -1)[:, :width]
