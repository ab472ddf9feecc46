"""WebP: RFC 9649."""

from __future__ import annotations

from collections.abc import Iterator

from iqbench.images.formats.reader import BufferReader, ByteReader, ImageHeader, Samples
from iqbench.images.formats.tiff_directory import exif_orientation

__all__ = ["decode", "facts"]

RIFF_HEADER = 12
ANIMATION, EXIF, ALPHA = 0x02, 0x08, 0x10
PICTURES = (b"VP8 ", b"VP8L")

# Programs write at most this many bytes after the last byte that the pixels need.
SLACK = 8


def _end(file: ByteReader) -> int:
    (size,) = file.unpack("<I", 4)
    return size + 8


def _chunks(file: ByteReader) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks of the RIFF: type, offset and length of the data."""
    offset = RIFF_HEADER
    while offset < _end(file):
        head = file.at(offset, 8)
        length = int.from_bytes(head[4:], "little")
        yield head[:4], offset + 8, length
        offset += 8 + length + length % 2


def facts(file: ByteReader) -> ImageHeader:
    """Read the first chunk, and the EXIF chunk if there is one."""
    kind, offset, _ = next(_chunks(file), (b"", 0, 0))
    if kind == b"VP8 ":
        width, height = file.unpack("<HH", offset + 6)
        return ImageHeader("webp", height & 0x3FFF, width & 0x3FFF, 3)
    if kind == b"VP8L":
        (bits,) = file.unpack("<I", offset + 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return ImageHeader("webp", height, width, 3, has_alpha=bool(bits >> 28 & 1))
    if kind != b"VP8X":
        raise file.damaged("its first chunk is not a WebP image")
    (flags,) = file.at(offset, 1)
    if flags & ANIMATION:
        raise file.refused("is an animated WebP", "Save each frame as a PNG of its own")
    width = int.from_bytes(file.at(offset + 4, 3), "little") + 1
    height = int.from_bytes(file.at(offset + 7, 3), "little") + 1
    stored = ImageHeader("webp", height, width, 3, has_alpha=bool(flags & ALPHA))
    if not flags & EXIF:
        return stored
    blocks = [file.at(at, length) for name, at, length in _chunks(file) if name == b"EXIF"]
    return stored.oriented(exif_orientation(blocks[0]) if blocks else 1)


def decode(file: BufferReader, facts: ImageHeader) -> Samples:
    """Decode; raise an error for an image that needs more or fewer bytes than the file has.

    WebP has no checksum, and libwebp decodes any bits. But changed bits need another number of
    bytes. If there are too few, libwebp fails. If there are too many, the image also decodes
    without its last bytes, which a valid image does not.
    """
    end = _end(file)
    file.reaches(end)
    chunks = list(_chunks(file))
    for _, offset, length in chunks:
        if offset + length > end:
            raise file.truncated()
    parts = [(kind, file.at(at, n)) for kind, at, n in chunks if kind in (*PICTURES, b"ALPH")]
    if sum(kind in PICTURES for kind, _ in parts) != 1:
        raise file.damaged("it has no WebP image, or several")
    samples = _decoded(file.data[:end], facts.has_alpha)
    if samples is None:
        raise file.damaged("libwebp cannot decode it")
    for place, (kind, data) in enumerate(parts):
        head = [(b"VP8X", file.at(chunks[0][1], 10))] if chunks[0][0] == b"VP8X" else []
        cut = [*head, *parts[:place], (kind, data[:-SLACK]), *parts[place + 1 :]]
        if _decoded(_riff(cut), facts.has_alpha) is not None:
            label = kind.decode("ascii").strip()
            raise file.damaged(f"its {label} chunk has more bytes than its pixels need")
    return samples


def _decoded(data: bytes, has_alpha: bool) -> Samples | None:
    import imagecodecs

    try:
        return imagecodecs.webp_decode(data, hasalpha=has_alpha)
    except (imagecodecs.WebpError, ValueError):
        return None


def _riff(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(
        kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body
