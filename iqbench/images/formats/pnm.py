"""Binary PGM and PPM: https://netpbm.sourceforge.net/doc/pgm.html."""

from __future__ import annotations

import re

from iqbench.images.formats.reader import BufferReader, Facts, Reader

__all__ = ["check_whole", "facts"]

SIGNATURES = (b"P5", b"P6")
HEADER_LIMIT = 4096  # comments may be of any length; this is more than anybody writes

SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
HEADER = re.compile(
    rb"P([56])" + SPACE + rb"(\d{1,9})" + SPACE + rb"(\d{1,9})" + SPACE + rb"(\d{1,5})\s"
)


def _header(file: Reader) -> tuple[int, int, int, int, int]:
    """Channels, width, height, maximum and where the pixels start."""
    match = HEADER.match(file.at(0, min(file.size, HEADER_LIMIT)))
    if match is None:
        raise file.damaged("its PGM or PPM header is incomplete")
    kind, width, height, maximum = (int(group) for group in match.groups())
    return 1 if kind == 5 else 3, width, height, maximum, match.end()


def facts(file: Reader) -> Facts:
    """Read the header."""
    channels, width, height, maximum, _ = _header(file)
    if not 255 <= maximum <= 65535:
        raise file.refused(
            f"has the maximum value {maximum}", "Scale it to a maximum of 255 to 65535"
        )
    return Facts("pnm", height, width, channels, 8 if maximum == 255 else 16, maximum=maximum)


def check_whole(file: BufferReader) -> None:
    """Check that all pixels lie within the file."""
    channels, width, height, maximum, start = _header(file)
    file.reaches(start + height * width * channels * (1 if maximum == 255 else 2))
