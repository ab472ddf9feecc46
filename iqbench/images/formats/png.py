"""PNG: ISO/IEC 15948, https://www.w3.org/TR/png-3/."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from iqbench.images.formats.reader import BufferReader, Facts, Reader
from iqbench.images.formats.tiff import exif_orientation

__all__ = ["check_whole", "decodable", "facts"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Colour type to channels, alpha and the bit depths it may have (table 8 of the standard).
COLOUR_TYPES = {
    0: (1, False, (1, 2, 4, 8, 16)),
    2: (3, False, (8, 16)),
    3: (3, False, (1, 2, 4, 8)),
    4: (1, True, (8, 16)),
    6: (3, True, (8, 16)),
}

# What makes pixels. Colour profiles, texts and the like only make libpng print warnings.
PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def _chunks(file: Reader) -> Iterator[tuple[bytes, int, int]]:
    """Walk to IEND: type, offset and length of each chunk's data."""
    offset = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        head = file.at(offset, 8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        yield kind, offset + 8, length
        offset += length + 12


def facts(file: Reader) -> Facts:
    """Read the header chunk, and whether there is transparency, animation or an orientation."""
    width, height, depth, colour = file.unpack(">IIBB", len(SIGNATURE) + 8)
    if file.at(len(SIGNATURE), 8) != b"\0\0\0\x0dIHDR":
        raise file.damaged("its first chunk is no PNG header")
    channels, alpha, depths = COLOUR_TYPES.get(colour, (0, False, ()))
    if depth not in depths:
        raise file.damaged(f"there is no PNG of colour type {colour} with {depth} bits")
    orientation = 1
    for kind, offset, length in _chunks(file):
        if kind == b"tRNS":
            alpha = True
        elif kind == b"acTL" and file.unpack(">I", offset) != (1,):
            raise file.refused("is an animated PNG", "Save each frame as a PNG of its own")
        elif kind == b"eXIf":
            orientation = exif_orientation(file.at(offset, length))
    stored = Facts("png", height, width, channels, 16 if depth == 16 else 8, alpha)
    return stored.oriented(orientation)


def check_whole(file: BufferReader) -> None:
    """Walk all chunks to IEND and compare their checksums."""
    view = memoryview(file.data)
    for kind, offset, length in _chunks(file):
        (stored,) = file.unpack(">I", offset + length)
        if zlib.crc32(view[offset - 4 : offset + length]) != stored:
            label = kind.decode("ascii", errors="replace")
            raise file.damaged(f"the checksum of its {label!r} chunk is wrong")


def decodable(file: BufferReader) -> bytes:
    """Leave out the chunks that make no pixels."""
    chunks = list(_chunks(file))
    if all(kind in PIXEL_CHUNKS for kind, _, _ in chunks):
        return file.data
    kept = [file.at(o - 8, n + 12) for kind, o, n in chunks if kind in PIXEL_CHUNKS]
    return SIGNATURE + b"".join(kept)
