"""BMP with Windows headers, uncompressed."""

from __future__ import annotations

import numpy as np

from iqbench.images.formats.reader import (
    BufferReader,
    ByteReader,
    ImageHeader,
    Samples,
    unpack_bits,
)

__all__ = ["decode", "facts"]

SIGNATURE = b"BM"
FILE_HEADER = 14
OS2_HEADERS = (12, 16, 64)
HEADERS = (40, 52, 56, 108, 124)
RGB, RLE, BITFIELDS = 0, (1, 2), (3, 6)
MASKS = (0xFF0000, 0xFF00, 0xFF)
ALPHA_MASK = 0xFF000000


def _layout(file: ByteReader) -> tuple[int, int, int, int, int]:
    """Return header size, width, height (negative: top row first), bits and compression."""
    (header,) = file.unpack("<I", FILE_HEADER)
    if header in OS2_HEADERS:
        raise file.refused("is a BMP of OS/2", "Save it as PNG")
    if header not in HEADERS:
        raise file.damaged(f"there is no BMP header of {header} bytes")
    width, height, planes, bits, compression = file.unpack("<iiHHI", FILE_HEADER + 4)
    if planes != 1:
        raise file.damaged(f"its BMP header says {planes} planes")
    return header, width, height, bits, compression


def facts(file: ByteReader) -> ImageHeader:
    """Read the header, and the palette to distinguish gray from colour."""
    header, width, height, bits, compression = _layout(file)
    if compression in RLE:
        raise file.refused("is a run-length encoded BMP", "Save it as PNG")
    if bits not in (1, 4, 8, 24, 32) or (compression != RGB and bits != 32):
        raise file.refused(f"is a BMP of {bits} bits per pixel", "Save it as PNG")
    alpha = False
    if compression in BITFIELDS:
        if file.unpack("<III", FILE_HEADER + 40) != MASKS:
            raise file.refused("is a BMP with an unusual order of channels", "Save it as PNG")
        mask = file.unpack("<I", FILE_HEADER + 52)[0] if header >= 56 else 0
        if mask not in (0, ALPHA_MASK):
            raise file.refused("is a BMP with an unusual order of channels", "Save it as PNG")
        alpha = mask == ALPHA_MASK
    elif compression != RGB:
        raise file.refused("is a compressed BMP", "Save it as PNG")
    channels = 3
    if bits <= 8:
        colours = _palette(file, header, bits)
        channels = 1 if bool((colours[:, :1] == colours).all()) else 3
    return ImageHeader("bmp", abs(height), max(width, 0), channels, 8, alpha)


def _palette(file: ByteReader, header: int, bits: int) -> Samples:
    """Return the colours, RGB."""
    (colours,) = file.unpack("<I", FILE_HEADER + 32)
    if colours > 2**bits:
        raise file.damaged(f"its palette has {colours} colours for {bits} bits")
    count = colours or 2**bits
    table = np.frombuffer(file.at(FILE_HEADER + header, count * 4), np.uint8)
    return table.reshape(count, 4)[:, 2::-1]


def decode(file: BufferReader, facts: ImageHeader) -> Samples:
    """Decode the rows, which are padded to multiples of four bytes and start at the bottom."""
    header, width, height, bits, compression = _layout(file)
    (start,) = file.unpack("<I", 10)
    masks = 12 if header == HEADERS[0] and compression != RGB else 0
    if start < FILE_HEADER + header + masks:
        raise file.damaged("its BMP pixels start inside the header")
    row = (width * bits + 31) // 32 * 4
    stored = np.frombuffer(file.at(start, row * abs(height)), np.uint8).reshape(-1, row)
    rows = stored if height < 0 else stored[::-1]
    if bits > 8:
        pixels = rows[:, : width * bits // 8].reshape(abs(height), width, bits // 8)
        order = (2, 1, 0, 3) if facts.has_alpha else (2, 1, 0)
        samples = np.empty((*pixels.shape[:2], len(order)), np.uint8)
        for place, stored_place in enumerate(order):
            samples[..., place] = pixels[..., stored_place]
        return samples
    colours = _palette(file, header, bits)
    places = unpack_bits(rows, bits, width)
    if int(places.max()) >= len(colours):
        raise file.damaged("a pixel has a colour that is not in the palette")
    return colours[:, : facts.channels][places]
