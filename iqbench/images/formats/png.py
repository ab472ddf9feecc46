"""PNG: ISO/IEC 15948, https://www.w3.org/TR/png-3/."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterable, Iterator

from iqbench.errors import out_of_memory
from iqbench.images.formats.reader import BufferReader, ByteReader, ImageHeader, Samples
from iqbench.images.formats.tiff_directory import exif_orientation

__all__ = ["decode", "facts"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEAD = struct.Struct(">I4s")  # the head of a chunk: length and type

# By colour type: channels, alpha, samples per pixel, allowed bit depths (table 8 of the standard).
COLOUR_TYPES = {
    0: (1, False, 1, (1, 2, 4, 8, 16)),
    2: (3, False, 3, (8, 16)),
    3: (3, False, 1, (1, 2, 4, 8)),
    4: (1, True, 2, (8, 16)),
    6: (3, True, 4, (8, 16)),
}
PALETTE = 3

# The chunks with pixels, in their order. For damage in other chunks, libpng only warns.
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")

BLOCK = 0xFFFF  # largest number of bytes in a stored block of a zlib stream

# The seven passes of an interlaced image: first column and row, steps (chapter 8).
PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)

# imagecodecs logs this for each interlaced image. It is about its own call; pixels are correct.
logging.getLogger("imagecodecs").addFilter(
    lambda record: "Interlace handling" not in record.getMessage()
)


def _chunks(file: ByteReader) -> Iterable[tuple[bytes, int, int]]:
    """Return type, offset and length of each chunk's data up to IEND, cached in memory."""
    if not isinstance(file, BufferReader):
        return _walk(file)
    if file.chunks is None:
        file.chunks = tuple(_walk(file))
    return file.chunks


def _walk(file: ByteReader) -> Iterator[tuple[bytes, int, int]]:
    head = _HEAD.unpack_from
    data = file.data if isinstance(file, BufferReader) else b""
    offset, end, kind = len(SIGNATURE), len(data) - _HEAD.size, b""
    while kind != b"IEND":
        # An image of a megapixel has hundreds of chunks, and Python code blocks other threads.
        length, kind = head(data, offset) if offset <= end else head(file.at(offset, 8))
        yield kind, offset + 8, length
        offset += length + 12


def _header(file: ByteReader) -> tuple[int, int, int, int, bool]:
    """Return width, height, bits per sample, colour type and whether it is interlaced."""
    if file.at(len(SIGNATURE), 8) != b"\0\0\0\x0dIHDR":
        raise file.damaged("its first chunk is not a PNG header")
    fields = file.unpack(">IIBBBBB", len(SIGNATURE) + 8)
    width, height, depth, colour, compression, filters, interlaced = fields
    if depth not in COLOUR_TYPES.get(colour, (0, False, 0, ()))[3]:
        raise file.damaged(f"there is no PNG of colour type {colour} with {depth} bits")
    if compression or filters or interlaced > 1:
        raise file.damaged("its compression, filter or interlacing method is unknown")
    return width, height, depth, colour, bool(interlaced)


def facts(file: ByteReader) -> ImageHeader:
    """Read header, palette, transparency, animation, orientation and significant bits."""
    width, height, depth, colour, _ = _header(file)
    channels, alpha, _, _ = COLOUR_TYPES[colour]
    orientation, noted = 1, None
    for kind, offset, length in _chunks(file):
        if kind == b"tRNS":
            alpha = True
        elif kind == b"PLTE" and colour == PALETTE:
            table = file.at(offset, length)
            channels = 1 if table[::3] == table[1::3] == table[2::3] else 3
        elif kind == b"acTL" and file.unpack(">I", offset) != (1,):
            raise file.refused("is an animated PNG", "Save each frame as a PNG of its own")
        elif kind == b"eXIf":
            orientation = exif_orientation(file.at(offset, length))
        elif kind == b"sBIT" and depth == 16 and length >= channels:
            bits = max(file.at(offset, channels))
            noted = bits if 0 < bits < depth else None
    stored = ImageHeader(
        "png", height, width, channels, 16 if depth == 16 else 8, alpha, noted_bits=noted
    )
    return stored.oriented(orientation)


