"""Random access to a file's bytes, and the errors that reading a format raises."""

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
    """What a header says of an image: what decoding it will give.

    Attributes
    ----------
    format
        ``"png"``, ``"jpeg"``, ``"bmp"``, ``"tiff"``, ``"webp"``, ``"pnm"``, or
        ``"pixels"`` of an array.
    height, width
        Rows and columns, after the EXIF orientation.
    channels
        1 for gray, 3 for RGB; alpha is not counted.
    bit_depth
        Bits per sample once decoded: 8 or 16.
    has_alpha
        Whether there is transparency of any kind.
    orientation
        The EXIF orientation, 1 to 8, that decoding applies.
    maximum
        The sample value of white where the format itself says it; 0 for the largest of the depth.
    noted_bits
        How many bits a file of 16 bits says that its samples had before; None if it does not.
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
        """The sample value of white, as far as the format says it."""
        return self.maximum or (1 << self.bit_depth) - 1

    def oriented(self, orientation: int) -> ImageHeader:
        """Return the facts of the picture after its orientation is applied."""
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
    """Bytes of one file at any offset; outside them, the error of a truncated file.

    Parameters
    ----------
    name
        The file in messages.
    size
        How many bytes there are.
    read
        Gives the bytes at (offset, count), both known to lie within ``size``.
    """

    def __init__(self, name: str, size: int, read: Callable[[int, int], bytes]) -> None:
        self.name = name
        self.size = size
        self._read = read

    def at(self, offset: int, count: int) -> bytes:
        """Read ``count`` bytes at ``offset``, or raise the error of a truncated file."""
        self.reaches(offset + count)
        piece = self._read(offset, count)
        if len(piece) != count:  # the file shrank while it was read
            raise self.truncated()
        return piece

    def unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        """Read integers by a :mod:`struct` layout."""
        return struct.unpack(layout, self.at(offset, struct.calcsize(layout)))

    def reaches(self, end: int) -> None:
        """Raise the error of a truncated file unless it has ``end`` bytes."""
        if end > self.size:
            raise self.truncated()

    def truncated(self) -> IqbenchError:
        """Say that the file ends too early."""
        return IqbenchError(f"{self.name} is truncated", hint="Write or copy the file again")

    def damaged(self, what: str) -> IqbenchError:
        """Say that the file's structure is wrong."""
        return IqbenchError(f"{self.name} is damaged: {what}", hint="Write or copy the file again")

    def refused(self, what: str, hint: str) -> IqbenchError:
        """Say that the file is sound but of a kind that is not read."""
        return IqbenchError(f"{self.name} {what}", hint=hint)


class BufferReader(ByteReader):
    """A reader of a file that lies in memory.

    Attributes
    ----------
    data
        All bytes of the file.
    chunks
        The chunks that a walk over the file found: it is walked once.
    """

    chunks: tuple[tuple[bytes, int, int], ...] | None = None

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name, len(data), lambda offset, count: data[offset : offset + count])
        self.data = data


def unpack_bits(rows: NDArray[np.uint8], bits: int, width: int) -> NDArray[np.uint8]:
    """Return the samples of 1, 2, 4 or 8 bits that fill rows of bytes, the highest bits first.

    Parameters
    ----------
    rows
        (H, bytes).
    bits
        Of a sample.
    width
        Samples in a row; what is left of its last byte is padding.

    Returns
    -------
    ndarray
        (H, width), each sample in a byte of its own.
    """
    if bits == 8:
        return rows[:, :width]
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    separate = rows[..., np.newaxis] >> shifts & np.uint8(2**bits - 1)
    return separate.reshape(len(rows), -1)[:, :width]
