"""The file formats that are read: one module each, for the header's facts and for the pixels.

Decoding is strict. Most decoders return a picture for a truncated or damaged file, and such a
picture must not be scored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iqbench.errors import IqbenchError
from iqbench.images.formats import bmp, jpeg, png, pnm, tiff, webp
from iqbench.images.formats.foreign import refusal
from iqbench.images.formats.reader import BufferReader, ByteReader, ImageHeader, Samples

__all__ = ["Format", "recognise"]


@dataclass(frozen=True)
class Format:
    """How one format is read.

    Attributes
    ----------
    facts
        Reads the header.
    decode
        Decodes strictly: raises :class:`IqbenchError` for a file that is truncated or damaged
        anywhere, as far as the format allows to tell.
    """

    facts: Callable[[ByteReader], ImageHeader]
    decode: Callable[[BufferReader, ImageHeader], Samples]


PNG = Format(png.facts, png.decode)
JPEG = Format(jpeg.facts, jpeg.decode)
BMP = Format(bmp.facts, bmp.decode)
TIFF = Format(tiff.facts, tiff.decode)
WEBP = Format(webp.facts, webp.decode)
PNM = Format(pnm.facts, pnm.decode)

READ: dict[bytes, Format] = {
    png.SIGNATURE: PNG,
    jpeg.SIGNATURE: JPEG,
    bmp.SIGNATURE: BMP,
    **dict.fromkeys(tiff.SIGNATURES, TIFF),
    **dict.fromkeys(pnm.SIGNATURES, PNM),
}


def recognise(file: ByteReader) -> Format:
    """Tell the format by the first bytes; the suffix of the name plays no part.

    Raises
    ------
    IqbenchError
        For an empty file, for something that is not an image and for formats that are not read.
    """
    if file.size == 0:
        raise IqbenchError(f"{file.name} is empty (0 bytes)", hint="Write or copy the file again")
    head = file.at(0, min(file.size, 16))
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    for signature, known in READ.items():
        if head.startswith(signature):
            return known
    raise refusal(file)
