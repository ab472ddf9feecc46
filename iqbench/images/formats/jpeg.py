"""JPEG: ITU-T T.81, annex B."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iqbench.images.formats.reader import BufferReader, Facts, Reader
from iqbench.images.formats.tiff import exif_orientation

__all__ = ["check_whole", "facts"]

SIGNATURE = b"\xff\xd8\xff"
SOS, EOI, APP1 = 0xDA, 0xD9, 0xE1
STANDALONE = {0x01, *range(0xD0, 0xD9)}  # TEM, restarts, SOI: no length follows
FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC

# Inside a scan FF is stuffed with 00 and restarts may stand: any other code after FF ends it.
SCAN_END = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


def _segments(file: Reader, offset: int) -> Iterator[tuple[int, int, int]]:
    """Walk marker segments up to SOS or EOI: marker, offset and length of the content."""
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


def facts(file: Reader) -> Facts:
    """Read the frame header and the EXIF orientation, up to the first scan."""
    stored: Facts | None = None
    orientation = 1
    for marker, offset, length in _segments(file, 2):
        if marker in FRAMES and stored is None:
            precision, height, width, components = file.unpack(">BHHB", offset)
            stored = _frame(file, precision, height, width, components)
        elif marker == APP1 and length > 6 and file.at(offset, 6) == b"Exif\0\0":
            orientation = exif_orientation(file.at(offset, length))
    if stored is None:
        raise file.damaged("it has no JPEG frame")
    return stored.oriented(orientation)


def _frame(file: Reader, precision: int, height: int, width: int, components: int) -> Facts:
    if precision != 8:
        raise file.refused(f"is a JPEG of {precision} bits a sample", "Save it as 16-bit PNG")
    if components == 4:
        raise file.refused("is a CMYK JPEG", "Convert it to RGB and save it as PNG")
    if components not in (1, 3):
        raise file.refused(f"is a JPEG of {components} channels", "Save it as RGB PNG")
    return Facts("jpeg", height, width, components)


def check_whole(file: BufferReader) -> None:
    """Walk all segments and scans to EOI."""
    offset = 2
    marker = 0
    scans = 0
    while marker != EOI:
        for found, start, length in _segments(file, offset):
            marker, offset = found, start + length
        if marker == SOS:
            scans += 1
            end = SCAN_END.search(file.data, offset)
            if end is None:
                raise file.truncated()
            offset = end.start()
    if scans == 0:
        raise file.damaged("it has no JPEG scan")
