"""Image files in memory, written by other programs than the package's own code."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image

MASKS = (0xFF0000, 0xFF00, 0xFF)


def noise(*shape, dtype=np.uint8, seed=0):
    peak = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, peak + 1, shape).astype(dtype)


def smooth(height=24, width=36, channels=3):
    """A picture that JPEG and lossy WebP change little."""
    y, x = np.mgrid[:height, :width]
    planes = [
        255 * y / (height - 1),
        255 * x / (width - 1),
        128 + 100 * np.sin((x + y) / 9),
    ]
    picture = np.stack(planes, axis=-1).round().astype(np.uint8)
    return picture if channels == 3 else picture[..., 0]


def pillow(image, kind, **options):
    """Encode an array or a Pillow image."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(pixels, **options):
    file = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.ndim == 3 else "minisblack")
    tifffile.imwrite(file, pixels, metadata=None, software=False, **options)
    return file.getvalue()


def chunk(kind, data):
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(pixels, depth, colour, *extra, width=None, before=b"\x89PNG\r\n\x1a\n"):
    """Write rows of bytes as they are; ``width`` where samples are smaller than a byte."""
    width = pixels.shape[1] if width is None else width
    head = struct.pack(">IIBBBBB", width, pixels.shape[0], depth, colour, 0, 0, 0)
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big_endian)
    return b"".join(
        (
            before,
            chunk(b"IHDR", head),
            *extra,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )


def packed(values, bits):
    """Pack (H, W) values of 1, 2 or 4 bits into bytes, first one highest."""
    separate = np.unpackbits(values[..., None], axis=2)[..., 8 - bits :]
    return np.packbits(separate.reshape(len(values), -1), axis=1)


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4))
PASSES += ((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def interlaced(pixels, depth, colour):
    """Write a PNG of Adam7's seven passes, by the definition in the standard."""
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = []
    for left, top, right, down in PASSES:
        part = big_endian[top::down, left::right]
        if part.size:
            for row in part:
                rows.append(b"\0" + (packed(row[None], depth) if depth < 8 else row).tobytes())
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, 1)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def bmp(rows, width, height, bits, *, compression=0, masks=MASKS, alpha=0, header=40, palette=b""):
    """Write rows of bytes as they are, behind a header of any generation."""
    fields = struct.pack(
        "<IiiHHIIiiII", header, width, height, 1, bits, compression, len(rows), 0, 0, 0, 0
    )
    fields += struct.pack("<4I", *masks, alpha) + bytes(124)
    fields = fields[: max(header, 52 if compression == 3 else 40)]
    start = 14 + len(fields) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + fields + palette + rows


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def whole_files():
    """One or more sound files of each format, by label."""
    colour, gray, deep = smooth(), smooth(channels=1), noise(24, 36, 3, dtype=np.uint16)
    return {
        "png": pillow(colour, "PNG"),
        "png gray": pillow(gray, "PNG"),
        "png palette": pillow(Image.fromarray(colour).quantize(16), "PNG"),
        "png 16": png(deep.reshape(24, -1), 16, 2, width=36),
        "jpeg": pillow(colour, "JPEG", quality=90),
        "jpeg gray": pillow(gray, "JPEG"),
        "jpeg progressive": pillow(colour, "JPEG", progressive=True, quality=95),
        "jpeg restarts": pillow(colour, "JPEG", restart_marker_blocks=1),
        "jpeg exif": pillow(colour, "JPEG", exif=exif(6)),
        "bmp": pillow(colour, "BMP"),
        "bmp gray": pillow(gray, "BMP"),
        "tiff": pillow(colour, "TIFF"),
        "tiff lzw": pillow(colour, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": pillow(colour, "TIFF", compression="jpeg"),
        "tiff strips": tiff(colour, rowsperstrip=5),
        "tiff tiles": tiff(noise(130, 140, 3), tile=(64, 64)),
        "tiff 16 big": tiff(deep, bigtiff=True),
        "webp": pillow(colour, "WEBP", quality=90),
        "webp lossless": pillow(colour, "WEBP", lossless=True),
        "webp exif": pillow(colour, "WEBP", exif=exif(6)),
        "ppm": pillow(colour, "PPM"),
        "pgm": pillow(gray, "PPM"),
        "ppm 16": b"P6\n# a comment\n36 24\n65535\n" + deep.astype(">u2").tobytes(),
    }
