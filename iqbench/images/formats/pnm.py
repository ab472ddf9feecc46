"""Binary PGM and PPM: https://netpbm.sourceforge.net/doc/pgm.html."""

from __future__ import annotations

import re

import numpy as np

from iqbench.images.formats.reader import BufferReader, ByteReader, ImageHeader, Samples

__all__ = ["decode", "facts"]

SIGNATURES = (b"P5", b"P6")
HEADER_LIMIT = 4096  # comments may have any length, but real ones are shorter

SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
HEADER = re.compile(
    rb"P([56])" + SPACE + rb"(\d{1,9})" + SPACE + rb"(\d{1,9})" + SPACE + rb"(\d{1,5})\s"
)
ANOTHER = re.compile(rb"\s*P[1-7]\s")
"""The start of the next image of a stream, behind the pixels."""


def _header(file: ByteReader) -> tuple[int, int, int, int, int]:
    """Return channels, width, height, maximum and the offset of the pixels."""
    match = HEADER.match(file.at(0, min(file.size, HEADER_LIMIT)))
    if match is None:
        raise file.damaged("its PGM or PPM header is incomplete")
    kind, width, height, maximum = (int(group) for group in match.groups())
    return 1 if kind == 5 else 3, width, height, maximum, match.end()


def facts(file: ByteReader) -> ImageHeader:
    """Read the header."""
    channels, width, height, maximum, _ = _header(file)
    if not 255 <= maximum <= 65535:
        raise file.refused(
            f"has the maximum value {maximum}", "Scale it to a maximum of 255 to 65535"
        )
    return ImageHeader("pnm", height, width, channels, 8 if maximum == 255 else 16, maximum=maximum)


def decode(file: BufferReader, facts: ImageHeader) -> Samples:
    """Decode the pixels, which follow the header."""
    channels, width, height, _, start = _header(file)
    sample = np.dtype(">u2" if facts.bit_depth == 16 else "u1")
    size = height * width * channels * sample.itemsize
    data = file.at(start, size)
    if ANOTHER.match(file.data, start + size):
        raise file.refused("holds several images", "Save each image as a file of its own")
    stored = np.frombuffer(data, sample).reshape(height, width, channels)
    return stored.astype(sample.newbyteorder("="))
