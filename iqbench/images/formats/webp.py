"""WebP: RFC 9649."""

from __future__ import annotations

from collections.abc import Iterator

from iqbench.images.formats.reader import BufferReader, Facts, Reader
from iqbench.images.formats.tiff import exif_orientation

__all__ = ["check_whole", "facts"]

RIFF_HEADER = 12
ANIMATION, EXIF, ALPHA = 0x02, 0x08, 0x10


def _end(file: Reader) -> int:
    (size,) = file.unpack("<I", 4)
    return size + 8


def _chunks(file: Reader) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks of the RIFF: type, offset and length of each one's data."""
    offset = RIFF_HEADER
    while offset < _end(file):
        head = file.at(offset, 8)
        length = int.from_bytes(head[4:], "little")
        yield head[:4], offset + 8, length
        offset += 8 + length + length % 2


def facts(file: Reader) -> Facts:
    """Read the first chunk, and the EXIF chunk if it says that there is one."""
    kind, offset, _ = next(_chunks(file), (b"", 0, 0))
    if kind == b"VP8 ":
        width, height = file.unpack("<HH", offset + 6)
        return Facts("webp", height & 0x3FFF, width & 0x3FFF, 3)
    if kind == b"VP8L":
        (bits,) = file.unpack("<I", offset + 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return Facts("webp", height, width, 3, has_alpha=bool(bits >> 28 & 1))
    if kind != b"VP8X":
        raise file.damaged("its first chunk is no WebP picture")
    (flags,) = file.at(offset, 1)
    if flags & ANIMATION:
        raise file.refused("is an animated WebP", "Save each frame as a PNG of its own")
    width = int.from_bytes(file.at(offset + 4, 3), "little") + 1
    height = int.from_bytes(file.at(offset + 7, 3), "little") + 1
    stored = Facts("webp", height, width, 3, has_alpha=bool(flags & ALPHA))
    if not flags & EXIF:
        return stored
    blocks = [file.at(at, length) for name, at, length in _chunks(file) if name == b"EXIF"]
    return stored.oriented(exif_orientation(blocks[0]) if blocks else 1)


def check_whole(file: BufferReader) -> None:
    """Check that the RIFF and each chunk of it lie within the file."""
    end = _end(file)
    file.reaches(end)
    kinds = set()
    for kind, offset, length in _chunks(file):
        if offset + length > end:
            raise file.truncated()
        kinds.add(kind)
    if not kinds & {b"VP8 ", b"VP8L"}:
        raise file.damaged("it has no WebP picture")
