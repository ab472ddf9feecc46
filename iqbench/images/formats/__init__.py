"""The supported file formats. Each has one module, for its header and for its pixels.

Decoding is strict, because most decoders return an image even for a truncated or damaged file, and
such an image must not be scored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iqbench.errors import IqbenchError
from iqbench.images.formats import bmp, jpeg, png, pnm, tiff, webp
from iqbench.images.formats.reader import BufferReader, ByteReader, ImageHeader, Samples
from iqbench.images.formats.unsupported import refusal

__all__ = ["Format", "recognise"]


@dataclass(frozen=True)
class Format:
    """The functions that read one format.

    Attributes
    ----------
    facts
        Reads the header.
    decode
        Decodes strictly: raises :class:`IqbenchError` for a truncated or damaged file, as far as
        the format allows to detect it.
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
    """Return the format of a file by its first bytes, without regard to its name.

    Raises
    ------
    IqbenchError
        If the file is empty, not an image, or of an unsupported format.
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
