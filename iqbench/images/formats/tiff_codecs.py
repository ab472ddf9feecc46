"""Strict decompression of strips and tiles in TIFF, to the last byte."""

from __future__ import annotations

import struct
from collections.abc import Callable

from iqbench.images.formats.reader import ByteReader, Samples

__all__ = ["FAX", "JPEG", "check_compression", "expand", "expand_fax"]

UNCOMPRESSED, LZW, JPEG = 1, 5, 7
FAX = {2: "ccittrle_decode", 3: "ccittfax3_decode", 4: "ccittfax4_decode"}
FAX_LIMIT = 2**31

Codec = Callable[..., bytes | bytearray]

CODECS = {
    8: ("Deflate", "deflate_decode"),
    32946: ("Deflate", "deflate_decode"),
    32773: ("PackBits", "packbits_decode"),
    34925: ("LZMA", "lzma_decode"),
    50000: ("Zstandard", "zstd_decode"),
}
"""By value of the TIFF tag: its name, and the function of imagecodecs that decompresses it."""

NOT_READ = {
    6: "JPEG compression of the old kind",
    32766: "NeXT compression",
    32809: "ThunderScan compression",
    32908: "PixarFilm compression",
    32909: "PixarLog compression",
    33003: "JPEG 2000 compression",
    33004: "JPEG 2000 compression",
    33005: "JPEG 2000 compression",
    34661: "JBIG compression",
    34676: "SGI Log compression",
    34677: "SGI Log compression",
    34712: "JPEG 2000 compression",
    34887: "LERC compression",
    34892: "lossy JPEG compression of DNG",
    50001: "WebP compression",
    50002: "JPEG XL compression",
    52546: "JPEG XL compression",
}


def check_compression(file: ByteReader, compression: int, bits: int) -> None:
    """Raise an error for an unsupported compression; it names the compression."""
    if compression in FAX and bits == 1:
        return
    if compression in CODECS or compression in (UNCOMPRESSED, LZW, JPEG):
        return
    label = "fax compression" if compression in FAX else f"compression {compression}"
    raise file.refused(
        f"is a TIFF with {NOT_READ.get(compression, label)}, which is not read",
        "Save it with Deflate or LZW compression, or as PNG",
    )


def expand(
    file: ByteReader, compression: int, data: bytes, rows: tuple[int, ...], row_bytes: int
) -> bytes | bytearray:
    """Decompress a strip or tile.

    Parameters
    ----------
    file
        The file, for messages.
    compression
        The value of the TIFF tag.
    data
        A strip or tile.
    rows
        Its possible numbers of rows: full, or the remaining rows at the end of the image.
    row_bytes
        Bytes per row.

    Returns
    -------
    bytes
        The content, at most one byte more than a full strip or tile. The caller checks its length.

    Raises
    ------
    IqbenchError
        If it is damaged.
    """
    if compression == UNCOMPRESSED:
        return data
    if compression == LZW:
        return _expand_lzw(file, data, rows, row_bytes)
    import imagecodecs

    label, function = CODECS[compression]
    codec: Codec = getattr(imagecodecs, function)
    try:
        return codec(data, out=max(rows) * row_bytes + 1)
    except (RuntimeError, ValueError, IndexError) as error:
        raise file.damaged(f"a part of its {label} data cannot be decompressed ({error})") from None


def _expand_lzw(file: ByteReader, data: bytes, rows: tuple[int, ...], row_bytes: int) -> bytes:
    """Decompress LZW by libtiff, which stops after the requested number of rows.

    So one more row is requested too, which a valid strip does not have.
    """
    for number in sorted(rows, reverse=True):
        unpacked = _by_libtiff(data, number, row_bytes)
        if unpacked is not None and _by_libtiff(data, number + 1, row_bytes) is None:
            return unpacked
    raise file.damaged("a part of its LZW data does not have the length of its pixels")


def _by_libtiff(data: bytes, rows: int, row_bytes: int) -> bytes | None:
    """Decompress LZW as the only strip of a gray image; None if this fails."""
    import imagecodecs

    tags = {256: row_bytes, 257: rows, 258: 8, 259: LZW, 262: 1, 277: 1, 278: rows}
    tags |= {279: len(data), 273: 8 + 2 + 12 * (len(tags) + 2) + 4}
    entries = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    try:
        return imagecodecs.tiff_decode(b"".join((head, *entries, bytes(4), data))).tobytes()
    except (RuntimeError, ValueError):
        return None


def expand_fax(
    file: ByteReader, compression: int, data: bytes, width: int, options: int
) -> Samples:
    """Decompress fax data, which does not state its number of rows.

    Parameters
    ----------
    file
        The file, for messages.
    compression
        2, 3 or 4.
    data
        A strip or tile.
    width
        The width of its rows.
    options
        The TIFF tag T4Options.

    Returns
    -------
    ndarray
        (rows, width), the uncompressed bits.

    Raises
    ------
    IqbenchError
        If it is damaged, or the codec is not installed.
    """
    import imagecodecs

    codec = getattr(imagecodecs, FAX[compression], None)
    if codec is None:
        raise file.refused(
            "is a TIFF with fax compression", "Install imagecodecs 2026.3.6 or newer"
        )
    if len(data) * 8 * width > FAX_LIMIT:  # a row may take one bit
        raise file.refused("is a TIFF with long strips of fax compression", "Save it as PNG")
    try:
        rows: Samples = codec(data, width=width, **({"t4options": options} if options else {}))
    except (RuntimeError, ValueError) as error:
        raise file.damaged(f"a part of its fax data cannot be decompressed ({error})") from None
    return rows
