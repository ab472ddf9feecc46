"""Whether a file is whole: half a file must never be scored as a picture."""

from __future__ import annotations

from iqbench.images.formats import recognise
from iqbench.images.formats.reader import BufferReader

__all__ = ["check_whole"]


def check_whole(file: BufferReader) -> None:
    """Check that an image file reaches its end, before a decoder sees it.

    PNG chunks are walked to IEND and their checksums compared, but for those of the pixels, which
    every decoder compares; JPEG markers and scans are walked
    to EOI; all strips and tiles of a TIFF, the RIFF of a WebP and the rows of a BMP, PGM or PPM
    must lie within the file. Bytes after the end are ignored.

    Parameters
    ----------
    file
        The whole file in memory.

    Raises
    ------
    IqbenchError
        If the file is truncated or its structure is damaged.
    """
    recognise(file).check_whole(file)
