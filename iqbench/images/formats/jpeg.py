"""JPEG: ITU-T T.81, annex B, decoded by libjpeg-turbo. Its warnings are treated as damage."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iqbench.errors import out_of_memory
from iqbench.images.formats.reader import BufferReader, ByteReader, ImageHeader, Samples
from iqbench.images.formats.tiff_directory import exif_orientation

__all__ = ["decode", "decode_stream", "facts"]

SIGNATURE = b"\xff\xd8\xff"
SOS, EOI, APP1, LOSSLESS = 0xDA, 0xD9, 0xE1, 0xF7
STANDALONE = {0x01, *range(0xD0, 0xD9)}  # TEM, restarts, SOI: markers without a length
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC
PROGRESSIVE = {0xC2, 0xCA}
READ = {0xC0, 0xC1, 0xC3, 0xC9, *PROGRESSIVE}  # baseline, sequential, lossless, arithmetic

# Inside a scan, FF is followed by 00 or is a restart marker. Any other code after FF ends it.
SCAN_END = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


def _segments(file: ByteReader, offset: int) -> Iterator[tuple[int, int, int]]:
    """Yield the marker segments up to SOS or EOI: marker, offset and length of the content."""
    marker = 0
    while marker not in (SOS, EOI):
        first, marker = file.at(offset, 2)
        if first != 0xFF or marker == 0:
            raise file.damaged("a JPEG marker is missing")
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        offset += 2
        length = 2
        if marker not in STANDALONE and marker != EOI:
            (length,) = file.unpack(">H", offset)
            if length < 2:
                raise file.damaged("a JPEG segment has no length")
            yield marker, offset + 2, length - 2
            offset += length
        else:
            yield marker, offset, 0


def facts(file: ByteReader) -> ImageHeader:
    """Read the frame header and the EXIF orientation, up to the first scan."""
    stored: ImageHeader | None = None
    orientation = 1
    for marker, offset, length in _segments(file, 2):
        if marker == LOSSLESS:
            raise file.refused("is a JPEG-LS, which is not read", "Save it as PNG")
        if marker in FRAMES and stored is None:
            if marker not in READ:
                raise file.refused("is a hierarchical JPEG", "Save it as PNG")
            precision, height, width, components = file.unpack(">BHHB", offset)
            stored = _frame(file, precision, height, width, components)
        elif marker == APP1 and length > 6 and file.at(offset, 6) == b"Exif\0\0":
            orientation = exif_orientation(file.at(offset, length))
    if stored is None:
        raise file.damaged("it has no JPEG frame")
    return stored.oriented(orientation)


def _frame(
    file: ByteReader, precision: int, height: int, width: int, components: int
) -> ImageHeader:
    if precision != 8:
        raise file.refused(f"is a JPEG of {precision} bits per sample", "Save it as 16-bit PNG")
    if components == 4:
        raise file.refused("is a CMYK JPEG", "Convert it to RGB and save it as PNG")
    if components not in (1, 3):
        raise file.refused(f"is a JPEG of {components} channels", "Save it as RGB PNG")
    return ImageHeader("jpeg", height, width, components)


def decode(file: BufferReader, facts: ImageHeader) -> Samples:
    """Decode; raise an error for warnings of libjpeg-turbo and for missing scans."""
    _check_scans(file)
    return decode_stream(file, file.data, facts.channels)


def decode_stream(file: ByteReader, stream: bytes, channels: int) -> Samples:
    """Decode a JPEG stream strictly, with the accurate DCT and smooth chroma upsampling."""
    import simplejpeg

    try:
        samples: Samples = simplejpeg.decode_jpeg(
            stream, "GRAY" if channels == 1 else "RGB", strict=True
        )
        return samples
    except ValueError as error:
        if out_of_memory(error):
            raise MemoryError from None
        reason = str(error)
    if "Premature end of JPEG file" in reason and len(stream) == file.size:
        raise file.truncated()
    if "subsampling" in reason:
        raise file.refused("is a JPEG of unusual chroma subsampling", "Save it as PNG")
    raise file.damaged(f"libjpeg-turbo reports {reason!r}")


def _check_scans(file: BufferReader) -> None:
    """Check that the scans contain every bit of every coefficient.

    If the last scans are missing, libjpeg decodes a coarser image without a warning.
    """
    missing: dict[tuple[int, int], int] = {}  # missing bits by component and coefficient
    progressive = False
    offset, marker = 2, 0
    while marker != EOI:
        for found, start, length in _segments(file, offset):
            marker, offset = found, start + length
            if found in FRAMES:
                progressive = found in PROGRESSIVE
                frame = file.at(start, length)
                bands = range(64) if progressive else range(1)
                missing = {(name, band): -1 for name in frame[6::3] for band in bands}
            elif found == SOS:
                scan = file.at(start, length)
                if not scan or len(scan) != 4 + 2 * scan[0]:
                    raise file.damaged("a JPEG scan has a header of the wrong length")
                first, last, bits = scan[-3], scan[-2], scan[-1] & 15
                if not progressive:
                    first = last = bits = 0
                names = scan[1 : 1 + 2 * scan[0] : 2]
                missing |= {(n, band): bits for n in names for band in range(first, last + 1)}
        if not any(missing.values()):  # usually after the first scan
            return
        if marker == SOS:
            end = SCAN_END.search(file.data, offset)
            offset = len(file.data) if end is None else end.start()
    raise file.damaged("scans of the JPEG are missing")