def decode(file: BufferReader, facts: ImageHeader) -> Samples:
    """Check all checksums, decompress the whole stream, and decode.

    libpng stops reading after the last pixel, and only warns about further data. So the stream is
    decompressed and checked here, and libpng gets the uncompressed bytes.
    """
    import imagecodecs

    _check_chunks(file)
    pieces: list[bytes | memoryview] = [SIGNATURE]
    pieces += [
        file.at(offset - 8, length + 12)
        for kind, offset, length in _chunks(file)
        if kind in PIXEL_CHUNKS and kind not in (b"IDAT", b"IEND")
    ]
    pieces += [*_stored(_unpacked(file)), *_chunk(b"IEND")]
    stored = b"".join(pieces)
    del pieces  # keep at most two copies of a large image in memory
    try:
        samples: Samples = imagecodecs.png_decode(stored)
    except (imagecodecs.PngError, ValueError) as error:
        if out_of_memory(error):
            raise MemoryError from None
        raise file.damaged(f"libpng reports {str(error)!r}") from None
    samples = samples.reshape(*samples.shape[:2], -1)
    if facts.channels == 1 and samples.shape[2] >= 3:  # a palette of grays
        samples = samples[..., [0, 3] if samples.shape[2] == 4 else [0]]
    return samples


def _check_chunks(file: BufferReader) -> None:
    """Check the checksums of all chunks, and the order of the chunks with pixels."""
    view = memoryview(file.data)
    order: list[bytes] = []
    for kind, offset, length in _chunks(file):
        file.reaches(offset + length + 4)
        (stored,) = file.unpack(">I", offset + length)
        if zlib.crc32(view[offset - 4 : offset + length]) != stored:
            label = kind.decode("ascii", errors="replace")
            raise file.damaged(f"the checksum of its {label!r} chunk is wrong")
        if not (order and order[-1] == kind == b"IDAT"):
            order.append(kind)
    pixels = [PIXEL_CHUNKS.index(kind) for kind in order if kind in PIXEL_CHUNKS]
    colour = _header(file)[3]
    needed = {b"IHDR", b"IDAT", b"IEND"} | ({b"PLTE"} if colour == PALETTE else set())
    if pixels != sorted(set(pixels)) or not needed <= set(order):
        raise file.damaged("chunks of its pixels are missing or out of order")


def _unpacked(file: BufferReader) -> bytes:
    """Decompress the rows, which must have exactly the number of bytes of the header."""
    import imagecodecs

    width, height, depth, colour, interlaced = _header(file)
    bits = depth * COLOUR_TYPES[colour][2]
    size = 0
    for left, top, right, down in PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // right), -((top - height) // down)
        if columns > 0 and rows > 0:
            size += rows * (1 + (columns * bits + 7) // 8)
    stream = b"".join(file.at(at, n) for kind, at, n in _chunks(file) if kind == b"IDAT")
    try:
        rows_of_bytes = bytes(imagecodecs.deflate_decode(stream, out=size))
    except (imagecodecs.DeflateError, ValueError):
        rows_of_bytes = b""
    if len(rows_of_bytes) != size:
        raise file.damaged("its compressed pixels do not have the size in its header")
    return rows_of_bytes


def _stored(data: bytes) -> Iterator[bytes | memoryview]:
    """Yield the chunks of a zlib stream without compression (RFC 1950 and 1951), in pieces."""
    view = memoryview(data)
    yield from _chunk(b"IDAT", b"\x78\x01")
    for start in range(0, len(data), BLOCK):
        part = view[start : start + BLOCK]
        last = start + BLOCK >= len(data)
        yield from _chunk(b"IDAT", struct.pack("<?HH", last, len(part), len(part) ^ BLOCK), part)
    yield from _chunk(b"IDAT", struct.pack(">I", zlib.adler32(data)))


def _chunk(kind: bytes, *data: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """Yield a chunk in pieces, so that pixels are copied only once, when the pieces are joined."""
    checksum = zlib.crc32(kind)
    for piece in data:
        checksum = zlib.crc32(piece, checksum)
    yield _HEAD.pack(sum(map(len, data)), kind)
    yield from data
    yield struct.pack(">I", checksum)
