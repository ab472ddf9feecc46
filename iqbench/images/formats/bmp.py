"""BMP: the Windows bitmap headers, uncompressed."""

from __future__ import annotations

from iqbench.images.formats.reader import BufferReader, Facts, Reader

__all__ = ["check_whole", "facts"]

SIGNATURE = b"BM"
FILE_HEADER = 14
OS2_HEADERS = (12, 16, 64)  # OpenCV takes 24-bit colour behind them for gray
HEADERS = (40, 52, 56, 108, 124)
RGB, RLE, BITFIELDS = 0, (1, 2), (3, 6)
MASKS = (0xFF0000, 0xFF00, 0xFF)


def _layout(file: Reader) -> tuple[int, int, int, int, int]:
    """Header size, width, height (negative: top row first), bits a pixel and compression."""
    (header,) = file.unpack("<I", FILE_HEADER)
    if header in OS2_HEADERS:
        raise file.refused("is a BMP of OS/2", "Save it as PNG")
    if header not in HEADERS:
        raise file.damaged(f"there is no BMP header of {header} bytes")
    width, height, _, bits, compression = file.unpack("<iiHHI", FILE_HEADER + 4)
    return header, width, height, bits, compression


def facts(file: Reader) -> Facts:
    """Read the header and, to tell gray from colour, the palette."""
    header, width, height, bits, compression = _layout(file)
    if compression in RLE:
        raise file.refused("is a run-length encoded BMP", "Save it as PNG")
    if bits not in (1, 4, 8, 24, 32) or (compression != RGB and bits != 32):
        raise file.refused(f"is a BMP of {bits} bits a pixel", "Save it as PNG")
    alpha = False
    if compression in BITFIELDS:
        if file.unpack("<III", FILE_HEADER + 40) != MASKS:
            raise file.refused("is a BMP with channels of its own order", "Save it as PNG")
        alpha = header >= 56 and file.unpack("<I", FILE_HEADER + 52) != (0,)
    elif compression != RGB:
        raise file.refused("is a compressed BMP", "Save it as PNG")
    channels = 1 if bits <= 8 and _gray_palette(file, header, bits) else 3
    return Facts("bmp", abs(height), max(width, 0), channels, 8, alpha)


def _gray_palette(file: Reader, header: int, bits: int) -> bool:
    """Tell whether all colours are grays: BMP has no other way to store a gray picture."""
    (colours,) = file.unpack("<I", FILE_HEADER + 32)
    count = colours if 0 < colours < 2**bits else 2**bits
    palette = file.at(FILE_HEADER + header, count * 4)
    return palette[0::4] == palette[1::4] == palette[2::4]


def check_whole(file: BufferReader) -> None:
    """Check that all rows lie within the file."""
    _, width, height, bits, _ = _layout(file)
    (start,) = file.unpack("<I", 10)
    row = (width * bits + 31) // 32 * 4
    file.reaches(start + row * abs(height))
