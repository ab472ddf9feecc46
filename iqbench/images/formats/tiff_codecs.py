"""The compressions of strips and tiles in TIFF, each undone to the last byte."""

from __future__ import annotations

from collections.abc import Callable

import imagecodecs

from iqbench.images.formats.reader import Reader, Samples

__all__ = ["FAX", "JPEG", "check_compression", "expand", "expand_fax"]

UNCOMPRESSED, JPEG = 1, 7
FAX = {2: "ccittrle_decode", 3: "ccittfax3_decode", 4: "ccittfax4_decode"}
FAX_LIMIT = 2**31

Codec = Callable[..., bytes | bytearray]

CODECS: dict[int, tuple[str, Codec]] = {
    5: ("LZW", imagecodecs.lzw_decode),
    8: ("Deflate", imagecodecs.deflate_decode),
    32946: ("Deflate", imagecodecs.deflate_decode),
    32773: ("PackBits", imagecodecs.packbits_decode),
    34925: ("LZMA", imagecodecs.lzma_decode),
    50000: ("Zstandard", imagecodecs.zstd_decode),
}

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


def check_compression(file: Reader, compression: int, bits: int) -> None:
    """Refuse a compression that is not read, by its name."""
    if compression in FAX and bits == 1:
        return
    if compression in CODECS or compression in (UNCOMPRESSED, JPEG):
        return
    label = "fax compression" if compression in FAX else f"compression {compression}"
    raise file.refused(
        f"is a TIFF with {NOT_READ.get(compression, label)}, which is not read",
        "Save it with Deflate or LZW compression, or as PNG",
    )


def expand(
    file: Reader, compression: int, data: bytes, rows: int, row_bytes: int
) -> bytes | bytearray:
    """Undo a compression.

    Parameters
    ----------
    file
        For messages.
    compression
        The value of the TIFF tag.
    data
        A strip or tile.
    rows, row_bytes
        Its size when it is full.

    Returns
    -------
    bytes
        What it holds, at most one byte more than a full one: the caller compares the length.

    Raises
    ------
    IqbenchError
        If the codec finds it damaged.
    """
    if compression == UNCOMPRESSED:
        return data
    label, codec = CODECS[compression]
    try:
        return codec(data, out=rows * row_bytes + 1)
    except (RuntimeError, ValueError, IndexError) as error:
        raise file.damaged(f"a piece of its {label} data cannot be unpacked ({error})") from None


def expand_fax(file: Reader, compression: int, data: bytes, width: int, options: int) -> Samples:
    """Undo the compression of fax machines, whose rows are of any number.

    Parameters
    ----------
    file
        For messages.
    compression
        2, 3 or 4.
    data
        A strip or tile.
    width
        Of its rows.
    options
        The TIFF tag T4Options.

    Returns
    -------
    ndarray
        (rows, width), the bits as they would be stored without compression.

    Raises
    ------
    IqbenchError
        If the codec finds it damaged, or is not installed.
    """
    codec = getattr(imagecodecs, FAX[compression], None)
    if codec is None:
        raise file.refused(
            "is a TIFF with fax compression", "Install imagecodecs 2026.3.6 or newer"
        )
    if len(data) * 8 * width > FAX_LIMIT:  # a row may be of one bit
        raise file.refused("is a TIFF with long strips of fax compression", "Save it as PNG")
    try:
        rows: Samples = codec(data, width=width, **({"t4options": options} if options else {}))
    except (RuntimeError, ValueError) as error:
        raise file.damaged(f"a piece of its fax data cannot be unpacked ({error})") from None
    return rows
