"""PNG: ISO/IEC 15948, https://www.w3.org/TR/png-3/."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from struct import Struct

from iqbench.images.formats.reader import BufferReader, Facts, Reader
from iqbench.images.formats.tiff import exif_orientation

__all__ = ["blame", "check_whole", "decodable", "facts"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEAD = Struct(">I4s")  # of a chunk: length and type

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


def _chunks(file: Reader) -> Iterable[tuple[bytes, int, int]]:
    """Return type, offset and length of each chunk's data, to IEND; walked once in memory."""
    if not isinstance(file, BufferReader):
        return _walk(file)
    if file.chunks is None:
        file.chunks = tuple(_walk(file))
    return file.chunks


def _walk(file: Reader) -> Iterator[tuple[bytes, int, int]]:
    head = _HEAD.unpack_from
    data = file.data if isinstance(file, BufferReader) else b""
    offset, end, kind = len(SIGNATURE), len(data) - _HEAD.size, b""
    while kind != b"IEND":
        # A picture of a megapixel has hundreds of chunks, and threads take turns to walk them.
        length, kind = head(data, offset) if offset <= end else head(file.at(offset, 8))
        yield kind, offset + 8, length
        offset += length + 12


def facts(file: Reader) -> Facts:
    """Read the header chunk, transparency, animation, the orientation and significant bits."""
    width, height, depth, colour = file.unpack(">IIBB", len(SIGNATURE) + 8)
    if file.at(len(SIGNATURE), 8) != b"\0\0\0\x0dIHDR":
        raise file.damaged("its first chunk is no PNG header")
    channels, alpha, depths = COLOUR_TYPES.get(colour, (0, False, ()))
    if depth not in depths:
        raise file.damaged(f"there is no PNG of colour type {colour} with {depth} bits")
    orientation, noted = 1, None
    for kind, offset, length in _chunks(file):
        if kind == b"tRNS":
            alpha = True
        elif kind == b"acTL" and file.unpack(">I", offset) != (1,):
            raise file.refused("is an animated PNG", "Save each frame as a PNG of its own")
        elif kind == b"eXIf":
            orientation = exif_orientation(file.at(offset, length))
        elif kind == b"sBIT" and depth == 16 and length >= channels:
            bits = max(file.at(offset, channels))
            noted = bits if 0 < bits < depth else None
    stored = Facts(
        "png", height, width, channels, 16 if depth == 16 else 8, alpha, noted_bits=noted
    )
    return stored.oriented(orientation)


def check_whole(file: BufferReader) -> None:
    """Walk all chunks to IEND and compare their checksums; those of pixels the decoder compares."""
    _check(file, lambda kind: kind != b"IDAT")


def blame(file: BufferReader) -> None:
    """Compare the checksums of the pixels, where a decoder has refused them."""
    _check(file, lambda kind: kind == b"IDAT")


def _check(file: BufferReader, wanted: Callable[[bytes], bool]) -> None:
    view = memoryview(file.data)
    for kind, offset, length in _chunks(file):
        file.reaches(offset + length + 4)
        if not wanted(kind):
            continue
        (stored,) = file.unpack(">I", offset + length)
        if zlib.crc32(view[offset - 4 : offset + length]) != stored:
            label = kind.decode("ascii", errors="replace")
            raise file.damaged(f"the checksum of its {label!r} chunk is wrong")


def decodable(file: BufferReader) -> bytes:
    """Leave out the chunks that make no pixels."""
    chunks = _chunks(file)
    if all(kind in PIXEL_CHUNKS for kind, _, _ in chunks):
        return file.data
    kept = [file.at(o - 8, n + 12) for kind, o, n in chunks if kind in PIXEL_CHUNKS]
    return SIGNATURE + b"".join(kept)
